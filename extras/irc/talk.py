"""PRIVMSG, NOTICE, TAGMSG, SQUERY and AWAY: what users say to each other.

Source: RFC 2812 sections 3.3 and 4.1, modern.ircdocs.horse "Sending Messages", IRCv3
message-tags (TAGMSG) and echo-message.

target   the receiver of a message: a nick, a channel, `@#tea`, `$*.example.net`
answer   the reply to the sender of a PRIVMSG: a numeric and its values, or None
"""

import time

from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.names import CHANNEL_TYPES, fits, fold, is_mask
from extras.irc.replies import (
    ERR_CANNOTSENDTOCHAN, ERR_NOPRIVILEGES, ERR_NORECIPIENT, ERR_NOSUCHNICK, ERR_NOSUCHSERVICE,
    ERR_NOTEXTTOSEND, ERR_NOTOPLEVEL, ERR_TOOMANYTARGETS, ERR_UNKNOWNCOMMAND, ERR_WILDTOPLEVEL,
    RPL_AWAY, RPL_NOWAWAY, RPL_UNAWAY,
)
from extras.irc.state import RANKS, STATUSES, Channel

MAX_TARGETS = 20  # targets of one message: enough for a person, too few for spam
NEEDS = {"TAGMSG": "message-tags"}  # the capability without which a client cannot understand it
SIGNS = {sign: letter for letter, sign in STATUSES.items()}


def privmsg(me, targets: str = "", text: str = ""):
    """Say something to users and channels.  RFC 2812 section 3.3.1."""
    if not targets:
        me.reply(ERR_NORECIPIENT, "PRIVMSG")
    elif not text:
        me.reply(ERR_NOTEXTTOSEND)
    else:
        speak(me, "PRIVMSG", targets, text)


def notice(me, targets: str = "", text: str = ""):
    """Say something that no program may answer, not even with an error.  RFC 2812 section 3.3.2."""
    if targets and text:
        speak(me, "NOTICE", targets, text)


def tagmsg(me, targets: str):
    """Send tags without a text (`+typing`) to clients that know tags.  IRCv3 message-tags."""
    if "message-tags" in me.user.caps:
        speak(me, "TAGMSG", targets, None)
    else:
        me.reply(ERR_UNKNOWNCOMMAND, "TAGMSG")


def squery(me, service: str, text: str):
    """Speak to a service: there are none.  RFC 2812 section 3.5.2."""
    me.reply(ERR_NOSUCHSERVICE, service)


def speak(me, command: str, targets: str, text: str | None):
    """Deliver one text to each target, once, and answer the sender; a NOTICE gets no answer."""
    me.user.spoke_at = time.time()
    names = list(dict.fromkeys(targets.split(","))) if "," in targets else [targets]
    for target in names[:MAX_TARGETS]:
        name = target.lstrip("@%+")
        if name and name[0] in CHANNEL_TYPES:
            answer = speak_to_channel(me, command, target[: -len(name)], name, text)
        elif target[:1] == "$" and " " not in target:
            answer = speak_to_server(me, command, target, text)
        else:
            answer = speak_to_user(me, command, target, text)
        if answer and command != "NOTICE":
            me.reply(*answer)
    if len(names) > MAX_TARGETS and command != "NOTICE":
        me.reply(ERR_TOOMANYTARGETS, names[MAX_TARGETS])


def speak_to_channel(me, command: str, signs: str, name: str, text: str | None) -> tuple | None:
    """Deliver to a channel; with signs, to its members of that status and higher (STATUSMSG)."""
    channel = me.world.channel(name)
    if channel is None:
        return ERR_NOSUCHNICK, signs + name
    if not may_speak(me, channel, text or ""):
        return ERR_CANNOTSENDTOCHAN, channel.name
    line = me.speaks(command, signs + channel.name, text)
    tags = me.message_tags(channel.wears_tags)
    if signs:
        least = max((SIGNS[sign] for sign in signs), key=RANKS.index)  # @%#tea is %#tea
        users = [user for user in channel.members if channel.has_status(user, least)]
        me.tell_users((user for user in users if user is not me.user), line, NEEDS.get(command), tags)
    else:
        me.tell(channel, line, but=me.user, need=NEEDS.get(command), tags=tags)
    if tags:
        me.echo(line, tags)
    return None


def may_speak(me, channel: Channel, text: str) -> bool:
    """RFC 2811 sections 4.2.1 and 4.2.3 to 4.2.5: m, n, bans; and C, no CTCP but ACTION."""
    if "C" in channel.flags and text.startswith("\x01") and not text.startswith("\x01ACTION"):
        return False
    outside = "n" in channel.flags and me.user not in channel.members
    refused = outside or "m" in channel.flags or channel.is_banned(me.user)
    return not refused or me.may(channel, "v")  # asked last: most messages need no special rights


def speak_to_server(me, command: str, target: str, text: str | None) -> tuple | None:
    """Deliver to all users of the servers that a mask matches; only operators may."""
    _, dot, top_level = target.rpartition(".")
    if not me.user.is_operator:
        return (ERR_NOPRIVILEGES,)
    if not dot:
        return ERR_NOTOPLEVEL, target
    if is_mask(top_level):
        return ERR_WILDTOPLEVEL, target
    if not fits(target[1:], me.server.name):
        return ERR_NOSUCHNICK, target
    others = [user for user in me.world.users if user is not me.user]
    line = me.speaks(command, target, text)
    tags = me.message_tags(True)
    me.tell_users(others, line, NEEDS.get(command), tags)
    if tags:
        me.echo(line, tags)
    return None


def speak_to_user(me, command: str, target: str, text: str | None) -> tuple | None:
    """Deliver to one user, given by nick or in full; send back the text of a user who is away."""
    user = me.world.user(target.partition("!")[0])
    if user is None or "!" in target and fold(target) != fold(user.source):
        return ERR_NOSUCHNICK, target
    line = me.speaks(command, user.nick, text)
    tags = me.message_tags(bool(user.caps))
    me.tell_users([user], line, NEEDS.get(command), tags)
    if tags:
        me.echo(line, tags)
    if user.away is not None and command == "PRIVMSG":
        return RPL_AWAY, user.nick, user.away
    return None


def away(me, text: str = ""):
    """Say that one is away, or, without a text, that one is back.  RFC 2812 section 4.1."""
    me.user.away = cut_text(text, MAX_TEXT_BYTES) or None
    me.reply(RPL_NOWAWAY if text else RPL_UNAWAY)
    line = me.says("AWAY", text=me.user.away)
    me.tell_neighbours(me.user, line, need="away-notify", afar=True)
