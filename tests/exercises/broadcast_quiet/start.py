"""Exercise: QUIET and LOUD: for users who do not want to get ALL."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import main
from step3_protocol.protocol import check_text


class QuietHandler(BroadcastHandler):
    """After QUIET a user gets no ALL events until LOUD; both are answered OK."""

    VERBS = BroadcastHandler.VERBS | {"QUIET": "", "LOUD": ""}

    def do_QUIET(self):
        self.ok()  # TODO

    def do_LOUD(self):
        self.ok()  # TODO


class QuietServer(BroadcastServer):
    """Serve chat users, some of whom do not want to be disturbed."""

    handler_class = QuietHandler


if __name__ == "__main__":
    sys.exit(main(QuietServer, server_parser("Leave alone who wants it.")))
