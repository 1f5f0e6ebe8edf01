"""An outbox that tells what is put, and what becomes of it; and a postman who tells when he walks.

Lock order: the registry's, an outbox's, the gate's moment.  At a stop a thread may hold the registry's
lock, as it would while it works; never an outbox's, which nobody may wait under.
"""

import threading
from collections.abc import Callable, Collection
from typing import Any

from extras.broadcast.postman import Postman
from extras.glass.gate import Gate, text_of
from extras.glass.sockets import TellingSocket
from step5_server.outbox import Outbox


class TellingOutbox(Outbox):
    """An outbox that tells what is put, and what becomes of it."""

    def __init__(self, sock: TellingSocket, *args: Any):
        self._teller, self._gate, self.lane = sock, sock.gate, sock.lane
        self._thread: threading.Thread | None = None  # the drainer
        super().__init__(*args)
        self.lane.outbox_facts = {"bound": self.max_pending_bytes}
        self._append = self.put
        # As the parent's: one object, made once, since a fan-out knows by it whom to leave out.
        self.put = self._put

    def _put(self, data: bytes) -> None:
        """Queue whole framed lines."""
        gate, lane = self._gate, self.lane
        with gate.moment:
            self._append(data)
            if not data:
                return
            lane.queued += len(data)
            gate.outbox("put", lane, by=gate.who(), data=text_of(data))
        gate.stop()

    def flush(self) -> None:
        """Give the kernel what is queued.  Blocks: at a stop."""
        super().flush()
        if not self._lock._is_owned():  # type: ignore[attr-defined]  # threading.Condition asks for it, too
            self._gate.stop_if_due()

    def _wait_for(self, ready: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait until `ready` holds, and tell that we do."""
        if not ready():
            self._gate.state("waits", to=self.lane.number)
        super()._wait_for(ready, timeout)
        self._gate.state("works")

    def _take(self) -> list[bytes]:
        """Return what is queued; what comes after the end is dropped."""
        lane = self.lane
        with self._gate.moment:
            pieces = super()._take()
            taken = sum(map(len, pieces))
            dropped, lane.queued = lane.queued - taken, 0
            lane.unsent += taken
            if dropped:
                self._teller.tell_sent(0, dropped=dropped)
            return pieces

    def _last_words(self, line: bytes) -> bytes:
        """Return how a connection ends; it is said past the queue."""
        words = super()._last_words(line)
        with self._gate.moment:
            self.lane.unsent += len(words)
            if words:
                self._gate.outbox("put", self.lane, by=self._gate.who(), data=text_of(words), last=True)
        return words

    def _keep(self, pieces: list[bytes]) -> None:
        """Add to what the drainer has to send."""
        if pieces:
            with self._gate.moment:
                self._teller.tell_sent(0)
        super()._keep(pieces)

    def _cut_off(self) -> None:
        """Let nothing follow what is under way but the reason."""
        with self._gate.moment:
            self.lane.unsent -= self._unsent_bytes
            self._gate.tell("cut", self.lane, dropped=self._unsent_bytes)
            super()._cut_off()

    def _give_up(self) -> None:
        """Forget everything: the connection is dead."""
        lane = self.lane
        with self._gate.moment:
            dropped, lane.queued, lane.unsent = lane.queued + lane.unsent, 0, 0
            super()._give_up()
            if dropped:
                self._teller.tell_sent(0, dropped=dropped)

    def _drain(self) -> None:
        """Send until nothing is unsent.  Thread: the drainer."""
        self._gate.enter(self.lane, f"drainer {self.lane.number}")
        super()._drain()

    @property
    def _drainer(self) -> threading.Thread | None:
        """The thread that waits for this peer."""
        return self._thread

    @_drainer.setter
    def _drainer(self, thread: threading.Thread | None) -> None:
        """Begin to have one, or have none any more: told at this moment, since the next may come at once."""
        if (self._thread is None) != (thread is None):
            self._gate.tell("drainer", self.lane, runs=thread is not None)
        self._thread = thread


class TellingPostman(Postman):
    """A postman who tells when he walks, and with what."""

    def __init__(self, gate: Gate):
        self._gate = gate
        super().__init__()

    def _walk(self) -> None:
        """Go round as long as there is something to carry.  Thread: the postman."""
        self._gate.enter(None, "postman")
        super()._walk()

    def _next_round(self) -> dict[Outbox, None]:
        """Wait for the bell; return all that is dirty by now."""
        self._gate.tell("postman", state="sleeps", outboxes=[])
        dirty = super()._next_round()
        lanes = [outbox.lane.number for outbox in dirty if isinstance(outbox, TellingOutbox)]
        if lanes:
            self._gate.tell("postman", state="walks", outboxes=lanes)
            self._gate.stop()
        return dirty

    def _hand_over(self, outboxes: Collection[Outbox]) -> bool:
        """Give the outboxes to the postman, or wait for him first."""
        if threading.current_thread() in self._senders:
            self._gate.state("waits", to="postman")
        took = super()._hand_over(outboxes)
        self._gate.state("works")
        return took
