"""TLS over a socket: plain bytes on our side, encrypted ones on the wire, and nobody waits for a peer.

Python's SSLSocket does not fit: one thread sits in its recv(), others want to send, and both need
the same TLS state.  So the state stands alone here, between two buffers in memory, and the socket
is read and written as ever:

    socket ── recv ──→ incoming ─┐             ┌──→ recv(): plain bytes
                                 ├─ SSLObject ─┤
    outbox ←─ seal ─── outgoing ─┘             └─── seal(): plain bytes

seal           encrypt; what comes out may go on the wire
handshake      what both sides say first: they agree on keys, and the client checks who we are
record         what TLS sends at a time: a header and up to 16 KiB of encrypted bytes
alert          TLS's own last words, a record; close_notify is the one for a proper end

"""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from step5_server.stream import Stream

# A client's first two bytes: the type of a handshake record, and a version that is 3 and
# something.  No text begins with them.  Source: RFC 8446 section 5.1.
HELLO = b"\x16\x03"
RECV_BYTES = 4096  # so much a waiting thread holds; a record may take several
RECORD_BYTES = 16384  # what TLS puts into a record, at most.  Source: RFC 8446 section 5.1
# What TLS itself may have to say to a peer that does not read: answers to KeyUpdates, which cost
# the peer nothing.  A handshake with a long chain of certificates takes half of this.
MAX_WORDS_BYTES = 65536
WITHOUT_TLS, FOR_TLS = "this port is without TLS", "this port is for TLS"


def greets(chunk: bytes) -> bool:
    """Tell whether a first chunk may be the beginning of TLS; it may be a single byte."""
    return chunk[:2] == HELLO[: len(chunk)]


class SpeakingStream(Stream):
    """A stream that may have something to say by itself.  Whoever makes one gives it two functions."""

    speak: Callable[[], None]  # send what seal([]) returns
    complain: Callable[[str], None]  # tell the peer in plain text that it has the wrong port


class PlainStream(SpeakingStream):
    """A socket whose peer is told if it speaks TLS here: else it would wait for our part of that."""

    def recv(self, max_bytes: int) -> bytes:
        """Return what has come, b"" at EOF.  Blocks: until something comes.  Raises: OSError."""
        chunk = self.sock.recv(max_bytes)
        if chunk and greets(chunk):
            self.complain(WITHOUT_TLS)
            raise OSError(WITHOUT_TLS)
        # A hello is the first that comes, or none.
        self.recv = self.sock.recv  # type: ignore[assignment, method-assign]
        return chunk


