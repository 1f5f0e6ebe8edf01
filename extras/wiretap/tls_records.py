"""Name the records of a TLS connection, as anybody on the way can: what kind, how long, and not what is in them.

record   what TLS sends as one piece: a head of 5 bytes, then so many more as the head says
head     kind (1 byte), version (2), length (2).  Source: RFC 8446, section 5.1
"""

KINDS = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
FIRST_KINDS = (21, 22)  # what a TLS peer may begin with; no text begins with such a byte
HEAD_BYTES = 5
MAX_BYTES = (1 << 14) + 2048  # more than this in a record is not allowed, so it is none.  Source: RFC 5246, 6.2.3


class Records:
    """Follow one direction of a connection, from its first byte on."""

    def __init__(self) -> None:
        self.is_tls: bool | None = None  # None: nothing has come yet
        self._head = b""  # as much of the next record's head as has come
        self._kind = ""
        self._left = 0  # so many bytes of the record are still to come

    def take(self, chunk: bytes) -> tuple[list[str], bytes]:
        """Return a row for each record in a chunk, and the bytes at its end that cannot be named (yet)."""
        if self.is_tls is None and chunk:
            self.is_tls = chunk[0] in FIRST_KINDS
        if not self.is_tls:
            return [], chunk
        rows = []
        if self._left and chunk:
            size = min(self._left, len(chunk))
            rows.append(f"TLS {self._kind}, {size} bytes more")
            chunk = self._skip(chunk)
        while chunk:
            unnamed = chunk
            needed = HEAD_BYTES - len(self._head)
            self._head, chunk = self._head + chunk[:needed], chunk[needed:]
            if len(self._head) < HEAD_BYTES:
                return rows, unnamed
            length = self._read_head()
            if length is None:
                self.is_tls = False
                return rows, unnamed
            here = f", {len(chunk)} of them here" if len(chunk) < length else ""
            rows.append(f"TLS {self._kind}, {length} bytes{here}")
            chunk = self._skip(chunk)
        return rows, b""

    def _read_head(self) -> int | None:
        """Begin the record whose head has come; return its length, None if it cannot be one."""
        self._kind = KINDS.get(self._head[0], "")
        self._left = int.from_bytes(self._head[3:], "big")
        version, self._head = self._head[1], b""  # 3 in SSL 3.0 and in every TLS
        return self._left if self._kind and version == 3 and self._left <= MAX_BYTES else None

    def _skip(self, chunk: bytes) -> bytes:
        """Leave out what belongs to this record; return the rest."""
        rest = chunk[self._left :]
        self._left -= len(chunk) - len(rest)
        return rest
