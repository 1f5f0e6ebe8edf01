"""Doors: more ports for one server, whose bytes or lines come in another form.

Behind each door the same handlers serve, with the same registry, limits and outboxes: a user who
comes by TLS or from a browser is in the same rooms as one who comes by TCP alone.

door    a port with a thread that accepts there; it knows the stream and the codec of who comes in
house   the server that the door belongs to
inner   the codec that the protocol itself has, inside one that wraps each line once more
"""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from extras.tls.stream import PlainStream, SpeakingStream
from step1_echo.serving import POLL_INTERVAL_S, Address, Server, log
from step5_server.codec import Codec
from step5_server.handler import LineHandler
from step5_server.line_server import LineServer
from step5_server.stream import Stream


class Door(Server):
    """One more port of a house."""

    def __init__(
        self,
        address: tuple[str, int],
        house: "DoorServer",
        stream: Callable[[socket.socket], SpeakingStream] = PlainStream,
        codec: Callable[[Codec], Codec] | None = None,
    ):
        """Listen at the address: stream(sock) and codec(inner) give what a connection needs.

        Raises: OSError when the address cannot be had.
        """
        self.house, self.stream, self.codec = house, stream, codec
        self.handler_class = house.handler_class
        super().__init__(address)
        self._acceptor: threading.Thread | None = None

    def start(self, poll_interval: float) -> None:
        """Accept from now on, in a thread of our own."""
        self._acceptor = threading.Thread(target=self.serve_forever, args=(poll_interval,), name="door", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Accept no more, and free the port.  Blocks: until the thread has ended."""
        super().stop()
        if self._acceptor:
            self._acceptor.join()

    def process_request(self, request: Any, client_address: Address) -> None:
        """Give the connection a thread; there may be none, and without a handshake no words for it."""
        try:
            self.house.start_thread(self.process_request_thread, request, client_address)
        except (RuntimeError, MemoryError) as error:
            self.shutdown_request(request)
            self.pause(error)

    def finish_request(self, request: Any, client_address: Address) -> None:
        """Serve the connection as the house does."""
        self.house.handler_class(request, client_address, self.house, door=self)


class DoorHandler(LineHandler):
    """Serve one connection, by whichever door it came: None is the house's own port."""

    door: Door | None = None

    def __init__(self, request: socket.socket, client_address: Address, server: LineServer, door: Door | None = None):
        self.door = door
        super().__init__(request, client_address, server)  # which serves the whole connection

    def stream(self) -> Stream:
        """Return what carries our bytes."""
        stream = self.door.stream(self.request) if self.door else PlainStream(self.request)
        stream.speak, stream.complain = self.speak, self.complain
        return stream

    def codec(self) -> Codec:
        """Return what makes lines of bytes, and bytes of lines."""
        codec = super().codec()
        return self.door.codec(codec) if self.door and self.door.codec else codec

    def handle(self) -> None:
        """Open the connection, as its door wants it, and serve it."""
        if self.door is None or self.open():
            super().handle()

    def open(self) -> bool:
        """Do what comes before the first line, such as a handshake; tell whether it went well.

        Blocks: until the peer has done its part, or the sweep sends it away.
        """
        if self.refusal:
            if not self.server.may_linger():
                return False  # a thread each until they have shaken hands: too many of them
            self.conn.closing_since = time.monotonic()  # for the sweep: it has LINGER_S from now on
        try:
            self.conn.stream.open()
        except OSError as error:
            if not self.conn.closing:  # else whoever has ended it has said why
                self.conn.end_reason = error.strerror or str(error)
            return False
        while not self.conn.codec.opened:
            if not self.conn.read():
                return False
            self.conn.deliver()
        if not self.refusal:
            self.answer_lines()  # there may be some in the chunk that has ended the handshake
            self.conn.deliver()
        return True

    def speak(self) -> None:
        """Send what our stream has to say by itself, with no line of ours.  Blocks: never."""
        self.outbox.put(b"")
        self.outbox.flush()

    def complain(self, text: str) -> None:
        """Send away a peer that has the wrong port.  Thread: the connection's own."""
        log.warning("%s: %s: sent away", self, text)
        self.server.dismiss(self, "unavailable", text)  # of the protocol's codes: nothing has been done


class DoorServer(LineServer):
    """A line server with any number of doors besides its own port."""

    handler_class: type[DoorHandler]

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self.doors: list[Door] = []

    def serve_forever(self, poll_interval: float = POLL_INTERVAL_S) -> None:
        """Accept at each door, and at our own port."""
        for door in self.doors:
            door.start(poll_interval)
        super().serve_forever(poll_interval)

    def stop(self) -> None:
        """Close the doors, then stop as ever."""
        for door in self.doors:
            door.stop()
        super().stop()
