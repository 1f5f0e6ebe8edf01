"""MOTD, LUSERS, VERSION, TIME, INFO, ADMIN, STATS, LINKS and HELP: questions about the server.

Source: RFC 2812 section 3.4, modern.ircdocs.horse "Server Queries and Commands" and "RPL_ISUPPORT".
"""

import contextlib
import inspect
import time

from extras.irc.channels import ELIST, MAX_CONDITIONS
from extras.irc.client import Client
from extras.irc.message import MAX_TEXT_BYTES
from extras.irc.modes import LISTS, MAX_LIST
from extras.irc.names import CASEMAPPING, CHANNEL_LENGTH, CHANNEL_TYPES, NICK_LENGTH
from extras.irc.names import USER_LENGTH, fits
from extras.irc.queries import is_here
from extras.irc.replies import (
    ERR_HELPNOTFOUND, ERR_NOMOTD, ERR_SUMMONDISABLED, ERR_USERSDISABLED, RPL_ADMINEMAIL,
    RPL_ADMINLOC1, RPL_ADMINLOC2, RPL_ADMINME, RPL_ENDOFHELP, RPL_ENDOFINFO, RPL_ENDOFLINKS,
    RPL_ENDOFMOTD, RPL_ENDOFSTATS, RPL_GLOBALUSERS, RPL_HELPSTART, RPL_HELPTXT, RPL_INFO,
    RPL_ISUPPORT, RPL_LINKS, RPL_LOCALUSERS, RPL_LUSERCHANNELS, RPL_LUSERCLIENT, RPL_LUSERME,
    RPL_LUSEROP, RPL_LUSERUNKNOWN, RPL_MOTD, RPL_MOTDSTART, RPL_SERVLISTEND, RPL_STATSCOMMANDS,
    RPL_STATSLINKINFO, RPL_STATSOLINE, RPL_STATSUPTIME, RPL_TIME, RPL_TRACEEND,
    RPL_TRACEOPERATOR, RPL_TRACEUSER, RPL_VERSION,
)
from extras.irc.state import STATUSES
from extras.irc.talk import MAX_TARGETS

VERSION = "tutorial-1.0"  # RFC 2812 wants <version>.<debuglevel>
TOKENS_A_LINE = 13  # 15 parameters, less the nick and the text


def isupport_lines(server) -> list[str]:
    """Give the lines of 005: the core and the extensions do what each token says."""
    signs = "".join(STATUSES.values())
    most = len(CHANNEL_TYPES) * server.max_channels
    extended = "".join(sorted(server.extensions.letters("extended_bans")))
    tokens = [
        f"AWAYLEN={MAX_TEXT_BYTES}", "BOT=B", f"CASEMAPPING={CASEMAPPING}",
        "CHANLIMIT=" + ",".join(f"{sign}:{server.max_channels}" for sign in CHANNEL_TYPES),
        f"CHANMODES={LISTS},k,l,{server.channel_flags}", f"CHANNELLEN={CHANNEL_LENGTH}",
        f"CHANTYPES={CHANNEL_TYPES}", f"ELIST={ELIST}", "EXCEPTS=e", "HOSTLEN=45", "INVEX=I",
        f"KICKLEN={MAX_TEXT_BYTES}", f"MAXLIST={LISTS}:{MAX_LIST}", "MODES=13",
        "NETWORK=" + server.network.replace(" ", r"\x20"), f"NICKLEN={NICK_LENGTH}",
        f"PREFIX=({''.join(STATUSES)}){signs}", f"STATUSMSG={signs}",
        f"TARGMAX=JOIN:{most},KICK:,LIST:{MAX_CONDITIONS},NAMES:,NOTICE:{MAX_TARGETS},PART:,"
        f"PRIVMSG:{MAX_TARGETS},WHOIS:,WHOWAS:",
        f"TOPICLEN={MAX_TEXT_BYTES}", f"USERLEN={USER_LENGTH}", "WHOX",
        *["UTF8ONLY"] * server.utf8_only,
        *[f"EXTBAN=,{extended}"] * bool(extended),
        *(token for extension in server.extensions.all for token in extension.tokens()),
    ]
    starts = range(0, len(tokens), TOKENS_A_LINE)
    return [" ".join(tokens[start : start + TOKENS_A_LINE]) for start in starts]


def isupport(me: Client):
    """Send 005: what this server can do.  modern.ircdocs.horse "Feature Advertisement"."""
    as_batch = "draft/extended-isupport" in me.caps
    with me.batch("draft/isupport") if as_batch else contextlib.nullcontext():
        for tokens in me.server.isupport:
            me.reply(RPL_ISUPPORT, tokens)


def motd(me: Client, target: str = ""):
    """Show the message of the day.  RFC 2812 section 3.4.1."""
    if target and not is_here(me, target):
        return
    lines = me.server.motd()
    if lines is None:
        me.reply(ERR_NOMOTD)
        return
    me.reply(RPL_MOTDSTART, me.server.name)
    for line in lines:
        me.reply(RPL_MOTD, line)
    me.reply(RPL_ENDOFMOTD)


