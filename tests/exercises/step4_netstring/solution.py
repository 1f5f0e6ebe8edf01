"""Solution: frame messages by their length: `5:hello,` (a netstring), so that they may hold any byte."""

import re

MAX_MESSAGE_BYTES = 1024


class BadFrame(Exception):
    """The peer sends something that is no netstring, or one that is too long: hang up."""


def frame(message: bytes) -> bytes:
    """Return a message as it goes on the wire."""
    return b"%d:%b," % (len(message), message)


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
        # One digit more than the limit has is enough to know, so a number without end is not read.
        head = re.match(rb"(0|[1-9][0-9]{0,9})?(:)?", self._data)
        size, colon = int(head[1] or 0), head[2]
        if size > self.max_message_bytes or (colon and not head[1]):
            raise BadFrame
        if not colon:
            if head.end() < len(self._data):
                raise BadFrame  # neither a digit nor the colon
            return None
        start, end = head.end(), head.end() + size
        if len(self._data) <= end:
            return None
        if self._data[end : end + 1] != b",":
            raise BadFrame
        message = bytes(self._data[start:end])
        del self._data[: end + 1]
        return message
