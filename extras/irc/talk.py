"""PRIVMSG, NOTICE, TAGMSG and AWAY: what users say to each other.

Source: RFC 2812 sections 3.3 and 4.1, modern.ircdocs.horse "Sending Messages", IRCv3
message-tags (TAGMSG) and echo-message.

target   the receiver of a message: a nick, a channel, `@#tea`, `$*.example.net`
answer   the reply to the sender of a PRIVMSG: a numeric and its values, or None
"""

import time
from collections.abc import Callable

from extras.irc.client import Client
from extras.irc.event import Event, Said
from extras.irc.extension import Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.names import CHANNEL_TYPES, fits, fold, is_mask
from extras.irc.replies import (
    ERR_CANNOTSENDTOCHAN,
    ERR_NOPRIVILEGES,
    ERR_NORECIPIENT,
    ERR_NOSUCHNICK,
    ERR_NOTEXTTOSEND,
    ERR_NOTOPLEVEL,
    ERR_TOOMANYTARGETS,
    ERR_WILDTOPLEVEL,
    RPL_AWAY,
    RPL_NOWAWAY,
    RPL_UNAWAY,
    Reply,
)
from extras.irc.state import RANKS, STATUSES, Channel

MAX_TARGETS = 20  # targets of one message: enough for a person, too few for spam
SIGNS = {sign: letter for letter, sign in STATUSES.items()}
EVERY_SIGN = "".join(SIGNS)
Make = Callable[[Client, str, str, str | None], Event]  # Said, or another: from me, the command, its target and text
QUIET_FLAGS = frozenset("inpst")  # where a channel has no others, and no bans, all members may speak


def privmsg(me: Client, targets: str = "", text: str = "") -> None:
    """Say something to users and channels.  RFC 2812 section 3.3.1."""
    if not targets:
        me.reply(ERR_NORECIPIENT, "PRIVMSG")
    elif not text:
        me.reply(ERR_NOTEXTTOSEND)
    else:
        speak(me, "PRIVMSG", targets, text)


def notice(me: Client, targets: str = "", text: str = "") -> None:
    """Say something that no program may answer, not even with an error.  RFC 2812 section 3.3.2."""
    if targets and text:
        speak(me, "NOTICE", targets, text)


def speak(me: Client, command: str, targets: str, text: str | None, make: Make = Said) -> None:
    """Deliver one text to each target, once, and answer the sender; a NOTICE gets no answer.

    `make` gives the event if it is no Said: a message may have several lines.
    """
    me.user.spoke_at = time.time()
    names = list(dict.fromkeys(targets.split(","))) if "," in targets else [targets]
    for target in names[:MAX_TARGETS]:
        name = target.lstrip(EVERY_SIGN)
        if name and name[0] in CHANNEL_TYPES:
            answer = speak_to_channel(me, command, target[: -len(name)], name, text, make)
        elif target[:1] == "$" and " " not in target:
            answer = speak_to_server(me, command, target, text, make)
        else:
            answer = speak_to_user(me, command, target, text, make)
        if answer and command != "NOTICE":
            me.reply(*answer)
    if len(names) > MAX_TARGETS and command != "NOTICE":
        me.reply(ERR_TOOMANYTARGETS, names[MAX_TARGETS])


def speak_to_channel(me: Client, command: str, signs: str, name: str, text: str | None, make: Make) -> Reply | None:
    """Deliver to a channel; with signs, to its members of that status and higher (STATUSMSG)."""
    channel = me.world.channel(name)
    if channel is None:
        return ERR_NOSUCHNICK, signs + name
    event = make(me, command, signs + channel.name, text)
    is_free = channel.flags <= QUIET_FLAGS and not channel.lists.entries["b"] and me.user in channel.members
    if not is_free and (refusal := why_not_speak(me, channel, event)):
        return refusal
    if signs:
        least = max((SIGNS[sign] for sign in signs), key=RANKS.index)  # @%#tea is %#tea
        users = [user for user in channel.members if channel.has_status(user, least)]
        me.tell_users((user for user in users if user is not me.user), event)
    else:
        me.tell(channel, event, but_me=True)
    if me.caps or len(me.user.sessions) > 1:
        me.echo(event, elsewhere=bool(signs) or me.user not in channel.members)
    return None


def why_not_speak(me: Client, channel: Channel, event: Event) -> Reply | None:
    """RFC 2811 sections 4.2.1 and 4.2.3 to 4.2.5: m, n, bans; and C, no CTCP but ACTION."""
    flags, text = channel.flags, event.text or ""
    if "C" in flags and text.startswith("\x01") and not text.startswith("\x01ACTION"):
        return ERR_CANNOTSENDTOCHAN, channel.name
    outside = "n" in flags and me.user not in channel.members
    refused = outside or "m" in flags or channel.is_banned(me.user)
    if refused and not me.may(channel, "v"):  # asked last: most messages need no special rights
        return ERR_CANNOTSENDTOCHAN, channel.name
    for why_not in me.speech_rules:
        if refusal := why_not(me, channel, event):
            return refusal
    return None


def speak_to_server(me: Client, command: str, target: str, text: str | None, make: Make) -> Reply | None:
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
    event = make(me, command, target, text)
    me.tell_users([user for user in me.world.users if user is not me.user], event)
    me.echo(event)
    return None


def speak_to_user(me: Client, command: str, target: str, text: str | None, make: Make) -> Reply | None:
    """Deliver to one user, given by nick or in full; send back the text of a user who is away."""
    if "!" in target:
        user = me.world.user(target.partition("!")[0])
        if user is None or fold(target) != fold(user.source):
            return ERR_NOSUCHNICK, target
    elif (user := me.world.user(target)) is None:
        return speak_to_nobody(me, target, text)
    event = make(me, command, user.nick, text)
    for why_not in me.private_rules if user.modes or me.user.modes else ():
        if refusal := why_not(me, user, event):
            return refusal
    me.tell_user(user, event, is_answer=False)  # to oneself, too: the echo is the answer
    if me.caps or len(me.user.sessions) > 1:
        me.echo(event, elsewhere=user is not me.user)
    if user.away is not None and command == "PRIVMSG":
        return RPL_AWAY, user.nick, user.away
    return None


def speak_to_nobody(me: Client, nick: str, text: str | None) -> Reply | None:
    """Speak to a service, or say that nobody has this nick."""
    service = me.server.extensions.first(Extension.service, nick)
    if service is None:
        return ERR_NOSUCHNICK, nick
    if text is not None:  # of who is typing, a service need not know
        service(me, text)
    return None


def away(me: Client, text: str = "") -> None:
    """Say that one is away, or, without a text, that one is back.  RFC 2812 section 4.1."""
    me.away = cut_text(text, MAX_TEXT_BYTES) or None
    me.reply(RPL_NOWAWAY if text else RPL_UNAWAY)
    me.show_away()
