"""Solution: an echo server that shouts: `hello` comes back as `HELLO`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step1_echo is found

from step1_echo.server import CHUNK_BYTES, EchoHandler, EchoServer
from step1_echo.serving import argument_parser, main


class ShoutHandler(EchoHandler):
    """Talk to one client, in capitals."""

    def handle(self):
        # bytes.upper() changes a to z only, so half a character, or no text at all, stays whole
        while chunk := self.request.recv(CHUNK_BYTES):
            self.request.sendall(chunk.upper())


class ShoutServer(EchoServer):
    """Give each connection to a ShoutHandler."""

    handler_class = ShoutHandler


if __name__ == "__main__":
    sys.exit(main(ShoutServer, argument_parser("Echo in capitals.")))
