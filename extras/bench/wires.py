"""Wires: what carries a client's bytes to the server: TCP as it is, TLS, or WebSocket.

A wire is a function from a server's address to something like a socket, as far as load.py uses one.
It must cost little: the generator must never be the limit.
"""

import contextlib
import functools
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 20.0  # as the load's
NAME = "localhost"  # what the certificate says
PLAIN_BYTES = 1 << 16  # what one read of decrypted bytes returns at most; OpenSSL gives a record, 16 kB
# What a TLS record of ours holds.  ngIRCd 26.1 reads 2 kB of a record, and finds the rest of a longer one only
# when the next one comes: then both would wait for ever.
RECORD_BYTES = 1024
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"  # a Close frame, code 1000.  Source: RFC 6455, section 5.5.1


def plain(address: tuple[str, int]) -> socket.socket:
    """Return a socket that is connected and sends at once."""
    sock = socket.create_connection(address, timeout=DEADLINE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Wire:
    """A connection with something around the bytes.

    Its opening goes on whenever something is read; what is sent before its end waits for it.
    """

    def __init__(self, address: tuple[str, int]):
        self._sock = plain(address)
        self._open = False
        self._waiting = b""  # for the end of the opening
        self._ending = False  # we have said goodbye, and a reset is an end like any other
        self.fileno, self.close = self._sock.fileno, self._sock.close
        self.settimeout, self.setblocking = self._sock.settimeout, self._sock.setblocking

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at EOF.  Raises: BlockingIOError; OSError."""
        while chunk := self._received(max_bytes):
            if told := self._take(chunk):
                return told
        return b""

    def _received(self, max_bytes: int) -> bytes:
        try:
            return self._sock.recv(max_bytes)
        except ConnectionResetError:
            if self._ending:
                return b""  # the server has closed before it read our goodbye
            raise

    def send(self, data: bytes) -> int:
        """Send all; return its length, or 0 if the kernel did not take all.  Raises: OSError."""
        if not self._open:
            self._waiting += data
            return len(data)
        wrapped = self._wrap(data)
        return len(data) if self._sock.send(wrapped) == len(wrapped) else 0

    def sendall(self, data: bytes) -> None:
        """Send all.  Raises: OSError."""
        if self._open:
            self._sock.sendall(self._wrap(data))
        else:
            self._waiting += data

    def shutdown(self, how: int) -> None:
        """Say that no more will come."""
        self._ending = True
        with contextlib.suppress(OSError):  # NOTE: the server was faster
            self._sock.sendall(self._goodbye())
            self._sock.shutdown(how)

    def _take(self, chunk: bytes) -> bytes:
        """Return what a chunk from the wire says."""
        raise NotImplementedError

    def _wrap(self, data: bytes) -> bytes:
        """Return lines as they go on the wire."""
        raise NotImplementedError

    def _goodbye(self) -> bytes:
        """Return what comes before our EOF."""
        raise NotImplementedError


SocketLike = socket.socket | Wire
Connect = Callable[[tuple[str, int]], SocketLike]  # a wire


class Tls(Wire):
    """TLS in memory: Python's SSLSocket asks the kernel twice for each record."""

    def __init__(self, address: tuple[str, int], certificate: Path):
        super().__init__(address)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context(certificate).wrap_bio(self._incoming, self._outgoing, server_hostname=NAME)
        self._shake()

    def _shake(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self._open = True
        self._sock.sendall(self._outgoing.read() + (self._wrap(self._waiting) if self._open else b""))

    def _take(self, chunk: bytes) -> bytes:
        self._incoming.write(chunk)
        if not self._open:
            self._shake()
        parts = []
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):  # no more, now or ever
            while self._open and (part := self._tls.read(PLAIN_BYTES)):
                parts.append(part)
        return b"".join(parts)

    def _wrap(self, data: bytes) -> bytes:
        for start in range(0, len(data), RECORD_BYTES):
            self._tls.write(data[start : start + RECORD_BYTES])
        return self._outgoing.read()

    def _goodbye(self) -> bytes:
        with contextlib.suppress(ssl.SSLError):  # the server's has not come yet; or words that nobody reads
            self._tls.unwrap()
        return self._outgoing.read()


@functools.cache
def context(certificate: Path) -> ssl.SSLContext:
    """Return what all clients of a server share: they trust its certificate, and check it at each login."""
    return ssl.create_default_context(cafile=certificate)


class WebSocket(Wire):
    """WebSocket, written by hand: frames out; what comes is passed on with the heads of its frames.

    Nobody counts the heads: they hold no MARK, as long as no message has 124 bytes.  A message of the
    workloads has half of that.
    """

    def __init__(self, address: tuple[str, int]):
        super().__init__(address)
        self._answer = b""
        self._sock.sendall(UPGRADE)

    def _take(self, chunk: bytes) -> bytes:
        if self._open:
            return chunk
        self._answer += chunk
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if end:
            if not head.startswith(b"HTTP/1.1 101 "):
                raise ConnectionError(f"no WebSocket: {head!r}")
            self._open = True
            self._sock.sendall(self._wrap(self._waiting))
        return rest

    def _wrap(self, data: bytes) -> bytes:
        return frames(data)

    def _goodbye(self) -> bytes:
        return CLOSE


@functools.lru_cache(1000)  # the workloads say the same again and again
def frames(lines: bytes) -> bytes:
    """Return each line as a text frame, masked with zeros: that is a mask, and leaves the text as it is.

    Source: RFC 6455, section 5.3.
    """
    framed = []
    for line in lines.splitlines():
        if len(line) > 125:
            raise ValueError("longer lines need another head")
        framed += [bytes((0x81, 0x80 | len(line))), bytes(4), line]
    return b"".join(framed)
