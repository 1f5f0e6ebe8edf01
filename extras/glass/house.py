"""The house: a server that is watched, the page's desk, and the gate that both have in common.

A scene may want another server: then the one before stops, and the new one has its port.  Events and
lanes are numbered on, so a page sees one list.
"""

import threading
from collections.abc import Callable
from typing import Any

from extras.glass.chosen import SERVERS
from extras.glass.commands import obey
from extras.glass.desk import Desk
from extras.glass.director import Director
from extras.glass.gate import Gate
from extras.glass.watched import MAX_PENDING_BYTES, WatchedServer
from step1_echo.serving import POLL_INTERVAL_S, Address

LAST_EVENTS_S = 5.0  # how long to wait for the threads of a server that has stopped


class House:
    """A server that can be run as any other."""

    def __init__(
        self,
        address: tuple[str, int],
        server: str = "rooms",
        desk_address: tuple[str, int] | None = None,
        rate: float = 0.0,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ):
        """Listen at the address, and for pages at the desk's, if there is one.

        `server` is one of SERVERS; `rate` steps a second, 0 is full speed.
        Raises: OSError when an address cannot be had.
        """
        self.gate = Gate(server, rate)
        self.max_pending_bytes = max_pending_bytes
        self.server = self._build(server, address)
        self.server_address = self.server.server_address
        self.desk: Desk | None = None
        self.director = Director(self._do_for_scene, self.gate.tell)
        self.gate.listeners.append(self.director.see)
        self._directing = threading.Lock()  # guards the director: one page at a time begins a scene or a step
        self._is_over = False  # guarded by it: nobody begins one any more
        self._changing = threading.Lock()  # guards all below: one change at a time, and none while we stop
        self._acceptor: threading.Thread | None = None
        self._poll_interval = POLL_INTERVAL_S
        self._ended = False
        self._may_end = threading.Event()
        if desk_address:
            self.open_desk(desk_address)

    def open_desk(self, address: tuple[str, int]) -> None:
        """Listen for pages; before serve_forever().  Raises: OSError."""
        try:
            self.desk = Desk(address, self)
        except OSError:
            self.server.server_close()
            raise

    def _build(self, name: str, address: Address) -> WatchedServer:
        return SERVERS[name](address[:2], gate=self.gate, max_pending_bytes=self.max_pending_bytes)

    def where(self) -> str:
        """Return the address for terminals, and in a line of its own the one for browsers."""
        return self.server.where() + (f"\nopen http://{self.desk.where()}" if self.desk else "")

    def obey(self, command: Any) -> None:
        """Do what a page asks for.  Raises: ValueError with what is wrong."""
        obey(self, command)

    def do(self, command: Any) -> int | None:
        """Do the same, and return the lane of whom it has added.

        Blocks: until there is the lane.  Raises: ValueError.
        """
        player = obey(self, command)
        return player.wait_for_lane() if player else None

    def _do_for_scene(self, command: Any) -> int | None:
        """Do the same for a scene; what goes wrong, since a page has meddled, is told to all."""
        try:
            return self.do(command)
        except ValueError as error:
            self.gate.tell("refused", text=str(error))
            return None

    def direct(self, act: Callable[[Director], None]) -> None:
        """Let the director do something: act(director).  Raises: ValueError."""
        with self._directing:
            if self._is_over:
                raise ValueError("all of it stops")
            act(self.director)

    def serve_forever(self, poll_interval: float = POLL_INTERVAL_S) -> None:
        """Accept, and show it to pages, until stop() is called."""
        self._poll_interval = poll_interval
        with self._changing:
            if not self._ended:
                self._start()
                if self.desk:
                    self.desk.start(poll_interval)
        self._may_end.wait()

    def _start(self) -> threading.Thread:
        """Let the server accept, in the thread that is returned.  Holds the lock."""
        serve, times = self.server.serve_forever, (self._poll_interval,)
        self._acceptor = threading.Thread(target=serve, args=times, name="acceptor", daemon=True)
        self._acceptor.start()
        return self._acceptor

    def change(self, name: str) -> None:
        """Stop the server, and start one of this name at its port.

        Blocks: until the one before has ended.  Raises: ValueError.
        """
        if name not in SERVERS:
            raise ValueError(f"there is no server {name!r}")
        with self._changing:
            if self._ended:
                raise ValueError("all of it stops")
            self._stop_server()
            self.gate.begin(name)
            try:
                self.server = self._build(name, self.server_address)
            except OSError as error:
                raise ValueError(f"its port is gone: {error.strerror or error}") from None
            self._start()

    def _stop_server(self) -> None:
        """Stop the server, and wait for its threads' last events.  Holds the lock."""
        self.gate.end()
        acceptor = self._acceptor or self._start()  # socketserver's shutdown() waits for a loop, even if none has begun
        self.server.stop()
        acceptor.join()
        with self.gate.moment:
            self.gate.news.wait_for(lambda: not self.gate.lanes, LAST_EVENTS_S)

    def stop(self) -> None:
        """Keep nobody any more, and stop all of it.  Blocks: as the server does."""
        self.gate.end()
        with self._directing:
            self._is_over = True
        self.director.end()
        with self._changing:
            self._ended = True
            self._stop_server()
        if self.desk:
            self.desk.end()
        self._may_end.set()
