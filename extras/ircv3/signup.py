"""REGISTER and VERIFY: make an account; with a mail to its owner, if the server wants that.

    C: REGISTER * alice@example.org sesame
    S: REGISTER VERIFICATION_REQUIRED alice :A code was sent to alice@example.org
    C: VERIFY alice 12345678
    S: VERIFY SUCCESS alice :Account created

Source: IRCv3 account-registration (draft).
"""

import argparse
import shlex
import time
from collections import deque
from queue import Full
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.more.passwords import TOO_MANY
from extras.irc.names import is_nick
from extras.ircv3.accounts import Account, AccountExists, BadPassword
from extras.ircv3.database import DatabaseError
from extras.ircv3.drafts import Drafts
from extras.ircv3.login import Login
from extras.ircv3.mail import Mailer, is_address
from extras.ircv3.storage import Storage
from step5_server.line_server import positive

MOST, WHILE_S = 30, 3600.0  # accounts from one address in an hour: a class registers, and no flood
MAX_HOSTS = 10_000  # addresses that are remembered for that
MAIL = """To: {email}
Subject: Your account on {network}

Send this to the server, and the account {name} is yours:

/quote VERIFY {name} {code}
"""
FORGOTTEN = "it is in memory, and ends with the server"  # without --db


class Refused(Exception):
    """No account: IRCv3's code for the reason, and words for a person."""


