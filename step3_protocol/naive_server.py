"""A server for the protocol.  WRONG ON PURPOSE: it takes one recv() for one line.

Two lines that arrive together are read as one, and one line that arrives in two pieces
is read as two.  Step 4 fixes it in ten lines.
"""

import socketserver
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import Server, argument_parser, format_address, log, main
from step3_protocol.session import Session

CHUNK_BYTES = 4096


class OneRecvHandler(socketserver.BaseRequestHandler):
    """Talk to one client, a recv() at a time."""

    def handle(self) -> None:
        """Answer each chunk as if it were one line."""
        log.info("%s: connected", format_address(self.client_address))
        session = Session()
        while not session.over and (chunk := self.request.recv(CHUNK_BYTES)):
            log.info("%s: %r", format_address(self.client_address), chunk)
            for reply in session.answer(chunk.rstrip(b"\r\n")):
                self.request.sendall(reply + b"\n")


class NaiveServer(Server):
    """Accept connections, and give each a OneRecvHandler in a new thread."""

    handler_class = OneRecvHandler


if __name__ == "__main__":
    sys.exit(main(NaiveServer, argument_parser("Speak the protocol, one recv() a line (wrong!).")))
