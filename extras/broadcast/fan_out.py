"""The fan-out: one line goes in, and fifty go out.

Who talks fast has many lines in a chunk, and mostly they go to one audience.  Then they are
held back until the chunk is done, and put into each outbox all at once.  Nobody can see that:
the chunk is one step, under the registry's lock.

held   lines for one audience that are not in the outboxes yet
"""

from step5_server.connection import Connection
from step5_server.outbox import Outbox


class FanOutConnection(Connection):
    """A connection whose lines may go to many.

    Thread: the connection's own; all but __init__ holds the registry's lock, so that everybody
    sees one order.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._held: list[bytes] = []
        self._outboxes: tuple[Outbox, ...] = ()  # for whom
        self._puts: tuple = ()  # their put methods
        self._but: Outbox | None = None  # and who of them hears nothing

    def fan_out(self, audience, data: bytes, but: Outbox | None = None) -> None:
        """Queue framed lines for an audience (its `outboxes` and `puts`), but for one of them."""
        if audience.puts is not self._puts or but is not self._but:
            self.post()
            self._outboxes, self._puts, self._but = audience.outboxes, audience.puts, but
        self._held.append(data)

    def post(self) -> None:
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

    def send(self, data: bytes) -> None:
        """Queue framed lines for our own peer, after what it is to hear before."""
        if self._held and self._but is not self.outbox:
            self.post()
        super().send(data)

    def send_to(self, outbox: Outbox, data: bytes) -> None:
        """Queue framed lines for another peer, after what it is to hear before."""
        if self._held:
            self.post()
        super().send_to(outbox, data)
