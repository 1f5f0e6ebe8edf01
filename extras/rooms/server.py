"""The chat server with rooms: JOIN, LEAVE, SAY and ROOMS.

From the command line: `python extras/rooms/server.py --help`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.presence.listing import list_lines
from extras.presence.server import PresenceHandler, PresenceServer
from extras.rooms.hub import MAX_ROOMS, AlreadyInRoom, NotInRoom, Room, RoomHub, TooManyRooms
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, check_name, check_text, format_line

ROOM_VERBS = {"JOIN": "room", "LEAVE": "room", "SAY": "room text", "ROOMS": ""}


class RoomsHandler(PresenceHandler):
    """One user's requests, those for rooms among them."""

    registry: RoomHub
    VERBS = PresenceHandler.VERBS | ROOM_VERBS

    def do_JOIN(self, name: str) -> None:
        """Enter a room, list who is in it, and tell the others there."""
        try:
            room = self.registry.join(check_name(name), self)
        except AlreadyInRoom:
            raise ProtocolError("already-joined", "you are in this room") from None
        except TooManyRooms:
            raise ProtocolError("too-many-rooms", f"at most {MAX_ROOMS} at once") from None
        for line in list_lines([member.name for member in room.members], "MEMBERS", room.name):
            self.send(line)
        self.ok()
        self.tell(room, "JOINED", room.name, self.name)

    def do_LEAVE(self, name: str) -> None:
        """Leave a room; those who stay are told."""
        self.leave(self.my_room(name))
        self.ok()

    def do_SAY(self, name: str, text: str) -> None:
        """Queue a message for the others in a room."""
        room = self.my_room(name)
        self.tell(room, "SAY", room.name, self.name, check_text(text))
        self.ok()

    def do_ROOMS(self) -> Iterator[None]:
        """List the rooms, and how many are in each; a long list is sent as fast as it is read."""
        count = 0
        for room in self.registry.rooms():
            if room.members:  # it may have ended since the list was made
                self.send(format_line("ROOM", room.name, str(len(room.members))))
                count += 1
                yield
        self.ok(f"{count} rooms")

    def on_gone(self) -> None:
        """Leave all rooms, then the server."""
        for room in self.registry.rooms_of(self):
            self.leave(room)
        super().on_gone()

    def my_room(self, name: str) -> Room:
        """Return the room if we are in it.  Raises: ProtocolError not-in-room."""
        try:
            return self.registry.room(name, self)
        except NotInRoom:
            raise ProtocolError("not-in-room", "you are not in this room") from None

    def leave(self, room: Room) -> None:
        """Leave the room and tell those who stay."""
        self.registry.leave(room.name, self)
        self.tell(room, "LEFT", room.name, self.name)


class RoomsServer(PresenceServer):
    """Serve chat users who meet in rooms."""

    handler_class = RoomsHandler
    registry_class = RoomHub


if __name__ == "__main__":
    sys.exit(main(RoomsServer, server_parser("Serve a chat with rooms.")))
