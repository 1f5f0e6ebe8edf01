"""A view: what this server knows of the whole chat, as far as it has read the logs.

It is a registry whose facts come from the logs alone.  Whoever reads a log calls the method that
is named after the entry, and holds the lock: what one entry changes and what the users hear of it
are one step.

local    a user who is connected to this server
login    one stay of a user, from LOGIN to LOGOUT: an id that no other stay has
"""

from typing import TYPE_CHECKING, NamedTuple

from extras.broadcast.fan_out import put_to
from extras.broadcast.hub import Audience, Member
from extras.cluster.engine import Outcast
from step3_protocol.protocol import format_line
from step5_server.outbox import Outbox
from step5_server.registry import Registry

if TYPE_CHECKING:
    from extras.cluster.handler import ClusterHandler  # which imports us


class User(NamedTuple):
    """A user anywhere in the cluster."""

    name: str
    server: str
    login: str


class RoomView(Audience):
    """A room in which somebody is who is connected here: all its members, and of them the local ones as an audience."""

    def __init__(self, name: str, users: list[str], login: str):
        super().__init__()
        self.name = name
        self.users = {user.lower(): user for user in users}  # in order of arrival
        self.logins = {login}  # of those who are here, as the log has it: a handler may be gone already
        self.follows = 1  # how often our first user has come in, less how often our last one has left


class View(Registry):
    """Who is online, and who is in the rooms that somebody here is in.

    Thread: all methods want the lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self.server = ""  # our own id in the cluster, "" while we are not in it
        self.users: dict[str, User] = {}  # by key, in order of arrival
        self.rooms: dict[str, RoomView] = {}  # by key
        self.everyone = Audience()  # the local users
        self.locals: dict[str, ClusterHandler] = {}  # login -> handler, from before its LOGIN is sent
        self.touched: set[Outbox] = set()  # what has been put into, and is to be flushed

    def begin(self, server: str, users: list[User]) -> None:
        """Begin anew, with those who are online."""
        self.server = server
        self.users = {self.key(user.name): user for user in users}
        self.rooms = {}
        self.everyone = Audience()

    def names(self) -> list[str]:
        """Return who is online, in order of arrival."""
        return [user.name for user in self.users.values()]

    def put(self, outbox: Outbox, line: bytes) -> None:
        """Queue a line for one user."""
        outbox.put(outbox.codec.frame(line))
        self.touched.add(outbox)

    def tell(self, audience: Audience, *words: str, but: Member | None = None) -> None:
        """Queue an event for an audience, but for one of its members."""
        line = format_line(*words)
        for group in audience.groups:
            put_to(group, group.frame(line), self.touched, but.outbox if but else None)

    # --- the users' log

    def on_ONLINE(self, name: str, server: str, login: str) -> None:
        """Somebody has logged in; if it is here, she is told who else is online."""
        others = self.names()
        self.users[self.key(name)] = User(name, server, login)
        self.tell(self.everyone, "ONLINE", name)
        if handler := self.locals.get(login):
            self.everyone.add(handler)
            handler.is_online(name, others)

    def on_OFFLINE(self, name: str, server: str, login: str) -> None:
        """Somebody has gone, or her server has.  Raises: Outcast, if that is ours."""
        if (handler := self.locals.get(login)) and not handler.is_leaving:
            raise Outcast("the other servers have taken this one for dead")
        self.users.pop(self.key(name), None)
        self.tell(self.everyone, "OFFLINE", name)

    def on_ALL(self, name: str, login: str, text: str) -> None:
        """Somebody has said something to everybody."""
        self.tell(self.everyone, "ALL", name, text, but=self.locals.get(login))

    # --- a room's log

    def on_JOINED(self, room: RoomView, name: str, server: str, login: str) -> None:
        """Somebody has come into a room; if she is local, she is told who is in it."""
        room.users[self.key(name)] = name
        if server == self.server:
            room.logins.add(login)
        self.tell(room, "JOINED", room.name, name)
        self.admit(room, login)

    def admit(self, room: RoomView, login: str) -> None:
        """Let a local user hear a room from now on, if she has been waiting for that."""
        handler = self.locals.get(login)
        if handler and handler.waits_for(room) and handler not in room.members:
            room.add(handler)
            handler.is_in(room)

    def on_LEFT(self, room: RoomView, name: str, server: str, login: str) -> None:
        """Somebody has left a room.  Raises: Outcast, if our own user has not asked for it."""
        room.users.pop(self.key(name), None)
        if login in room.logins:
            room.logins.remove(login)
            room.follows -= not room.logins
        if (handler := self.locals.get(login)) and not handler.is_leaving:
            if not handler.leaves(room):
                raise Outcast("the other servers have taken this one for dead")
            room.remove(handler)
            handler.is_out()
        self.tell(room, "LEFT", room.name, name)

    def on_SAY(self, room: RoomView, name: str, login: str, text: str) -> None:
        """Somebody has said something in a room."""
        self.tell(room, "SAY", room.name, name, text, but=self.locals.get(login))

    # --- our own log

    def on_MSG(self, sender: str, login: str, text: str) -> None:
        """Somebody has written to a local user; she may have gone meanwhile."""
        if handler := self.locals.get(login):
            self.put(handler.outbox, format_line("MSG", sender, text))

    def on_FOLLOW(self, key: str, name: str, users: list[str], login: str) -> None:
        """Our first user has come into a room; if it is the first again, we may not have read yet that the last has left."""
        if room := self.rooms.get(key):
            room.follows += 1
        else:
            self.rooms[key] = RoomView(name, users, login)
            self.admit(self.rooms[key], login)

    def on_GONE(self, login: str) -> None:
        """A local user is logged out: what was written to her before has been carried out by now."""
        if handler := self.locals.get(login):
            handler.stop_waiting()

    def forget(self, handler: "ClusterHandler") -> None:
        """Let a local user hear nothing more.  Twice does no harm."""
        self.locals.pop(handler.login, None)
        self.mute(handler)

    def mute(self, handler: "ClusterHandler") -> None:
        """Let a local user hear no more of what many hear.  Twice does no harm."""
        if handler in self.everyone.members:
            self.everyone.remove(handler)
        for room in self.rooms.values():
            if handler in room.members:
                room.remove(handler)
