"""RENAME: give a channel another name, with all that it has.

fallback   for clients that do not know RENAME it looks as if all had left, and joined the new channel
forward    who was not there, and joins the old name, finds the channel; clients that know RENAME are told

Source: IRCv3 channel-rename.
"""

import time
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any, NamedTuple

from extras.irc.channels import has_joined, join, show_channel
from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.names import fold, is_channel
from extras.irc.replies import ERR_CHANOPRIVSNEEDED, ERR_NOSUCHCHANNEL, ERR_NOTONCHANNEL, Numeric
from extras.irc.state import Channel

NAME = "draft/channel-rename"
# The fallback sends each member the names of all: a member may cause that once in a minute.
PAUSE_S = 60.0
FORWARD_S = 24 * 3600.0  # who comes each day finds it; then the old name is as any other
HAS_NEW_NAME = "The channel has been renamed"
ERR_LINKCHANNEL = Numeric("470", f"<channel> <new> :{HAS_NEW_NAME}", "IRCv3 channel-rename")


class Forward(NamedTuple):
    """Where a channel is that had a name."""

    channel: Channel
    until: float


class Rename(Extension):
    """draft/channel-rename."""

    capabilities = (Capability(NAME, "RENAME instead of PART and JOIN"),)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.commands = {"RENAME": command(rename), "JOIN": command(self.join)}
        self._forwards: dict[str, Forward] = {}  # one for each channel at most

    def renamed(self, channel: Channel, old: str) -> None:
        forwards = {name: one for name, one in self._forwards.items() if one.channel is not channel and self.holds(one)}
        self._forwards = forwards | {fold(old): Forward(channel, time.time() + FORWARD_S)}

    def holds(self, forward: Forward) -> bool:
        """Return whether the channel is still here, and its old name remembered."""
        return self.world.channel(forward.channel.name) is forward.channel and time.time() < forward.until

    def join(self, me: Client, names: str, keys: str = "") -> Iterator[None] | None:
        """Enter channels, each with its key if any; `JOIN 0` leaves all.  RFC 2812 section 3.2.1, IRCv3 channel-rename."""
        if not self._forwards:
            return join(me, names, keys)
        wanted = []
        for name, key in zip(names.split(","), chain(keys.split(","), repeat(""))):
            new = self.new_name(me, name)
            if new == name:
                wanted.append((name, key))
            elif NAME in me.caps:
                me.standard("FAIL", "JOIN", "CHANNEL_RENAMED", name, new, text=HAS_NEW_NAME)
            else:
                me.reply(ERR_LINKCHANNEL, name, new)
                wanted.append((new, key))
        return join(me, *map(",".join, zip(*wanted))) if wanted else None

    def new_name(self, me: Client, name: str) -> str:
        """Give the name that a channel has now.  Its members know it, and may make another one of the old name;
        of a secret or private channel, nobody else learns it."""
        forward = self._forwards.get(fold(name))
        if forward is None or not self.holds(forward) or self.world.channel(name):
            return name
        channel = forward.channel
        return name if channel.is_hidden or channel in me.user.channels else channel.name


def rename(me: Client, old: str, new: str, reason: str = "") -> None:
    """Give a channel another name.  IRCv3 channel-rename."""
    channel = me.world.channel(old)
    if channel is None:
        me.reply(ERR_NOSUCHCHANNEL, old)
    elif channel not in me.user.channels:
        me.reply(ERR_NOTONCHANNEL, channel.name)
    elif not me.may(channel, "q" if channel.founder else "o"):
        me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
    elif not is_channel(new) or new[0] != channel.name[0]:
        refuse(me, "CANNOT_RENAME", channel.name, new, "A channel cannot have this name")
    elif me.world.channel(new) not in (None, channel):
        refuse(me, "CHANNEL_NAME_IN_USE", channel.name, new, "There is a channel of this name")
    elif time.time() - channel.renamed_at < PAUSE_S and not me.user.is_operator:
        refuse(me, "CANNOT_RENAME", channel.name, new, "It was renamed a moment ago: wait a minute")
    elif new != channel.name:
        old, channel.renamed_at = channel.name, time.time()
        me.world.rename_channel(channel, new)
        for renamed in me.server.extensions.hooks(Extension.renamed):
            renamed(channel, old)
        reason = cut_text(reason, MAX_TEXT_BYTES)
        me.tell(channel, me.says("RENAME", old, new, text=reason, need=NAME))
        if fold(old) != fold(new):
            fall_back(me, channel, old, reason)


def refuse(me: Client, code: str, old: str, new: str, text: str) -> None:
    """Say why not; a name that cannot be a parameter is left out."""
    me.standard("FAIL", "RENAME", code, old, new if is_channel(new) else "*", text=text)


def fall_back(me: Client, channel: Channel, old: str, reason: str) -> None:
    """Tell those who do not know RENAME."""
    for user in list(channel.members):
        left = Event("PART", old, text=reason or None, source=user.source, user=user)
        for session in user.sessions:
            if NAME not in session.caps:
                me.tell_session(session, left)
                me.tell_session(session, has_joined(session, channel))
                for _ in show_channel(me.speaking_for(session), channel):
                    pass  # there is no pause in it: the answer is not for us
