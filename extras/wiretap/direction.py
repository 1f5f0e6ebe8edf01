"""Carry bytes one way, in order, in bounded memory, and later if asked to.

source, sink   the socket that we read from, and the one that we write to
held           chunks that wait until they may leave: (when, chunk); b"" is EOF
leaving        the bytes that are due, without what the kernel has already taken
piece          what we offer the kernel in one send()

Nothing here waits or asks for the time: `now` comes from the caller, so that a test can
set the clock.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from socket import socket

RECV_BYTES = 65536  # for one recv(); more than most peers send at once: chunks stay whole
MAX_HELD_BYTES = 1 << 20  # in each direction, with --delay and --glue; then its sender must wait
MAX_HELD_CHUNKS = 4096  # a chunk of one byte costs us a hundred bytes, so chunks are counted too
# Without a pause the receiver's kernel joins what waits in its buffer.  SIMPLIFIED: no sender
# can know when the other program has called recv(); a busy one still gets two slices at once.
SLICE_GAP_S = 0.002  # time to wake up and take it, for a receiver that waits in recv()


@dataclass(frozen=True)
class Spoiling:
    """Say what the tap does to the stream; the defaults do nothing.

    Nothing changes a byte, and only `cut_bytes` loses any: a correct program behaves the
    same, it only takes longer.
    """

    slice_bytes: int | None = None  # send at most so many bytes at a time, and wait after each send
    slice_gap_s: float = SLICE_GAP_S  # this long (or for delay_s, if that is longer)
    glue_s: float = 0  # after a chunk collect for this long, then send all of it as one
    delay_s: float = 0  # each chunk leaves this much later than it came
    stall_s: float = 0  # when the server first sends something, do not read it for this long
    cut_bytes: int | None = None  # after so many bytes in both directions together, RST to both


class Direction:
    """Carry bytes one way, from `source` to `sink`, in order and in bounded memory."""

    def __init__(self, sender: str, source: socket, sink: socket, spoiling: Spoiling, stall_s: float = 0):
        self.sender = sender  # "client" or "server"
        self.source, self.sink = source, sink
        self.spoiling = spoiling
        self.stall_s = stall_s  # how long the stall will be; 0 once it has begun
        self.stalled_until = 0.0
        self.held: deque[tuple[float, bytes]] = deque()
        self.held_bytes = 0
        self.leaving = memoryview(b"")
        self.next_slice_at = 0.0
        self.blocked = False  # the kernel takes no more for the sink at the moment
        self.ended = False  # nothing more comes from the source
        self.reset = False  # because it was reset: the sink must see RST, not FIN
        self.done = False  # the sink has seen the end, or is gone

    def full(self) -> bool:
        """Tell whether to stop reading.  TCP then makes the source's peer wait."""
        if not (self.spoiling.delay_s or self.spoiling.glue_s):
            return bool(self.held or self.leaving)  # no reason to hold more than one chunk
        return self.held_bytes >= MAX_HELD_BYTES or len(self.held) >= MAX_HELD_CHUNKS

    def wants_read(self, now: float) -> bool:
        return not self.ended and not self.full() and now >= self.stalled_until

    def receive(self, now: float) -> None:
        """Take one chunk from the source, which has something for us.  Blocks: never."""
        try:
            chunk = self.source.recv(RECV_BYTES)
        except BlockingIOError:
            return  # NOTE: selectors may be mistaken; it will tell us again
        except OSError:
            chunk = b""
            self.reset = True
        self.ended = not chunk
        self.held.append((now + self.spoiling.delay_s, chunk))
        self.held_bytes += len(chunk)

    def begin_stall(self, now: float) -> None:
        """Read nothing for `stall_s`, once: the source's peer meets a slow consumer."""
        self.stalled_until = now + self.stall_s
        self.stall_s = 0

    def due_at(self) -> float:
        """Return when the first held chunk leaves; infinity if nothing is held."""
        if not self.held:
            return inf
        leaves_at, chunk = self.held[0]
        # EOF need not wait, and if we hold as much as we may, we cannot collect more.
        return leaves_at if not chunk or self.full() else leaves_at + self.spoiling.glue_s

    def next_piece(self, now: float) -> memoryview:
        """Return what to send now; empty if nothing is due, or only EOF."""
        if now < self.next_slice_at:
            return memoryview(b"")
        if not self.leaving and self.held and self.held[0][1] and self.due_at() <= now:
            chunks = [self.held.popleft()[1]]
            while self.spoiling.glue_s and self.held and self.held[0][0] <= now:
                if not self.held[0][1]:
                    break  # EOF stays where it is, for at_end()
                chunks.append(self.held.popleft()[1])
            self.leaving = memoryview(b"".join(chunks))
            self.held_bytes -= len(self.leaving)
        return self.leaving[: self.spoiling.slice_bytes]

    def send(self, piece: memoryview, now: float) -> int:
        """Offer `piece` to the kernel; return how many bytes it took.

        Blocks: never.  Raises: OSError when the sink's peer is gone.
        """
        try:
            sent = self.sink.send(piece)
        except BlockingIOError:
            self.blocked = True
            return 0
        self.blocked = False
        self.leaving = self.leaving[sent:]
        if self.spoiling.slice_bytes:
            self.next_slice_at = now + max(self.spoiling.slice_gap_s, self.spoiling.delay_s)
        return sent

    def at_end(self, now: float) -> bool:
        """Tell whether everything has left and it is time to pass the end on."""
        if self.done or self.leaving or not self.held:
            return False
        return not self.held[0][1] and self.due_at() <= now

    def give_up(self) -> None:
        """Drop everything: the sink's peer is gone."""
        self.held.clear()
        self.leaving = memoryview(b"")
        self.blocked = False
        self.ended = self.done = True

    def wake_at(self, now: float) -> float:
        """Return when there will be something to do, even if no socket has news; it may be infinity."""
        times = []
        if not self.ended and self.stalled_until > now:
            times.append(self.stalled_until)
        if self.leaving and not self.blocked:
            times.append(self.next_slice_at)
        elif self.held and not self.leaving and not self.done:
            times.append(max(self.due_at(), self.next_slice_at))
        return min(times, default=inf)
