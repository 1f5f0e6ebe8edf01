"""Solution: INVITE: a room for invited users only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.hub import RoomHub
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, format_line


class PrivateHub(RoomHub):
    """A hub that knows which rooms are locked, and who is invited."""

    def __init__(self):
        super().__init__()
        self.invited = {}  # key of a locked room -> its guests: handlers; guarded by the lock

    def leave(self, name, member):
        room = super().leave(name, member)
        if not room.members:
            self.invited.pop(self.key(name), None)  # the next room of this name is open
        return room


class PrivateHandler(RoomsHandler):
    """After `LOCK tea` by a member, only users may join whom a member has invited: `INVITE bob tea`.

    If anybody else tries to join, `ERR not-invited`.  An invitation can be used once.  Bob gets
    `INVITE alice tea` when alice invites him.
    """

    VERBS = RoomsHandler.VERBS | {"LOCK": "room", "INVITE": "name room"}

    def do_LOCK(self, name):
        room = self.my_room(name)
        self.registry.invited.setdefault(self.registry.key(room.name), set())
        self.ok()

    def do_INVITE(self, name, room_name):
        room = self.my_room(room_name)
        guest = self.registry.get(name)
        if guest is None:
            raise ProtocolError("no-such-user", "nobody here has that name")
        self.registry.invited.get(self.registry.key(room.name), set()).add(guest)
        self.send_to(guest, format_line("INVITE", self.name, room.name))
        self.ok()

    def do_JOIN(self, name):
        guests = self.registry.invited.get(self.registry.key(name))
        mine = [room.name.lower() for room in self.registry.rooms_of(self)]
        if guests is not None and self not in guests and name.lower() not in mine:
            raise ProtocolError("not-invited", "this room is locked")
        super().do_JOIN(name)
        if guests is not None:
            guests.discard(self)

    def on_gone(self):
        super().on_gone()
        for guests in self.registry.invited.values():
            guests.discard(self)


class PrivateServer(RoomsServer):
    """Serve chat users, some of them in locked rooms."""

    handler_class = PrivateHandler
    registry_class = PrivateHub


if __name__ == "__main__":
    sys.exit(main(PrivateServer, server_parser("Lock rooms.")))
