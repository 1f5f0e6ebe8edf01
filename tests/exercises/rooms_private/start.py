"""Exercise: INVITE: a room that one must be asked into."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, format_line


class PrivateHandler(RoomsHandler):
    """`LOCK tea` by a member lets nobody in but who got an `INVITE bob tea` from a member.

    To join a locked room uninvited is `ERR not-invited`; an invitation is good for once, and
    bob gets `INVITE alice tea` when she invites him.
    """

    VERBS = RoomsHandler.VERBS | {"LOCK": "room", "INVITE": "name room"}

    def do_LOCK(self, name):
        self.ok()  # TODO

    def do_INVITE(self, name, room_name):
        self.ok()  # TODO


class PrivateServer(RoomsServer):
    """Serve chat users with secrets."""

    handler_class = PrivateHandler


if __name__ == "__main__":
    sys.exit(main(PrivateServer, server_parser("Lock rooms.")))
