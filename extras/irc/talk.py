"""PRIVMSG, NOTICE, TAGMSG and AWAY: what users say to each other.

Source: RFC 2812 sections 3.3 and 4.1, modern.ircdocs.horse "Sending Messages", IRCv3 message-tags
(TAGMSG) and echo-message.
"""

import time

from extras.irc.message import format_message
from extras.irc.names import CHANNEL_TYPES, fold, is_mask, mask
from extras.irc.replies import (
    ERR_CANNOTSENDTOCHAN, ERR_NOPRIVILEGES, ERR_NORECIPIENT, ERR_NOSUCHNICK, ERR_NOSUCHSERVICE,
    ERR_NOTEXTTOSEND, ERR_NOTOPLEVEL, ERR_TOOMANYTARGETS, ERR_UNKNOWNCOMMAND, ERR_WILDTOPLEVEL, RPL_AWAY,
    RPL_NOWAWAY, RPL_UNAWAY,
)
from extras.irc.state import RANKS, STATUSES, Channel

MAX_TARGETS = 20  # of one message: what a person may mean, and a spammer cannot use
SIGNS = {sign: letter for letter, sign in STATUSES.items()}  # @#tea: the operators of #tea


def privmsg(me, targets: str = "", text: str = ""):
    """Say something to users and channels.  RFC 2812 section 3.3.1."""
    if not targets:
        me.reply(ERR_NORECIPIENT, "PRIVMSG")
    elif not text:
        me.reply(ERR_NOTEXTTOSEND)
    else:
        speak(me, "PRIVMSG", targets, text)


def notice(me, targets: str = "", text: str = ""):
    """Say something that no program answers, an error least of all.  RFC 2812 section 3.3.2."""
    if targets and text:
        speak(me, "NOTICE", targets, text)


def tagmsg(me, targets: str):
    """Send tags without a text (`+typing`), from and to clients that know tags.  IRCv3 message-tags."""
    if "message-tags" not in me.user.caps:
        me.reply(ERR_UNKNOWNCOMMAND, "TAGMSG")
        return
    speak(me, "TAGMSG", targets, None)


def squery(me, service: str, text: str):
    """Speak to a service: there are none.  RFC 2812 section 3.5.2."""
    me.reply(ERR_NOSUCHSERVICE, service)


def speak(me, command: str, targets: str, text: str | None):
    """Deliver one text to each target, once; what there is to answer is answered to PRIVMSG only."""
    me.user.spoke_at = time.time()
    for number, target in enumerate(dict.fromkeys(targets.split(","))):  # each once, in order
        if number < MAX_TARGETS:
            answer = speak_to(me, command, target, text)
        else:
            answer = ERR_TOOMANYTARGETS, target
        if answer and command != "NOTICE":
            me.reply(*answer)
        if number == MAX_TARGETS:
            break


def speak_to(me, command: str, target: str, text: str | None) -> tuple | None:
    """Deliver to one target; give the numeric with its values if there is something to answer."""
    need = "message-tags" if command == "TAGMSG" else None
    tags = me.message_tags()
    name = target.lstrip("@%+")
    answer = None
    if name and name[0] in CHANNEL_TYPES:
        channel, signs = me.world.channel(name), target[: -len(name)]
        if channel is None:
            return ERR_NOSUCHNICK, target
        if not may_speak(me, channel, text or ""):
            return ERR_CANNOTSENDTOCHAN, channel.name
        line = format_message(command, signs + channel.name, text=text, source=me.user.source)
        if signs:
            # STATUSMSG: members of at least that status.  Of several signs the lowest counts.
            least = max((SIGNS[sign] for sign in signs), key=RANKS.index)
            users = [user for user in channel.members if channel.has_status(user, least) and user is not me.user]
            me.tell_users(users, line, need, tags)
        else:
            me.tell(channel, line, but=me.user, need=need, tags=tags)
    elif name[:1] == "$" and " " not in name:
        # RFC 2812 section 3.3.1: an operator may speak to all users of the servers that match.
        if not me.user.is_operator:
            return (ERR_NOPRIVILEGES,)
        _, dot, top_level = name.rpartition(".")
        if not dot:
            return ERR_NOTOPLEVEL, name
        if is_mask(top_level):
            return ERR_WILDTOPLEVEL, name
        if not mask(name[1:]).matches(me.server.name):
            return ERR_NOSUCHNICK, target
        line = format_message(command, name, text=text, source=me.user.source)
        me.tell_users([user for user in me.world.users if user is not me.user], line, need, tags)
    else:
        user = me.world.user(target.partition("!")[0])  # nick or nick!user@host
        if user is None or "!" in target and fold(target) != fold(user.source):
            return ERR_NOSUCHNICK, target
        line = format_message(command, user.nick, text=text, source=me.user.source)
        me.tell_users([user], line, need, tags)
        if user.away is not None and command == "PRIVMSG":
            answer = RPL_AWAY, user.nick, user.away
    if "echo-message" in me.user.caps:
        me.echo(line, tags)
    return answer


def may_speak(me, channel: Channel, text: str) -> bool:
    """RFC 2811 sections 4.2.1 and 4.2.3 to 4.2.5: m, n, bans; and C, no CTCP but ACTION."""
    if "C" in channel.flags and text.startswith("\x01") and not text.startswith("\x01ACTION"):
        return False
    # Under --rfc2812 new channels have no modes at all, and outsiders are kept out all the same:
    # RFC 1459's servers did so, and the suites that ask for the letter still expect it.
    outside = me.user not in channel.members and ("n" in channel.flags or me.rfc2812)
    refused = outside or "m" in channel.flags or channel.is_banned(me.user)
    return not refused or me.may(channel, "v")  # asked last: most messages need no rights


def away(me, text: str = ""):
    """Say that one is away, or, without a text, that one is back.  RFC 2812 section 4.1."""
    me.user.away = text or None
    me.reply(RPL_NOWAWAY if text else RPL_UNAWAY)
    line = format_message("AWAY", text=text or None, source=me.user.source)
    me.tell_users(me.world.neighbours(me.user), line, need="away-notify")
