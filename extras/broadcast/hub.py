"""A hub: the registry, and for those who hear the same lines an audience.

audience   who hears the same lines: here everybody, later each room
group      those of them who get the same bytes: their codecs frame a line in the same way
puts       the put methods of their outboxes, looked up once and not for each line
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from step5_server.outbox import Outbox
from step5_server.registry import Registry


class Group(NamedTuple):
    """Members of an audience who get the same bytes.  Never changed: a new one takes its place."""

    look: Any  # hashable: what else than framing makes their bytes differ: in IRC, the capabilities; here None
    frame: Callable[[bytes], bytes]
    outboxes: tuple[Outbox, ...]
    puts: tuple[Callable[[bytes], None], ...]

    def without(self, outbox: Outbox) -> "Group":
        """Give the group without one of its outboxes, if it has it."""
        if outbox not in self.outboxes:
            return self
        at = self.outboxes.index(outbox)
        outboxes, puts = self.outboxes, self.puts
        return Group(self.look, self.frame, outboxes[:at] + outboxes[at + 1 :], puts[:at] + puts[at + 1 :])


def with_listener(groups: tuple[Group, ...], look: Hashable, outbox: Outbox) -> tuple[Group, ...]:
    """Give these groups with one more who listens; nearly always there is one group."""
    found = {(group.look, group.frame): group for group in groups}
    key = look, outbox.codec.frame
    _, _, outboxes, puts = found.get(key, (*key, (), ()))
    found[key] = Group(*key, (*outboxes, outbox), (*puts, outbox.put))
    return tuple(found.values())


def without_listener(groups: tuple[Group, ...], outbox: Outbox) -> tuple[Group, ...]:
    """Give these groups without one who listens."""
    return tuple([less for group in groups if (less := group.without(outbox)).outboxes])


class Member(Protocol):
    """Who hears: here, the handler of a connection."""

    name: str
    outbox: Outbox


class Audience:
    """Members who hear the same lines, in order of arrival.  Guarded by the registry's lock."""

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        # Ready-made, since they are used for every line and change when somebody comes or
        # goes.  New tuples each time: who is just walking along the old ones is not disturbed.
        self.groups: tuple[Group, ...] = ()

    def add(self, member: Member) -> None:
        """Let the member hear what comes from now on."""
        self.members[member] = None
        self.groups = with_listener(self.groups, None, member.outbox)

    def remove(self, member: Member) -> None:
        """Let the member hear no more."""
        del self.members[member]
        self.groups = without_listener(self.groups, member.outbox)


class Hub(Registry):
    """A registry whose members form an audience."""

    def __init__(self) -> None:
        super().__init__()
        self.everyone = Audience()

    def claim(self, name: str, member: Member) -> None:
        """Give the name to the member, who hears everybody from now on.  Raises: NameTaken."""
        with self.lock:
            super().claim(name, member)
            self.everyone.add(member)

    def release(self, name: str, member: Member) -> bool:
        """Free the name if it is this member's; tell whether it was."""
        with self.lock:
            if not super().release(name, member):
                return False
            self.everyone.remove(member)
            return True
