"""Exercise: AWAY: tell people who write to you that you are out."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import main
from step3_protocol.protocol import check_text, format_line


class AwayHandler(PresenceHandler):
    """After `AWAY at lunch`, a MSG to this user is answered `OK away: at lunch`, until BACK."""

    VERBS = PresenceHandler.VERBS | {"AWAY": "text", "BACK": ""}

    def do_AWAY(self, text):
        self.ok()  # TODO

    def do_BACK(self):
        self.ok()  # TODO


class AwayServer(PresenceServer):
    """Serve chat users, who may go to lunch."""

    handler_class = AwayHandler


if __name__ == "__main__":
    sys.exit(main(AwayServer, server_parser("Answer for who is out.")))
