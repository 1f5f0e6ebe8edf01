"""The fan-out: one line goes in, and fifty go out.

A client that talks fast has many lines in a chunk, and mostly they go to one audience.  They
are held back until the chunk is done, and then put into each outbox all at once.  Nobody can
see that: they are put before anybody else gets the registry's lock.

held   lines for one audience that are not in the outboxes yet
"""

from collections.abc import Collection

from extras.broadcast.short_chunks import ShortChunkConnection
from step5_server.outbox import Outbox


def flush_all(outboxes: Collection[Outbox]) -> None:
    """Flush each outbox here and now.  Blocks: never."""
    for outbox in outboxes:
        outbox.flush()


class FanOutConnection(ShortChunkConnection):
    """A connection whose lines may go to many.

    Thread: the connection's own.  Whatever queues lines or puts them holds the registry's lock,
    so that everybody sees one order; deliver() does not.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.carry = flush_all  # who delivers: the postman, in a server that has one
        self._held: list[bytes] = []
        self._outboxes: tuple[Outbox, ...] = ()  # for whom
        self._puts: tuple = ()  # their put methods
        self._but: Outbox | None = None  # and who of them hears nothing

    def fan_out(self, audience, data: bytes, but: Outbox | None = None) -> None:
        """Queue framed lines for an audience (its `outboxes` and `puts`), but for one of them."""
        if audience.puts is not self._puts or but is not self._but:
            self.put_held()
            self._outboxes, self._puts, self._but = audience.outboxes, audience.puts, but
        self._held.append(data)

    def put_held(self) -> None:
        """Put what is held into the outboxes."""
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            mine = self._but and self._but.put
            for put in self._puts:  # the one loop that is run for every user: nothing else in it
                if put is not mine:
                    put(data)
            self.touched.update(self._outboxes)
            # Who talks once an hour must not keep the members of an hour ago in memory.
            self._outboxes, self._puts, self._but = (), (), None

    def deliver(self) -> None:
        """Have flushed what our lines have touched.  Blocks: as `carry` does, and for a flooder."""
        if self.touched:
            self.carry(self.touched)
            self.wait_for_readers()
            self.touched.clear()

    def send(self, data: bytes) -> None:
        """Queue framed lines for our own peer, after what it is to hear before."""
        if self._held and self._but is not self.outbox:
            self.put_held()
        super().send(data)

    def send_to(self, outbox: Outbox, data: bytes) -> None:
        """Queue framed lines for another peer, after what it is to hear before."""
        if self._held:
            self.put_held()
        super().send_to(outbox, data)
