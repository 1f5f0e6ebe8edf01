"""An outbox: what waits to be sent to one peer, so that nobody waits for that peer.

put() only queues.  flush() hands all that is queued to the kernel in one send that never
blocks.  Only when the kernel does not take everything (the peer reads too slowly) does
the peer get a second thread, the drainer, which waits in our place and then ends.

unsent         bytes that a flush took from the queue and the kernel has not taken yet
slow consumer  a peer with more than max_pending_bytes unsent: it is cut off
drainer        the thread that does blocking sendall()s while something is unsent
"""

import socket
import threading

MAX_PENDING_BYTES = 1 << 20  # 1 MiB: minutes of chat; the kernel holds as much again or more
DRAIN_BYTES = 65536  # what one sendall() of the drainer takes: `unsent` is true to that much
# Windows has no flag for "do not block"; there every flush goes to the drainer.
MSG_DONTWAIT = getattr(socket, "MSG_DONTWAIT", None)


class Outbox:
    """The bytes on their way to one peer, in order, bounded.

    Nothing is lost, doubled or reordered, whoever puts and flushes: only the holder of
    `_lock` takes from the queue, and whoever finds it held may leave, since the holder
    looks at the queue once more after letting go.

    Thread: any, except where a method says otherwise.
    """

    def __init__(self, sock: socket.socket, max_pending_bytes: int = MAX_PENDING_BYTES):
        self.max_pending_bytes = max_pending_bytes
        self.ended = False  # end() or abort() was called: what is put now goes nowhere
        self.overflowed = False  # aborted because the peer was too slow
        self._sock = sock
        self._queue: list[bytes] = []
        # put(data) queues whole framed lines.  It is the list's own append, which is
        # atomic in CPython with and without the GIL, and so needs no lock of ours.
        self.put = self._queue.append
        # Guards all below, and the sending side of the socket, so that no byte overtakes
        # another.  Nothing under it blocks: the drainer lets go of it before its sendall.
        self._lock = threading.RLock()
        self._unsent = bytearray()  # empty unless there is a drainer
        self._drainer: threading.Thread | None = None
        self._progress: threading.Condition | None = None  # made when somebody waits for it
        self._dead = False  # nothing can be sent any more

    @property
    def pending_bytes(self) -> int:
        """How many bytes the kernel has not taken; what is queued is not counted yet."""
        return len(self._unsent)

    def flush(self) -> None:
        """Give the kernel what is queued.  Blocks: never."""
        while self._queue and self._lock.acquire(False):
            try:
                self._send(self._take())
            finally:
                self._lock.release()

    def end(self, last_words: bytes = b"") -> None:
        """Take no more, and half-close the connection when all has been sent."""
        with self._lock:
            if not self.ended:
                data = self._take() + last_words
                self.ended = True
                self._send(data)

    def abort(self) -> None:
        """Throw away what waits and shut the connection down in both directions.

        Whoever waits in recv() or sendall() on this socket wakes up.
        """
        with self._lock:
            if self._dead:
                return
            self._give_up()
            self.ended = True
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # NOTE: the peer was faster

    def wait_until_below(self, max_bytes: int, timeout: float | None = None) -> bool:
        """Wait until at most max_bytes are pending or queued; tell whether that came true.

        Blocks: until then, until the connection is dead, or for `timeout` seconds.
        """
        with self._lock:
            self._send(self._take())  # flush() may have left it to whoever had the lock
            if len(self._unsent) > max_bytes and self._progress is None:
                self._progress = threading.Condition(self._lock)
            below = len(self._unsent) <= max_bytes or self._progress.wait_for(
                lambda: len(self._unsent) <= max_bytes, timeout
            )
        self.flush()  # whoever came while we held the lock has left it to us
        return below

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

    def _take(self) -> bytes:
        """Return what is queued, and queue it no more.  Holds the lock."""
        # Only a lock holder takes; others may append meanwhile, behind what is counted here.
        count = len(self._queue)
        data = b"".join(self._queue[:count])
        del self._queue[:count]
        return b"" if self.ended or self._dead else data  # what comes too late goes nowhere

    def _send(self, data: bytes) -> None:
        """Give the kernel as much as it takes, and the drainer the rest.  Holds the lock."""
        if self._dead:
            return
        if self._drainer:
            self._keep(data)  # it goes on with what is added
            return
        if data and MSG_DONTWAIT is not None:
            try:
                sent = self._sock.send(data, MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0  # the kernel's buffer is full
            except OSError:
                self._give_up()  # NOTE: the peer is gone; its own thread finds that out too
                return
            data = data[sent:]
        if data:
            self._unsent += data
            self._start_drainer()
        elif self.ended:
            self._half_close()

    def _keep(self, data: bytes) -> None:
        """Add to what the drainer has to send; cut off a slow consumer.  Holds the lock."""
        self._unsent += data
        if len(self._unsent) > self.max_pending_bytes:
            self.overflowed = True
            self.abort()

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
                chunk = bytes(self._unsent[:DRAIN_BYTES])
                if not chunk:
                    self._drainer = None
                    if self.ended and not self._dead:
                        self._half_close()
                    break
            try:
                self._sock.sendall(chunk)
            except OSError:
                with self._lock:
                    self._give_up()
                continue
            with self._lock:
                del self._unsent[: len(chunk)]
                if self._progress:
                    self._progress.notify_all()
        self.flush()  # whoever came while we held the lock has left it to us

    def _give_up(self) -> None:
        """Forget everything: the connection is dead.  Holds the lock."""
        self._dead = True
        self._queue.clear()
        self._unsent.clear()
        if self._progress:
            self._progress.notify_all()

    def _half_close(self) -> None:
        """Send our EOF: nothing comes after it.  Holds the lock."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # NOTE: the peer is already gone
