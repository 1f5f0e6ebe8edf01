"""A connection: lines in from one peer, and an outbox for lines back.

The code that uses it sees lines and never a chunk.  The code here does not know what a line
means.

touched   the outboxes that something was put into since the last delivery
deliver   flush all that are touched: once for each chunk that was read, not for each line
linger    after our last words, read and throw away what the peer still sends.  If we
          closed with input unread, the kernel would send RST, and RST overtakes what
          we said last.
"""

import socket
import time

from step1_echo.serving import Address, format_address, log
from step4_framing.framing import LineTooLong
from step5_server.codec import Codec
from step5_server.outbox import MAX_PENDING_BYTES, Outbox
from step5_server.stream import Stream

CHUNK_BYTES = 4096  # a hundred lines for one delivery
# A peer that does not read its replies is not read either, from here on.  So twice as much may
# wait for it, however much it asks for.
MAX_REPLY_BYTES = 32768
FLOOD_BYTES = 65536  # said in a second: no person does, and a program can wait for its readers
# How long a flooder waits for one of them to read anything.  The kernel tells us of it late: on
# Linux when a third of what it holds for the peer is gone, which may be a megabyte.
PATIENCE_S = 1.0
DEAD_AFTER_S = 120  # no answer from the peer's machine for so long: the cable is pulled
LINGER_S = 5.0  # how long a peer may take to read our last words
QUIET_S = 0.3  # a peer that may have its EOF and is silent for this long has had its say


