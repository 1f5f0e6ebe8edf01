"""JOIN, PART, TOPIC, NAMES, LIST, INVITE and KICK: who is in a channel, and what it is about.

Source: RFC 2812 section 3.2, RFC 2811, modern.ircdocs.horse "Channel Operations".
"""

import math
import operator
import re
import time
from collections.abc import Callable, Iterator
from functools import partial

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.names import CHANNEL_TYPES, Name, each_once, fold, is_channel, is_mask, mask
from extras.irc.replies import (
    ERR_BADCHANNELKEY, ERR_BANNEDFROMCHAN, ERR_CHANNELISFULL, ERR_CHANOPRIVSNEEDED,
    ERR_INVITEONLYCHAN, ERR_NEEDMOREPARAMS, ERR_NOSUCHCHANNEL, ERR_NOSUCHNICK, ERR_NOTONCHANNEL,
    ERR_TOOMANYCHANNELS, ERR_TOOMANYTARGETS, ERR_USERNOTINCHANNEL, ERR_USERONCHANNEL, Numeric, RPL_AWAY,
    RPL_ENDOFINVITELIST, RPL_ENDOFNAMES, RPL_INVITELIST, RPL_INVITING, RPL_LIST, RPL_LISTEND,
    RPL_LISTSTART, RPL_NAMREPLY, RPL_NOTOPIC, RPL_TOPIC, RPL_TOPICWHOTIME,
)
from extras.irc.state import Channel, User

NEW_CHANNEL_MODES = "nt"  # nearly every channel has these, and nearly every server sets them
ELIST = "CMNTU"  # what LIST can ask for, as 005 tells it
MAX_CONDITIONS = 20  # of one LIST: each is compared with each channel


def join(me: Client, names: str, keys: str = ""):
    """Enter channels, each with its key if any; `JOIN 0` leaves all.  RFC 2812 section 3.2.1."""
    if names == "0":
        for channel in list(me.user.channels):
            leave_channel(me, channel, "")
        return
    keys = keys.split(",")
    names = names.split(",")
    most = len(CHANNEL_TYPES) * me.server.max_channels  # nobody can enter more
    for number, name in enumerate(names[:most]):
        yield from join_one(me, name, keys[number] if number < len(keys) else "")
        yield
    if len(names) > most:
        me.reply(ERR_TOOMANYTARGETS, names[most])


def join_one(me: Client, name: str, key: str):
    """One channel of a JOIN."""
    channel = me.world.channel(name)
    if not is_channel(name):
        me.reply(ERR_NOSUCHCHANNEL, name)
    elif channel in me.user.channels:
        pass  # nothing changes, and the RFCs have no reply for it
    elif sum(other.name[0] == name[0] for other in me.user.channels) >= me.server.max_channels:
        me.reply(ERR_TOOMANYCHANNELS, name)
    elif channel and not is_founder(me.user, channel) and (refusal := why_not(me.user, channel, key)):
        me.reply(refusal, channel.name)
    else:
        channel = me.world.join(me.user, name, NEW_CHANNEL_MODES)
        me.tell(channel, has_joined(me, channel))
        if is_founder(me.user, channel):
            make_owner(me, channel)
        if me.user.away is not None:
            away = me.says("AWAY", text=me.user.away, need="away-notify")
            me.tell(channel, away, but_me=True)
        yield from show_channel(me, channel)
        for session in list(me.user.sessions):
            if session is not me:
                yield from show_channel(me.speaking_for(session), channel)


def is_founder(user: User, channel: Channel) -> bool:
    """Return whether the channel belongs to the user's account: it may always enter, as an owner."""
    return bool(channel.founder) and channel.founder == fold(user.account)


def make_owner(me: Client, channel: Channel):
    """Make our user an owner of the channel, and tell all."""
    if "q" not in channel.members[me.user]:
        channel.set_status(me.user, "q", True)
        me.world.changed(channel, me.user)
        me.tell(channel, Event("MODE", channel.name, "+q", me.user.nick, source=me.server.name))


def show_channel(me: Client, channel: Channel):
    """Send what follows a JOIN: the topic, and who is there."""
    if channel.topic:
        show_topic(me, channel)
    for introduce in me.server.extensions.hooks("introduce"):
        introduce(me, channel)
    if "no-implicit-names" not in me.caps:
        yield from show_names(me, channel)
        me.reply(RPL_ENDOFNAMES, channel.name)
    for joined in me.server.extensions.hooks("joined"):
        joined(me, channel)


def has_joined(me: Client, channel: Channel) -> Event:
    """Give the event of a JOIN; with extended-join it tells the account and the real name, too."""
    extended = me.says("JOIN", channel.name, me.user.account or "*", text=me.user.realname)
    return me.says("JOIN", channel.name, instead={"extended-join": (extended,)})


