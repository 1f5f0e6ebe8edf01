"""Who is here, in which channels, with which rights: the state that all threads share.

member   a user in a channel; its status is a string of letters, highest first: "", "v", "ohv"
audience the outboxes of a channel's members, in one group for each set of caps and each way of framing
caps     the capabilities that a client has asked for (IRCv3): they change what it gets

Nothing here takes the lock: each command holds `World.lock` from beginning to end, so that a join, a
rename or a kick is one step for everybody (step 5's rule).  Nothing here knows how a message is
written.  Source: RFC 2811 (channels), RFC 2812 section 3.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from extras.irc.names import Name, fold
from step5_server.outbox import Outbox
from step5_server.registry import Registry

# Highest first, as 005 PREFIX wants it.  SIMPLIFIED: no founders (q, a): they need accounts.
STATUSES = {"o": "@", "h": "%", "v": "+"}
RANKS = "".join(STATUSES)
MAX_INVITATIONS = 100  # invitations that one user keeps: anybody may send them, so there is a limit
MAX_VERDICTS = 1000  # answers that one channel remembers: whom a list matches
WHOWAS_LENGTH = 1000  # users who left or changed their names, for WHOWAS; RFC 2812 does not say how many


class User:
    """One client, from its first line on; `registered` once it has a name and is let in."""

    def __init__(self, handler, outbox: Outbox, host: str):
        self.handler, self.outbox, self.host = handler, outbox, host
        self.nick, self.name, self.realname = "", "", ""
        self.registered = False
        self.modes: set[str] = set()
        self.away: str | None = None
        self.caps: frozenset[str] = frozenset()
        self.channels: dict[Channel, None] = {}  # used as a set that keeps the order of joining
        self.invitations: dict[Channel, bool] = {}  # and whether a channel operator has invited
        self.monitored: dict[str, str] = {}  # folded nick -> as typed
        self.signed_on = time.time()
        self.spoke_at = self.signed_on
        self.source = ""

    def call(self, nick: str) -> None:
        """Take a nick; `source` is what stands in front of this user's messages."""
        self.nick = nick
        self.source = f"{nick}!{self.name}@{self.host}"

    @property
    def is_operator(self) -> bool:
        """Whether this user runs the server."""
        return "o" in self.modes

    def shares_channel(self, other: "User") -> bool:
        """Return whether there is a channel that both are in."""
        return not self.channels.keys().isdisjoint(other.channels)

    def sees(self, other: "User") -> bool:
        """Return whether a search may find the other user: RFC 2812 section 3.1.5, mode i."""
        return "i" not in other.modes or other is self or self.shares_channel(other)


class Entry(NamedTuple):
    """One mask in a channel's list of bans, exceptions or invitations."""

    mask: str
    set_by: str
    set_at: float


class Group(NamedTuple):
    """Users who get the same bytes, ready for a fan-out: the same capabilities, and the same framing."""

    caps: frozenset[str]
    frame: Callable[[bytes], bytes]
    outboxes: tuple[Outbox, ...]
    puts: tuple[Callable[[bytes], None], ...]


def make_groups(users: Iterable[User]) -> tuple[Group, ...]:
    """Put these users into groups; nearly always it is one."""
    groups: dict[tuple, list[Outbox]] = {}
    for user in users:
        groups.setdefault((user.caps, user.outbox.codec.frame), []).append(user.outbox)
    return tuple(
        Group(caps, frame, tuple(group), tuple(outbox.put for outbox in group))
        for (caps, frame), group in groups.items()
    )


class Channel:
    """A channel; it lives as long as it has members."""

    def __init__(self, name: str, modes: str):
        self.name = name
        self.created_at = time.time()
        self.topic, self.topic_by, self.topic_at = "", "", 0.0
        self.members: dict[User, str] = {}
        self.invited: set[User] = set()  # who has an invitation: it ends with the channel
        self.flags = set(modes)
        self.key, self.limit = "", 0
        # By letter; then by mask() of the mask: two that differ in case only are one.
        self.lists: dict[str, dict[str, Entry]] = {"b": {}, "e": {}, "I": {}}
        # Which list matches whom, remembered: it is needed for each message.
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._audience: tuple[Group, ...] | None = None

    @property
    def audience(self) -> tuple[Group, ...]:
        """The members in groups: a message is encoded once for a group, whatever its size."""
        if self._audience is None:
            self._audience = make_groups(self.members)
        return self._audience

    @property
    def wears_tags(self) -> bool:
        """Whether any member may want tags in front of a message."""
        return any(group.caps for group in self.audience)

    def forget_audience(self) -> None:
        """Rebuild the audience when it is next wanted: a member came, went or changed caps."""
        self._audience = None

    def prefix(self, user: User, every: bool = False) -> str:
        """Give the sign of the user's highest status here, or all of them."""
        signs = "".join(STATUSES[letter] for letter in self.members.get(user, ""))
        return signs if every else signs[:1]

    def has_status(self, user: User, least: str) -> bool:
        """Return whether the user is at least `o`, `h` or `v` here."""
        letters = self.members.get(user)
        return bool(letters) and RANKS.index(letters[0]) <= RANKS.index(least)

    def set_status(self, user: User, letter: str, on: bool) -> None:
        """Give a member a status, or take it away; the letters stay in the order of rank."""
        letters = set(self.members[user]) - {letter} | ({letter} if on else set())
        self.members[user] = "".join(letter for letter in STATUSES if letter in letters)

    def matches(self, letter: str, user: User) -> bool:
        """Return whether a mask of this list matches the user."""
        if not self.lists[letter]:
            return False
        verdict = self._verdicts.get((letter, user.source))
        if verdict is None:
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()  # somebody changes her name again and again
            verdict = any(map(Name(user.source).fits, self.lists[letter]))
            self._verdicts[letter, user.source] = verdict
        return verdict

    def is_banned(self, user: User) -> bool:
        """RFC 2811 section 4.3: a ban holds unless an exception matches too."""
        return self.matches("b", user) and not self.matches("e", user)

    def forget_verdicts(self) -> None:
        """Forget whom the lists match: a list has changed."""
        self._verdicts.clear()

    @property
    def is_hidden(self) -> bool:
        """Secret or private: shown to members only.  RFC 2811 section 4.2.6."""
        return not self.flags.isdisjoint("sp")


