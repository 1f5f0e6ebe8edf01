"""A line handler: one connection's life, in a thread of its own, whatever its lines mean.

A subclass gives what its protocol needs: answer(), last_line() and on_gone().
"""

import socket
import socketserver
import time
from typing import TYPE_CHECKING

from step1_echo.serving import Address, format_address, log
from step4_framing.framing import LineTooLong
from step5_server.codec import Codec, LineCodec
from step5_server.connection import Connection
from step5_server.stream import Stream

if TYPE_CHECKING:
    from step5_server.line_server import LineServer  # which imports us

# A thread that lets go of a lock and takes it again is faster than one that waits for it and has
# to wake up first.  So whoever has sent so many lines (less than a millisecond of work) steps
# back: to sleep at all is enough for somebody else to get the lock.
LINES_IN_A_ROW = 30
STEP_BACK_S = 0.0001


class LineHandler(socketserver.BaseRequestHandler):
    """Serve one connection, in its own thread.

    A subclass gives answer(), last_line() and on_gone(), and may name another
    connection_class and codec_class.
    The server gives: registry, max_pending_bytes, admit(), retire(), may_linger(), forget().
    """

    connection_class: type[Connection] = Connection
    codec_class: type[LineCodec] = LineCodec
    # What socketserver calls them, and what they are here.
    request: socket.socket
    client_address: Address
    server: "LineServer"

    def setup(self) -> None:
        """Wrap the socket, and ask the server for a place."""
        self.name = ""  # set when the peer has logged in
        self.registry = self.server.registry
        self.conn = self.connect()
        self.outbox = self.conn.outbox
        self.lines_answered = 0
        # Last, since finish() does not run if setup() raises.
        self.refusal = self.server.admit(self)

    def connect(self) -> Connection:
        """Return the connection for our socket."""
        return self.connection_class(
            self.stream(),
            self.codec(),
            self.client_address,
            max_pending_bytes=self.server.max_pending_bytes,
            too_slow_line=self.last_line("too-slow", "more is sent to you than you read"),
        )

    def stream(self) -> Stream:
        """Return what carries our bytes: here the socket alone."""
        return Stream(self.request)

    def codec(self) -> Codec:
        """Return what makes lines of bytes, and bytes of lines."""
        return self.codec_class()

    def handle(self) -> None:
        """Read and answer lines until the peer or the server ends it."""
        log.info("%s: connected", self)
        if self.refusal:
            self.conn.hang_up(self.refusal)
        while not self.outbox.ended and self.conn.read():
            self.answer_lines()
            self.conn.deliver()  # before we sleep: nobody must wait for our next line
            self.conn.wait_for_peer()

    def finish(self) -> None:
        """Free what the peer held, at once; then let the last words reach it."""
        try:
            with self.registry.lock:
                self.free()
        finally:
            self.conn.deliver()
            self.conn.close(linger=self.server.may_linger())
            log.info("%s: closed: %s", self, self.conn.end_reason)
            self.server.forget(self)  # last: stop() waits for it, and then the process ends

    def answer_lines(self) -> None:
        """Answer the lines that a chunk has completed, each in one step under the lock.

        Blocks: for a moment, now and then, and while our own peer does not read its replies.
        """
        while not self.outbox.ended and (line := self.conn.next_line()) is not None:
            with self.registry.lock:
                self.answer(line)
            self.lines_answered += 1
            if self.lines_answered % LINES_IN_A_ROW == 0:
                time.sleep(STEP_BACK_S)  # nobody must have the lock all the time
            if self.conn.reply_room < 0:
                self.conn.deliver()
                self.conn.wait_for_peer()

    def free(self) -> None:
        """Free our place and what the peer held.  Thread: holds the registry's lock."""
        self.server.retire(self)
        self.on_gone()

    def answer(self, line: bytes | LineTooLong) -> None:
        """Do what a line asks.  Thread: holds the registry's lock."""
        raise NotImplementedError

    @staticmethod
    def last_line(code: str, text: str) -> bytes:
        """Return the line that a connection ends with when the server ends it."""
        raise NotImplementedError

    def on_gone(self) -> None:
        """Free what the peer held: it is gone.  Twice does no harm.

        Thread: holds the registry's lock.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        """Return who this is, for the log."""
        return f"{format_address(self.client_address)} {self.name or '-'}"
