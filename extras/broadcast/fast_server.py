"""The fast server: step 5's line server, with what is there for speed only.

It keeps to one core, uses threads again, and a postman carries what goes to many.  What it
answers is the same with all of that and without.
"""

import argparse
import socket
from collections.abc import Callable
from typing import Any

from extras.broadcast.pinning import pin_to_one_core
from extras.broadcast.postman import Postman
from extras.broadcast.thread_cache import ThreadCache
from extras.tls.tls_server import TLS_PORT, TlsServer, add_tls_flags
from step1_echo.serving import DEFAULT_PORT
from step5_server import line_server


class FastServer(TlsServer):
    """A line server for many connections that say much to many."""

    claim: socket.socket | None = None  # the core that only we use, if the command line has given us one

    def __init__(self, *args: Any, **settings: Any):
        self.threads = ThreadCache()
        super().__init__(*args, **settings)
        self.postman = Postman()
        self.deliver = self.postman.deliver

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "FastServer":
        """Build the server that the command line asks for, on a core of its own if it says so."""
        # First, since a thread stays where the thread that started it was.
        claim = pin_to_one_core() if args.pin else None
        server = super().from_args(args)
        assert isinstance(server, FastServer)  # of our own class, whatever it is
        server.claim = claim  # kept as long as the server: to let go of it frees the core
        return server

    def start_thread(self, function: Callable[..., object], *args: object) -> None:
        """Give a connection a thread: one that is done with another connection, if there is one."""
        self.threads.run(function, *args)

    def server_close(self) -> None:
        """Free the port; a thread that is done with its connection ends from now on."""
        super().server_close()
        self.threads.end()

    def stop(self) -> None:
        """Stop as ever, then send the postman home: all has been delivered by then."""
        super().stop()
        self.postman.end()


def server_parser(description: str, port: int = DEFAULT_PORT, tls_port: int = TLS_PORT) -> argparse.ArgumentParser:
    """Return a parser with step 5's flags, --pin, and those for TLS."""
    parser = line_server.server_parser(description, port)
    parser.add_argument(
        "--pin",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep to one core, where the GIL would let no second one help (Linux)",
    )
    add_tls_flags(parser, tls_port)
    return parser
