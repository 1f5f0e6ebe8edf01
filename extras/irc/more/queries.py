"""WHO, WHOIS, WHOWAS, USERHOST and ISON: questions about users.

Source: RFC 2812 sections 3.6, 4.8 and 4.9, modern.ircdocs.horse "User-Based Queries", IRCv3
whox.
"""

import re
import time
from collections.abc import Iterator
from itertools import islice

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.more.replies import (
    ERR_WASNOSUCHNICK,
    RPL_ENDOFWHO,
    RPL_ENDOFWHOIS,
    RPL_ENDOFWHOWAS,
    RPL_ISON,
    RPL_USERHOST,
    RPL_WHOISBOT,
    RPL_WHOISCHANNELS,
    RPL_WHOISHOST,
    RPL_WHOISIDLE,
    RPL_WHOISMODES,
    RPL_WHOISOPERATOR,
    RPL_WHOISSERVER,
    RPL_WHOISUSER,
    RPL_WHOREPLY,
    RPL_WHOSPCRPL,
    RPL_WHOWASUSER,
)
from extras.irc.names import CHANNEL_TYPES, Name, each_once, fold, is_mask, mask
from extras.irc.replies import ERR_NONICKNAMEGIVEN, ERR_NOSUCHNICK, RPL_AWAY, Reply, page
from extras.irc.state import Channel, User
from extras.irc.welcome import is_here

SOME_USERS = 10  # of a WHO: told at once, or looked at; then others may come in between
WHOX_FIELDS = "tcuihsnfdlaor"  # the order of the answer, in whatever order they are asked for


def who(me: Client, pattern: str = "*", options: str = "") -> Iterator[None]:
    """List a channel, a user, or all visible users who match; `o` only operators, `%...` WHOX.

    RFC 2812 section 3.6.1, IRCv3 whox.
    """
    letters, _, whox = options.partition("%")
    asked, _, token = whox.partition(",")
    fields = [field for field in WHOX_FIELDS if field in asked]
    channel = me.world.channel(pattern) if pattern[:1] in CHANNEL_TYPES else None
    users = found(me, pattern, channel)
    while some := list(islice(users, SOME_USERS)):
        shown = [user for user in some if user and ("o" not in letters or user.is_operator)]
        if shown:
            me.reply_page(page(me.server.name, *(who_reply(me, user, channel, fields, token) for user in shown)))
        yield
    me.reply(RPL_ENDOFWHO, pattern)


def who_reply(me: Client, user: User, channel: Channel | None, fields: list[str], token: str) -> Reply:
    """Give the reply of a WHO, or of WHOX, that tells about a user."""
    if fields:
        values = whox_values(me, user, channel, token)
        return RPL_WHOSPCRPL, " ".join(values[field] for field in fields)
    where = channel.name if channel else "*"
    about_user = user.name, user.host, me.server.name, user.nick, flags(me, user, channel)
    return RPL_WHOREPLY, where, *about_user, 0, user.realname


def found(me: Client, pattern: str, channel: Channel | None) -> Iterator[User | None]:
    """Give the users that a WHO asks for.  A mask looks at everybody: None is one that does not match."""
    if channel:
        inside = me.user in channel.members
        if inside or not channel.is_hidden:
            for user in list(channel.members):
                if user in channel.members and (inside or "i" not in user.modes):
                    yield user
    elif pattern in ("0", "*"):
        for user in list(me.world.users):
            # RFC 2812 leaves out users who share a channel with the one who asks; today's servers do not.
            if me.user.sees(user):
                yield user
    elif not is_mask(pattern):
        if one := me.world.user(pattern):  # by name, invisible users are found too
            yield one
    else:
        wanted = mask(pattern)
        all_fit = Name(me.server.name).fits(wanted)
        for user in list(me.world.users):
            known = user.nick, user.host, user.name, user.realname
            fit = all_fit or any(Name(text).fits(wanted) for text in known)
            yield user if fit and me.user.sees(user) else None


def flags(me: Client, user: User, channel: Channel | None) -> str:
    """Give H (here) or G (gone), * for an operator, the status in the channel, B for a bot."""
    status = channel.prefix(user, "multi-prefix" in me.caps) if channel and channel.members.get(user) else ""
    here = "H" if user.away is None else "G"
    return here + "*" * ("o" in user.modes) + status + "B" * ("B" in user.modes)


