"""The chat server with rooms, for terminals and for browsers: one more port, with a page.

From the command line: `python extras/web/server.py --help`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsServer
from extras.tls.doors import Door
from extras.web.heartbeat import check_pulse
from extras.web.web_door import door_from_args, open_web_door
from extras.web.website import Website, origin
from extras.web.websocket import TEXT_ONLY
from step1_echo.serving import main, port_number

WEB_PORT = 9080  # as 9000 for terminals, and 8080, where many servers that are tried out listen
PAGE = Path(__file__).parent / "page"


class WebServer(RoomsServer):
    """Serve chat users who meet in rooms, by TCP or from a page in a browser."""

    web: Door
    scheme = "http"
    website_class = Website

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "WebServer":
        """Build the server that the command line asks for."""
        server = super().from_args(args)
        assert isinstance(server, WebServer)  # of our own class, whatever it is
        address = args.web_host or args.host, args.web_port
        website = cls.website_class(PAGE, args.origin)
        server.web = door_from_args(server, address, "--web-port", website, TEXT_ONLY)
        server.scheme = "https" if server.tls_door else "http"
        return server

    def open_web(self, address: tuple[str, int], website: Website | None = None) -> None:
        """Listen for browsers as well; before serve_forever().  Raises: OSError."""
        self.web = open_web_door(self, address, website or self.website_class(PAGE))

    def where(self) -> str:
        """Return the address for terminals, and in a line of its own the one for browsers."""
        return f"{super().where()}\nopen {self.scheme}://{self.web.where()}"

    def sweep(self, now: float) -> None:
        """Send away whoever is overdue, and ask who is silent.  Thread: holds the registry's lock."""
        super().sweep(now)
        check_pulse(list(self._serving), now)


def parser(description: str) -> argparse.ArgumentParser:
    """Return broadcast's flags, and those for browsers."""
    parser = server_parser(description)
    flags = parser.add_argument_group("browsers", "with --tls-cert they come by https")
    flags.add_argument(
        "--web-port",
        type=port_number,
        default=WEB_PORT,
        metavar="PORT",
        help="0 takes any free port (default %(default)s)",
    )
    flags.add_argument("--web-host", metavar="HOST", help="address to listen on (default: as --host)")
    flags.add_argument(
        "--origin",
        action="append",
        default=[],
        type=origin,
        metavar="URL",
        help="let pages from there connect, too, such as https://chat.example.net; * lets in all",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(WebServer, parser("Serve a chat with rooms, also to browsers.")))
