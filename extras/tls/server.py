"""Step 5's chat server, for clients with TLS and without.

From the command line: `python extras/tls/server.py --help`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.tls.doors import DoorHandler
from extras.tls.tls_server import TlsServer, add_tls_flags
from step1_echo.serving import main
from step5_server.line_server import server_parser
from step5_server.server import ChatHandler


class TlsChatHandler(DoorHandler, ChatHandler):
    """One user's requests, whichever port she has come by."""


class TlsChatServer(TlsServer):
    """Serve chat users, with TLS and without."""

    handler_class = TlsChatHandler


if __name__ == "__main__":
    parser = server_parser("Serve a chat, with TLS and without.")
    add_tls_flags(parser)
    sys.exit(main(TlsChatServer, parser))
