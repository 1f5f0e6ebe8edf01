"""Exercise: NICK: another name, without leaving."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, check_name


class RenameHandler(PresenceHandler):
    """`NICK robert` is answered OK; the others get `NICK bob robert`."""

    VERBS = PresenceHandler.VERBS | {"NICK": "name"}

    def do_NICK(self, name):
        self.ok()  # TODO; the errors are those of LOGIN


class RenameServer(PresenceServer):
    """Serve chat users, who may change their names."""

    handler_class = RenameHandler


if __name__ == "__main__":
    sys.exit(main(RenameServer, server_parser("Let users change their names.")))
