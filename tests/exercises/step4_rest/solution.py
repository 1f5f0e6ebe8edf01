"""Solution: at EOF, say what was dropped: the half line that nothing will complete."""

from step4_framing.framing import LineBuffer


class RestBuffer(LineBuffer):
    """A LineBuffer that gives up its half line."""

    def rest(self) -> bytes:
        """Return the half line and forget it; b"" where there is none, or none worth keeping."""
        rest = b"" if self._skipping else bytes(self._data)  # of a long line, all was thrown away
        self._data.clear()
        self._searched = 0  # or the next line would be searched from the middle on
        self._skipping = False
        return rest
