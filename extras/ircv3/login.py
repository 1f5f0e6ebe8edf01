"""Who is logged in, and what others see of it.

account   a name that belongs to somebody who knows its password; "" for a user who has not logged in
extended ban   a mask for accounts: `a:alice` is alice under whatever nick, `a:*` all who are logged in

A nick that is an account's name is for those who are logged in to that account.
Source: IRCv3 account-notify, account-tag, account-extban, sasl-3.1 (the numerics).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.names import Name, fold, mask
from extras.irc.replies import ERR_NICKNAMEINUSE, Numeric, Reply
from extras.irc.state import User
from extras.ircv3.storage import Storage
from step1_echo.serving import log

SASL = "IRCv3 sasl-3.1"
RPL_LOGGEDIN = Numeric("900", "<nick!user@host> <account> :You are now logged in as <account>", SASL)
RPL_WHOISACCOUNT = Numeric("330", "<nick> <account> :is logged in as", "modern.ircdocs.horse")

MAX_FAILED = 5  # wrong passwords before the connection ends: guessing must be slow
ACCOUNT_BAN = "a:"


class Login(Extension):
    """account-notify, account-tag, and the rights of an account."""

    extended_bans = "a"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (
            Capability("account-notify", "others in one's channels log in"),
            Capability("account-tag", "the account of whoever speaks", tags=account_tag),
        )

    def start(self) -> None:
        self.accounts = self.server.extensions[Storage].accounts

    def tokens(self) -> Iterable[str]:
        return ["ACCOUNTEXTBAN=a"]

    def why_not_nick(self, me: Client, nick: str) -> Reply | None:
        owner = self.accounts.name_of(nick)
        if owner is None or fold(owner) == fold(me.user.account):
            return None
        me.standard("NOTE", "NICK", "NICK_RESERVED", nick, text="Log in to use this nick: it is an account's")
        return ERR_NICKNAMEINUSE, nick

    def about(self, me: Client, user: User) -> Iterable[Reply]:
        if user.account:
            yield RPL_WHOISACCOUNT, user.account

    def extended_ban(self, text: str) -> str | None:
        return text if text.startswith(ACCOUNT_BAN) and text != ACCOUNT_BAN else None

    def matches(self, letter: str, pattern: str, user: User) -> bool | None:
        if not pattern.startswith(ACCOUNT_BAN):
            return None
        return bool(user.account) and Name(user.account).fits(mask(pattern.removeprefix(ACCOUNT_BAN)))

    # --- for those who check passwords: SASL, REGISTER, NickServ --------------------------------

    def log_in(self, me: Client, account: str) -> bool:
        """Our user is the owner of this account, from now on; tell whether that was done.  Thread: holds the lock.

        Clients that share a user log in to one account: none of them changes it for the others.
        """
        if me.outbox.ended or len(me.user.sessions) > 1 and account != me.user.account:
            return False  # or somebody has hung up on it while we looked
        user = me.user
        changes = user.account != account
        user.account = account
        log.info("%s: logged in as %s", me, account)
        who = f"{user.nick or '*'}!{user.name or '*'}@{user.host}"
        me.reply(RPL_LOGGEDIN, who, account)
        if changes and user.registered:
            event = me.says("ACCOUNT", account, need="account-notify")
            me.tell_user(user, event)
            me.tell_neighbours(user, event, afar=True)
        if changes:
            for logged_in in self.server.extensions.hooks(Extension.logged_in):
                logged_in(me)
        return True

    def failed(self, me: Client, how: str) -> None:
        """Note a wrong password; after some, the connection ends.  Thread: holds the lock."""
        failures = me.state[Login] = me.state.get(Login, 0) + 1
        log.warning("%s: %s: wrong password", me, how)
        if failures >= MAX_FAILED:
            me.close_link("Too many wrong passwords")


def account_tag(event: Event) -> Mapping[str, str]:
    """Give the account of whoever did this."""
    return {"account": event.user.account} if event.user and event.user.account else {}