class Past(NamedTuple):
    """What WHOWAS tells about a name that was given up."""

    nick: str
    name: str
    host: str
    realname: str
    left_at: float


class World(Registry):
    """The registry of step 5, whose names are nicks, and the channels."""

    key = staticmethod(fold)

    def __init__(self):
        super().__init__()
        self.channels: dict[str, Channel] = {}
        self.past: deque[Past] = deque(maxlen=WHOWAS_LENGTH)
        self.watchers: dict[str, set[User]] = {}  # MONITOR: folded nick -> who wants to know
        self.users: dict[User, None] = {}  # registered ones, in order of arrival
        self.strangers: set[User] = set()  # connected, not registered yet
        self.with_mode: dict[str, set[User]] = {"i": set(), "o": set(), "w": set(), "B": set()}
        self.most_users = 0
        self.next_id = itertools.count(1).__next__

    def user(self, nick: str) -> User | None:
        """Give the registered user of this nick."""
        _, user = self._members.get(fold(nick), (nick, None))
        return user if user and user.registered else None

    def channel(self, name: str) -> Channel | None:
        """Give the channel of this name."""
        return self.channels.get(fold(name))

    def rename(self, user: User, nick: str) -> None:
        """Give the user another nick.  Raises: NameTaken."""
        if fold(nick) == fold(user.nick):
            self.release(user.nick, user)  # only upper and lower case change
            self.claim(nick, user)
        else:
            self.claim(nick, user)
            self.release(user.nick, user)
        if user.registered:
            self.remember(user)
        user.call(nick)

    def register(self, user: User) -> None:
        """Let the user in: from now on others can see it."""
        user.registered = True
        user.call(user.nick)
        self.strangers.discard(user)
        self.users[user] = None
        self.most_users = max(self.most_users, len(self.users))

    def set_mode(self, user: User, letter: str, on: bool) -> None:
        """Set a user mode; LUSERS and WALLOPS need the users of a mode without looking at all users."""
        (user.modes.add if on else user.modes.discard)(letter)
        (self.with_mode[letter].add if on else self.with_mode[letter].discard)(user)

    def remember(self, user: User) -> None:
        """Keep the user's present name for WHOWAS."""
        self.past.appendleft(Past(user.nick, user.name, user.host, user.realname, time.time()))

    def join(self, user: User, name: str, modes: str) -> Channel:
        """Put the user into the channel; the user who makes a channel is its operator."""
        channel = self.channels.get(fold(name))
        if channel is None:
            channel = self.channels[fold(name)] = Channel(name, modes)
        channel.members[user] = "" if channel.members else "o"
        channel.forget_audience()
        user.channels[channel] = None
        self.uninvite(user, channel)  # it can be used once
        return channel

    def part(self, user: User, channel: Channel) -> None:
        """Take the user out; the channel ends with its last member."""
        del channel.members[user], user.channels[channel]
        channel.forget_audience()
        if not channel.members:
            del self.channels[fold(channel.name)]
            for invited in list(channel.invited):
                self.uninvite(invited, channel)

    def invite(self, user: User, channel: Channel, by_operator: bool) -> None:
        """Keep an invitation; if there are too many, forget the oldest."""
        self.uninvite(user, channel)
        user.invitations[channel] = by_operator
        channel.invited.add(user)
        if len(user.invitations) > MAX_INVITATIONS:
            self.uninvite(user, next(iter(user.invitations)))

    def uninvite(self, user: User, channel: Channel) -> None:
        """Forget an invitation, if there is one."""
        user.invitations.pop(channel, None)
        channel.invited.discard(user)

    def leave(self, user: User) -> None:
        """Forget the user: it has quit, or never registered.  Calling it twice does no harm."""
        for channel in list(user.channels):
            self.part(user, channel)
        for channel in list(user.invitations):
            self.uninvite(user, channel)
        for key in user.monitored:
            self.unwatch(user, key)
        for letter in list(user.modes):
            self.set_mode(user, letter, False)
        self.strangers.discard(user)
        self.release(user.nick, user)
        if user.registered:
            user.registered = False
            del self.users[user]
            self.remember(user)

    def watch(self, user: User, nick: str) -> None:
        """Tell the user from now on when this nick comes and goes."""
        user.monitored[fold(nick)] = nick
        self.watchers.setdefault(fold(nick), set()).add(user)

    def unwatch(self, user: User, key: str) -> None:
        """Do not tell the user any more; `key` is the folded nick."""
        watchers = self.watchers.get(key, set())
        watchers.discard(user)
        if not watchers:
            self.watchers.pop(key, None)
