"""Solution: greet each client with its number: `you are client 3`, then echo."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step1_echo is found

from step1_echo.server import EchoHandler, EchoServer
from step1_echo.serving import argument_parser, main


class CountHandler(EchoHandler):
    """Greet one client, then echo."""

    def handle(self):
        self.request.sendall(b"you are client %d\n" % self.server.next_number())
        super().handle()


class CountServer(EchoServer):
    """Give each connection to a CountHandler."""

    handler_class = CountHandler

    def __init__(self, address):
        super().__init__(address)
        self.clients = 0
        self.lock = threading.Lock()  # guards clients

    def next_number(self):
        """Return 1 for the first client, 2 for the second.  Many threads call this at once."""
        with self.lock:  # to add one means to read, add and write: two threads could read the same number
            self.clients += 1
            return self.clients


if __name__ == "__main__":
    sys.exit(main(CountServer, argument_parser("Count the clients.")))
