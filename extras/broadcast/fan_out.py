"""The fan-out: one line goes in, and fifty go out.

A client that talks fast has many lines in a chunk, and mostly they go to one audience.  They
are held back until the chunk is done, and then put into each outbox all at once.  Nobody can
see that: they are put before anybody else gets the registry's lock.

group  those in the audience who get the same bytes, with their outboxes: a line is framed once for all
held   lines for one audience that are not in the outboxes yet, framed, a list for each group
"""

from collections.abc import Callable, Collection
from typing import Any

from extras.broadcast.hub import Group
from extras.broadcast.short_chunks import ShortChunkConnection
from step5_server.outbox import Outbox


def flush_all(outboxes: Collection[Outbox]) -> None:
    """Flush each outbox here and now.  Blocks: never."""
    for outbox in outboxes:
        outbox.flush()


def put_to(group: Group, data: bytes, touched: set[Outbox], but: Outbox | None = None) -> None:
    """Put framed lines into the outboxes of a group, but for one; note which are to be flushed.

    Blocks: never.  Thread: holds the registry's lock.
    """
    mine = but and but.put
    for put in group.puts:  # the one loop that is run for every user: nothing else in it
        if put is not mine:
            put(data)
    touched.update(group.outboxes)


class FanOutConnection(ShortChunkConnection):
    """A connection whose lines may go to many.

    Thread: the connection's own.  Whatever queues lines or puts them holds the registry's lock,
    so that everybody sees one order; deliver() does not.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Who delivers: the postman, in a server that has one.
        self.carry: Callable[[Collection[Outbox]], None] = flush_all
        self._groups: tuple[Group, ...] = ()  # for whom we hold lines back
        self._held: list[list[bytes]] = []  # what each group is to hear
        self._but: Outbox | None = None  # and who of them hears nothing

    def fan_out(self, groups: tuple[Group, ...], line_for: Callable[[Group], bytes], but: Outbox | None = None) -> None:
        """Queue for each group the framed line that line_for(group) gives, but for one peer.

        The groups are an audience's (each with its `outboxes` and `puts`): nobody is in two of them.
        """
        if groups is not self._groups or but is not self._but:
            self.put_held()
            self._groups, self._but = groups, but
            self._held = [[line_for(group)] for group in groups]
        else:
            for group, held in zip(groups, self._held):
                held.append(line_for(group))

    def put_held(self) -> None:
        """Put what is held into the outboxes."""
        if self._groups:
            for group, held in zip(self._groups, self._held):
                if data := b"".join(held):
                    put_to(group, data, self.touched, self._but)
            # Who talks once an hour must not keep the members of an hour ago in memory.
            self._groups, self._held, self._but = (), [], None

    def deliver(self) -> None:
        """Have flushed what our lines have touched.  Blocks: as `carry` does, and for a flooder."""
        if self.touched:
            self.carry(self.touched)
            if self._said_bytes > self._flood_bytes:
                self.wait_for_readers()
            self.touched.clear()

    def send(self, line: bytes) -> None:
        """Queue a line for our own peer, after what it is to hear before."""
        if self._groups and self._but is not self.outbox:
            self.put_held()
        ShortChunkConnection.send(self, line)  # super() would cost as much again, for each line

    def send_to(self, outbox: Outbox, line: bytes) -> None:
        """Queue a line for another peer, after what it is to hear before."""
        if self._groups:
            self.put_held()
        outbox.put(outbox.codec.frame(line))  # as the parent does it, without the price of one more call
        self.touched.add(outbox)
