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
        self.aborted = False  # somebody cut the peer off
        self.overflowed = False  # because it was too slow
        self._sock = sock
        self._queue: list[bytes] = []
        # put(data) queues whole framed lines.  It is the list's own append, which is
        # atomic in CPython with and without the GIL, and so needs no lock of ours.
        self.put = self._queue.append
        # Guards all below, and the sending side of the socket, so that no byte overtakes
        # another.  Nothing under it blocks: the drainer lets go of it before its sendall.
        self._lock = threading.Condition()
        self._unsent = bytearray()
        self._drainer: threading.Thread | None = None
        self._ending = False  # half-close as soon as all is sent
        self._dead = False  # nothing can be sent any more

    @property
    def pending_bytes(self) -> int:
        """How many bytes the kernel has not taken; what is queued is not counted yet."""
        return len(self._unsent)

    def flush(self) -> None:
        """Give the kernel what is queued.  Blocks: never."""
        while self._queue and self._lock.acquire(blocking=False):
            try:
                self._send_queued()
            finally:
                self._lock.release()

    def end(self, last_words: bytes = b"") -> None:
        """Take no more, and half-close the connection when all has been sent."""
        with self._lock:
            if self._ending:
                return
            if last_words:
                self._queue.append(last_words)
            self.put = ignore
            self._ending = True
            self._send_queued()

    def abort(self) -> None:
        """Throw away what waits and shut the connection down in both directions.

        Whoever waits in recv() or sendall() on this socket wakes up.
        """
        with self._lock:
            if self._dead:
                return
            self._give_up()
            self.aborted = True
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # NOTE: the peer was faster

    def wait_until_below(self, max_bytes: int, timeout: float | None = None) -> bool:
        """Wait until at most max_bytes are pending or queued; tell whether that came true.

        Blocks: until then, until the connection is dead, or for `timeout` seconds.
        """
        with self._lock:
            self._send_queued()  # flush() may have left it to whoever had the lock
            below = self._lock.wait_for(lambda: len(self._unsent) <= max_bytes, timeout)
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

    def _send_queued(self) -> None:
        """Move the queue to `unsent`, and as much as it takes to the kernel.  Holds the lock."""
        self._collect()
        if self._dead or self._drainer:
            return  # the drainer goes on with what was added
        if self._unsent and MSG_DONTWAIT is not None:
            try:
                sent = self._sock.send(self._unsent, MSG_DONTWAIT)
                del self._unsent[:sent]
            except BlockingIOError:
                pass  # the kernel's buffer is full
            except OSError:
                self._give_up()  # NOTE: the peer is gone; its own thread finds that out too
                return
        if self._unsent:
            self._start_drainer()
        elif self._ending:
            self._half_close()

    def _collect(self) -> None:
        """Move the queue to `unsent`; cut off a slow consumer.  Holds the lock."""
        # Only a lock holder takes; others may append meanwhile, behind what is counted here.
        count = len(self._queue)
        self._unsent += b"".join(self._queue[:count])
        del self._queue[:count]
        if self._dead:
            self._unsent.clear()
        elif self._drainer and len(self._unsent) > self.max_pending_bytes:
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
                self._collect()
                chunk = bytes(self._unsent[:DRAIN_BYTES])
                if not chunk:
                    self._drainer = None
                    if self._ending and not self._dead:
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
                self._lock.notify_all()
        self.flush()  # whoever came while we held the lock has left it to us

    def _give_up(self) -> None:
        """Forget everything: the connection is dead.  Holds the lock."""
        self._dead = True
        self.put = ignore
        self._queue.clear()
        self._unsent.clear()
        self._lock.notify_all()

    def _half_close(self) -> None:
        """Send our EOF: nothing comes after it.  Holds the lock."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # NOTE: the peer is already gone


def ignore(data: bytes) -> None:
    """Stand in for put() once nothing can be sent any more."""
