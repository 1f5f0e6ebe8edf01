"""Solution: names for those who come by TLS only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.tls.server import TlsChatHandler, TlsChatServer
from extras.tls.tls_server import add_tls_flags
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError
from step5_server.line_server import server_parser


class SecureHandler(TlsChatHandler):
    """LOGIN without TLS gets `ERR unavailable ...`, and no name; all else is as ever."""

    def do_LOGIN(self, name):
        if self.door is None:  # the server's own port
            raise ProtocolError("unavailable", "use the port for TLS")
        super().do_LOGIN(name)


class SecureServer(TlsChatServer):
    """Serve chat users who come by TLS, and tell the others so."""

    handler_class = SecureHandler


if __name__ == "__main__":
    parser = server_parser("Keep names for TLS.")
    add_tls_flags(parser)
    sys.exit(main(SecureServer, parser))
