"""Exercise: greet each client with its number: `you are client 3`, then echo."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step1_echo is found

from step1_echo.server import EchoHandler, EchoServer
from step1_echo.serving import argument_parser, main


class CountHandler(EchoHandler):
    """Greet one client, then echo."""

    def handle(self):
        self.request.sendall(b"you are a client\n")  # TODO: which one
        super().handle()


class CountServer(EchoServer):
    """Give each connection to a CountHandler."""

    handler_class = CountHandler

    def __init__(self, address):
        super().__init__(address)
        self.clients = 0

    def next_number(self):
        """Return 1 for the first client, 2 for the second.  Many threads call this at once."""
        # TODO
        return 1


if __name__ == "__main__":
    sys.exit(main(CountServer, argument_parser("Count the clients.")))
