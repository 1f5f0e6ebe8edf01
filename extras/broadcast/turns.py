"""Turns: take the lock once for a whole chunk, which is cheaper than once for each line.

A chunk may hold hundreds of requests, and all others wait for the lock meanwhile.  So a turn is
not longer than TURN_S.  An answer may be long, too: then it is a generator, and at each `yield`
its reader may have to catch up first, and others come in between.

turn   the time from taking the registry's lock to letting go of it
"""

import contextlib
import time
from collections.abc import Iterator

from extras.broadcast.fan_out import FanOutConnection
from extras.broadcast.fast_server import FastServer
from extras.tls.doors import DoorHandler
from step5_server.handler import STEP_BACK_S

TURN_S = 0.005  # the longest wait for the lock that one connection causes; some 300 requests


class TurnHandler(DoorHandler):
    """Serve one connection: a chunk is one step, and what it says to many is held back until its end."""

    connection_class = FanOutConnection
    conn: FanOutConnection
    server: FastServer
    turn_began = 0.0

    def setup(self) -> None:
        """Take a place; the server carries what we say to many."""
        super().setup()
        self.conn.carry = self.server.deliver

    def answer_lines(self) -> None:
        """Answer the lines that a chunk has completed: one step, unless it takes long."""
        with self.registry.lock:
            self.turn_began = time.monotonic()
            try:
                while not self.outbox.ended and (line := self.conn.next_line()) is not None:
                    self.answer(line)
                    self.pause()
            finally:
                self.conn.put_held()

    def free(self) -> None:
        """Free our place and what the peer held.  Thread: holds the registry's lock."""
        super().free()
        self.conn.put_held()

    def carry_out(self, answer: Iterator[None]) -> None:
        """Go through a long answer, a generator."""
        for _ in answer:
            self.pause()
            if self.outbox.ended:
                break  # nobody is there for the rest of it

    def pause(self) -> None:
        """Let the others in if our turn was long; wait for our peer if it has much to read."""
        was_long = time.monotonic() - self.turn_began > TURN_S
        if was_long or self.conn.reply_room < 0:
            with self.unlocked():
                self.conn.deliver()
                self.conn.wait_for_peer()
                if was_long:
                    time.sleep(STEP_BACK_S)
            self.turn_began = time.monotonic()

    @contextlib.contextmanager
    def unlocked(self) -> Iterator[None]:
        """Let go of the registry's lock for something that takes its time."""
        self.conn.put_held()
        self.registry.lock.release()
        try:
            yield
        finally:
            self.registry.lock.acquire()