def whox_values(me: Client, user: User, channel: Channel | None, token: str) -> dict[str, str]:
    """Give what WHOX tells about a user; only the real name may contain spaces, so it comes last."""
    return {
        "t": token if re.fullmatch("[0-9]{1,3}", token) else "0",
        "c": channel.name if channel else "*",
        "u": user.name,
        "i": user.address if me.user.is_operator or user is me.user else user.host,
        "h": user.host,
        "s": me.server.name,
        "n": user.nick,
        "f": flags(me, user, channel),
        "d": "0",
        "l": str(int(time.time() - user.spoke_at)),
        "a": user.account or "0",
        "o": "n/a",
        "r": ":" + user.realname,
    }


def whois(me: Client, *params: str) -> Iterator[None]:
    """Tell all about users; a server may be named first.  RFC 2812 section 3.6.2."""
    if not params or not params[-1]:
        me.reply(ERR_NONICKNAMEGIVEN)
        return
    # `WHOIS bob bob` asks the server that bob is on; without a bob, the nick is missing, not a server.
    if len(params) > 1 and fold(params[0]) != fold(params[1]) and not is_here(me, params[0]):
        return
    nicks = params[min(len(params), 2) - 1]
    for nick in each_once(nicks):
        if user := me.world.user(nick):
            yield from tell_about(me, user)
            yield
        else:
            me.reply(ERR_NOSUCHNICK, nick)
    me.reply(RPL_ENDOFWHOIS, nicks)


def tell_about(me: Client, user: User) -> Iterator[None]:
    """Send one user's part of WHOIS."""
    curious = user is me.user or me.user.is_operator  # only these may see the private parts
    me.reply(RPL_WHOISUSER, user.nick, user.name, user.host, user.realname)
    words = [
        channel.prefix(user, "multi-prefix" in me.caps) + channel.name
        for channel in user.channels
        if curious or channel in me.user.channels or not (channel.is_hidden or "i" in user.modes)
    ]
    yield from me.reply_words(RPL_WHOISCHANNELS, (user.nick,), words)
    me.reply(RPL_WHOISSERVER, user.nick, me.server.name, me.server.info)
    if user.away is not None:
        me.reply(RPL_AWAY, user.nick, user.away)
    if user.is_operator:
        me.reply(RPL_WHOISOPERATOR, user.nick)
    if "B" in user.modes:
        me.reply(RPL_WHOISBOT, user.nick)
    if curious:
        me.reply(RPL_WHOISHOST, user.nick, user.address)
        me.reply(RPL_WHOISMODES, user.nick, "+" + "".join(sorted(user.modes)))
    for about in me.server.extensions.hooks(Extension.about):
        for numeric, *values in about(me, user):
            me.reply(numeric, user.nick, *values)
    me.reply(RPL_WHOISIDLE, user.nick, int(time.time() - user.spoke_at), int(user.signed_on))


def whowas(me: Client, nicks: str = "", count: str = "0", server: str = "") -> Iterator[None]:
    """Tell who had a nick before, the latest first.  RFC 2812 section 3.6.3."""
    if not nicks:
        me.reply(ERR_NONICKNAMEGIVEN)
        return
    if server and not is_here(me, server):
        return
    limit = int(count) if re.fullmatch("[0-9]{1,9}", count) and int(count) else len(me.world.past)
    seen = {fold(nick): 0 for nick in nicks.split(",")}
    for past in list(me.world.past):
        yield
        if seen.get(fold(past.nick), limit) < limit:
            seen[fold(past.nick)] += 1
            me.reply(RPL_WHOWASUSER, past.nick, past.name, past.host, past.realname)
            me.reply(RPL_WHOISSERVER, past.nick, me.server.name, time.ctime(past.left_at))
    for nick in each_once(nicks):
        if not seen[fold(nick)]:
            me.reply(ERR_WASNOSUCHNICK, nick)
    me.reply(RPL_ENDOFWHOWAS, nicks)


def userhost(me: Client, nick: str, *more: str) -> None:
    """Give the addresses of up to five users.  RFC 2812 section 4.8."""
    words = []
    for user in filter(None, dict.fromkeys(map(me.world.user, (nick, *more)[:5]))):
        here = "+" if user.away is None else "-"
        words.append(f"{user.nick}{'*' * user.is_operator}={here}{user.name}@{user.host}")
    me.reply(RPL_USERHOST, " ".join(words))


def ison(me: Client, nick: str, *more: str) -> None:
    """Say which of these nicks are here.  RFC 2812 section 4.9."""
    users = dict.fromkeys(map(me.world.user, " ".join((nick, *more)).split(" ")))
    me.reply(RPL_ISON, " ".join(user.nick for user in users if user))


class Queries(Extension):
    """The five commands."""

    commands = {
        "ISON": command(ison),
        "USERHOST": command(userhost),
        "WHO": command(who),
        "WHOIS": command(whois),
        "WHOWAS": command(whowas),
    }
