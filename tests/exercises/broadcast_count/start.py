"""Exercise: tell the sender how many users get her message."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import main
from step3_protocol.protocol import check_text


class CountHandler(BroadcastHandler):
    """ALL is answered `OK 3` if three others get it."""

    # TODO


class CountServer(BroadcastServer):
    """Serve chat users who want to know how many others get their messages."""

    handler_class = CountHandler


if __name__ == "__main__":
    sys.exit(main(CountServer, server_parser("Count who hears it.")))
