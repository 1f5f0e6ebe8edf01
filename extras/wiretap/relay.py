"""Carry one connection's bytes through the tap, both ways, and spoil them if asked.

One thread looks after both directions.  A thread each would be shorter, until `--cut`: a
socket that another thread waits in cannot be reset, for its close() comes into effect only
when that wait is over.  So nothing here waits in recv() or send(): a selector waits for all.

client, server   the two ends; the tap stands between them and is the peer of both
source, sink     the socket that a direction reads from, and the one that it writes to
held             chunks that wait for their time: (when they may leave, chunk); b"" is EOF
leaving          the bytes that are due, less what the kernel has already taken
piece            what we offer the kernel in one send()
"""

import os
import selectors
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass

RECV_BYTES = 65536  # for one recv(); more than most peers send at once: chunks stay whole
MAX_HELD_BYTES = 1 << 20  # a direction, under --delay and --glue; then its sender must wait
MAX_HELD_CHUNKS = 4096  # a chunk of one byte costs us a hundred, so they are counted too
SLICE_GAP_S = 0.0002  # enough for a receiver that waits in recv() to wake up and take it
MAX_WAIT_S = 3600  # a selector takes no longer than some weeks; we only look again
# Linger for 0 seconds: close() throws away what is unsent, and sends RST instead of FIN.
# Source: socket(7), SO_LINGER; the two fields of the C struct are shorter on Windows.
RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


@dataclass(frozen=True)
class Spoiling:
    """Say what the tap does to the stream; the defaults do nothing.

    None of it alters a byte, and only `cut_bytes` loses any: to a correct program it is
    all the same, but for the time it takes.
    """

    slice_bytes: int | None = None  # send at most so many at a time
    glue_s: float = 0  # after a chunk collect for so long, then send all of it as one
    delay_s: float = 0  # each chunk leaves so much later than it came
    stall_s: float = 0  # when the server first sends, do not read it for so long
    cut_bytes: int | None = None  # after so many bytes, both ways together, RST to both


class Direction:
    """Carry bytes one way, from `source` to `sink`, in order and in bounded memory."""

    def __init__(self, sender: str, source, sink, spoiling: Spoiling, stall_s: float = 0):
        self.sender = sender  # "client" or "server"
        self.source, self.sink = source, sink
        self.spoiling = spoiling
        self.stall_s = stall_s  # of the stall to come; 0 once it has begun
        self.stalled_until = 0.0
        self.held: deque[tuple[float, bytes]] = deque()
        self.held_bytes = 0
        self.leaving = memoryview(b"")
        self.blocked = False  # the kernel takes no more for the sink at present
        self.ended = False  # nothing more comes from the source
        self.reset = False  # because it was reset: the sink shall see RST, not FIN
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
            return  # NOTE: selectors may be mistaken; this one will call again
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

    def due_at(self) -> float | None:
        """Return when the first of what is held leaves; None where nothing is held."""
        if not self.held:
            return None
        leaves_at, chunk = self.held[0]
        # EOF has nothing to wait for, and a full store cannot collect any more.
        return leaves_at if not chunk or self.full() else leaves_at + self.spoiling.glue_s

    def next_piece(self, now: float) -> memoryview:
        """Return what to send now: empty where nothing is due, or only EOF is."""
        if not self.leaving and self.held and self.held[0][1] and self.due_at() <= now:
            chunks = [self.held.popleft()[1]]
            while self.spoiling.glue_s and self.held and self.held[0][0] <= now:
                if not self.held[0][1]:
                    break  # EOF stays where it is, for at_end()
                chunks.append(self.held.popleft()[1])
            self.leaving = memoryview(b"".join(chunks))
            self.held_bytes -= len(self.leaving)
        return self.leaving[: self.spoiling.slice_bytes]

    def send(self, piece: memoryview) -> int:
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

    def wake_at(self, now: float) -> float | None:
        """Return when there will be work without any news from the sockets, or None."""
        times = []
        if not self.ended and self.stalled_until > now:
            times.append(self.stalled_until)
        if self.leaving and not self.blocked:
            times.append(now)
        elif self.held and not self.leaving and not self.done:
            times.append(self.due_at())
        return min(times, default=None)


