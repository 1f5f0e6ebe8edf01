"""Exercise: SEEN: was somebody here, and is she still here?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError


class SeenHandler(PresenceHandler):
    """`SEEN bob` is answered `OK online`, `OK gone`, or `ERR never-seen …`."""

    VERBS = PresenceHandler.VERBS | {"SEEN": "name"}

    def do_SEEN(self, name):
        self.ok("gone")  # TODO


class SeenServer(PresenceServer):
    """Serve chat users, and remember who was here."""

    handler_class = SeenHandler


if __name__ == "__main__":
    sys.exit(main(SeenServer, server_parser("Remember who was here.")))
