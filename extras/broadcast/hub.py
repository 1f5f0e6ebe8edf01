"""A hub: the registry, and for those who hear the same lines an audience.

audience   who hears the same lines: here everybody, later each room
group      those of them who get the same bytes: their codecs frame a line in the same way
puts       the put methods of their outboxes, looked up once and not for each line
"""

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from step5_server.outbox import Outbox
from step5_server.registry import Registry


class Group(NamedTuple):
    """Members of an audience who get the same bytes.  Never changed: a new one takes its place."""

    look: Hashable  # what else than framing makes their bytes differ: in IRC, the capabilities; here None
    frame: Callable[[bytes], bytes]
    outboxes: tuple[Outbox, ...]
    puts: tuple[Callable[[bytes], None], ...]


def make_groups(listeners: Iterable[tuple[Hashable, Outbox]]) -> tuple[Group, ...]:
    """Put those who listen, each with a look and an outbox, into groups; nearly always it is one."""
    groups: dict[tuple, list[Outbox]] = {}
    for look, outbox in listeners:
        groups.setdefault((look, outbox.codec.frame), []).append(outbox)
    return tuple(
        Group(look, frame, tuple(group), tuple(outbox.put for outbox in group))
        for (look, frame), group in groups.items()
    )


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
        _, _, outboxes, puts = groups.get(frame, (None, frame, (), ()))
        groups[frame] = Group(None, frame, (*outboxes, outbox), (*puts, outbox.put))
        self.groups = tuple(groups.values())

    def remove(self, member) -> None:
        """Let the member hear no more."""
        del self.members[member]
        self.groups = make_groups((None, other.outbox) for other in self.members)


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