class Relay:
    """Carry one connection: two directions, and what they must know of each other."""

    def __init__(self, client, server, spoiling: Spoiling, trace, stopping=None):
        """Stand between two connected sockets.

        `trace` is told all that happens (see display.Trace).  `stopping` is a socket that
        becomes readable when the tap itself shall end.
        """
        self.client, self.server = client, server
        self.up = Direction("client", client, server, spoiling)
        self.down = Direction("server", server, client, spoiling, spoiling.stall_s)
        self.slicing = spoiling.slice_bytes is not None
        self.bytes_to_cut = spoiling.cut_bytes
        self.trace = trace
        self.stopping = stopping
        self.over = False

    def run(self) -> None:
        """Carry until both directions have ended, or one end is reset; close both sockets.

        Blocks: until then.
        """
        with self.client, self.server, selectors.DefaultSelector() as selector:
            self.client.setblocking(False)
            self.server.setblocking(False)
            if self.stopping:
                selector.register(self.stopping, selectors.EVENT_READ)
            while not self.over and not (self.up.done and self.down.done):
                readable = self.wait(selector)
                if self.stopping in readable:
                    return
                for direction in (self.up, self.down):
                    if direction.source in readable:
                        self.take_in(direction)
                    self.pass_on(direction)

    def wait(self, selector) -> set:
        """Wait until there is something to do; return the sockets to read from."""
        now = time.monotonic()
        times = []
        for sock, reader, writer in (
            (self.client, self.up, self.down),
            (self.server, self.down, self.up),
        ):
            events = selectors.EVENT_READ if reader.wants_read(now) else 0
            events |= selectors.EVENT_WRITE if writer.blocked else 0
            watch(selector, sock, events)
            times.append(reader.wake_at(now))
        times = [at for at in times if at is not None]
        timeout = min(max(0, min(times) - now), MAX_WAIT_S) if times else None
        return {
            key.fileobj for key, events in selector.select(timeout) if events & selectors.EVENT_READ
        }

    def take_in(self, direction: Direction) -> None:
        """Read what the source has, or begin the stall instead."""
        if direction.stall_s:
            self.trace.event("stall", direction.sender, f"not read for {direction.stall_s:g} s")
            direction.begin_stall(time.monotonic())
        else:
            direction.receive(time.monotonic())

    def pass_on(self, direction: Direction) -> None:
        """Send the next piece that is due, or pass on the end."""
        now = time.monotonic()
        piece = direction.next_piece(now)[: self.bytes_to_cut]
        if piece:
            try:
                sent = direction.send(piece)
            except OSError:
                self.lose_sink(direction)
                return
            if sent:
                self.trace.chunk(direction.sender, bytes(piece[:sent]))
                self.count_down_to_cut(sent)
                if self.slicing:
                    # Without a pause the receiver's kernel would join what waits in its
                    # buffer.  SIMPLIFIED: no sender can know when the other program has
                    # called recv(), so a busy receiver may find two slices all the same.
                    time.sleep(SLICE_GAP_S)
        if direction.at_end(now):
            self.pass_end(direction)

    def count_down_to_cut(self, sent: int) -> None:
        """Reset both ends once the last byte before the cut is out."""
        if self.bytes_to_cut is not None:
            self.bytes_to_cut -= sent
            if self.bytes_to_cut == 0:
                self.trace.event("cut", detail="RST to both")
                self.reset(self.client, self.server)

    def pass_end(self, direction: Direction) -> None:
        """Tell the sink that its source has ended, in the same way: FIN or RST."""
        direction.done = True
        if direction.reset:
            self.trace.event("RST", direction.sender)
            self.reset(direction.sink)
            return
        self.trace.event("EOF", direction.sender)
        try:
            direction.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # NOTE: the sink's peer is gone; the other direction will find that out

    def lose_sink(self, direction: Direction) -> None:
        """Note that the sink's peer reset its connection, which its other end shall see."""
        direction.give_up()
        other = self.down if direction is self.up else self.up
        other.reset = True  # but first what it sent before
        if other.done:
            self.pass_end(other)

    def reset(self, *socks) -> None:
        """Make close() send RST to these, and end."""
        for sock in socks:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.over = True


def watch(selector, sock, events: int) -> None:
    """Let the selector wait for just these events; for none it must not know the socket."""
    key = selector.get_map().get(sock)
    if events == (key.events if key else 0):
        return
    if key:
        selector.unregister(sock)
    if events:
        selector.register(sock, events)
