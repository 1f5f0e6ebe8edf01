"""A server with one more port, for TLS: its flags on the command line, and what they do."""

import argparse
import sys
from typing import NoReturn

from extras.tls.credentials import Credentials
from extras.tls.doors import Door, DoorServer
from step1_echo.serving import explain_bind_error, port_number
from step1_echo.streams import tell

TLS_PORT = 9030  # thirty more than without TLS, as in IRC (6667 and 6697)


class TlsServer(DoorServer):
    """A line server that also listens for TLS, if the command line names a certificate."""

    tls_door: Door | None = None
    credentials: Credentials | None = None
    asks_for_certificates = False  # whether its TLS port asks clients for theirs

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "TlsServer":
        """Build the server that the command line asks for; or say what is wrong, and exit."""
        if not args.tls_cert and (args.tls_key or args.tls_host or args.tls_port is not None):
            give_up("--tls-key, --tls-port and --tls-host want --tls-cert, too")
        try:
            credentials = Credentials(args.tls_cert, args.tls_key) if args.tls_cert else None
        except OSError as error:
            give_up(f"no TLS: {error}")
        server = super().from_args(args)
        assert isinstance(server, TlsServer)  # of our own class, whatever it is
        if not credentials:
            return server
        host = args.tls_host or args.host
        port = args.default_tls_port if args.tls_port is None else args.tls_port
        try:
            server.open_tls_door((host, port), credentials)
        except OSError as error:
            server.server_close()
            give_up(explain_bind_error(error, host, port, "--tls-port"))
        credentials.renew_on_sighup()
        return server

    def open_tls_door(self, address: tuple[str, int], credentials: Credentials) -> None:
        """Listen for TLS as well; before serve_forever().  Raises: OSError."""
        self.credentials = credentials
        asks = self.asks_for_certificates and credentials.can_ask
        self.tls_door = Door(address, self, credentials.asking_stream if asks else credentials.stream)
        self.doors.append(self.tls_door)

    def where(self) -> str:
        """Return the address, and in a line of its own the one for TLS."""
        tls = f"\nlistening on {self.tls_door.where()} with TLS" if self.tls_door else ""
        return super().where() + tls


def give_up(why: str) -> NoReturn:
    """Say why the server cannot start, and exit."""
    tell(why)
    sys.exit(1)


def add_tls_flags(parser: argparse.ArgumentParser, port: int = TLS_PORT) -> None:
    """Let the command line ask for a TLS port."""
    flags = parser.add_argument_group("TLS", "for clients with --tls; SIGHUP loads renewed files")
    flags.add_argument("--tls-cert", metavar="FILE", help="the server's certificate, PEM")
    flags.add_argument("--tls-key", metavar="FILE", help="its private key, PEM (default: in the certificate's file)")
    flags.add_argument("--tls-port", type=port_number, metavar="PORT", help=f"0 takes any free port (default {port})")
    flags.add_argument("--tls-host", metavar="HOST", help="address to listen on (default: as --host)")
    parser.set_defaults(default_tls_port=port)
