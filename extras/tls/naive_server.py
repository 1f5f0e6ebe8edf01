"""Step 1's echo server with TLS, as the ssl module's first example has it.  WRONG ON PURPOSE: see server.py.

Its listening socket is wrapped, so accept() returns a connection only after the handshake with it.
The acceptor, which there is once for all clients, waits for whatever this one client does.
"""

import argparse
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step1_echo is found

from step1_echo.server import EchoServer
from step1_echo.serving import argument_parser, main
from step1_echo.streams import tell


class NaiveServer(EchoServer):
    """Echo over TLS, to one client after the other."""

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "NaiveServer":
        """Build the server that the command line asks for."""
        server = cls((args.host, args.port))
        try:
            server.wrap(args.cert, args.key)
        except OSError as error:
            server.server_close()
            tell(f"no TLS with {args.cert} and {args.key}: {error.strerror or error}; certificate.py makes both")
            sys.exit(1)
        return server

    def wrap(self, cert: str, key: str | None = None) -> None:
        """Let accept() do the handshake, too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        # WRONG ON PURPOSE: a client that connects and says nothing keeps all others out.
        self.socket = context.wrap_socket(self.socket, server_side=True)


if __name__ == "__main__":
    parser = argument_parser("Echo over TLS, and let a silent client keep all others out (wrong!).")
    parser.add_argument("--cert", default="cert.pem", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--key", default="key.pem", metavar="FILE", help="default: %(default)s")
    sys.exit(main(NaiveServer, parser))
