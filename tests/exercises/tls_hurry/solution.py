"""Solution: less time for the handshake than for the login."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.tls.server import TlsChatHandler, TlsChatServer
from extras.tls.tls_server import add_tls_flags
from step1_echo.serving import main
from step5_server.line_server import server_parser


class HurryHandler(TlsChatHandler):
    """One user's requests."""

    has_shaken_hands = False

    def open(self):
        self.has_shaken_hands = super().open()
        return self.has_shaken_hands


class HurryServer(TlsChatServer):
    """Send away who has come to the port for TLS and has not shaken hands in time.

    The login timeout goes on to hold for everybody.
    """

    handler_class = HurryHandler
    handshake_timeout_s = 5.0  # three times there and back, and no person has to type anything

    def sweep(self, now):
        super().sweep(now)
        for handler in list(self._serving):
            is_late = now - handler.conn.opened_at > self.handshake_timeout_s
            if handler.door and not handler.has_shaken_hands and is_late:
                self.dismiss(handler, "login-timeout", "no handshake in time")


if __name__ == "__main__":
    parser = server_parser("Wait for a login, but not so long for a handshake.")
    add_tls_flags(parser)
    sys.exit(main(HurryServer, parser))