class Signup(Extension):
    """draft/account-registration."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (
            Capability("draft/account-registration", "make an account", value=lambda: ",".join(self.keys())),
        )
        self.commands = {"REGISTER": command(self.register, early=True), "VERIFY": command(self.verify, early=True)}
        self._drafts = Drafts()
        self._made_at: dict[str, deque[float]] = {}  # by address; the world's lock guards it
        self._mailer = Mailer(self.options.register_mail)

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--register",
            choices=("before-connect", "connected", "off"),
            default="before-connect",
            help="who may make an account: everybody, who has connected, or nobody (default %(default)s)",
        )
        flags.add_argument(
            "--register-mail",
            type=shlex.split,
            default=[],
            metavar="COMMAND",
            help="an account needs an address, and this program sends a code there: 'sendmail -t'",
        )
        flags.add_argument(
            "--register-limit",
            type=positive(int),
            default=MOST,
            metavar="N",
            help="how many accounts may be made from one address in an hour (default %(default)s)",
        )

    def start(self) -> None:
        self.accounts = self.server.extensions[Storage].accounts
        self.login = self.server.extensions[Login]
        self.created = "Account created" if self.options.db else f"Account created; {FORGOTTEN}"

    @property
    def is_early(self) -> bool:
        """Whether one may register before the welcome: where a password is needed for that, one may not."""
        return self.options.register == "before-connect" and not self.options.password

    def keys(self) -> list[str]:
        """Give the value of the capability."""
        early, mail = ["before-connect"] * self.is_early, ["email-required"] * bool(self.options.register_mail)
        return [*early, *mail, "custom-account-name"]

    def register(self, me: Client, name: str, email: str, password: str) -> None:
        """Make an account: a name or * for one's nick, a mail address or *, a password.  IRCv3 account-registration."""
        try:
            account, is_kept = self.sign_up(me, name, email, password)
        except Refused as refused:
            refuse(me, "REGISTER", name, refused)
            return
        if is_kept:
            answer(me, "REGISTER", "SUCCESS", account.name, self.created)
            self.login.log_in(me, account.name)
        else:
            answer(me, "REGISTER", "VERIFICATION_REQUIRED", account.name, f"A code was sent to {email}")

    def verify(self, me: Client, name: str, code: str) -> None:
        """Make the account for which a code came by mail.  IRCv3 account-registration."""
        try:
            account = self.confirm(me, name, code)
        except Refused as refused:
            refuse(me, "VERIFY", name, refused)
            return
        answer(me, "VERIFY", "SUCCESS", account.name, self.created)
        self.login.log_in(me, account.name)

    # --- what NickServ needs, too; all of it raises Refused -------------------------------------

    def sign_up(self, me: Client, name: str, email: str, password: str) -> tuple[Account, bool]:
        """Make an account; tell whether it is kept, or waits for its code."""
        self.check_client(me)
        name = self.check_name(me, name)
        email = self.check_email(email)
        self.count(me)
        if not self.options.register_mail:
            return self.make(me, name, email, password), True
        account = self.draft(me, name, email, password)
        code = self._drafts.add(account)
        if not code:
            raise Refused("TEMPORARILY_UNAVAILABLE", "Somebody registers this name, or too many register: try later")
        with me.unlocked():
            was_sent = self._mailer.send(MAIL.format(**account._asdict(), code=code, network=self.server.network))
        if not was_sent:
            self._drafts.drop(account)
            raise Refused("TEMPORARILY_UNAVAILABLE", "No mail can be sent now: try again later")
        return account, False

    def make(self, me: Client, name: str, email: str, password: str) -> Account:
        """Make an account, and keep it."""
        account = self.draft(me, name, email, password)
        self.keep(me, account)
        return account

    def draft(self, me: Client, name: str, email: str, password: str) -> Account:
        """Make an account that is not kept yet."""
        try:
            with me.unlocked():  # two hashes
                account = self.accounts.make(name, password, email, me.user.address)
        except BadPassword as why:
            raise Refused("UNACCEPTABLE_PASSWORD", f"Not this password: {why}") from None
        except Full:
            raise Refused("TEMPORARILY_UNAVAILABLE", TOO_MANY) from None
        self.check_name(me, name)  # it may be taken by now
        return account

    def confirm(self, me: Client, name: str, code: str) -> Account:
        """Keep the account that has this code."""
        self.check_client(me)
        account = self._drafts.confirmed(name, code)
        if account is None:
            raise Refused("INVALID_CODE", "This is not the code")
        self.keep(me, account)
        self._drafts.drop(account)
        return account

    def keep(self, me: Client, account: Account) -> None:
        """Write an account."""
        try:
            with me.unlocked():  # the disk
                self.accounts.add(account)
        except AccountExists:
            raise Refused("ACCOUNT_EXISTS", "This account exists") from None
        except (DatabaseError, Full):
            raise Refused("TEMPORARILY_UNAVAILABLE", "Accounts are temporarily unavailable: try again later") from None

    def check_client(self, me: Client) -> None:
        """Say why this client may have no account."""
        if self.options.register == "off":
            raise Refused("TEMPORARILY_UNAVAILABLE", "This server makes no accounts")
        if not me.user.registered and not self.is_early:
            raise Refused("COMPLETE_CONNECTION_REQUIRED", "Finish your registration first")
        if me.user.account:
            raise Refused("ALREADY_AUTHENTICATED", f"You are logged in as {me.user.account}")

    def check_name(self, me: Client, name: str) -> str:
        """Give the name; `*` is the nick."""
        if name == "*":
            name = me.user.nick or me.wanted_nick
            if not name:
                raise Refused("NEED_NICK", "Choose a nick first")
        if not is_nick(name) or self.server.extensions.first(Extension.service, name) is not None:
            raise Refused("BAD_ACCOUNT_NAME", "An account's name must be one that can be a nick")
        holder = me.world.user(name)
        if self.accounts.name_of(name) or holder not in (None, me.user):
            raise Refused("ACCOUNT_EXISTS", "This account exists, or somebody uses the nick")
        return name

    def check_email(self, email: str) -> str:
        """Give the address, "" for none."""
        if email == "*" and not self.options.register_mail:
            return ""
        if not is_address(email):
            raise Refused("INVALID_EMAIL", "This is no mail address")
        return email

    def count(self, me: Client) -> None:
        """Count what comes from one address."""
        now = time.monotonic()
        if len(self._made_at) >= MAX_HOSTS:
            self._made_at.clear()
        most = self.options.register_limit
        times = self._made_at.setdefault(me.user.address, deque(maxlen=most))
        if len(times) == most and now - times[0] < WHILE_S:
            raise Refused("TEMPORARILY_UNAVAILABLE", "Too many accounts from your address: try again in an hour")
        times.append(now)


def answer(me: Client, name: str, *params: str) -> None:
    """Say how a REGISTER or a VERIFY went."""
    *middle, text = params
    me.send(Event(name, *middle, text=text, source=me.server.name))


def refuse(me: Client, name: str, account: str, refused: Refused) -> None:
    """Say why there is no account."""
    code, text = refused.args
    me.standard("FAIL", name, code, account, text=text)
