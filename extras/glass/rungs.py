"""The servers that the learner types in step 5, with all their probes in place.

rung   what she has typed by the end of a section.  Its files import each other by her names, and
       keep their users in a global: so each server loads them anew
"""

import functools
import importlib.util
import queue
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from extras.glass.buffers import TellingBuffer
from extras.glass.gate import Gate, Lane, text_of
from extras.glass.lock import TellingLock
from extras.glass.probes import TellingHandler, told_parse
from extras.glass.sockets import TellingSocket
from extras.glass.watched import WatchedServer
from step1_echo.serving import Address, log

ROOT = Path(__file__).resolve().parents[2]
MAX_WAITING = 50  # the small server's bound, in lines: a thousand in the chapter
NEEDED = {  # by the rungs, under the learner's names; in this order, since each imports those before
    "framing": "step4_framing/rungs/framing_2.py",
    "protocol": "step3_protocol/rungs/protocol_3.py",
    "line_server": "step4_framing/rungs/line_server_2.py",
}


def load(path: Path, name: str) -> ModuleType:
    """Load a file under the learner's name for it, and let those after it import it."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # it is a .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_rung(file: str) -> ModuleType:
    """Load a rung with what it imports, as `module.line_server` too; nobody else sees these modules."""
    before = {name: sys.modules.pop(name, None) for name in NEEDED}
    try:
        loaded = {name: load(ROOT / path, name) for name, path in NEEDED.items()}
        module = load(ROOT / "step5_server/rungs" / file, f"glass_{Path(file).stem}")
        vars(module)["line_server"] = loaded["line_server"]
        return module
    finally:
        sys.modules.pop(f"glass_{Path(file).stem}", None)
        for name, other in before.items():
            sys.modules.pop(name, None)
            if other:
                sys.modules[name] = other


class RungHandler(TellingHandler):
    """What the learner's handler tells: the base of a class, before hers."""

    server: "RungServer"

    def setup(self) -> None:
        self.request = TellingSocket(self.request, self.server.gate, self.server.lane_at(self.client_address))
        self.request.lane.has_outbox = False
        super().setup()

    def answer(self, line: bytes) -> bytes:
        """Return the reply, and tell it."""
        reply: bytes = super().answer(line)  # type: ignore[misc]  # hers
        if reply:
            self.gate.tell("reply", self.lane, line=text_of(reply))
        return reply


class QueueHandler(RungHandler):
    """What the small server's handler tells: it has an outbox, a queue of lines, and a thread that sends."""

    def setup(self) -> None:
        lane = self.server.lane_at(self.client_address)
        lane.outbox_facts = {"bound": None, "bound_lines": MAX_WAITING, "waiting": 0}
        super().setup()

    @property
    def outbox(self) -> "TellingQueue":
        """The lines for this user."""
        lines: TellingQueue = self.__dict__["outbox"]
        return lines

    @outbox.setter
    def outbox(self, lines: "queue.Queue[Line]") -> None:
        self.request.lane.has_outbox = True
        self.__dict__["outbox"] = TellingQueue(lines.maxsize, self.gate, self.lane)

    def write(self) -> None:
        """Send what is queued.  Thread: the user's second one."""
        self.gate.enter(self.lane, f"drainer {self.lane.number}")
        self.gate.tell("drainer", self.lane, runs=True)
        super().write()  # type: ignore[misc]  # hers
        self.gate.tell("drainer", self.lane, runs=False)


Line = bytes | None  # None: no more will come


