"""A hub with rooms: who is in which room.  It knows no protocol.

room   an audience with a name; it exists while somebody is in it
"""

from extras.broadcast.hub import Audience, Hub, Member

# A room costs its member some 700 bytes here: a thousand are no more than --max-pending
# allows to each user anyway.  Without a limit one user could fill the memory with rooms.
MAX_ROOMS = 1000


class AlreadyInRoom(Exception):
    """The member is in this room."""


class NotInRoom(Exception):
    """The member is not in this room, which may not exist at all."""


class TooManyRooms(Exception):
    """The member is in MAX_ROOMS rooms."""


class Room(Audience):
    """The members of one room."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name  # as its first member typed it


class RoomHub(Hub):
    """A hub in which members can also form smaller audiences."""

    def __init__(self) -> None:
        super().__init__()
        # Both hold the same facts, each for its own question; `lock` guards them.
        self._rooms: dict[str, Room] = {}  # by key
        self._rooms_of: dict[Member, dict[str, Room]] = {}  # by member, then by key

    def join(self, name: str, member: Member) -> Room:
        """Put the member into the room.  Raises: AlreadyInRoom, TooManyRooms."""
        key = self.key(name)
        with self.lock:
            mine = self._rooms_of.setdefault(member, {})
            if key in mine:
                raise AlreadyInRoom(name)
            if len(mine) >= MAX_ROOMS:
                raise TooManyRooms(name)
            room = mine[key] = self._rooms.setdefault(key, Room(name))
            room.add(member)
            return room

    def leave(self, name: str, member: Member) -> Room:
        """Take the member out of the room, and return it.  Raises: NotInRoom."""
        key = self.key(name)
        with self.lock:
            room = self.room(name, member)
            room.remove(member)
            if not room.members:
                del self._rooms[key]
            mine = self._rooms_of[member]
            del mine[key]
            if not mine:
                del self._rooms_of[member]
            return room

    def room(self, name: str, member: Member) -> Room:
        """Return the room of this name that the member is in.  Raises: NotInRoom."""
        with self.lock:
            room = self._rooms.get(self.key(name))
            if room is None or member not in room.members:
                raise NotInRoom(name)
            return room

    def rooms(self) -> list[Room]:
        """Return a copy of the list of all rooms, the oldest first."""
        with self.lock:
            return list(self._rooms.values())

    def rooms_of(self, member: Member) -> list[Room]:
        """Return a copy of the list of rooms that the member is in."""
        with self.lock:
            return list(self._rooms_of.get(member, {}).values())
