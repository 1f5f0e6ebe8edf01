"""A hub: the registry, and for those who hear the same lines an audience.

audience   who hears the same lines: here everybody, later each room
puts       the put methods of their outboxes, looked up once and not for each line
"""

from collections.abc import Callable

from step5_server.outbox import Outbox
from step5_server.registry import Registry


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
