"""An echo server: whatever bytes come in go out again, to any number of clients at once.

chunk   the bytes that one recv() returned: at least 1, at most CHUNK_BYTES, and cut
        wherever the network liked
EOF     the end of what the peer sends; recv() then returns b""
"""

import socketserver
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import Server, argument_parser, format_address, log, main

CHUNK_BYTES = 65536  # memory for one connection, however much passes through it


class EchoHandler(socketserver.BaseRequestHandler):
    """Talk to one client; each has its own EchoHandler in its own thread."""

    def handle(self) -> None:
        """Send each chunk back until the client's EOF."""
        log.info("%s: connected", format_address(self.client_address))
        echoed = 0
        while chunk := self.request.recv(CHUNK_BYTES):
            self.request.sendall(chunk)  # send() might take only a part
            echoed += len(chunk)
        log.info("%s: EOF after %d bytes", format_address(self.client_address), echoed)


class EchoServer(Server):
    """Accept connections, and give each to an EchoHandler in a new thread."""

    handler_class = EchoHandler


if __name__ == "__main__":
    sys.exit(main(EchoServer, argument_parser("Echo every byte to whoever sent it.")))
