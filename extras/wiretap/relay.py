"""Stand between two sockets and carry what each says to the other.

One thread serves both directions.  Two threads would need less code, but for `--cut`: a
socket in which another thread waits cannot be reset, because its close() has an effect only
when that wait is over.  So nothing here waits in recv() or send(): a selector waits for all.

client, server   the two ends; each of them takes the tap for the other
up, down         the Direction from the client to the server, and the one back
"""

import contextlib
import os
import selectors
import socket
import struct
import time

from extras.wiretap.direction import Direction, Spoiling
from extras.wiretap.display import Trace

MAX_WAIT_S = 3600  # a selector cannot wait longer than some weeks; we wake up and wait again
# Linger for 0 seconds: close() throws away what is unsent, and sends RST instead of FIN.
# Source: socket(7), SO_LINGER; the two fields of the C struct are shorter on Windows.
RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Relay:
    """Carry one connection: two directions, and what they must know about each other."""

    selector_class: type[selectors.BaseSelector] = selectors.DefaultSelector

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        spoiling: Spoiling,
        trace: Trace,
        stopping: socket.socket | None = None,
    ):
        """Stand between two connected sockets.

        `trace` is told all that happens (see display.Trace).  `stopping` is a socket that
        becomes readable when the tap itself must end.
        """
        self.client, self.server = client, server
        self.up = Direction("client", client, server, spoiling)
        self.down = Direction("server", server, client, spoiling, spoiling.stall_s)
        self.bytes_to_cut = spoiling.cut_bytes
        self.trace = trace
        self.stopping = stopping
        self.over = False

    def run(self) -> None:
        """Carry until both directions have ended, or one end is reset; close both sockets.

        Blocks: until then.
        """
        with self.client, self.server, self.selector_class() as selector:
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

    def wait(self, selector: selectors.BaseSelector) -> set[object]:
        """Wait until there is something to do; return the sockets to read from."""
        now = time.monotonic()
        times = [now + MAX_WAIT_S]
        for sock, reader, writer in ((self.client, self.up, self.down), (self.server, self.down, self.up)):
            events = selectors.EVENT_READ if reader.wants_read(now) else 0
            events |= selectors.EVENT_WRITE if writer.blocked else 0
            watch(selector, sock, events)
            times.append(reader.wake_at(now))
        ready = selector.select(max(0, min(times) - now))
        return {key.fileobj for key, events in ready if events & selectors.EVENT_READ}

    def take_in(self, direction: Direction) -> None:
        """Read what the source has, or begin the stall instead."""
        if direction.stall_s:
            self.trace.event("stall", direction.sender, f"not read for {direction.stall_s:g} s")
            direction.begin_stall(time.monotonic())
        else:
            direction.receive(time.monotonic())

    def pass_on(self, direction: Direction) -> None:
        """Send the next piece that is due, or pass on the end."""
        if self.over:
            return  # the other direction has just reset both
        now = time.monotonic()
        piece = direction.next_piece(now)[: self.bytes_to_cut]
        if piece:
            try:
                sent = direction.send(piece, now)
            except OSError:
                self.lose_sink(direction)
                return
            if sent:
                self.trace.chunk(direction.sender, bytes(piece[:sent]))
                self.count_down_to_cut(sent)
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
        with contextlib.suppress(OSError):  # NOTE: gone; the other direction will find out
            direction.sink.shutdown(socket.SHUT_WR)

    def lose_sink(self, direction: Direction) -> None:
        """Note that the sink's peer reset its connection; the other end must see that too."""
        direction.give_up()
        other = self.down if direction is self.up else self.up
        other.reset = True  # but first comes what it sent before
        if other.done:
            self.pass_end(other)

    def reset(self, *socks: socket.socket) -> None:
        """Make close() send RST to these, and end the relay."""
        for sock in socks:
            with contextlib.suppress(OSError):  # NOTE: macOS says so if its peer has reset it
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.over = True


def watch(selector: selectors.BaseSelector, sock: socket.socket, events: int) -> None:
    """Let the selector wait for just these events; if there are none, take the socket out of it."""
    key = selector.get_map().get(sock)
    if events == (key.events if key else 0):
        return
    if key:
        selector.unregister(sock)
    if events:
        selector.register(sock, events)
