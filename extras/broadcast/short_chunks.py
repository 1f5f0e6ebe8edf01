"""Short chunks: a thread that waits in recv() holds as much memory as it asks for."""

from typing import Any

from step5_server.connection import CHUNK_BYTES, Connection

# Python keeps objects of up to 512 bytes in a place of their own; 33 of them are the object's.
SHORT_CHUNK_BYTES = 448


class ShortChunkConnection(Connection):
    """A connection that asks for little when its peer has said little the last time."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._chunk_bytes = SHORT_CHUNK_BYTES

    def receive(self) -> bytes:
        """Return the next chunk, b"" at EOF.  Blocks: until something comes.  Raises: OSError."""
        chunk = self.stream.recv(self._chunk_bytes)
        said_much = len(chunk) >= SHORT_CHUNK_BYTES
        self._chunk_bytes = CHUNK_BYTES if said_much else SHORT_CHUNK_BYTES
        return chunk