def why_not(user: User, channel: Channel, key: str) -> Numeric | None:
    """Give the reason why a JOIN fails, if it does.

    RFC 2811 sections 4.2 and 4.3: an operator's invitation opens a full channel and lifts a ban.
    """
    invited = user.invitations.get(channel)  # None, or whether an operator has invited
    if "i" in channel.flags and invited is None and not channel.lists.match("I", user):
        return ERR_INVITEONLYCHAN
    if channel.is_banned(user) and not invited:
        return ERR_BANNEDFROMCHAN
    if channel.key and key != channel.key:
        return ERR_BADCHANNELKEY
    if channel.limit and len(channel.members) >= channel.limit and not invited:
        return ERR_CHANNELISFULL
    return None


def part(me: Client, names: str, reason: str = ""):
    """Leave channels.  RFC 2812 section 3.2.2."""
    for name in each_once(names):
        channel = me.world.channel(name)
        if channel is None:
            me.reply(ERR_NOSUCHCHANNEL, name)
        elif channel not in me.user.channels:
            me.reply(ERR_NOTONCHANNEL, channel.name)
        else:
            leave_channel(me, channel, reason)


def leave_channel(me: Client, channel: Channel, reason: str):
    """Tell all members, oneself too, and leave."""
    me.tell(channel, me.says("PART", channel.name, text=reason or None))
    me.world.part(me.user, channel)


def topic(me: Client, name: str, text: str | None = None):
    """Show the topic, or set it; an empty one clears it.  RFC 2812 section 3.2.4."""
    channel = me.world.channel(name)
    if channel is None:
        me.reply(ERR_NOSUCHCHANNEL, name)
    elif channel not in me.user.channels:
        me.reply(ERR_NOTONCHANNEL, name)
    elif text is None:
        show_topic(me, channel) if channel.topic else me.reply(RPL_NOTOPIC, channel.name)
    elif "t" in channel.flags and not me.may(channel, "h"):
        me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
    else:
        channel.topic = cut_text(text, MAX_TEXT_BYTES)
        channel.topic_by, channel.topic_at = me.user.nick, time.time()
        me.tell(channel, me.says("TOPIC", channel.name, text=channel.topic))
        me.world.changed(channel)


def show_topic(me: Client, channel: Channel):
    me.reply(RPL_TOPIC, channel.name, channel.topic)
    me.reply(RPL_TOPICWHOTIME, channel.name, channel.topic_by, int(channel.topic_at))


def names(me: Client, targets: str = ""):
    """List who is in channels; without a channel, all users who are visible.  RFC 2812 section 3.2.5."""
    if targets:
        # Each channel once: "#a,#a,#a..." would be a short request with a very long answer.
        for name in each_once(targets):
            if channel := me.world.channel(name):
                yield from show_names(me, channel)
        me.reply(RPL_ENDOFNAMES, targets)
        return
    shown: set[User] = set()
    for channel in list(me.world.channels.values()):
        yield from show_names(me, channel)
        if not is_secret_to(me.user, channel):
            shown.update(channel.members)
        yield
    others = [user.nick for user in me.world.users if user not in shown and me.user.sees(user)]
    yield from me.reply_words(RPL_NAMREPLY, ("*", "*"), others)
    me.reply(RPL_ENDOFNAMES, "*")


def is_secret_to(user: User, channel: Channel) -> bool:
    """Return whether the channel, and who is in it, is secret for this user."""
    return channel.is_hidden and user not in channel.members


def show_names(me: Client, channel: Channel):
    """Send the names in a channel, if the user may know them; invisible users only to its members."""
    if is_secret_to(me.user, channel):
        return
    inside = me.user in channel.members
    every, whole = "multi-prefix" in me.caps, "userhost-in-names" in me.caps
    words = (
        channel.prefix(member, every) + (member.source if whole else member.nick)
        for member in list(channel.members)
        if member in channel.members and (inside or "i" not in member.modes)
    )
    symbol = "@" if "s" in channel.flags else "*" if "p" in channel.flags else "="
    yield from me.reply_words(RPL_NAMREPLY, (symbol, channel.name), words)


