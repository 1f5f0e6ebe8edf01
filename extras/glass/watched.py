"""The servers that are watched, with all their probes in place: step 5's, and the one with rooms."""

import socket
from typing import Any

from extras.glass.gate import Gate, Lane
from extras.glass.lock import TellingLock
from extras.glass.outboxes import TellingPostman
from extras.glass.players import Players
from extras.glass.probes import TellingChatHandler, TellingRoomsHandler
from extras.rooms.server import RoomsServer
from step1_echo.serving import Address, Server
from step5_server.line_server import LineServer
from step5_server.registry import Registry
from step5_server.server import ChatServer

# Small enough to be full after some lines, which a learner can watch: the real bound is a megabyte.
MAX_PENDING_BYTES = 16384
# What the kernel is asked to hold for each direction (Linux doubles it): else it would take megabytes
# before anybody sees that a peer does not read.
KERNEL_BYTES = 4096
NEVER_S = 1e9  # no learner is sent away because the clock went on while the threads stood


class WatchedServer(Server):
    """What all have: the base of a class, before a server.

    gate      the order of events, and slow motion
    players   connections of our own, driven from the page
    """

    def __init__(self, address: tuple[str, int], *, gate: Gate, **settings: Any):
        """Listen at the address.  Raises: OSError when it cannot be had."""
        self.gate = gate
        # Those that were just accepted.  Written by the acceptor, and read by the lane's own thread.
        self._lanes_by_address: dict[Address, Lane] = {}
        self._newest: Lane | None = None  # the acceptor's: until it has a thread
        super().__init__(address, **settings)
        self.players = Players(self.server_address, gate)

    def stop(self) -> None:
        """Send our own players home, and stop as ever.  The gate must be at an end: it would keep them."""
        self.players.end()
        super().stop()

    def process_request(self, request: Any, client_address: Address) -> None:
        """Number the connection before it has its thread: in the order in which they came."""
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        ours = self.players.has(client_address)
        self._newest = self._lanes_by_address[client_address] = self.gate.connect(client_address, ours=ours)
        super().process_request(request, client_address)
        self._newest = None

    def pause(self, error: Exception) -> None:
        """Rest, since there is nothing left: not even a thread for who has just come."""
        if self._newest:
            self.gate.gone(self._newest, str(error))
            self._newest = None
        super().pause(error)

    def lane_of(self, client_address: Address) -> Lane:
        """Return the lane of a connection that was just accepted.  Thread: its own."""
        return self._lanes_by_address.pop(client_address)


class WatchedLineServer(WatchedServer, LineServer):
    """What those have that stand on step 5's line server: the base of a class, before a server."""

    def __init__(self, address: tuple[str, int], *, max_pending_bytes: int = MAX_PENDING_BYTES, **settings: Any):
        settings.setdefault("login_timeout_s", NEVER_S)
        self._registry_class = self.registry_class
        self.registry_class = self._telling_registry  # type: ignore[assignment]  # it is called as the class would be
        super().__init__(address, max_pending_bytes=max_pending_bytes, **settings)

    def _telling_registry(self) -> Registry:
        """Return a registry whose lock tells."""
        registry = self._registry_class()
        self._lock = TellingLock(self.gate, registry.lock)
        registry.lock = self._lock  # type: ignore[assignment]  # it can do all that an RLock can
        return registry

    def service_actions(self) -> None:
        """Sweep, now and then, and tell nobody: to look is not news.  Thread: the acceptor."""
        with self._lock.quietly() as is_ours:
            # In slow motion everybody is overdue.
            if is_ours and not self.gate.is_slow:
                super().service_actions()


class WatchedChat(WatchedLineServer, ChatServer):
    """The server of step 5."""

    handler_class = TellingChatHandler


class WatchedRooms(WatchedLineServer, RoomsServer):
    """The server with rooms, and its postman."""

    handler_class = TellingRoomsHandler

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self.postman.end()
        self.postman = TellingPostman(self.gate)
        self.deliver = self.postman.deliver
