"""The postman: one thread for the whole server that flushes after a fan-out.

A line for fifty users makes fifty outboxes dirty.  The sender's thread could flush them
all, one send() each.  The postman does it instead.  While it goes round, more lines come
together in the outboxes that it has not reached yet, and they leave with the same send().
The busier the room, the fewer sends a line costs.

dirty   an outbox with something queued that nobody has flushed yet
round   one walk past all outboxes that were dirty when it began
bell    rung when something is dirty: the postman sleeps otherwise
"""

import threading
from collections.abc import Collection

from step1_echo.serving import log
from step5_server.outbox import Outbox

# A reply and a private message: two sends cost less than waking another thread.
FEW = 2


class Postman:
    """Flush dirty outboxes, first come, first served, in a thread of its own.

    It never blocks: what a peer's socket does not take at once is its drainer's affair.
    """

    def __init__(self) -> None:
        # Guards all below.  Held for a few dict operations; nobody flushes under it.
        lock = threading.Lock()
        self._bell = threading.Condition(lock)
        self._round_begins = threading.Condition(lock)
        # A dict is a queue in which each has one place: the keys keep the order in which
        # they came.  (Last come, first served would let the first wait for ever.)
        self._dirty: dict[Outbox, None] = {}
        self._senders: set[threading.Thread] = set()  # who made them dirty
        self._ended = False
        self._thread = threading.Thread(target=self._walk, name="postman", daemon=True)
        self._thread.start()

    def deliver(self, outboxes: Collection[Outbox]) -> None:
        """Flush one or two here; leave more to the postman.

        A thread hands over once a round and then waits for the next: whoever sends faster
        than the server can carry is read more slowly, and the outboxes stay short.
        Blocks: for one round at most.  Thread: any.
        """
        if len(outboxes) > FEW and self._hand_over(outboxes):
            return
        for outbox in outboxes:
            outbox.flush()

    def end(self) -> None:
        """Carry what is waiting, and end the thread; deliver() still works.

        Blocks: for two rounds at most.
        """
        with self._bell:
            self._ended = True
            self._bell.notify()
        self._thread.join()

    def _hand_over(self, outboxes: Collection[Outbox]) -> bool:
        """Give the outboxes to the postman, or return False when it has gone home."""
        me = threading.current_thread()
        with self._bell:
            while me in self._senders:
                self._round_begins.wait()
            if self._ended:
                return False
            self._senders.add(me)
            self._dirty.update(dict.fromkeys(outboxes))
            self._bell.notify()
            return True

    def _walk(self) -> None:
        """Go round as long as there is something to carry.  Thread: the postman."""
        while dirty := self._next_round():
            for outbox in dirty:
                try:
                    outbox.flush()
                except Exception:  # noqa: BLE001, a bug of ours must not stop everybody's mail
                    log.exception("postman: a bug of ours")
                    outbox.abort()

    def _next_round(self) -> dict[Outbox, None]:
        """Wait for the bell; return all that is dirty by now, nothing at the end."""
        with self._bell:
            while not self._dirty and not self._ended:
                self._bell.wait()
            dirty, self._dirty = self._dirty, {}
            self._senders.clear()
            self._round_begins.notify_all()
            return dirty
