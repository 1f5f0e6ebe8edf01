"""A server that is watched: any of step 5's, or of an extra that stands on it, with all its probes in place."""

import socket

from extras.glass.buffers import TellingCodec
from extras.glass.gate import Gate, Lane
from extras.glass.lock import TellingLock
from extras.glass.outboxes import TellingPostman
from extras.glass.players import Players
from extras.glass.probes import TellingConnection, TellingLineHandler
from extras.rooms.server import RoomsServer

# Small enough to be full after some lines, which a learner can watch: the real bound is a megabyte.
MAX_PENDING_BYTES = 16384
# What the kernel is asked to hold for each direction (Linux doubles it): else it would take megabytes
# before anybody sees that a peer does not read.
KERNEL_BYTES = 4096
NEVER_S = 1e9  # no learner is sent away because the clock went on while the threads stood


class WatchedServer:
    """What all have: the base of a class, before a server.

    gate      the order of events, and slow motion
    players   connections of our own, driven from the page
    """

    def __init__(self, address: tuple[str, int], *, gate: Gate, **settings):
        """Listen at the address.  Raises: OSError when it cannot be had."""
        self.gate = gate
        # Those that were just accepted.  Written by the acceptor, and read by the lane's own thread.
        self._lanes_by_address: dict[tuple, Lane] = {}
        self._newest: Lane | None = None  # the acceptor's: until it has a thread
        super().__init__(address, **settings)
        self.players = Players(self.server_address, gate)

    def stop(self) -> None:
        """Send our own players home, and stop as ever.  The gate must be at an end: it would keep them."""
        self.players.end()
        super().stop()

    def process_request(self, request, client_address):
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

    def lane_of(self, client_address: tuple) -> Lane:
        """Return the lane of a connection that was just accepted.  Thread: its own."""
        return self._lanes_by_address.pop(client_address)


class WatchedLineServer(WatchedServer):
    """What those have that stand on step 5's line server."""

    def __init__(self, address: tuple[str, int], *, max_pending_bytes: int = MAX_PENDING_BYTES, **settings):
        settings.setdefault("login_timeout_s", NEVER_S)
        super().__init__(address, max_pending_bytes=max_pending_bytes, **settings)

    def registry_class(self):
        """Return a registry whose lock tells."""
        registry = super().registry_class()
        registry.lock = TellingLock(self.gate, registry.lock)
        return registry

    def service_actions(self):
        """Sweep, now and then, and tell nobody: to look is not news.  Thread: the acceptor."""
        with self.registry.lock.quietly() as is_ours:
            # In slow motion everybody is overdue.
            if is_ours and not self.gate.is_slow:
                super().service_actions()


def watched(server_class: type) -> type:
    """Return the class of a server of step 5, or of an extra that stands on it, with all probes."""
    base = server_class.handler_class
    connection = type("WatchedConnection", (TellingConnection, base.connection_class), {})
    hooks = {"connection_class": connection, "codec_class": TellingCodec}
    handler = type("WatchedHandler", (TellingLineHandler, base), hooks)
    return type("Watched", (WatchedLineServer, server_class), {"handler_class": handler})


class WatchedRooms(watched(RoomsServer)):
    """The server with rooms, and its postman."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.postman.end()
        self.postman = TellingPostman(self.gate)
        self.deliver = self.postman.deliver
