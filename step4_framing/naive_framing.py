"""A line buffer in its simplest form.  WRONG ON PURPOSE: it has no bound, and copies a lot.

Whatever the cuts, its lines are right.  But a peer that never sends a newline fills our
memory, each chunk is searched together with all that was searched before, and the CR of
a CR LF stays on the line.  framing.py mends all three.
"""


class NaiveLineBuffer:
    """Collect chunks and give back lines."""

    def __init__(self, max_line_bytes: int = 1024):  # which nobody looks at
        self._data = b""  # what has been fed and not yet returned

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their line."""
        return len(self._data)

    def feed(self, chunk: bytes) -> None:
        """Store a chunk."""
        self._data += chunk

    def next_line(self) -> bytes | None:
        """Return the next whole line, or None until more is fed."""
        line, delimiter, rest = self._data.partition(b"\n")
        if not delimiter:
            return None  # keep the half line: its rest is on the way
        self._data = rest
        return line
