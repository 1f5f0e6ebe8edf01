"""The chat protocol from the client's end: requests out, replies and events in.  No terminal.

reply       what the server answers: OK or ERR, one for each request, in the order of the requests
event       any other line: nobody asked for it, and it may stand between a request and its reply
unanswered  the requests whose reply has not come yet, oldest first
"""

import socket
from collections import deque
from typing import NamedTuple

from step4_framing.framing import LineBuffer, frame_line
from step6_client.tls import TlsSocket

MAX_LINE_BYTES = 2048  # more than a request may have: an event also names its sender; PROTOCOL.md's figure
CHUNK_BYTES = 65_536  # most that one recv returns; what has come is taken at once, however little
LAST_WORDS = {"server-full", "login-timeout", "too-slow", "shutting-down"}  # ERRs that answer nothing


class Reply(NamedTuple):
    """What the server answered; `code` is "" for an OK, `request` is "" for a server's last words."""

    request: str
    ok: bool
    code: str
    text: str


class Event(NamedTuple):
    """A line that answers nothing."""

    line: str


class ChatClient:
    """One connection to a chat server.

    Thread: one calls `request`, one (the same or another) calls `receive`.  They share `unanswered`
    alone, a deque, of which one appends on the right and one takes from the left: that needs no lock.
    """

    def __init__(self, sock: socket.socket | TlsSocket):
        self.sock = sock
        self.unanswered: deque[str] = deque()
        self._buffer = LineBuffer(MAX_LINE_BYTES)

    def request(self, line: str) -> None:
        """Send a line; its Reply comes out of `receive` in its turn.

        Blocks: until the kernel has taken it.  Raises: OSError; ValueError for what is not one line,
        because replies are told apart by counting, and it would get none or two.
        """
        if "\n" in line or line in ("", "\r"):
            raise ValueError(f"not one line: {line!r}")
        self.unanswered.append(line)  # before it is sent: `receive` may meet its reply at once
        self.sock.sendall(frame_line(line.encode("utf-8", "surrogateescape")))

    def receive(self) -> Reply | Event | None:
        """Return what the server says next, None at EOF.

        Blocks: until there is a whole line.  Raises: OSError; LineTooLong, and may be called again.
        """
        while not (line := self._buffer.next_line()):  # None: need more; an empty line says nothing
            if line is None:
                chunk = self.sock.recv(CHUNK_BYTES)
                if not chunk:
                    return None  # what the buffer still holds is half a line, which is no line
                self._buffer.feed(chunk)
        return self._understand(line.decode("utf-8", "backslashreplace"))

    def _understand(self, line: str) -> Reply | Event:
        """Tell replies from events by the first word, and give each reply its request."""
        verb, _, rest = line.partition(" ")
        if verb == "OK" and self.unanswered:
            return Reply(self.unanswered.popleft(), True, "", rest)
        if verb == "ERR":
            code, _, text = rest.partition(" ")
            if code in LAST_WORDS:
                return Reply("", False, code, text)
            if self.unanswered:
                return Reply(self.unanswered.popleft(), False, code, text)
        return Event(line)

    def half_close(self) -> None:
        """Tell the server that no more requests will come; replies and events still do."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # NOTE: the server has gone already, and `receive` says so

    def hang_up(self) -> None:
        """End the connection now, and wake a `receive` that waits.  Thread: any."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # NOTE: the server was faster
