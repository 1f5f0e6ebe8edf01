"""An outbox: what waits to be sent to one peer, so that nobody waits for that peer.

Only when the kernel does not take everything (the peer reads too slowly) does the peer get
a second thread, the drainer, which waits in our place and then ends.

put            queue whole framed lines, and no more than that
flush          hand all that is queued to the kernel, in one send that never blocks
unsent         what a flush took from the queue, and the kernel has not been given yet
under way      what the kernel was given and has not taken whole: it is finished, come what may
slow consumer  a peer with more than max_pending_bytes unsent: it is cut off
last words     what a peer is told before our EOF; a slow consumer too, if it reads again
drainer        the thread that does blocking sendall()s while something is unsent
"""

import bisect
import itertools
import socket
import threading
from collections.abc import Callable

from step5_server.codec import Codec
from step5_server.stream import Stream

MAX_PENDING_BYTES = 1 << 20  # 1 MiB: minutes of chat; the kernel holds as much again or more
DRAIN_BYTES = 65536  # what one sendall() of the drainer takes: pending_bytes is true to that much
# Windows has no flag for "do not block"; there every flush goes to the drainer.
MSG_DONTWAIT = getattr(socket, "MSG_DONTWAIT", None)


class Outbox:
    """The bytes on their way to one peer, in order, bounded.

    Nothing is lost, doubled or reordered, whoever puts and flushes: only the holder of
    `_lock` takes from the queue, and whoever finds it held may leave, since the holder
    looks at the queue once more after letting go.

    Thread: any, except where a method says otherwise.
    """

    def __init__(
        self,
        stream: Stream,
        codec: Codec,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        too_slow_line: bytes = b"",
    ):
        self.codec = codec  # its frame() makes of a line what put() takes
        self.max_pending_bytes = max_pending_bytes
        self.ended = False  # ended by end(), cut off, or dead: what is put now goes nowhere
        self.overflowed = False  # cut off because the peer was too slow
        self._too_slow_line = too_slow_line
        self._stream = stream
        self._sock = stream.sock
        self._queue: list[bytes] = []
        # put(data) queues whole framed lines.  It is the list's own append, which is
        # atomic in CPython with and without the GIL, and so needs no lock of ours.
        self.put = self._queue.append
        # Guards all below, and the sending side of the socket, so that no byte overtakes
        # another.  Nothing under it blocks: the drainer lets go of it before its sendall.
        self._lock = threading.RLock()
        self._unsent: list[bytes] = []  # as they were put; empty unless there is a drainer
        self._unsent_bytes = 0
        self._under_way = b""  # as it goes on the wire; empty unless there is a drainer
        self._drained = 0  # how often the drainer's sendall has come back
        self._stalled = False  # no use in waiting for this peer, it seems
        self._drainer: threading.Thread | None = None
        self._progress: threading.Condition | None = None  # made when somebody waits for it
        self._said_end = False  # nothing more may be sealed
        self._dead = False  # nothing can be sent any more

    @property
    def pending_bytes(self) -> int:
        """How many bytes the kernel has not taken; what is queued is not counted yet."""
        return self._unsent_bytes + len(self._under_way)

    def flush(self) -> None:
        """Give the kernel what is queued.  Blocks: never."""
        while self._queue and self._lock.acquire(False):
            try:
                self._send(self._take())
            finally:
                self._lock.release()

    def end(self, last_line: bytes = b"") -> None:
        """Take no more, say the last line, and half-close the connection when all has been sent."""
        with self._lock:
            if not self.ended:
                pieces = self._take()
                self.ended = True
                self._send([*pieces, self._last_words(last_line)])
                self._tell_waiters()

    def abort(self) -> None:
        """Throw away what waits and shut the connection down in both directions.

        Whoever waits in recv() or sendall() on this socket wakes up.
        """
        with self._lock:
            if self._dead:
                return
            self._give_up()
            self._shut_down(socket.SHUT_RDWR)

    def wait_until_below(self, max_bytes: int) -> None:
        """Wait for the peer to read, until at most max_bytes are unsent.

        Blocks: until then, or until the connection is ended: then nobody needs the room.
        """
        self._wait_for(lambda: self.ended or self.pending_bytes <= max_bytes)

    def wait_for_reader(self, patience_s: float, sender: "Outbox") -> None:
        """Wait while half of the bound is unsent, and the peer reads: for a flooder's thread.

        Blocks: until then, or patience_s after the peer has read anything, or until the
        connection of the `sender` is ended.  Once for a peer that does not read at all.
        """
        with self._lock:
            self._send(self._take())  # flush() may have left it to whoever had the lock
        while self.pending_bytes > self.max_pending_bytes // 2 and not sender.ended:
            with self._lock:
                drained = self._drained
                if self._stalled:
                    return
                self._wait_for(lambda: self.ended or self._drained != drained, patience_s)
                self._stalled = self._drained == drained

    def wait_until_sent(self, timeout: float) -> bool:
        """Wait until all has been sent; tell whether it was.  Blocks: for `timeout` seconds."""
        self._wait_for(lambda: not self.pending_bytes, timeout)
        return not (self.pending_bytes or self._dead)

    def _wait_for(self, ready: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait until `ready` holds, which the drainer and whoever ends us may change."""
        with self._lock:
            self._send(self._take())  # flush() may have left it to whoever had the lock
            if not ready():
                self._progress = self._progress or threading.Condition(self._lock)
                self._progress.wait_for(ready, timeout)
        self.flush()  # whoever came while we held the lock has left it to us

    def close(self) -> None:
        """Abort, and close the socket when nobody can use it any more.

        To close it earlier would free its number for the next connection, and a send
        that is just under way would reach a stranger.
        Thread: the connection's own.  Blocks: until the drainer has noticed.
        """
        self.abort()
        with self._lock:
            drainer = self._drainer
        if drainer:
            drainer.join()
        with self._lock:
            self._sock.close()

    def _take(self) -> list[bytes]:
        """Return what is queued, and queue it no more.  Holds the lock."""
        # Only a lock holder takes; others may append meanwhile, behind what is counted here.
        count = len(self._queue)
        pieces = self._queue[:count]
        del self._queue[:count]
        return [] if self.ended else pieces  # what comes too late goes nowhere

    def _send(self, pieces: list[bytes]) -> None:
        """Give the kernel as much as it takes, and the drainer the rest.  Holds the lock."""
        if self._dead:
            return
        if self._drainer:
            self._keep(pieces)  # it goes on with what is added
            return
        data = self._seal(pieces) if self.ended else self._stream.seal(pieces)
        if data and MSG_DONTWAIT is not None:
            try:
                sent = self._sock.send(data, MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0  # the kernel's buffer is full
            except OSError:
                self._give_up()  # NOTE: the peer is gone, and the log says that it has left
                return
            data = data[sent:]
        if data:
            self._under_way = data
            self._start_drainer()
        elif self.ended:
            self._shut_down(socket.SHUT_WR)  # our EOF: nothing comes after it

    def _seal(self, pieces: list[bytes]) -> bytes:
        """Return these as they go on the wire, and the end behind them if they are the last.  Holds the lock."""
        data = self._stream.seal(pieces)
        if self.ended and not (self._unsent or self._said_end):
            self._said_end = True
            data += self._stream.seal_end()
        return data

    def _keep(self, pieces: list[bytes]) -> None:
        """Add to what the drainer has to send; cut off a slow consumer.  Holds the lock."""
        self._unsent += pieces
        self._unsent_bytes += sum(map(len, pieces))
        if self.pending_bytes > self.max_pending_bytes and not self.ended:
            self._cut_off()

    def _next_pieces(self) -> list[bytes]:
        """Take whole pieces from what is unsent: DRAIN_BYTES at most, or one piece.  Holds the lock."""
        pieces = self._unsent
        if self._unsent_bytes <= DRAIN_BYTES:
            self._unsent, self._unsent_bytes = [], 0
            return pieces
        ends = list(itertools.accumulate(map(len, pieces)))
        count = max(bisect.bisect_right(ends, DRAIN_BYTES), 1)
        self._unsent = pieces[count:]
        self._unsent_bytes -= ends[count - 1]
        return pieces[:count]

    def _last_words(self, line: bytes) -> bytes:
        """Return how a connection ends: with a line of ours, and with the codec's own goodbye."""
        return (self.codec.frame(line) if line else b"") + self.codec.goodbye

    def _cut_off(self) -> None:
        """Let nothing follow what is under way but the reason.  Holds the lock.

        The connection's own thread wakes up, cleans up, and cuts what still lingers.
        """
        self.ended = self.overflowed = True
        words = self._last_words(self._too_slow_line)
        self._unsent, self._unsent_bytes = [words], len(words)
        # NOTE: not tried on Windows whether this alone wakes a recv(), so there it is the end.
        self._shut_down(socket.SHUT_RD if MSG_DONTWAIT is not None else socket.SHUT_RDWR)
        self._tell_waiters()

    def _start_drainer(self) -> None:
        """Give this peer a thread that waits for it.  Holds the lock."""
        self._drainer = threading.Thread(target=self._drain, name="drainer", daemon=True)
        try:
            self._drainer.start()
        except (RuntimeError, MemoryError):  # no thread to be had: this slow peer is lost, nobody else
            self._drainer = None
            self.abort()

    def _drain(self) -> None:
        """Send until nothing is unsent.  Thread: the drainer."""
        while True:
            with self._lock:
                self._keep(self._take())
                if not self._under_way and not self._dead:
                    self._under_way = self._seal(self._next_pieces())
                chunk = self._under_way[:DRAIN_BYTES]
                if not chunk:
                    self._drainer = None
                    if self.ended and not self._dead:
                        self._shut_down(socket.SHUT_WR)
                    break
            try:
                self._sock.sendall(chunk)
            except OSError:
                with self._lock:
                    self._give_up()
                continue
            with self._lock:
                self._under_way = self._under_way[len(chunk) :]
                self._drained += 1
                self._stalled = False
                self._tell_waiters()
        self.flush()  # whoever came while we held the lock has left it to us

    def _give_up(self) -> None:
        """Forget everything: the connection is dead, and nothing it asked for counts.  Holds the lock."""
        self._dead = self.ended = self._said_end = True
        self._queue.clear()
        self._unsent, self._unsent_bytes, self._under_way = [], 0, b""
        self._tell_waiters()

    def _tell_waiters(self) -> None:
        """Let those look again who wait for something here.  Holds the lock."""
        if self._progress:
            self._progress.notify_all()

    def _shut_down(self, how: int) -> None:
        """End one direction, or both; who waits in recv() or sendall() there wakes up."""
        try:
            self._sock.shutdown(how)
        except OSError:
            pass  # NOTE: the peer was faster