class TlsStream(SpeakingStream):
    """The server's end of a TLS connection.

    Thread: the connection's own for open() and recv(), any for the rest.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext):
        super().__init__(sock)
        # Guards the SSLObject and both buffers: one thread at a time, says OpenSSL.  Nobody waits
        # under it: a buffer in memory has something, or says at once that it has not.
        # Lock order: the outbox's first, then this one.
        self._lock = threading.Lock()
        self._incoming = ssl.MemoryBIO()  # came from the socket, encrypted
        self._outgoing = ssl.MemoryBIO()  # encrypted, and not in the outbox yet
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_dry = False  # to try to read would be in vain, and SSLWantReadError costs as much as a read
        self._is_open = False  # the handshake is over
        self._is_plain = False  # the peer does not speak TLS, and is told so in plain text

    def open(self) -> None:
        """Do the handshake.  Blocks: until it is done.  Raises: OSError."""
        try:
            first = self._receive(RECV_BYTES)
            if not greets(first):
                self._is_plain = True
                self.complain(FOR_TLS)
                raise OSError(FOR_TLS)
            self._incoming.write(first)
            self._run(RECV_BYTES, self._tls.do_handshake)
            self._is_open = True
        except EOFError:
            raise OSError("EOF before the end of the TLS handshake") from None

    def recv(self, max_bytes: int) -> bytes:
        """Return the next plain bytes, b"" at EOF.  Blocks: until something comes.  Raises: OSError.

        An EOF without close_notify counts as one: whoever cuts us off can take away whole lines at
        the end, as without TLS, but half a line is never obeyed.
        """
        try:
            if self._is_dry:
                self._feed(max_bytes)
            chunk: bytes = self._run(max_bytes, self._read, max_bytes)
            return chunk
        except EOFError:
            return b""

    def _read(self, max_bytes: int) -> bytes:
        """Return all that has come, up to max_bytes: a client may send each line in a record of its own.

        Raises: SSLWantReadError if it is nothing.  Thread: holds the lock.
        """
        chunk = more = self._tls.read(max_bytes)
        try:
            while more and len(chunk) < max_bytes and (self._incoming.pending or self._tls.pending()):
                more = self._tls.read(max_bytes - len(chunk))
                chunk += more
            self._is_dry = bool(more) and len(chunk) < max_bytes
        except ssl.SSLWantReadError:
            self._is_dry = True  # what is left is half a record
        except ssl.SSLError:
            self._is_dry = False  # NOTE: the end, or broken bytes: the next recv() meets them again
        return chunk

    def peer_certificate(self) -> bytes | None:
        """Return the certificate that the client has shown (DER), if it was asked for one and has one."""
        with self._lock:
            return self._tls.getpeercert(binary_form=True) if self._is_open else None

    def seal(self, pieces: list[bytes]) -> bytes:
        """Return what goes on the wire: what TLS itself has to say, then the pieces, encrypted.

        Before the handshake is over nobody could read it, so it is dropped.  Blocks: never.
        """
        data = b"".join(pieces)
        if self._is_plain:
            return data
        with self._lock:
            sealed, rest = b"", data if self._is_open else b""
            try:
                while len(rest) > RECORD_BYTES:
                    self._tls.write(rest[:RECORD_BYTES])
                    sealed += self._outgoing.read()  # a MemoryBIO keeps the memory that it once needed
                    rest = rest[RECORD_BYTES:]
                if rest:
                    self._tls.write(rest)
            except ssl.SSLError:
                pass  # NOTE: the peer has broken the rules; the reading thread finds out, and ends it
            return sealed + self._outgoing.read()

    def seal_end(self) -> bytes:
        """Return what goes on the wire before our EOF: close_notify.  Blocks: never."""
        with self._lock:
            if self._is_open:
                try:
                    self._tls.unwrap()
                except ssl.SSLError:
                    pass  # NOTE: it would like to wait for the peer's close_notify, and we need not
            return self._outgoing.read()

    def _run(self, recv_bytes: int, operation: Callable[..., Any], *args: Any) -> Any:
        """Run an operation of TLS; give it more from the socket as long as it wants more.

        The first time it asks for `recv_bytes`; for more if they were all there.
        Blocks: until it has enough.  Raises: OSError; EOFError.
        """
        while True:
            try:
                with self._lock:
                    return operation(*args)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                raise EOFError from None
            except ssl.SSLError as error:
                raise OSError(readable(error)) from None
            finally:
                self._say_what_that_made()
            if self._feed(recv_bytes) == recv_bytes:
                recv_bytes = RECV_BYTES  # there is more, and we need all of a record

    def _feed(self, max_bytes: int) -> int:
        """Take in the next encrypted bytes; return how many.  Blocks: until some come.  Raises: OSError; EOFError."""
        sealed = self._receive(max_bytes)
        with self._lock:
            self._incoming.write(sealed)
        return len(sealed)

    def _say_what_that_made(self) -> None:
        """Have sent what TLS itself has to say: its part of the handshake, a KeyUpdate, an alert."""
        with self._lock:
            if not self._outgoing.pending:
                return
        self.speak()
        with self._lock:
            if self._outgoing.pending > MAX_WORDS_BYTES:
                raise OSError("TLS: it asks for more than it reads")

    def _receive(self, max_bytes: int) -> bytes:
        """Return the next encrypted bytes.  Blocks: until some come.  Raises: OSError; EOFError."""
        chunk = self.sock.recv(max_bytes)
        if not chunk:
            raise EOFError
        return chunk


def readable(error: ssl.SSLError) -> str:
    """Return what OpenSSL found wrong, without the place in its source where it did."""
    return f"TLS: {(error.reason or 'broken').lower().replace('_', ' ')}"
