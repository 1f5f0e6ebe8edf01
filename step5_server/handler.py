"""A line handler: one peer's requests, each answered exactly once.

Subclasses add verbs: a shape in VERBS, and a do_VERB method that checks first, changes
and queues then, and calls ok() once.  It runs under the registry's lock, so a request is
one step: nobody sees it half done, and nobody's events come between its own.  In fact the
requests of a chunk are one step, which is cheaper than one each; but a turn is not longer
than TURN_S, since all the others wait for the lock meanwhile.

An answer may be long.  Then do_VERB is a generator: at each `yield` its reader may have to
catch up first, and then others come in between.

turn   the time from taking the lock to letting go of it
"""

import contextlib
import socketserver
import time
from collections.abc import Iterator

from step1_echo.serving import format_address, log
from step3_protocol.protocol import ProtocolError, format_line, parse_line
from step4_framing.framing import LineTooLong, frame_line
from step5_server.connection import Connection

TURN_S = 0.005  # the longest wait for the lock that one connection causes; some 300 requests
STEP_BACK_S = 0.0001  # to sleep at all is enough: whoever waits for the lock has it then


class LineHandler(socketserver.BaseRequestHandler):
    """Serve one connection, in its own thread.

    A subclass may override VERBS, its do_* methods and on_gone(); for another protocol, answer()
    and last_words(), and connection_class for another way to deliver.  The server gives: registry, deliver, max_pending_bytes, admit(), retire(),
    may_linger(), forget().
    """

    VERBS: dict[str, str] = {}  # verb -> shape: what a peer may say, and nothing else
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
        """Give one line its one reply.  Thread: holds the registry's lock."""
        self._replies = 0
        try:
            if isinstance(line, LineTooLong):
                raise ProtocolError("line-too-long", "at most 1024 bytes a line")
            request = parse_line(line, self.VERBS, logged_in=self.name is not None)
            if request is None:
                return  # an empty line
            log.info("%s: %s", self, request.verb)
            self.carry_out(getattr(self, "do_" + request.verb)(*request.args))
        except ProtocolError as error:
            self._reply("ERR", error.code, error.text)
        if self._replies != 1 and not self.outbox.ended:
            raise RuntimeError(f"{self._replies} replies to {line!r}")  # a bug of ours

    def ok(self, text: str = "") -> None:
        """Reply OK: once in each do_* method, which raises ProtocolError otherwise."""
        if text:
            self._reply("OK", text)
        else:
            self._reply("OK")

    def send(self, line: bytes) -> None:
        """Queue a line for our own peer."""
        self.conn.send(frame_line(line))

    def send_to(self, member: "LineHandler", line: bytes) -> None:
        """Queue a line for another member's peer."""
        self.conn.send_to(member.outbox, frame_line(line))

    @staticmethod
    def last_words(code: str, text: str) -> bytes:
        """Return the framed line that a connection ends with when the server ends it."""
        return frame_line(format_line("ERR", code, text))

    def on_gone(self) -> None:
        """Free what the peer held: it is gone.  Thread: holds the registry's lock."""

    def __str__(self) -> str:
        """Return who this is, for the log."""
        return f"{format_address(self.client_address)} {self.name or '-'}"

    def _reply(self, *words: str) -> None:
        self._replies += 1
        self.send(format_line(*words))
