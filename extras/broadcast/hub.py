"""A hub: the registry, and for those who hear the same lines an audience.

fan-out    one line to many outboxes
puts       their put methods, looked up once and not for each line
audience   who hears the same lines: here everybody, later each room
"""

from collections.abc import Callable

from step5_server.connection import Connection
from step5_server.outbox import Outbox
from step5_server.registry import Registry


def fan_out(conn: Connection, audience, data: bytes, but: Outbox | None = None) -> None:
    """Queue the same framed lines for an audience, but for one; `conn` delivers them later.

    Thread: conn's own, and holds the registry's lock, so that all see one order.
    """
    mine = but and but.put
    for put in audience.puts:  # the one loop that is run for every user: nothing else in it
        if put is not mine:
            put(data)
    conn.touch_all(audience.outboxes)


class Audience:
    """Members who hear the same lines, in order of arrival.  Guarded by the registry's lock."""

    def __init__(self):
        self.members: dict[object, None] = {}
        # Ready-made, since they are used for every line and change when somebody comes or
        # goes.  New tuples each time: who is just walking along the old ones is not disturbed.
        self.outboxes: tuple[Outbox, ...] = ()
        self.puts: tuple[Callable[[bytes], None], ...] = ()

    def add(self, member) -> None:
        """Let the member hear what comes from now on."""
        self.members[member] = None
        self.outboxes += (member.outbox,)
        self.puts += (member.outbox.put,)

    def remove(self, member) -> None:
        """Let the member hear no more."""
        del self.members[member]
        self.outboxes = tuple(other.outbox for other in self.members)
        self.puts = tuple(outbox.put for outbox in self.outboxes)


class Hub(Registry):
    """A registry whose members form an audience."""

    def __init__(self):
        super().__init__()
        self.everyone = Audience()

    def claim(self, name: str, member: object) -> None:
        """Give the name to the member, who hears everybody from now on.  Raises: NameTaken."""
        with self.lock:
            super().claim(name, member)
            self.everyone.add(member)

    def release(self, name: str, member: object) -> bool:
        """Free the name if it is this member's; tell whether it was."""
        with self.lock:
            if not super().release(name, member):
                return False
            self.everyone.remove(member)
            return True
