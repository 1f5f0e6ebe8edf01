"""A hub: the registry, and for those who hear the same lines an audience.

audience   who hears the same lines: here everybody, later each room
group      those of them who get the same bytes: their codecs frame a line in the same way
puts       the put methods of their outboxes, looked up once and not for each line
"""

from collections.abc import Callable
from typing import NamedTuple

from step5_server.outbox import Outbox
from step5_server.registry import Registry


class Group(NamedTuple):
    """Members of an audience who get the same bytes.  Never changed: a new one takes its place."""

    frame: Callable[[bytes], bytes]
    outboxes: tuple[Outbox, ...]
    puts: tuple[Callable[[bytes], None], ...]


class Audience:
    """Members who hear the same lines, in order of arrival.  Guarded by the registry's lock."""

    def __init__(self):
        self.members: dict[object, None] = {}
        # Ready-made, since they are used for every line and change when somebody comes or
        # goes.  New tuples each time: who is just walking along the old ones is not disturbed.
        self.groups: tuple[Group, ...] = ()

    def add(self, member) -> None:
        """Let the member hear what comes from now on."""
        self.members[member] = None
        outbox, frame = member.outbox, member.outbox.codec.frame
        groups = {group.frame: group for group in self.groups}
        _, outboxes, puts = groups.get(frame, (frame, (), ()))
        groups[frame] = Group(frame, (*outboxes, outbox), (*puts, outbox.put))
        self.groups = tuple(groups.values())

    def remove(self, member) -> None:
        """Let the member hear no more."""
        del self.members[member]
        outboxes = {}
        for other in self.members:
            outboxes.setdefault(other.outbox.codec.frame, []).append(other.outbox)
        self.groups = tuple(
            Group(frame, tuple(group), tuple(outbox.put for outbox in group))
            for frame, group in outboxes.items()
        )


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
