"""Probes: the parts of a server, each as a subclass that also tells what it does.

Each does what its parent does, and calls the gate.  No step knows of them: a server without the
glass runs none of this.

Lock order: the registry's, an outbox's, the gate's moment.  At a stop a thread may hold the
registry's lock, as it would while it works; never an outbox's, which nobody may wait under.
"""

import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios
import threading

from extras.broadcast.postman import Postman
from extras.glass.gate import Gate, Lane
from step3_protocol.protocol import ProtocolError
from step4_framing.framing import LineTooLong
from step5_server.codec import LineCodec
from step5_server.outbox import Outbox


def text_of(data) -> str:
    """Return bytes as JSON can carry them: one character each."""
    return bytes(data).decode("latin-1")


def kernel_bytes(sock: socket.socket) -> int | None:
    """Return what the kernel holds for the peer: not sent, or not acknowledged.  None where it does not tell.

    Source: tcp(7), SIOCOUTQ, which Linux's ioctl(2) has by the number of TIOCOUTQ.
    """
    try:
        return struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    except (OSError, ValueError):
        return None  # NOTE: macOS, or the socket is closed


class TellingLock:
    """A lock that tells who wants it, who has it, and when it is free.

    A holder is told after it has got the lock and before it lets go: so no two are told at once.
    """

    def __init__(self, gate: Gate, lock):
        self._gate, self._lock = gate, lock
        self._owner: int | None = None  # only the owner itself finds its own number here
        self._depth = 0
        self._is_quiet = False
        self._wanted_by: list[int | str] = []  # guarded by the moment

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as it would without us."""
        if self._owner == threading.get_ident():
            got = self._lock.acquire(blocking, timeout)
            self._depth += got
            return got
        self._want()
        self._gate.stop()
        got = self._lock.acquire(blocking, timeout)
        if got:
            self._have(1)
            self._gate.stop()
        else:
            self._want_no_more()
        return got

    def release(self) -> None:
        """Let go of it."""
        self._depth -= 1
        if self._depth:
            self._lock.release()
            return
        self._free()
        self._lock.release()
        self._gate.stop()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exc):
        self.release()

    @contextlib.contextmanager
    def quietly(self):
        """Take it for a moment and tell nobody, if it is free; yield whether it was."""
        if not self._lock.acquire(False):
            yield False
            return
        self._owner, self._depth, self._is_quiet = threading.get_ident(), 1, True
        try:
            yield True
        finally:
            self.release()

    # threading.Condition asks for these three.

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()

    def _release_save(self):
        depth = self._depth
        self._free()
        return depth, self._lock._release_save()

    def _acquire_restore(self, saved) -> None:
        depth, state = saved
        self._want()
        self._lock._acquire_restore(state)
        self._have(depth)

    def _tell(self, holder: int | str | None) -> None:
        self._gate.tell("lock", holder=holder, queue=list(self._wanted_by))

    def _want(self) -> None:
        with self._gate.moment:
            self._gate.state("wants")
            self._wanted_by.append(self._gate.who())
            self._tell(self._holder)

    _holder: int | str | None = None  # guarded by the moment

    def _have(self, depth: int) -> None:
        self._owner, self._depth = threading.get_ident(), depth
        with self._gate.moment:
            self._holder = self._gate.who()
            self._wanted_by.remove(self._holder)
            self._tell(self._holder)
            self._gate.state("holds")

    def _want_no_more(self) -> None:
        with self._gate.moment:
            self._wanted_by.remove(self._gate.who())
            self._tell(self._holder)

    def _free(self) -> None:
        self._owner, self._depth = None, 0
        if self._is_quiet:
            self._is_quiet = False
            return
        with self._gate.moment:
            self._holder = None
            self._tell(None)
            self._gate.state("works")


class TellingSocket:
    """A socket that tells what comes and what the kernel takes; all else it leaves to the real one."""

    def __init__(self, sock: socket.socket, gate: Gate, lane: Lane):
        self._sock, self.gate, self.lane = sock, gate, lane
        self.lingers = False  # what comes from now on is thrown away

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def setsockopt(self, level, option, *value) -> None:
        """Set an option, but not the one by which the kernel gives up a peer that does not read.

        In slow motion a peer that reads in two minutes is not slow.
        """
        if (level, option) != (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None)):
            self._sock.setsockopt(level, option, *value)

    def recv(self, size: int, *flags) -> bytes:
        """Return what has come, and tell it.  Blocks: as ever."""
        gate, lane = self.gate, self.lane
        gate.state("reads")
        try:
            chunk = self._sock.recv(size, *flags)
        except TimeoutError:
            raise
        except OSError as error:
            gate.tell("reset", lane, error=error.strerror or str(error))
            raise
        with gate.moment:
            if chunk:
                gate.tell("chunk", lane, data=text_of(chunk), **{"dropped": True} if self.lingers else {})
            else:
                gate.tell("eof", lane)
            gate.state("works")
            lane.heard_bytes += len(chunk)
            lane.heard.notify_all()
        gate.stop()
        return chunk

    def send(self, data, flags: int = socket.MSG_DONTWAIT) -> int:
        """Give the kernel what it takes at once, and tell how much that was.  Raises: OSError.

        Sending and telling are one: an answer to it cannot be told before it.
        """
        with self.gate.moment:
            try:
                sent = self._sock.send(data, flags)
            except BlockingIOError:
                self.tell_sent(0)
                raise
            self.lane.unsent = max(self.lane.unsent - sent, 0)
            self.tell_sent(sent)
        return sent

    def tell_sent(self, count: int, **facts) -> None:
        """Tell what the kernel has taken, and what waits still.  Holds the moment."""
        self.gate.me.due = True
        self.gate.outbox("sent", self.lane, bytes=count, kernel=kernel_bytes(self._sock), **facts)

    def sendall(self, data) -> None:
        """Send all of it, as the real one does: as much as the kernel takes, and wait for more room."""
        gate, lane = self.gate, self.lane
        if not lane.has_outbox:
            with gate.moment:
                lane.unsent += len(data)
                gate.outbox("put", lane, by=gate.who(), data=text_of(data))
            gate.stop()
        gate.state("sends", to=lane.number)
        room = select.poll()
        room.register(self._sock.fileno(), select.POLLOUT)
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[self.send(rest):]
                except BlockingIOError:
                    room.poll()
                gate.stop_if_due()
        except OSError:
            with gate.moment:
                if not lane.has_outbox:
                    lane.unsent = max(lane.unsent - len(rest), 0)
                    self.tell_sent(0, dropped=len(rest))
            raise
        finally:
            gate.state("works")


def telling_buffer(buffer_class: type) -> type:
    """Return the LineBuffer that also tells what it keeps and gives.  Thread: a lane's own."""

    class TellingBuffer(buffer_class):
        gate: Gate

        def feed(self, chunk: bytes):
            answer = super().feed(chunk)
            self.tell_kept()
            self.gate.stop()
            return answer

        def next_line(self) -> bytes | None:
            try:
                line = super().next_line()
            except LineTooLong:
                self.tell_too_long()
                raise
            except Exception as error:  # a rung has a LineTooLong of its own
                if type(error).__name__ == "LineTooLong":
                    self.tell_too_long()
                raise
            if line is not None:
                self.gate.tell("line", line=text_of(line))
                self.gate.stop()
            return line

        def tell_too_long(self) -> None:
            self.gate.tell("line", too_long=True)
            self.tell_kept()
            self.gate.stop()

        def tell_kept(self) -> None:
            lines, rest = (self._lines, self._rest) if hasattr(self, "_lines") else (self.lines, self.rest)
            self.gate.tell("kept", lines=len(lines), rest=text_of(rest))

    return TellingBuffer


