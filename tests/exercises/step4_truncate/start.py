"""Exercise: cut long lines short, as many IRC servers do, instead of refusing them."""


class TruncatingBuffer:
    """Collect chunks and give back lines; of a line over the limit, its first bytes."""

    def __init__(self, max_line_bytes: int = 1024):
        self.max_line_bytes = max_line_bytes
        self._data = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes are held; at most max_line_bytes + 1 once next_line() has said None."""
        return len(self._data)

    def feed(self, chunk: bytes) -> None:
        """Store a chunk of any length."""
        self._data += chunk

    def next_line(self) -> bytes | None:
        """Return the next line, its first max_line_bytes at most, or None until more is fed."""
        # TODO: this has no limit yet
        end = self._data.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        return line
