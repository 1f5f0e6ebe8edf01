"""Step 3's server, with the chunks turned into lines first.

HELP, LOGIN and the others are step 3's own Session: only handle() differs.
"""

import socketserver
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import Server, argument_parser, format_address, log, main
from step3_protocol.session import Session
from step4_framing.framing import LineBuffer, LineTooLong, frame_line

CHUNK_BYTES = 4096
TOO_LONG = b"ERR line-too-long at most 1024 bytes a line"


class FramedHandler(socketserver.BaseRequestHandler):
    """Talk to one client, a line at a time."""

    def handle(self) -> None:
        """Answer each line, however its bytes were cut."""
        log.info("%s: connected", format_address(self.client_address))
        session = Session()
        buffer = LineBuffer()
        while not session.over and (chunk := self.request.recv(CHUNK_BYTES)):
            buffer.feed(chunk)
            while not session.over:
                try:
                    line = buffer.next_line()
                except LineTooLong:
                    self.request.sendall(frame_line(TOO_LONG))
                    continue
                if line is None:
                    break
                log.info("%s: %r", format_address(self.client_address), line)
                for reply in session.answer(line):
                    self.request.sendall(frame_line(reply))


class FramedServer(Server):
    """Accept connections, and give each a FramedHandler in a new thread."""

    handler_class = FramedHandler


if __name__ == "__main__":
    sys.exit(main(FramedServer, argument_parser("Speak the protocol, a line at a time.")))