class TellingCodec(telling_buffer(LineCodec)):
    """Step 5's codec."""


class TellingOutbox(Outbox):
    """An outbox that tells what is put, and what becomes of it."""

    def __init__(self, sock: TellingSocket, *args):
        self._gate, self._lane = sock.gate, sock.lane
        self._thread: threading.Thread | None = None  # the drainer
        super().__init__(*args)
        self._lane.outbox_facts = {"bound": self.max_pending_bytes}
        self._append = self.put
        # As the parent's: one object, made once, since a fan-out knows by it whom to leave out.
        self.put = self._put

    def _put(self, data: bytes) -> None:
        """Queue whole framed lines."""
        gate, lane = self._gate, self._lane
        with gate.moment:
            self._append(data)
            if not data:
                return
            lane.queued += len(data)
            gate.outbox("put", lane, by=gate.who(), data=text_of(data))
        gate.stop()

    def flush(self) -> None:
        """Give the kernel what is queued.  Blocks: at a stop."""
        super().flush()
        if not self._lock._is_owned():
            self._gate.stop_if_due()

    def _wait_for(self, ready, timeout: float | None = None) -> None:
        """Wait until `ready` holds, and tell that we do."""
        if not ready():
            self._gate.state("waits", to=self._lane.number)
        super()._wait_for(ready, timeout)
        self._gate.state("works")

    def _take(self) -> list[bytes]:
        """Return what is queued; what comes after the end is dropped."""
        lane = self._lane
        with self._gate.moment:
            pieces = super()._take()
            taken = sum(map(len, pieces))
            dropped, lane.queued = lane.queued - taken, 0
            lane.unsent += taken
            if dropped:
                self._sock.tell_sent(0, dropped=dropped)
            return pieces

    def _last_words(self, line: bytes) -> bytes:
        """Return how a connection ends; it is said past the queue."""
        words = super()._last_words(line)
        with self._gate.moment:
            self._lane.unsent += len(words)
            if words:
                self._gate.outbox("put", self._lane, by=self._gate.who(), data=text_of(words), last=True)
        return words

    def _keep(self, pieces: list[bytes]) -> None:
        """Add to what the drainer has to send."""
        if pieces:
            with self._gate.moment:
                self._sock.tell_sent(0)
        super()._keep(pieces)

    def _cut_off(self) -> None:
        """Let nothing follow what is under way but the reason."""
        with self._gate.moment:
            self._lane.unsent -= self._unsent_bytes
            self._gate.tell("cut", self._lane, dropped=self._unsent_bytes)
            super()._cut_off()

    def _give_up(self) -> None:
        """Forget everything: the connection is dead."""
        lane = self._lane
        with self._gate.moment:
            dropped, lane.queued, lane.unsent = lane.queued + lane.unsent, 0, 0
            super()._give_up()
            if dropped:
                self._sock.tell_sent(0, dropped=dropped)

    def _drain(self) -> None:
        """Send until nothing is unsent.  Thread: the drainer."""
        self._gate.enter(self._lane, f"drainer {self._lane.number}")
        super()._drain()

    @property
    def _drainer(self) -> threading.Thread | None:
        """The thread that waits for this peer."""
        return self._thread

    @_drainer.setter
    def _drainer(self, thread: threading.Thread | None) -> None:
        """Begin to have one, or have none any more: told at this moment, since the next may come at once."""
        if (self._thread is None) != (thread is None):
            self._gate.tell("drainer", self._lane, runs=thread is not None)
        self._thread = thread


