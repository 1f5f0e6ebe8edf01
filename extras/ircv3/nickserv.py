"""NickServ: a service for clients and bots that cannot do SASL or REGISTER; one sends it messages.

    C: PRIVMSG NickServ :IDENTIFY alice sesame
    S: :NickServ!NickServ@irc.example.net NOTICE alice_ :You are now identified for alice.

ghost   a connection of one's own that is dead, and still has the nick
The texts have the words that bots look for: "now identified", "ghosted", "killed".
"""

import re
from typing import Any

from extras.irc.client import Client
from extras.irc.names import fold
from extras.irc.registration import rename
from extras.ircv3.accounts import BadPassword
from extras.ircv3.login import Login
from extras.ircv3.secure import fingerprint
from extras.ircv3.service import Service
from extras.ircv3.signup import FORGOTTEN, Refused, Signup
from extras.ircv3.storage import Storage
from step1_echo.serving import log


class NickServ(Service):
    """The service."""

    name, short = "NickServ", "NS"
    unavailable = "Accounts are temporarily unavailable: try again later."

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.add_orders(
            self.register, self.identify, self.ghost, self.regain, self.passwd, self.cert, self.saregister, self.help
        )

    def start(self) -> None:
        self.accounts = self.server.extensions[Storage].accounts
        self.login = self.server.extensions[Login]
        self.signup = self.server.extensions[Signup]

    # --- the orders -----------------------------------------------------------------------------

    def register(self, me: Client, password: str, email: str = "*") -> None:
        """REGISTER <password> [<email>]: make an account with the name of your nick."""
        try:
            account, is_kept = self.signup.sign_up(me, me.user.nick, email, password)
        except Refused as refused:
            self.say(me, f"{refused.args[1]}.")
            return
        if is_kept:
            self.say(me, "Account created")
            if not self.options.db:
                self.say(me, f"(But {FORGOTTEN}.)")
            self.login.log_in(me, account.name)
        else:
            self.say(me, f"A mail to {email} tells how to go on.")

    def identify(self, me: Client, account: str, password: str = "") -> None:
        """IDENTIFY [<account>] <password>: log in."""
        if not password:
            account, password = me.user.nick, account
        if name := self.check(me, account, password):
            done = self.login.log_in(me, name)
            self.say(me, f"You are now identified for {name}." if done else "Your other clients have another account.")

    def ghost(self, me: Client, nick: str, password: str = "") -> None:
        """GHOST <nick> [<password>]: end the connection that has your nick."""
        self.end_ghost(me, nick, password)

    def end_ghost(self, me: Client, nick: str, password: str) -> bool:
        """End the connection that has the nick, if any; tell whether the nick is our user's."""
        name = self.check(me, nick, password) if password else me.user.account
        user = me.world.user(nick)
        if name is None:
            return False  # it was told why
        if not name or fold(name) != fold(nick):
            self.say(me, f"You are not the owner of {nick}: GHOST {nick} <password>")
            return False
        if user is me.user:
            self.say(me, "That is you.")
            return False
        if user is not None:
            me.leave(user, f"GHOST by {me.user.nick}")
            self.say(me, f"{nick} has been ghosted: killed.")
        elif password and self.login.log_in(me, name):
            rename(me, nick)  # a bot that knows no SASL: it was refused this nick, and takes that for a ghost
        else:
            self.say(me, f"Nobody has the nick {nick}.")
        return True

    def regain(self, me: Client, nick: str, password: str = "") -> None:
        """REGAIN <nick> [<password>]: end that connection, and take the nick."""
        if self.end_ghost(me, nick, password) and fold(me.user.nick) != fold(nick):
            if password and (name := self.accounts.name_of(nick)):
                self.login.log_in(me, name)
            rename(me, nick)

    def passwd(self, me: Client, old: str, new: str) -> None:
        """PASSWD <old> <new>: change your password."""
        if me.user.account and (name := self.check(me, me.user.account, old)):
            try:
                with me.unlocked():
                    self.accounts.change_password(self.accounts.make(name, new, "", me.user.address))
            except BadPassword as why:
                self.say(me, f"Not this password: {why}.")
            else:
                self.say(me, "Password changed.")

    def cert(self, me: Client, what: str, value: str = "") -> None:
        """CERT ADD|DEL|LIST [<fingerprint>]: certificates that log you in with SASL EXTERNAL."""
        value = value.lower() or fingerprint(me)
        if not me.user.account:
            self.say(me, "Log in first.")
        elif what.upper() == "LIST":
            with me.unlocked():
                values = self.accounts.fingerprints(me.user.account)
            self.say(me, " ".join(values) or "None.")
        elif what.upper() not in ("ADD", "DEL") or not re.fullmatch("[0-9a-f]{64}", value):
            self.say(me, "CERT ADD, and 64 digits, if you do not use the certificate now.")
        else:
            change = self.accounts.add_fingerprint if what.upper() == "ADD" else self.accounts.remove_fingerprint
            with me.unlocked():
                was_done = change(me.user.account, value)
            self.say(
                me, "Done." if was_done else "Not done: it is somebody's already, is not yours, or you have too many."
            )

    def saregister(self, me: Client, account: str, password: str) -> None:
        """SAREGISTER <account> <password>: make an account for somebody; for operators."""
        if not me.user.is_operator:
            self.say(me, "You are no operator of this server.")
            return
        try:
            self.signup.make(me, self.signup.check_name(me, account), "", password)
        except Refused as refused:
            self.say(me, f"{refused.args[1]}.")
        else:
            log.warning("%s: SAREGISTER %s", me, account)
            self.say(me, f"Account created: {account}")

    def check(self, me: Client, account: str, password: str) -> str | None:
        """Give the account's name if the password is right; else say that it is not."""
        with me.unlocked():
            name = self.accounts.check(account, password, me.user.address)
        if me.outbox.ended:
            return None  # somebody has hung up on it meanwhile
        if name is None:
            self.say(me, f"Incorrect password for {account}.")
            self.login.failed(me, "NickServ")
        return name
