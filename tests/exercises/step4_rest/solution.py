"""Solution: at EOF, say what was dropped: the half line that nothing will complete."""

from step4_framing.framing import LineBuffer


class RestBuffer(LineBuffer):
    """A LineBuffer that gives up its half line."""

    def rest(self) -> bytes:
        """Return the half line and forget it; b"" where there is none, or none worth keeping."""
        rest = b"" if self._skipping else bytes(self._rest)  # of a long line, all was thrown away
        self._rest.clear()
        self._skipping = False  # or the next line would be taken for the end of the long one
        return rest