class Connection:
    """One peer's socket.

    Thread: the connection's own, but for outbox, hang_up() and kick(), which any may use.
    """

    def __init__(
        self,
        stream: Stream,
        codec: Codec,
        address: Address,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        too_slow_line: bytes = b"",
    ):
        self.stream, self.codec, self.address = stream, codec, address
        self.outbox = Outbox(stream, codec, max_pending_bytes, too_slow_line)
        self.touched: set[Outbox] = set()  # own thread only
        self.opened_at = time.monotonic()
        self.heard_at = self.opened_at  # own thread writes, any may read; but see forgive()
        self.closing_since: float | None = None  # set by hang_up()
        self.end_reason = "EOF"  # for the log
        self._sock = stream.sock
        # Well below the bound, so that nobody is cut off for the replies to one chunk.
        self._max_reply_bytes = min(MAX_REPLY_BYTES, max_pending_bytes // 4)
        # What our own peer may be told yet; below 0 it has to read first.
        self.reply_room = self._max_reply_bytes
        # It is looked at when so much has been said: less than what is free in an outbox then.
        self._flood_bytes = min(FLOOD_BYTES, max_pending_bytes // 4)
        self._said_bytes = 0  # in the second that began at _said_since
        self._said_since = self.opened_at
        # One line at a time is all that a chat has to send: do not wait for more of it.
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        find_dead_peers(stream.sock)

    @property
    def closing(self) -> bool:
        """Whether the last words are said, or never will be: no request counts any more."""
        return self.outbox.ended

    def send(self, line: bytes) -> None:
        """Queue a line for this peer; deliver() sends it.  Blocks: never."""
        data = self.codec.frame(line)
        self.reply_room -= len(data)
        self.outbox.put(data)
        self.touched.add(self.outbox)

    def send_to(self, outbox: Outbox, line: bytes) -> None:
        """Queue a line for another peer; deliver() sends it.  Blocks: never."""
        outbox.put(outbox.codec.frame(line))
        self.touched.add(outbox)

    def deliver(self) -> None:
        """Flush what our lines have touched.

        Blocks: never, but for a flooder: while its readers have much to read.
        """
        for outbox in self.touched:
            outbox.flush()
        if self._said_bytes > self._flood_bytes:
            self.wait_for_readers()
        self.touched.clear()

    def wait_for_readers(self) -> None:
        """Slow a flooder down to who reads what it says, before they are cut off for it.

        Who reads nothing at all is not waited for again: it delays nobody, and is cut off.
        """
        for outbox in self.touched:
            if outbox.pending_bytes and outbox is not self.outbox:
                outbox.wait_for_reader(PATIENCE_S, self.outbox)

    def wait_for_peer(self) -> None:
        """Wait while our own peer does not read its replies.  Deliver first.

        TCP passes this on: while we do not recv, the peer soon cannot send.
        """
        if self.reply_room < 0 or self.outbox.pending_bytes > self._max_reply_bytes:
            self.outbox.wait_until_below(self._max_reply_bytes)
            self.reply_room = self._max_reply_bytes

    def read(self) -> bool:
        """Read a chunk.

        Returns whether there may be lines; False when the peer is done or gone.
        Blocks: until something comes.
        """
        self.reply_room = self._max_reply_bytes
        if self.codec.ended:
            return False
        try:
            chunk = self.receive()
        except OSError as error:  # RST, or the kernel has found out that the peer is dead
            self.end_reason = error.strerror or str(error)
            return False
        if not chunk:
            if self.codec.pending:
                # Half a line may mean the opposite of the whole one.
                log.info("%s: dropped half a line", format_address(self.address))
            return False
        self.heard_at = time.monotonic()
        if self.heard_at - self._said_since > 1.0:
            self._said_bytes, self._said_since = 0, self.heard_at
        self._said_bytes += len(chunk)
        if answer := self.codec.feed(chunk):  # a codec's own affair: WebSocket's pong to a ping, say
            self.outbox.put(answer)
            self.touched.add(self.outbox)
        return True

    def receive(self) -> bytes:
        """Return the next chunk, b"" at EOF.  Blocks: until something comes.  Raises: OSError."""
        return self.stream.recv(CHUNK_BYTES)

    def next_line(self) -> bytes | LineTooLong | None:
        """Return the next line of what was read, or None: then read() again.  Blocks: never."""
        try:
            return self.codec.next_line()
        except LineTooLong as error:
            return error

    def hang_up(self, last_line: bytes = b"") -> None:
        """Say the last line, take no more requests, and half-close once they are written.

        The connection's own thread does the rest in close().  Thread: any.  Blocks: never.
        """
        if self.closing_since is None:
            self.closing_since = time.monotonic()
        self.outbox.end(last_line)

    def kick(self, why: str) -> None:
        """Cut the peer off; the connection's own thread wakes up and cleans up.  Thread: any."""
        self.end_reason = why
        self.outbox.abort()

    def forgive(self, deaf_s: float) -> None:
        """Count the peer's silence without the time in which we could not hear.  Thread: any."""
        self.opened_at += deaf_s
        self.heard_at += deaf_s

    def overdue(self, now: float) -> bool:
        """Tell whether the peer has had its time to take our last words.  Thread: any.

        One that still sends gets more of it: what arrives after a close is answered
        with RST, and RST destroys what the peer has not read yet.
        """
        if self.closing_since is None:
            return False
        quiet_s = now - max(self.closing_since, self.heard_at)
        said = self.closing and self.outbox.pending_bytes == 0
        return (said and quiet_s > QUIET_S) or now - self.closing_since > LINGER_S

    def close(self, linger: bool = True) -> None:
        """Let the peer read what waits for it, if it reads, and close.

        Without `linger`, a peer that still sends may lose our last words.
        Blocks: LINGER_S at most.
        """
        self.hang_up()
        deadline = time.monotonic() + LINGER_S
        if self.outbox.wait_until_sent(LINGER_S) and linger:
            self._sock.settimeout(QUIET_S)
            try:
                while self._sock.recv(CHUNK_BYTES) and time.monotonic() < deadline:
                    self.heard_at = time.monotonic()  # it does not know yet that we are done
            except OSError:
                pass  # NOTE: it was silent for QUIET_S, or it is gone
        if self.outbox.overflowed:
            self.end_reason = "too slow: more than --max-pending bytes waited for it"
        self.outbox.close()


def find_dead_peers(sock: socket.socket) -> None:
    """Let the kernel ask a silent peer whether it lives: a pulled cable sends no EOF.

    A dead one fails our recv() after DEAD_AFTER_S.  While something is on its way to the peer
    no probe is sent, so there is a limit for that too: else it would be TCP's own patience, some
    fifteen minutes.  One that lives and reads nothing for so long counts as dead as well.
    Source: tcp(7); RFC 9293 section 3.8.4; RFC 5482 (user timeout).
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    quarter = DEAD_AFTER_S // 4
    # NOTE: where a name is missing, the system's own (two hours on most) holds.
    for option, value in (
        ("TCP_KEEPIDLE", DEAD_AFTER_S - 2 * quarter),
        ("TCP_KEEPINTVL", quarter),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", DEAD_AFTER_S * 1000),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
