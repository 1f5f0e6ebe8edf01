"""The registry: who is here under which name.  The state that all threads share.

member   whoever has a name: here, the handler of a connection
key      a name as it is compared: two that differ only in case are one
"""

import threading
from typing import Any


class NameTaken(Exception):
    """Somebody else has this name."""


class Registry:
    """The names in use, and the one lock of the server.

    `lock` guards the names, and whatever else the threads of a server share.  Lines for
    others are queued while it is held, so that everybody sees one order of events.
    Nothing under it may block: no send, no recv, no print (but the log, which never waits).

    It is re-entrant: each method takes it, and a caller that holds it already makes
    several calls one step that nobody can come between.

    Lock order: this one first, then an outbox's own.
    """

    key = staticmethod(str.lower)  # key(name) is compared instead of the name

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._members: dict[str, tuple[str, Any]] = {}  # key -> name as typed, member

    def claim(self, name: str, member: Any) -> None:
        """Give the name to the member.  Raises: NameTaken.

        To look first and set later would let two threads see the same name free.
        """
        with self.lock:
            if self.key(name) in self._members:
                raise NameTaken(name)
            self._members[self.key(name)] = name, member

    def release(self, name: str, member: Any) -> bool:
        """Free the name if it is this member's; tell whether it was.  Twice does no harm."""
        with self.lock:
            if self.get(name) is not member:
                return False
            del self._members[self.key(name)]
            return True

    def get(self, name: str) -> Any:
        """Return the member of this name, or None."""
        with self.lock:
            return self._members.get(self.key(name), (name, None))[1]

    def names(self) -> list[str]:
        """Return a copy of the names, as their owners typed them, in order of arrival."""
        with self.lock:
            return [name for name, _ in self._members.values()]

    def members(self) -> list[Any]:
        """Return a copy of the list of members, in order of arrival."""
        with self.lock:
            return [member for _, member in self._members.values()]
