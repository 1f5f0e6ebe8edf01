"""OPER, KILL, WALLOPS, REHASH, DIE, and the two that link servers: for those who run the server.

Source: RFC 2812 sections 3.1.4, 3.7.1 and 4.2 to 4.7, modern.ircdocs.horse "Operator Messages".
"""

import argparse
from queue import Full
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.more.passwords import TOO_MANY, is_password
from extras.irc.more.replies import ERR_CANTKILLSERVER, ERR_PASSWDMISMATCH, RPL_REHASHING, RPL_YOUREOPER
from extras.irc.names import fold
from extras.irc.replies import ERR_NOPRIVILEGES, ERR_NOSUCHNICK, ERR_NOSUCHSERVER
from step1_echo.serving import log

MAX_FAILED = 3  # wrong passwords for OPER before the connection ends: guessing must be slow


def oper(me: Client, name: str, password: str) -> None:
    """Become an operator of the server.  RFC 2812 section 3.1.4."""
    secrets = me.server.extensions[Operators].secrets
    secret = secrets.get(name) or secrets.get("*")
    try:
        # Not under the world's lock: a hash takes time, and everybody would wait for it.
        is_right = secret is not None and is_password(password, secret, me.user.host)
    except Full:
        me.notice(TOO_MANY)
        return
    if not is_right:
        # Another name may be the password, at the wrong place.
        log.warning("%s: OPER %s failed", me, ascii(name) if name in secrets else "as nobody")
        me.reply(ERR_PASSWDMISMATCH)
        failed = me.state[Operators] = me.state.get(Operators, 0) + 1
        if failed == MAX_FAILED:
            with me.world.lock:
                me.end_session("Too many wrong passwords")
        return
    log.warning("%s: is operator %r now", me, name)
    with me.world.lock:
        if not me.user.registered:
            return  # killed while we computed the hash
        me.world.set_mode(me.user, "o", True)
        me.reply(RPL_YOUREOPER)
        event = Event("MODE", me.user.nick, source=me.user.nick, text="+o")
        me.send(event)
        me.tell_elsewhere(event)


def kill(me: Client, nick: str, reason: str) -> None:
    """Throw a user off the server.  RFC 2812 section 3.7.1."""
    user = me.world.user(nick)
    if not me.user.is_operator:
        me.reply(ERR_NOPRIVILEGES)
    elif user is None:
        is_server = fold(nick) == fold(me.server.name)
        me.reply(*((ERR_CANTKILLSERVER,) if is_server else (ERR_NOSUCHNICK, nick)))
    else:
        log.warning("%s: KILL %s", me, nick)
        me.tell_user(user, me.says("KILL", user.nick, text=reason))
        me.leave(user, f"Killed ({me.user.nick} ({reason}))")


def wallops(me: Client, text: str) -> None:
    """Send a message to all users with the mode +w.  RFC 2812 section 4.7."""
    if me.user.is_operator:
        me.tell_users(me.world.users_with("w"), me.says("WALLOPS", text=text))
    else:
        me.reply(ERR_NOPRIVILEGES)


def connect(me: Client, target: str, *params: str) -> None:
    """Link to another server: there is none to link to.  RFC 2812 section 3.4.7."""
    me.reply(*((ERR_NOSUCHSERVER, target) if me.user.is_operator else (ERR_NOPRIVILEGES,)))


def squit(me: Client, target: str, reason: str) -> None:
    """End the link to another server: there is none.  RFC 2812 section 3.1.8."""
    me.reply(*((ERR_NOSUCHSERVER, target) if me.user.is_operator else (ERR_NOPRIVILEGES,)))


def rehash(me: Client) -> None:
    """Read the message of the day, and the certificate, again.  RFC 2812 section 4.2."""
    if me.user.is_operator:
        me.reply(RPL_REHASHING, me.server.motd_file or "MOTD")
        me.server.forget_motd()
        if me.server.credentials:
            me.server.credentials.renew()
    else:
        me.reply(ERR_NOPRIVILEGES)


def die(me: Client) -> None:
    """Stop the server.  RFC 2812 section 4.3."""
    if me.user.is_operator:
        log.warning("%s: DIE", me)
        me.server.die()
    else:
        me.reply(ERR_NOPRIVILEGES)


class Operators(Extension):
    """The seven commands, and --oper."""

    commands = {
        "CONNECT": command(connect),
        "DIE": command(die),
        "KILL": command(kill),
        # Without the lock: it computes a hash, and then takes the lock itself.
        "OPER": command(oper, locked=False),
        "REHASH": command(rehash),
        "SQUIT": command(squit),
        "WALLOPS": command(wallops),
    }

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.secrets: dict[str, str] = dict(self.options.oper)  # by name: a password, or its hash

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--oper",
            action="append",
            default=[],
            type=operator,
            metavar="NAME:PASSWORD",
            help="who may become an operator (* is any name); a hash is better than the password",
        )


def operator(text: str) -> tuple[str, str]:
    """Split NAME:PASSWORD."""
    name, _, secret = text.partition(":")
    if not (name and secret):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PASSWORD")
    return name, secret
