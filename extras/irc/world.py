"""The world: who is here and which channels there are.  Step 5's registry, whose names are nicks.

stranger   a client that is connected and not registered yet

Nothing here takes the lock: each command holds `World.lock` from beginning to end.
"""

import time
from collections import deque
from collections.abc import Callable

from extras.irc.bans import Matches
from extras.irc.names import fold
from extras.irc.state import Channel, Past, User
from step5_server.registry import Registry

MAX_INVITATIONS = 100  # invitations that one user keeps: anybody may send them, so there is a limit
WHOWAS_LENGTH = 1000  # users who left or changed their names, for WHOWAS; RFC 2812 does not say how many


class World(Registry):
    """All users and channels."""

    key = staticmethod(fold)

    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[str, Channel] = {}
        self.past: deque[Past] = deque(maxlen=WHOWAS_LENGTH)
        self.users: dict[User, None] = {}  # registered ones, in order of arrival
        self.strangers: set[User] = set()
        self.with_mode: dict[str, set[User]] = {}
        self.most_users = 0
        # What extensions know: whether a channel without members stays; what a channel is like now; extended bans.
        self.keeps_channel: Callable[[Channel], bool] = lambda channel: False
        self.changed: Callable[[Channel, User | None], object] = lambda channel, user: None
        self.matches: Matches | None = None

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
        users = self.with_mode.setdefault(letter, set())
        (users.add if on else users.discard)(user)

    def users_with(self, letter: str) -> set[User]:
        """Give the users who have this mode."""
        return self.with_mode.get(letter, set())

    def remember(self, user: User) -> None:
        """Keep the user's present name for WHOWAS."""
        self.past.appendleft(Past(user.nick, user.name, user.host, user.realname, time.time()))

    def join(self, user: User, name: str, modes: str) -> Channel:
        """Put the user into the channel; the user who makes a channel is its operator."""
        channel = self.channels.get(fold(name))
        status = ""
        if channel is None:
            status = "o"
            channel = self.channels[fold(name)] = Channel(name, modes, self.matches)
        channel.members[user] = status
        for session in user.sessions:
            channel.let_hear(session)
        user.channels[channel] = None
        self.uninvite(user, channel)  # it can be used once
        self.changed(channel, user)
        return channel

    def rename_channel(self, channel: Channel, name: str) -> None:
        """Give a channel another name, which is free."""
        del self.channels[fold(channel.name)]
        channel.name = name
        self.channels[fold(name)] = channel
        self.changed(channel, None)

    def part(self, user: User, channel: Channel) -> None:
        """Take the user out; the channel ends with its last member."""
        del channel.members[user], user.channels[channel]
        for session in user.sessions:
            channel.let_go(session)
        self.changed(channel, user)
        self.drop_if_empty(channel)

    def drop_if_empty(self, channel: Channel) -> None:
        """End a channel without members, unless an extension keeps it."""
        if not channel.members and not self.keeps_channel(channel):
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
        for letter in list(user.modes):
            self.set_mode(user, letter, False)
        self.strangers.discard(user)
        self.release(user.nick, user)
        if user.registered:
            user.registered = False
            del self.users[user]
            self.remember(user)
