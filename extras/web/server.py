"""The chat server with rooms, for terminals and for browsers: one more port, with a page.

From the command line: `python extras/web/server.py --help`.
"""

import argparse
import functools
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsServer
from extras.tls.doors import Door
from extras.web.heartbeat import check_pulse
from extras.web.website import ANY_ORIGIN, Website
from extras.web.websocket import WebSocketCodec, missing_library
from step1_echo.serving import explain_bind_error, main, port_number
from step1_echo.streams import tell

WEB_PORT = 9080
PAGE = Path(__file__).parent / "page"


class NoWebPort(Exception):
    """The port for browsers cannot be had; says why, and what to do."""


class WebServer(RoomsServer):
    """Serve chat users who meet in rooms, by TCP or from a page in a browser."""

    def __init__(
        self,
        address: tuple[str, int],
        web_address: tuple[str, int] = ("127.0.0.1", 0),
        website: Website | None = None,
        **settings,
    ):
        super().__init__(address, **settings)
        codec = functools.partial(WebSocketCodec, website=website or Website(PAGE))
        try:
            self.web = Door(web_address, self, codec=codec)
        except OSError as error:
            self.server_close()
            raise NoWebPort(explain_bind_error(error, *web_address, "--web-port")) from error
        self.doors.append(self.web)

    @classmethod
    def from_args(cls, args):
        """Build the server that the command line asks for, or say what is missing, and exit."""
        complaint = missing_library()
        if not complaint:
            try:
                return super().from_args(args)
            except NoWebPort as error:
                complaint = str(error)
        tell(complaint)
        sys.exit(1)

    @classmethod
    def settings(cls, args) -> dict:
        return super().settings(args) | {
            "web_address": (args.web_host, args.web_port),
            "website": Website(PAGE, args.origin),
        }

    def where(self) -> str:
        """Return the address for terminals, and a line with the one for browsers."""
        return f"{super().where()}\nopen http://{self.web.where()}"

    def sweep(self, now: float) -> None:
        """Send away whoever is overdue, and ask who is silent.  Thread: holds the registry's lock."""
        super().sweep(now)
        check_pulse(list(self._serving), now)


def parser() -> argparse.ArgumentParser:
    """Return broadcast's flags and ours."""
    flags = server_parser("Serve a chat with rooms, also to browsers.")
    flags.add_argument(
        "--web-port",
        type=port_number,
        default=WEB_PORT,
        help="the port for browsers; 0 takes any free port (default %(default)s)",
    )
    flags.add_argument(
        "--web-host",
        default="127.0.0.1",
        help="the address to listen on for browsers (default %(default)s: this machine only)",
    )
    flags.add_argument(
        "--origin",
        action="append",
        default=[],
        type=origin,
        metavar="URL",
        help="also let pages from there connect, such as https://chat.example.net; * lets in all",
    )
    return flags


def origin(text: str) -> str:
    """Take an origin as a browser writes it; for argparse."""
    parts = urlsplit(text)
    if text != ANY_ORIGIN and (parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an origin, such as https://chat.example.net")
    return text


if __name__ == "__main__":
    sys.exit(main(WebServer, parser()))
