"""A line handler: one connection's life, in a thread of its own, whatever its lines mean.

A subclass gives what its protocol needs: answer(), last_words() and on_gone().

turn   the time from taking the lock to letting go of it
"""

import contextlib
import socketserver
import time
from collections.abc import Iterator

from step1_echo.serving import format_address, log
from step4_framing.framing import LineTooLong
from step5_server.connection import Connection

TURN_S = 0.005  # the longest wait for the lock that one connection causes; some 300 requests
STEP_BACK_S = 0.0001  # to sleep at all is enough: whoever waits for the lock has it then


class LineHandler(socketserver.BaseRequestHandler):
    """Serve one connection, in its own thread.

    A subclass gives answer(), last_words() and on_gone(), and may name another connection_class.
    The server gives: registry, deliver, max_pending_bytes, admit(), retire(), may_linger(),
    forget().
    """

    connection_class = Connection

    def setup(self):
        """Wrap the socket, and ask the server for a place."""
        self.name: str | None = None  # set when the peer has logged in
        self.registry = self.server.registry
        self.conn = self.connect()
        self.outbox = self.conn.outbox
        self.turn_began = self.conn.opened_at
        # Last, since finish() does not run if setup() raises.
        self.refusal = self.server.admit(self)

    def connect(self) -> Connection:
        """Return the connection for our socket."""
        return self.connection_class(
            self.request,
            self.client_address,
            max_pending_bytes=self.server.max_pending_bytes,
            deliver=self.server.deliver,
            too_slow_words=self.last_words("too-slow", "more is sent to you than you read"),
        )

    def handle(self):
        """Read and answer lines until the peer or the server ends it."""
        log.info("%s: connected", self)
        if self.refusal:
            self.conn.hang_up(self.refusal)
        while not self.outbox.ended and self.conn.read():
            self.answer_lines()

    def finish(self):
        """Free what the peer held, at once; then let the last words reach it."""
        try:
            with self.registry.lock:
                self.server.retire(self)
                self.on_gone()
                self.conn.post()
        finally:
            self.conn.close(linger=self.server.may_linger())
            log.info("%s: closed: %s", self, self.conn.end_reason)
            self.server.forget(self)  # last: stop() waits for it, and then the process ends

    def answer_lines(self) -> None:
        """Answer the lines that a chunk has completed: one step, unless it takes long."""
        with self.registry.lock:
            self.turn_began = time.monotonic()
            try:
                while not self.outbox.ended and (line := self.conn.next_line()) is not None:
                    self.answer(line)
                    self.pause()
            finally:
                self.conn.post()

    def carry_out(self, answer: Iterator[None] | None) -> None:
        """Go through a long answer, a generator; any other is done already."""
        for _ in answer or ():
            self.pause()
            if self.outbox.ended:
                break  # nobody is there for the rest of it

    def pause(self) -> None:
        """Let the others in if our turn was long; wait for our peer if it has much to read."""
        was_long = time.monotonic() - self.turn_began > TURN_S
        if was_long or self.conn.replied_much:
            with self.unlocked():
                self.conn.deliver_and_wait()
                if was_long:
                    time.sleep(STEP_BACK_S)
            self.turn_began = time.monotonic()

    @contextlib.contextmanager
    def unlocked(self):
        """Let go of the registry's lock for something that takes its time."""
        self.conn.post()
        self.registry.lock.release()
        try:
            yield
        finally:
            self.registry.lock.acquire()

    def answer(self, line: bytes | LineTooLong) -> None:
        """Do what a line asks.  Thread: holds the registry's lock."""
        raise NotImplementedError

    @staticmethod
    def last_words(code: str, text: str) -> bytes:
        """Return the framed line that a connection ends with when the server ends it."""
        raise NotImplementedError

    def on_gone(self) -> None:
        """Free what the peer held: it is gone.  Twice does no harm.  Thread: holds the registry's lock."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return who this is, for the log."""
        return f"{format_address(self.client_address)} {self.name or '-'}"
