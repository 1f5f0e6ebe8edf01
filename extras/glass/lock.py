"""A lock that tells who wants it, who has it, and when it is free."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from extras.glass.gate import Gate


class TellingLock:
    """A lock that tells who wants it, who has it, and when it is free.

    A holder is told after it has got the lock and before it lets go: so no two are told at once.
    """

    def __init__(self, gate: Gate, lock: Any):
        self._gate = gate
        self._lock = lock  # an RLock, or the Lock of a learner
        self._owner: int | None = None  # only the owner itself finds its own number here
        self._depth = 0
        self._is_quiet = False
        self._wanted_by: list[int | str] = []  # guarded by the moment

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as it would without us."""
        if self._owner == threading.get_ident():
            again: bool = self._lock.acquire(blocking, timeout)
            self._depth += again
            return again
        self._want()
        self._gate.stop()
        got: bool = self._lock.acquire(blocking, timeout)
        if got:
            self._have(1)
            self._gate.stop()
        else:
            self._want_no_more()
        return got

    def release(self) -> None:
        """Let go of it."""
        self._depth -= 1
        if self._depth:
            self._lock.release()
            return
        self._free()
        self._lock.release()
        self._gate.stop()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    @contextlib.contextmanager
    def quietly(self) -> Iterator[bool]:
        """Take it for a moment and tell nobody, if it is free; yield whether it was."""
        if not self._lock.acquire(False):
            yield False
            return
        self._owner, self._depth, self._is_quiet = threading.get_ident(), 1, True
        try:
            yield True
        finally:
            self.release()

    # threading.Condition asks for these three.

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()

    def _release_save(self) -> tuple[int, Any]:
        depth = self._depth
        self._free()
        return depth, self._lock._release_save()

    def _acquire_restore(self, saved: tuple[int, Any]) -> None:
        depth, state = saved
        self._want()
        self._lock._acquire_restore(state)
        self._have(depth)

    def _tell(self, holder: int | str | None) -> None:
        self._gate.tell("lock", holder=holder, queue=list(self._wanted_by))

    def _want(self) -> None:
        with self._gate.moment:
            self._gate.state("wants")
            self._wanted_by.append(self._gate.who())
            self._tell(self._holder)

    _holder: int | str | None = None  # guarded by the moment

    def _have(self, depth: int) -> None:
        self._owner, self._depth = threading.get_ident(), depth
        with self._gate.moment:
            self._holder = self._gate.who()
            self._wanted_by.remove(self._holder)
            self._tell(self._holder)
            self._gate.state("holds")

    def _want_no_more(self) -> None:
        with self._gate.moment:
            self._wanted_by.remove(self._gate.who())
            self._tell(self._holder)

    def _free(self) -> None:
        self._owner, self._depth = None, 0
        if self._is_quiet:
            self._is_quiet = False
            return
        with self._gate.moment:
            self._holder = None
            self._tell(None)
            self._gate.state("works")
