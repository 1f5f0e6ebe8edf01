"""Solution: a server that reads everything and answers nothing.  Source: RFC 863."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step1_echo is found

from step1_echo.server import CHUNK_BYTES, EchoHandler, EchoServer
from step1_echo.serving import argument_parser, main


class DiscardHandler(EchoHandler):
    """Read all that one client sends."""

    def handle(self):
        while self.request.recv(CHUNK_BYTES):
            pass  # if we did not read, the peer could soon send no more


class DiscardServer(EchoServer):
    """Give each connection to a DiscardHandler."""

    handler_class = DiscardHandler


if __name__ == "__main__":
    sys.exit(main(DiscardServer, argument_parser("Read, and say nothing.")))
