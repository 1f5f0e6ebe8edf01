"""JOIN, PART, TOPIC and NAMES: who is in a channel, and what it is about.

Source: RFC 2812 section 3.2, RFC 2811, modern.ircdocs.horse "Channel Operations".
"""

import time
from collections.abc import Iterator

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.names import CHANNEL_TYPES, each_once, fold, is_channel
from extras.irc.replies import (
    ERR_BADCHANNELKEY,
    ERR_BANNEDFROMCHAN,
    ERR_CHANNELISFULL,
    ERR_CHANOPRIVSNEEDED,
    ERR_INVITEONLYCHAN,
    ERR_NOSUCHCHANNEL,
    ERR_NOTONCHANNEL,
    ERR_TOOMANYCHANNELS,
    ERR_TOOMANYTARGETS,
    RPL_ENDOFNAMES,
    RPL_NAMREPLY,
    RPL_NOTOPIC,
    RPL_TOPIC,
    RPL_TOPICWHOTIME,
    Numeric,
)
from extras.irc.state import Channel, User

NEW_CHANNEL_MODES = "nt"  # nearly every channel has these, and nearly every server sets them


def join(me: Client, names: str, keys: str = "") -> Iterator[None]:
    """Enter channels, each with its key if any; `JOIN 0` leaves all.  RFC 2812 section 3.2.1."""
    if names == "0":
        for channel in list(me.user.channels):
            leave_channel(me, channel, "")
        return
    wanted, given = names.split(","), keys.split(",")
    most = len(CHANNEL_TYPES) * me.server.max_channels  # nobody can enter more
    for number, name in enumerate(wanted[:most]):
        yield from join_one(me, name, given[number] if number < len(given) else "")
        yield
    if len(wanted) > most:
        me.reply(ERR_TOOMANYTARGETS, wanted[most])


def join_one(me: Client, name: str, key: str) -> Iterator[None]:
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


def make_owner(me: Client, channel: Channel) -> None:
    """Make our user an owner of the channel, and tell all."""
    if "q" not in channel.members[me.user]:
        channel.set_status(me.user, "q", True)
        me.world.changed(channel, me.user)
        me.tell(channel, Event("MODE", channel.name, "+q", me.user.nick, source=me.server.name))


def show_channel(me: Client, channel: Channel) -> Iterator[None]:
    """Send what follows a JOIN: the topic, and who is there."""
    if channel.topic:
        show_topic(me, channel)
    for introduce in me.server.extensions.hooks(Extension.introduce):
        introduce(me, channel)
    if "no-implicit-names" not in me.caps:
        yield from show_names(me, channel)
        me.reply(RPL_ENDOFNAMES, channel.name)
    for joined in me.server.extensions.hooks(Extension.joined):
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


def part(me: Client, names: str, reason: str = "") -> None:
    """Leave channels.  RFC 2812 section 3.2.2."""
    for name in each_once(names):
        channel = me.world.channel(name)
        if channel is None:
            me.reply(ERR_NOSUCHCHANNEL, name)
        elif channel not in me.user.channels:
            me.reply(ERR_NOTONCHANNEL, channel.name)
        else:
            leave_channel(me, channel, reason)


def leave_channel(me: Client, channel: Channel, reason: str) -> None:
    """Tell all members, oneself too, and leave."""
    me.tell(channel, me.says("PART", channel.name, text=reason or None))
    me.world.part(me.user, channel)


def topic(me: Client, name: str, text: str | None = None) -> None:
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
        me.world.changed(channel, None)


def show_topic(me: Client, channel: Channel) -> None:
    me.reply(RPL_TOPIC, channel.name, channel.topic)
    me.reply(RPL_TOPICWHOTIME, channel.name, channel.topic_by, int(channel.topic_at))


def names(me: Client, targets: str = "") -> Iterator[None]:
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


def show_names(me: Client, channel: Channel) -> Iterator[None]:
    """Send the names in a channel, if the user may know them; invisible users only to its members."""
    if is_secret_to(me.user, channel):
        return
    inside = me.user in channel.members
    every, whole = "multi-prefix" in me.caps, "userhost-in-names" in me.caps
    words = (
        (status and channel.prefix(member, every)) + (member.source if whole else member.nick)
        for member in list(channel.members)
        if (status := channel.members.get(member)) is not None and (inside or "i" not in member.modes)
    )
    symbol = "@" if "s" in channel.flags else "*" if "p" in channel.flags else "="
    yield from me.reply_words(RPL_NAMREPLY, (symbol, channel.name), words)
