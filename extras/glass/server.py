"""The glass server: a real server, and a page that shows its threads, buffers, lock and outboxes at work.

From the command line: `python extras/glass/server.py --help`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step1_echo is found

from extras.glass.chosen import SERVERS
from extras.glass.house import House
from extras.glass.sockets import missing_system
from extras.glass.watched import MAX_PENDING_BYTES
from extras.tls.tls_server import give_up
from extras.web.websocket import missing_library
from step1_echo.serving import explain_bind_error, main, port_number
from step5_server.line_server import positive

HOST = "127.0.0.1"  # this machine only: whoever reaches the page can drive the server
WEB_PORT = 9090


class Glass(House):
    """A house as the command line asks for it."""

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "Glass":
        """Build it; or say why that cannot be, and exit."""
        if complaint := missing_system() or missing_library():
            give_up(complaint)
        glass = cls((HOST, args.port), args.server, None, args.rate, args.max_pending)
        try:
            glass.open_desk((HOST, args.web_port))
        except OSError as error:
            give_up(explain_bind_error(error, HOST, args.web_port, "--web-port"))
        if args.pause:
            glass.gate.pause()
        return glass


def parser() -> argparse.ArgumentParser:
    """Return the parser of our command line."""
    flags = argparse.ArgumentParser(description="Watch a server at work, in a browser.")
    flags.add_argument("--server", choices=SERVERS, default="rooms", help="which one (default %(default)s)")
    flags.add_argument(
        "--port", type=port_number, default=9000, help="for its clients; 0 takes any free port (default %(default)s)"
    )
    flags.add_argument(
        "--web-port", type=port_number, default=WEB_PORT, metavar="PORT", help="for the page (default %(default)s)"
    )
    flags.add_argument(
        "--rate", type=rate, default=0.0, metavar="N", help="so many steps a second; 0: at full speed (default)"
    )
    flags.add_argument("--pause", action="store_true", help="begin with a pause: the page goes on, step by step")
    flags.add_argument(
        "--max-pending",
        type=positive(int),
        default=MAX_PENDING_BYTES,
        metavar="BYTES",
        help="what may wait for a client that reads slowly (default %(default)s)",
    )
    flags.add_argument("-v", "--verbose", action="store_true", help="log each connection and command to stderr")
    flags.set_defaults(host=HOST)
    return flags


def rate(text: str) -> float:
    """Take a number of steps a second; for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1000")
    return value


if __name__ == "__main__":
    sys.exit(main(Glass, parser()))  # type: ignore[arg-type]  # it can be run as a Server can
