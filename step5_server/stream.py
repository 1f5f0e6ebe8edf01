"""A stream: the bytes of one connection, as its outbox and its reader use them.

This one is TCP's own.  Another kind stands between our bytes and TCP's: TLS, say, encrypts them
(`extras/tls/stream.py`), and nobody who uses a stream can tell.
"""

import socket
from collections.abc import Callable


class Stream:
    """A socket, and nothing between."""

    def __init__(self, sock: socket.socket):
        self.sock = sock

    def open(self) -> None:
        """Do what comes before the first byte: nothing.  TLS shakes hands here.

        Raises: OSError.  Blocks: until it is done.  Thread: the connection's own.
        """

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at EOF.

        Raises: OSError.  Blocks: until something comes.  Thread: the connection's own.
        """
        return self.sock.recv(max_bytes)

    # seal(pieces) returns them as they go on the wire: once sealed, they must be sent, and in this
    # order.  Blocks: never.  Thread: holds the outbox's lock.  TCP takes them as they are.
    seal: Callable[[list[bytes]], bytes] = b"".join

    def seal_end(self) -> bytes:
        """Return what goes on the wire last, before our EOF; as seal()."""
        return b""
