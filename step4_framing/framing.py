"""Framing: chunks in, lines out, whatever the cuts.  No socket here.

TCP carries a stream of bytes and keeps no trace of who wrote how much at once, so a
chunk may hold half a line or seven.  The operations:

    buffer.feed(chunk)     only stores
    buffer.next_line()     a line, or None: "feed me more", or LineTooLong

Goals: the answers depend on the bytes and never on the cuts; each byte is looked at once;
and a peer that never sends a newline cannot fill our memory.

chunk      what one recv() returned                      b"HELP\\r\\nLOG"
delimiter  what ends a line: LF; a CR before it goes too b"\\n"
line       bytes without their delimiter                 b"HELP"
"""

MAX_LINE_BYTES = 1024  # PROTOCOL.md's limit; the delimiter does not count


class LineTooLong(Exception):
    """A line went over the limit; it is thrown away, and the next one is fine."""


class LineBuffer:
    """Collect chunks and give back lines.

    Drained (next_line() returned None), it holds at most max_line_bytes + 1 bytes.
    Thread: one only, the connection's own.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES):
        self.max_line_bytes = max_line_bytes
        self._lines: list[bytes] = []  # whole and not yet returned, the next one at the end
        self._rest = bytearray()  # the beginning of the line after them
        self._skipping = False  # inside a line that was reported as too long

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their line."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> None:
        """Store a chunk of any length, 0 too."""
        lines = chunk.split(b"\n")  # only the new bytes are searched, and each but once
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        lines.reverse()
        self._lines = lines + self._lines
        if rest:
            self._rest += rest

    def next_line(self) -> bytes | None:
        """Return the next whole line, or None until more is fed.

        Raises: LineTooLong, once for each line over the limit; then call again.
        """
        while self._lines:
            line = self._lines.pop().removesuffix(b"\r")
            if self._skipping:
                self._skipping = False  # that was the long line's end: go on after it
            elif len(line) > self.max_line_bytes:
                raise LineTooLong
            else:
                return line
        # A CR at the end does not count yet: it may turn out to be half of a CR LF.
        held = len(self._rest) - self._rest.endswith(b"\r")
        if self._skipping or held > self.max_line_bytes:
            self._rest.clear()
            if not self._skipping:
                self._skipping = True
                raise LineTooLong
        return None


def frame_line(line: bytes) -> bytes:
    """Return the line as it goes on the wire, with its delimiter."""
    return line + b"\n"
