"""Exercise: frame messages by their length: `5:hello,` (a netstring), so that they may hold any byte."""

MAX_MESSAGE_BYTES = 1024


class BadFrame(Exception):
    """The peer sends something that is no netstring, or one that is too long: hang up."""


def frame(message: bytes) -> bytes:
    """Return a message as it goes on the wire."""
    # TODO
    return message


class NetstringBuffer:
    """Collect chunks and give back messages."""

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES):
        self.max_message_bytes = max_message_bytes
        self._data = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Store a chunk of any length."""
        self._data += chunk

    def next_message(self) -> bytes | None:
        """Return the next whole message, or None until more is fed.

        Raises: BadFrame as soon as the bytes so far cannot be the beginning of a message within the limit.
        """
        # TODO
        return None