def lusers(me: Client, pattern: str = "", target: str = ""):
    """Count users, operators and channels.  RFC 2812 section 3.4.2."""
    if target and not is_here(me, target):
        return
    world = me.world
    users, invisible = len(world.users), len(world.users_with("i"))
    me.reply(RPL_LUSERCLIENT, users - invisible, invisible, 1)
    me.reply(RPL_LUSEROP, len(world.users_with("o")))
    me.reply(RPL_LUSERUNKNOWN, len(world.strangers))
    me.reply(RPL_LUSERCHANNELS, len(world.channels))
    me.reply(RPL_LUSERME, users, 0)
    me.reply(RPL_LOCALUSERS, users, world.most_users)
    me.reply(RPL_GLOBALUSERS, users, world.most_users)


def version(me: Client, target: str = ""):
    """Name the program, and what it can do.  RFC 2812 section 3.4.3."""
    if target and not is_here(me, target):
        return
    me.reply(RPL_VERSION, VERSION, me.server.name, "standard library only")
    isupport(me)


def time_here(me: Client, target: str = ""):
    """TIME: tell the server's local time.  RFC 2812 section 3.4.6."""
    if not target or is_here(me, target):
        me.reply(RPL_TIME, me.server.name, time.strftime("%A %B %d %Y -- %H:%M:%S %z"))


def info(me: Client, target: str = ""):
    """Tell what this program is.  RFC 2812 section 3.4.10."""
    if target and not is_here(me, target):
        return
    how = "A thread for each connection, one lock, and an outbox for each peer."
    for line in (VERSION, me.server.info, how, f"Running since {me.server.created}"):
        me.reply(RPL_INFO, line)
    me.reply(RPL_ENDOFINFO)


def admin(me: Client, target: str = ""):
    """Say whom to write to.  RFC 2812 section 3.4.9."""
    if not target or is_here(me, target):
        me.reply(RPL_ADMINME, me.server.name)
        me.reply(RPL_ADMINLOC1, me.server.info)
        me.reply(RPL_ADMINLOC2, f"{me.server.network} network")
        # RFC 2142: the address that every host must have.
        me.reply(RPL_ADMINEMAIL, f"postmaster@{me.server.name}")


def links(me: Client, first: str = "", second: str = ""):
    """List the servers: there is one.  RFC 2812 section 3.4.5."""
    pattern = second or first or "*"
    if second and not is_here(me, first):
        return
    if fits(pattern, me.server.name):
        me.reply(RPL_LINKS, me.server.name, me.server.name, 0, me.server.info)
    me.reply(RPL_ENDOFLINKS, pattern)


def stats(me: Client, letter: str = "", target: str = ""):
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
        for command, count in sorted(me.server.command_counts.items()):
            me.reply(RPL_STATSCOMMANDS, command, count)
    elif letter in ("o", "O"):
        for name in me.server.operators:
            me.reply(RPL_STATSOLINE, name)
    elif letter in ("u", "U"):
        minutes, seconds = divmod(int(time.time() - me.server.started_at), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        me.reply(RPL_STATSUPTIME, days, f"{hours}:{minutes:02}:{seconds:02}")
    me.reply(RPL_ENDOFSTATS, letter)


def trace(me: Client, target: str = ""):
    """Show the way to a server or a user: it is always this server.  RFC 2812 section 3.4.8."""
    if target and not is_here(me, target):
        return
    for user in list(me.world.users) if me.user.is_operator else [me.user]:
        yield
        me.reply(RPL_TRACEOPERATOR if user.is_operator else RPL_TRACEUSER, "users", user.nick)
    me.reply(RPL_TRACEEND, me.server.name, VERSION)


def servlist(me: Client, pattern: str = "*", kind: str = "*"):
    """List the services: there are none.  RFC 2812 section 3.5.1."""
    me.reply(RPL_SERVLISTEND, pattern, kind)


def summon(me: Client, *params: str):
    """Call somebody to the terminal of the server's machine: not here.  RFC 2812 section 4.5."""
    me.reply(ERR_SUMMONDISABLED)


def users(me: Client, target: str = ""):
    """List who is logged in on the server's machine: not here.  RFC 2812 section 4.6."""
    me.reply(ERR_USERSDISABLED)


def help_text(me: Client, subject: str = ""):
    """Show how a command is used, or which commands there are.  modern.ircdocs.horse "HELP message"."""
    verb = me.server.commands.get(subject.upper())
    if subject and not verb:
        me.reply(ERR_HELPNOTFOUND, subject)
        return
    if verb:
        first = usage(subject.upper(), verb.function)
        lines = inspect.getdoc(verb.function).split("\n")
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


def usage(name: str, function) -> str:
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
