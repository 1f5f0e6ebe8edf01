"""TLS around a connection, for a client that reads in one thread and writes in another.

Python's SSLSocket does not allow that: it is one OpenSSL object, which two threads must not use at once, and a
lock around its `recv` would keep the writer out until something arrives.  So the socket stays an ordinary one,
and TLS works in memory between it and us:

    sendall ──→ tls.write ──→ outgoing ──→ sock.sendall
    recv    ←── tls.read  ←── incoming ←── sock.recv

NOTE: not tried on Windows.  Only the socket's own recv and sendall wait here, which do so there as well.

sealed   encrypted, as it goes on the wire
plain    decrypted, as the chat understands it
"""

import socket
import ssl
import threading
import time

HANDSHAKE_TIMEOUT_S = 10  # as for connecting: a handshake is two or three times the way there and back
CHUNK_BYTES = 65_536  # most that one recv returns
# What a TLS server may begin with, as its first byte: an alert, or its part of the handshake.
# Source: RFC 8446, section 5.1 (ContentType).
ALERT, HANDSHAKE = 21, 22


class TlsSocket:
    """A connection to a server, encrypted: what our client needs of a socket.

    Thread: one may call `recv` while another calls the rest.  The one that reads never sends: a server may read
    us only after we have read it, and then both would wait for ever.  What TLS itself wants to say to what was
    read leaves with our next bytes.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str):
        """Take a connected socket.  Raises: ValueError for a host that no certificate can name."""
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        # Guards these three.  Nobody waits for the network under it.  Whenever it is free, all that came
        # whole has been decrypted: `shutdown` relies on that.
        self._lock = threading.Lock()
        self._plain = bytearray()  # decrypted and not yet returned.  Thread: the one that reads
        self._ended = False  # the server has said in TLS that no more will come

    def handshake(self) -> None:
        """Agree on keys, and check who the server is.  Blocks: HANDSHAKE_TIMEOUT_S at most.  Raises: OSError."""
        deadline = time.monotonic() + HANDSHAKE_TIMEOUT_S  # for all of it: a server may dribble
        heard = b""
        while not self._shake():
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))  # 0 would mean "do not wait"
            chunk = self._sock.recv(CHUNK_BYTES)
            if not chunk:
                raise ConnectionAbortedError("the server closed the connection in the handshake")
            heard = heard or chunk
            if heard[0] not in (ALERT, HANDSHAKE):
                raise ConnectionAbortedError("this port speaks no TLS; try without --tls")
            self._incoming.write(chunk)
        self._sock.settimeout(None)
        self._decrypt()  # the server's first words may have come with its part of the handshake

    def _shake(self) -> bool:
        """Go on with the handshake as far as what has come allows; return whether it is over."""
        try:
            self._tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self._sock.sendall(self._outgoing.read())  # after a failure too: it tells the server why

    def recv(self, max_bytes: int) -> bytes:
        """Return some plain bytes, b"" at the end.  Blocks: until there are any.  Raises: OSError."""
        while not self._plain and not self._ended:
            sealed = self._sock.recv(CHUNK_BYTES)
            if not sealed:  # anybody on the way can end a TCP connection: the server itself says goodbye in TLS
                raise ConnectionAbortedError("the connection was cut off")
            with self._lock:
                self._incoming.write(sealed)
                self._decrypt()
        plain = bytes(self._plain[:max_bytes])
        del self._plain[:max_bytes]
        return plain

    def _decrypt(self) -> None:
        """Decrypt all that has come.  Thread: holds the lock."""
        try:
            while plain := self._tls.read(CHUNK_BYTES):
                self._plain += plain
            self._ended = True
        except ssl.SSLWantReadError:
            pass  # what is left is half a record, or nothing
        except ssl.SSLZeroReturnError:
            self._ended = True  # its goodbye again, but to somebody who had said goodbye before

    def sendall(self, data: bytes) -> None:
        """Encrypt and send.  Blocks: until the kernel has taken it.  Raises: OSError."""
        with self._lock:
            # SIMPLIFIED: raises SSLWantReadError in the middle of a message of TLS itself that the server has cut
            # into several records; a production client waits for the rest.  Those for us are too short for that.
            self._tls.write(data)
            sealed = self._outgoing.read()
        self._sock.sendall(sealed)

    def shutdown(self, how: int) -> None:
        """Say that no more comes and read on (SHUT_WR), or wake the thread that reads (SHUT_RDWR).  Raises: OSError."""
        if how == socket.SHUT_WR:
            with self._lock:
                try:
                    # Says our goodbye, and looks at once for the server's.  Other bytes in its way it takes for
                    # a mistake and ruins the connection; but there are none, `_decrypt` has taken them.
                    self._tls.unwrap()
                except ssl.SSLWantReadError:
                    pass  # the server's goodbye will come later
                sealed = self._outgoing.read()
            self._sock.sendall(sealed)
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the connection.  Thread: any, when no other uses it."""
        self._sock.close()

    def __enter__(self) -> "TlsSocket":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
