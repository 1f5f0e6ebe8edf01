"""Exercise: a newcomer gets the last ten ALL events."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import main
from step3_protocol.protocol import format_line


class WallHandler(BroadcastHandler):
    """After the OK to her LOGIN, a newcomer gets the last ten ALL events, the oldest first."""

    # TODO


class WallServer(BroadcastServer):
    """Serve chat users, who may have missed something."""

    handler_class = WallHandler


if __name__ == "__main__":
    sys.exit(main(WallServer, server_parser("Remember the last ten.")))