def list_channels(me: Client, conditions: str = "", server: str = ""):
    """List channels, their size and topic; `>5`, `*tea*`, `!*bot*`, `C<60` and `T<60` choose.

    If there are names and masks, one of them must match; all other conditions must hold.  C and T are
    the minutes since the channel was made, and since its topic was set.
    RFC 2812 section 3.2.6, ELIST of 005.
    """
    me.reply(RPL_LISTSTART)
    tests = list(tests_of(conditions))
    for channel in list(me.world.channels.values()):
        yield
        # The channel may have ended since the list was made.
        if channel.members and not is_secret_to(me.user, channel):
            if all(test(channel) for test in tests):
                me.reply(RPL_LIST, channel.name, len(channel.members), channel.topic)
    me.reply(RPL_LISTEND)


def tests_of(conditions: str) -> Iterator[Callable[[Channel], bool]]:
    """Turn the conditions of LIST into tests; a channel must pass all of them."""
    names, masks, unwanted = set(), [], []
    for text in list(filter(None, conditions.split(",")))[:MAX_CONDITIONS]:
        if found := re.fullmatch(r"([CT]?)([<>])([0-9]{1,9})", text):
            yield partial(is_measured, *found.groups())
        elif text[0] == "!":
            unwanted.append(mask(text[1:]))
        elif is_mask(text):
            masks.append(mask(text))
        else:
            names.add(fold(text))
    if unwanted:
        yield lambda channel: not any(map(Name(channel.name).fits, unwanted))
    if names or masks:
        yield lambda channel: (
            fold(channel.name) in names or any(map(Name(channel.name).fits, masks))
        )


def is_measured(kind: str, sign: str, limit: str, channel: Channel) -> bool:
    """Return whether a number of the channel is above, or below, the limit."""
    compare = operator.gt if sign == ">" else operator.lt
    return compare(measure(channel, kind), int(limit))


def measure(channel: Channel, kind: str) -> float:
    """Give the members, or the minutes since the making (C) or the topic (T), of a channel."""
    if kind == "":
        return len(channel.members)
    if kind == "T" and not channel.topic:
        return math.nan  # neither more nor less than any number
    return (time.time() - (channel.created_at if kind == "C" else channel.topic_at)) / 60


def invite(me: Client, nick: str = "", name: str = ""):
    """Invite a user; without a nick, list one's own invitations.  RFC 2812 section 3.2.7."""
    if not nick:
        for channel in me.user.invitations:
            me.reply(RPL_INVITELIST, channel.name)
        me.reply(RPL_ENDOFINVITELIST)
        return
    user, channel = me.world.user(nick), me.world.channel(name)
    if not name:
        me.reply(ERR_NEEDMOREPARAMS, "INVITE")
    elif user is None:
        me.reply(ERR_NOSUCHNICK, nick)
    elif channel is None:
        me.reply(ERR_NOSUCHCHANNEL, name)
    elif channel not in me.user.channels:
        me.reply(ERR_NOTONCHANNEL, channel.name)
    elif channel in user.channels:
        me.reply(ERR_USERONCHANNEL, user.nick, channel.name)
    elif "i" in channel.flags and not me.may(channel, "h"):
        me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
    else:
        me.reply(RPL_INVITING, user.nick, channel.name)
        me.tell_users([user], me.says("INVITE", user.nick, channel.name))
        me.world.invite(user, channel, by_operator=me.may(channel, "h"))
        seen = me.says("INVITE", user.nick, channel.name, need="invite-notify")
        me.tell(channel, seen, but_me=True)
        if user.away is not None:
            me.reply(RPL_AWAY, user.nick, user.away)


def kick(me: Client, names: str, nicks: str, reason: str = ""):
    """Throw users out: several out of one channel, or one out of each.  RFC 2812 section 3.2.8."""
    names, nicks = names.split(","), nicks.split(",")
    reason = cut_text(reason, MAX_TEXT_BYTES) or me.user.nick
    if len(names) == 1:
        names *= len(nicks)
    if len(names) != len(nicks):
        me.reply(ERR_NEEDMOREPARAMS, "KICK")
        return
    pairs = {(fold(name), fold(nick)): (name, nick) for name, nick in zip(names, nicks)}
    for name, nick in pairs.values():
        channel, user = me.world.channel(name), me.world.user(nick)
        if channel is None:
            me.reply(ERR_NOSUCHCHANNEL, name)
        elif channel not in me.user.channels and not me.user.is_operator:
            me.reply(ERR_NOTONCHANNEL, channel.name)
        elif not me.may(channel, "h"):
            me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
        elif user not in channel.members:
            me.reply(ERR_USERNOTINCHANNEL, nick, channel.name)
        elif channel.has_status(user, "h") and not me.may(channel, "q" if channel.has_status(user, "q") else "o"):
            # Half-operators cannot throw out each other or those above them, and nobody an owner.
            me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
        else:
            me.tell(channel, me.says("KICK", channel.name, user.nick, text=reason))
            me.world.part(user, channel)