class TellingQueue(queue.Queue[Line]):
    """A queue of lines that tells what is put.  The parent calls _put and _get under its own lock."""

    def __init__(self, maxsize: int, gate: Gate, lane: Lane):
        self._gate, self._lane = gate, lane
        super().__init__(maxsize)

    def put(self, line: Line, block: bool = True, timeout: float | None = None) -> None:
        if self.full():
            self._gate.state("waits", to=self._lane.number)
        super().put(line, block, timeout)
        self._gate.state("works")
        self._gate.stop()

    def _put(self, line: Line) -> None:
        super()._put(line)
        if line is None:
            return
        with self._gate.moment:
            self._lane.queued += len(line) + 1
            self._lane.outbox_facts["waiting"] += 1
            self._gate.outbox("put", self._lane, by=self._gate.who(), data=text_of(line) + "\n")

    def _get(self) -> Line:
        line = super()._get()
        if line is not None:
            with self._gate.moment:
                self._lane.queued -= len(line) + 1
                self._lane.unsent += len(line) + 1
                self._lane.outbox_facts["waiting"] -= 1
        return line


class TellingTable(dict[str, Any]):
    """The users by name, and who looks there and who takes a name: between the two is the race."""

    def __init__(self, gate: Gate):
        super().__init__()
        self._gate = gate

    def _tell(self, does: str, name: str, **facts: Any) -> None:
        self._gate.tell("table", does=does, name=name, **facts)

    def __contains__(self, name: Any) -> bool:
        return self.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        with self._gate.moment:
            user = super().get(name, default)
            self._tell("looks", name, found=user is not None)
        self._gate.stop()
        return user

    def __setitem__(self, name: str, user: Any) -> None:
        with self._gate.moment:
            super().__setitem__(name, user)
            self._tell("takes", name)
        self._gate.stop()

    def __delitem__(self, name: str) -> None:
        with self._gate.moment:
            super().__delitem__(name)
            self._tell("frees", name)
        self._gate.stop()


class RungServer(WatchedServer):
    """One of the learner's servers: her handlers, and her files loaded for this server alone."""

    file = ""
    handler_base: type[RungHandler] = RungHandler

    def __init__(self, address: tuple[str, int], **settings: Any):
        settings.pop("max_pending_bytes", None)  # it has no bound in bytes
        module: Any = load_rung(self.file)
        self.handler_class = type("WatchedHandler", (self.handler_base, module.ChatHandler), {})
        super().__init__(address, **settings)
        module.line_server.LineBuffer = self.buffer_class(module.line_server.LineBuffer)
        module.line_server.parse_line = functools.partial(told_parse, self.gate, module.line_server.parse_line)
        module.users = TellingTable(self.gate)
        if hasattr(module, "lock"):
            module.lock = TellingLock(self.gate, module.lock)
        if hasattr(module, "MAX_WAITING"):
            module.MAX_WAITING = MAX_WAITING
        self._lock = threading.Lock()  # guards _requests: who is connected, to end them when we stop
        self._requests: set[socket.socket] = set()

    def buffer_class(self, base: type) -> type:
        """Return her buffer, which tells."""
        return type("WatchedBuffer", (TellingBuffer, base), {"gate": self.gate})

    def lane_at(self, client_address: Address) -> Lane:
        """Return the lane of a connection, and leave it there for lane_of()."""
        return self._lanes_by_address[client_address]

    def process_request_thread(self, request: Any, client_address: Address) -> None:
        """Serve a connection, and know of it."""
        with self._lock:
            self._requests.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._requests.discard(request)

    def shutdown_request(self, request: Any) -> None:
        """End a connection.  Its number must not be free while stop() uses it."""
        with self._lock:
            self._requests.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Address) -> None:
        """Say in the log what has ended a handler: here its mistakes are what is looked at."""
        log.info("%s: %r", client_address, sys.exc_info()[1])

    def stop(self) -> None:
        """Stop, and end those who are connected: her server ends with its process."""
        super().stop()
        with self._lock:
            for request in self._requests:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # NOTE: the peer was faster


class SmallServer(RungServer):
    """The small server, with a bounded queue and a second thread for each user."""

    file, handler_base = "chat_server_3.py", QueueHandler


class NaiveServer(RungServer):
    """The naive server: it sends while it holds the lock."""

    file = "chat_server_2.py"


class RaceServer(RungServer):
    """The server without a lock."""

    file = "chat_server_1.py"
