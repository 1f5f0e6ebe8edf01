"""Probes: the handlers of a server, as subclasses that also tell what they do; they bring in the others.

Each does what its parent does, and calls the gate.  No step knows of them: a server without the
glass runs none of this.

sockets, buffers, outboxes, lock   the other probes, a file each
"""

import sys
from collections.abc import Callable

from extras.glass.gate import Gate, text_of
from extras.glass.outboxes import TellingOutbox
from extras.glass.sockets import TellingSocket


def told_parse(gate: Gate, parse: Callable, line: bytes, *args):
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
        return told_parse(self.gate, super().parse, line)

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
