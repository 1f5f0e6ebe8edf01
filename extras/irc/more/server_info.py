"""TIME, INFO, ADMIN, STATS, LINKS, TRACE and HELP: questions about the server; and what it does not have.

Source: RFC 2812 sections 3.4, 3.5 and 4, modern.ircdocs.horse "Server Queries and Commands".
"""

import inspect
import time
from collections.abc import Iterator

from extras.irc.client import Client
from extras.irc.command import Function, command
from extras.irc.extension import Extension
from extras.irc.more.operators import Operators
from extras.irc.more.replies import (
    ERR_HELPNOTFOUND,
    ERR_NOSUCHSERVICE,
    ERR_SUMMONDISABLED,
    ERR_USERSDISABLED,
    RPL_ADMINEMAIL,
    RPL_ADMINLOC1,
    RPL_ADMINLOC2,
    RPL_ADMINME,
    RPL_ENDOFHELP,
    RPL_ENDOFINFO,
    RPL_ENDOFLINKS,
    RPL_ENDOFSTATS,
    RPL_HELPSTART,
    RPL_HELPTXT,
    RPL_INFO,
    RPL_LINKS,
    RPL_SERVLISTEND,
    RPL_STATSCOMMANDS,
    RPL_STATSLINKINFO,
    RPL_STATSOLINE,
    RPL_STATSUPTIME,
    RPL_TIME,
    RPL_TRACEEND,
    RPL_TRACEOPERATOR,
    RPL_TRACEUSER,
)
from extras.irc.names import fits
from extras.irc.welcome import VERSION, is_here


def time_here(me: Client, target: str = "") -> None:
    """TIME: tell the server's local time.  RFC 2812 section 3.4.6."""
    if not target or is_here(me, target):
        me.reply(RPL_TIME, me.server.name, time.strftime("%A %B %d %Y -- %H:%M:%S %z"))


def info(me: Client, target: str = "") -> None:
    """Tell what this program is.  RFC 2812 section 3.4.10."""
    if target and not is_here(me, target):
        return
    how = "A thread for each connection, one lock, and an outbox for each peer."
    for line in (VERSION, me.server.info, how, f"Running since {me.server.created}"):
        me.reply(RPL_INFO, line)
    me.reply(RPL_ENDOFINFO)


def admin(me: Client, target: str = "") -> None:
    """Say whom to write to.  RFC 2812 section 3.4.9."""
    if not target or is_here(me, target):
        me.reply(RPL_ADMINME, me.server.name)
        me.reply(RPL_ADMINLOC1, me.server.info)
        me.reply(RPL_ADMINLOC2, f"{me.server.network} network")
        # RFC 2142: the address that every host must have.
        me.reply(RPL_ADMINEMAIL, f"postmaster@{me.server.name}")


def links(me: Client, first: str = "", second: str = "") -> None:
    """List the servers: there is one.  RFC 2812 section 3.4.5."""
    pattern = second or first or "*"
    if second and not is_here(me, first):
        return
    if fits(pattern, me.server.name):
        me.reply(RPL_LINKS, me.server.name, me.server.name, 0, me.server.info)
    me.reply(RPL_ENDOFLINKS, pattern)


def stats(me: Client, letter: str = "", target: str = "") -> Iterator[None]:
    """Show numbers: l(inks), m(essages), o(perators), u(ptime).  RFC 2812 section 3.4.4."""
    if target and not is_here(me, target):
        return
    letter = letter[:1]
    if letter in ("l", "L"):
        for user in list(me.world.users) if me.user.is_operator else [me.user]:
            yield
            seconds = int(time.time() - user.signed_on)
            pending = sum(session.outbox.pending_bytes for session in user.sessions)
            me.reply(RPL_STATSLINKINFO, user.nick, pending, 0, 0, 0, 0, seconds)
    elif letter in ("m", "M"):
        for name, count in sorted(me.server.command_counts.items()):
            me.reply(RPL_STATSCOMMANDS, name, count)
    elif letter in ("o", "O"):
        for name in me.server.extensions[Operators].secrets:
            me.reply(RPL_STATSOLINE, name)
    elif letter in ("u", "U"):
        minutes, seconds = divmod(int(time.time() - me.server.started_at), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        me.reply(RPL_STATSUPTIME, days, f"{hours}:{minutes:02}:{seconds:02}")
    me.reply(RPL_ENDOFSTATS, letter)


def trace(me: Client, target: str = "") -> Iterator[None]:
    """Show the way to a server or a user: it is always this server.  RFC 2812 section 3.4.8."""
    if target and not is_here(me, target):
        return
    for user in list(me.world.users) if me.user.is_operator else [me.user]:
        yield
        me.reply(RPL_TRACEOPERATOR if user.is_operator else RPL_TRACEUSER, "users", user.nick)
    me.reply(RPL_TRACEEND, me.server.name, VERSION)


def servlist(me: Client, pattern: str = "*", kind: str = "*") -> None:
    """List the services: there are none.  RFC 2812 section 3.5.1."""
    me.reply(RPL_SERVLISTEND, pattern, kind)


def squery(me: Client, service: str, text: str) -> None:
    """Speak to a service: there are none.  RFC 2812 section 3.5.2."""
    me.reply(ERR_NOSUCHSERVICE, service)


def summon(me: Client, *params: str) -> None:
    """Call somebody to the terminal of the server's machine: not here.  RFC 2812 section 4.5."""
    me.reply(ERR_SUMMONDISABLED)


def users(me: Client, target: str = "") -> None:
    """List who is logged in on the server's machine: not here.  RFC 2812 section 4.6."""
    me.reply(ERR_USERSDISABLED)


def help_text(me: Client, subject: str = "") -> None:
    """Show how a command is used, or which commands there are.  modern.ircdocs.horse "HELP message"."""
    verb = me.server.commands.get(subject.upper())
    if subject and not verb:
        me.reply(ERR_HELPNOTFOUND, subject)
        return
    if verb:
        first = usage(subject.upper(), verb.function)
        lines = (inspect.getdoc(verb.function) or "").split("\n")
    else:
        first, lines = "Commands; HELP <command> tells more", []
        names = sorted(me.server.commands)
        for start in range(0, len(names), 10):
            lines.append(" ".join(names[start : start + 10]))
    subject = subject or "index"
    me.reply(RPL_HELPSTART, subject, first)
    for line in lines:
        me.reply(RPL_HELPTXT, subject, line)
    me.reply(RPL_ENDOFHELP, subject, "End of HELP")


def usage(name: str, function: Function) -> str:
    """Give the form of a command, from the parameters of its function."""
    words = [name]
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        word = f"<{parameter.name}>"
        if parameter.kind is parameter.VAR_POSITIONAL:
            word = f"[{word} ...]"
        elif parameter.default is not parameter.empty:
            word = f"[{word}]"
        words.append(word)
    return " ".join(words)


class ServerInfo(Extension):
    """The twelve commands."""

    commands = {
        "ADMIN": command(admin),
        "HELP": command(help_text),
        "HELPOP": command(help_text),
        "INFO": command(info),
        "LINKS": command(links),
        "SERVLIST": command(servlist),
        "SQUERY": command(squery),
        "STATS": command(stats),
        "SUMMON": command(summon),
        "TIME": command(time_here),
        "TRACE": command(trace),
        "USERS": command(users),
    }
