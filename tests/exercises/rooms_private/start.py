"""Exercise: INVITE: a room for invited users only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, format_line


class PrivateHandler(RoomsHandler):
    """After `LOCK tea` by a member, only users may join whom a member has invited: `INVITE bob tea`.

    If anybody else tries to join, `ERR not-invited`.  An invitation can be used once.  Bob gets
    `INVITE alice tea` when alice invites him.
    """

    VERBS = RoomsHandler.VERBS | {"LOCK": "room", "INVITE": "name room"}

    def do_LOCK(self, name):
        self.ok()  # TODO

    def do_INVITE(self, name, room_name):
        self.ok()  # TODO


class PrivateServer(RoomsServer):
    """Serve chat users, some of them in locked rooms."""

    handler_class = PrivateHandler


if __name__ == "__main__":
    sys.exit(main(PrivateServer, server_parser("Lock rooms.")))