class TellingConnection:
    """A connection with such an outbox: the base of a class, before a Connection."""

    def __init__(self, stream, codec, address, max_pending_bytes, too_slow_line):
        super().__init__(stream, codec, address, max_pending_bytes, too_slow_line)
        self.outbox = TellingOutbox(stream.sock, stream, codec, max_pending_bytes, too_slow_line)

    def close(self, linger: bool = True) -> None:
        """Let the peer read what waits for it, and close."""
        self.stream.sock.lingers = True
        super().close(linger)


class TellingHandler:
    """What every handler tells: the base of a class, before a handler.  Its server has the gate."""

    def setup(self):
        """Be the lane that the acceptor has numbered."""
        self.gate, self.lane = self.server.gate, self.server.lane_of(self.client_address)
        self.gate.enter(self.lane, f"lane {self.lane.number}")
        super().setup()

    def finish(self):
        """End, and be nobody."""
        try:
            super().finish()
        finally:
            self.gate.gone(self.lane, self.why())
            self.gate.leave()

    def why(self) -> str:
        """Return why the connection has ended: with an error, if one is on its way through finish()."""
        error = sys.exc_info()[1]
        return f"{type(error).__name__}: {error}" if error else "EOF"

    @property
    def name(self) -> str | None:
        """The name of its user."""
        return self.__dict__.get("name")

    @name.setter
    def name(self, name: str | None) -> None:
        self.__dict__["name"] = name
        if name:
            self.gate.tell("named", self.lane, name=name)


class TellingLineHandler(TellingHandler):
    """What a handler of step 5 tells, and of the extras that stand on it."""

    def stream(self):
        """Return what carries our bytes, with a socket that tells."""
        stream = super().stream()
        stream.sock = TellingSocket(stream.sock, self.gate, self.lane)
        return stream

    def codec(self):
        """Return what makes lines of bytes, and bytes of lines."""
        codec = super().codec()
        codec.gate = self.gate
        return codec

    def parse(self, line):
        """Return the request, and tell it, or what is wrong with it."""
        try:
            request = super().parse(line)
        except ProtocolError as error:
            self.gate.tell("request", self.lane, error=error.code)
            self.gate.stop()
            raise
        if request:
            self.gate.tell("request", self.lane, verb=request.verb, params=list(request.args))
            self.gate.stop()
        return request

    def send(self, line: bytes) -> None:
        """Queue a line for our own peer."""
        if line.split(b" ")[0] in (b"OK", b"ERR"):
            self.gate.tell("reply", self.lane, line=text_of(line))
        super().send(line)

    def pause(self) -> None:
        """Let the others in if our turn was long: the time at the gate is not our own."""
        kept_s = self.gate.me.kept_s
        self.turn_began += kept_s - self.__dict__.get("kept_s", kept_s)
        self.kept_s = kept_s
        super().pause()

    def answer_lines(self) -> None:
        """Answer the lines that a chunk has completed."""
        self.kept_s = self.gate.me.kept_s
        super().answer_lines()

    def why(self) -> str:
        """Return why the connection has ended."""
        return self.conn.end_reason


class TellingPostman(Postman):
    """A postman who tells when he walks, and with what."""

    def __init__(self, gate: Gate):
        self._gate = gate
        super().__init__()

    def _walk(self) -> None:
        """Go round as long as there is something to carry.  Thread: the postman."""
        self._gate.enter(None, "postman")
        super()._walk()

    def _next_round(self) -> dict:
        """Wait for the bell; return all that is dirty by now."""
        self._gate.tell("postman", state="sleeps", outboxes=[])
        dirty = super()._next_round()
        lanes = [outbox._lane.number for outbox in dirty]
        if lanes:
            self._gate.tell("postman", state="walks", outboxes=lanes)
            self._gate.stop()
        return dirty

    def _hand_over(self, outboxes) -> bool:
        """Give the outboxes to the postman, or wait for him first."""
        if threading.current_thread() in self._senders:
            self._gate.state("waits", to="postman")
        took = super()._hand_over(outboxes)
        self._gate.state("works")
        return took
