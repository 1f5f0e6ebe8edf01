"""Wire: the raw client of the tests.  It knows lines, OK and ERR, and nothing else."""

import socket
from typing import NamedTuple

DEADLINE_S = 10.0  # so that no test hangs; no verdict depends on it


class Answer(NamedTuple):
    """What came for one request."""

    reply: str  # the OK or ERR line
    events: list[str]  # the lines that stood before it


class Wire:
    """A connection to a server under test."""

    def __init__(self, address: tuple[str, int]):
        self.sock = socket.create_connection(address[:2], timeout=DEADLINE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Close the connection."""
        self._file.close()
        self.sock.close()

    def send(self, data: bytes | str) -> None:
        """Send bytes as they are, or a text with its newline."""
        self.sock.sendall(data if isinstance(data, bytes) else data.encode() + b"\n")

    def read_line(self) -> str:
        """Return the next line without its newline.  Raises: EOFError at EOF."""
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"EOF after {line!r}")
        return line[:-1].decode()

    def read_answer(self) -> Answer:
        """Read up to the next OK or ERR line."""
        events = []
        while True:
            line = self.read_line()
            if line.split(" ", 1)[0] in ("OK", "ERR"):
                return Answer(line, events)
            events.append(line)

    def request(self, line: bytes | str) -> Answer:
        """Send one line and read its reply, keeping the events before it."""
        self.send(line)
        return self.read_answer()

    def expect_eof(self) -> bytes:
        """Read to the EOF and return what came before it."""
        return self._file.read()
