"""Probes: the handlers of a server, as subclasses that also tell what they do; they bring in the others.

Each does what its parent does, and calls the gate.  No step knows of them: a server without the
glass runs none of this.

sockets, buffers, outboxes, lock   the other probes, a file each
"""

import socketserver
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from extras.broadcast.fan_out import FanOutConnection
from extras.glass.buffers import TellingCodec
from extras.glass.gate import Gate, text_of
from extras.glass.outboxes import TellingOutbox
from extras.glass.sockets import TellingSocket
from extras.rooms.server import RoomsHandler
from step1_echo.serving import Address
from step3_protocol.protocol import Request
from step4_framing.framing import LineTooLong
from step5_server.codec import Codec
from step5_server.connection import Connection
from step5_server.request_handler import RequestHandler
from step5_server.server import ChatHandler
from step5_server.stream import Stream

if TYPE_CHECKING:
    from extras.glass.watched import WatchedLineServer, WatchedRooms, WatchedServer  # which import us


def told_parse(gate: Gate, parse: Callable[..., Any], line: Any, *args: Any) -> Any:
    """Return the request (its verb, its parameters) that parse(line, *args) makes of it, and tell it.

    Raises: what parse does; that is told, too.
    """
    try:
        request = parse(line, *args)
    except Exception as error:  # the protocol's, the learner's, or a bug: it goes on its way
        gate.tell("request", error=getattr(error, "code", type(error).__name__))
        gate.stop()
        raise
    if request:
        verb, params = request
        gate.tell("request", verb=verb, params=list(params))
        gate.stop()
    return request


class TellingConnection(Connection):
    """A connection with such an outbox."""

    def __init__(self, stream: Stream, codec: Codec, address: Address, max_pending_bytes: int, too_slow_line: bytes):
        super().__init__(stream, codec, address, max_pending_bytes, too_slow_line)
        assert isinstance(stream.sock, TellingSocket)  # TellingLineHandler has put it there
        self._teller = stream.sock
        self.outbox = TellingOutbox(self._teller, stream, codec, max_pending_bytes, too_slow_line)

    def close(self, linger: bool = True) -> None:
        """Let the peer read what waits for it, and close."""
        self._teller.lingers = True
        super().close(linger)


class TellingFanOut(TellingConnection, FanOutConnection):
    """The same, whose lines may go to many."""


class TellingHandler(socketserver.BaseRequestHandler):
    """What every handler tells: the base of a class, before a handler.  Its server has the gate."""

    server: "WatchedServer"

    def setup(self) -> None:
        """Be the lane that the acceptor has numbered."""
        self.gate, self.lane = self.server.gate, self.server.lane_of(self.client_address)
        self.gate.enter(self.lane, f"lane {self.lane.number}")
        super().setup()

    def finish(self) -> None:
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
    def name(self) -> Any:
        """The name of its user; before LOGIN it is "" in step 5, and None in the learner's."""
        return self.__dict__.get("name")

    @name.setter
    def name(self, name: Any) -> None:
        self.__dict__["name"] = name
        if name:
            self.gate.tell("named", self.lane, name=name)


class TellingLineHandler(TellingHandler, RequestHandler):
    """What a handler of step 5 tells: the base of a class, before a handler."""

    connection_class = TellingConnection
    codec_class = TellingCodec
    server: "WatchedLineServer"

    def stream(self) -> Stream:
        """Return what carries our bytes, with a socket that tells."""
        stream = super().stream()
        # The ignored one: it can do all that is asked of a socket here.
        stream.sock = TellingSocket(stream.sock, self.gate, self.lane)  # type: ignore[assignment]
        return stream

    def codec(self) -> Codec:
        """Return what makes lines of bytes, and bytes of lines."""
        codec = super().codec()
        assert isinstance(codec, TellingCodec)
        codec.gate = self.gate
        return codec

    def parse(self, line: bytes | LineTooLong) -> Request | None:
        """Return the request, and tell it, or what is wrong with it."""
        request: Request | None = told_parse(self.gate, super().parse, line)
        return request

    def send(self, line: bytes) -> None:
        """Queue a line for our own peer."""
        if line.split(b" ")[0] in (b"OK", b"ERR"):
            self.gate.tell("reply", self.lane, line=text_of(line))
        super().send(line)

    def why(self) -> str:
        """Return why the connection has ended."""
        return self.conn.end_reason


class TellingChatHandler(TellingLineHandler, ChatHandler):
    """What a handler of step 5's server tells."""


class TellingRoomsHandler(TellingLineHandler, RoomsHandler):
    """What a handler of the server with rooms tells: its turn, too, is long only if the gate has not made it so."""

    connection_class = TellingFanOut
    server: "WatchedRooms"

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
