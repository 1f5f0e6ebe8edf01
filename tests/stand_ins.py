"""What stands in for locks, threads and the clock while the scheduler runs an order (see tests/interleave.py).

order   who goes on when; its me() is the actor in whose thread we are, or None: then all is as ever
"""

import contextlib
import queue
import threading
import time
from unittest import mock

LOCK, RLOCK, SLEEP, CLOCK = threading.Lock, threading.RLock, time.sleep, time.monotonic
START, JOIN, IS_ALIVE = threading.Thread.start, threading.Thread.join, threading.Thread.is_alive
now = None  # the order that is being run


class SeenLock:
    """A Lock; an actor that has to wait for it lets others go on."""

    def __init__(self):
        self._lock = LOCK()
        self._waiting = 0

    def acquire(self, blocking=True, timeout=-1):
        if not (me := now and now.me()):
            return self._lock.acquire(blocking, timeout)
        while not self._lock.acquire(False):
            if not blocking:
                return False
            me.note("waits")
            self._waiting += 1
            came = now.wait(me, lambda: not self._lock.locked(), timeout)
            self._waiting -= 1
            if not came:
                return False
        return True

    def release(self):
        self._lock.release()
        if self._waiting and now and (me := now.me()):
            me.note("lets go")

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exc):
        self.release()

    def __getattr__(self, name):
        return getattr(self._lock, name)


class SeenRLock(SeenLock):
    """An RLock."""

    owner = count = None

    def acquire(self, blocking=True, timeout=-1):
        if self.owner != threading.get_ident():
            if not super().acquire(blocking, timeout):
                return False
            self.owner, self.count = threading.get_ident(), 0
        self.count += 1
        return True

    def release(self):
        if self.owner != threading.get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self.count -= 1
        if not self.count:
            self.owner = None
            super().release()

    def _is_owned(self):  # this and the next two are what a Condition asks for
        return self.owner == threading.get_ident()

    def _release_save(self):
        count, self.count = self.count, 1
        self.release()
        return count

    def _acquire_restore(self, count):
        self.acquire()
        self.count = count


MADE = {type(LOCK()): SeenLock, type(RLOCK()): SeenRLock}


def start(thread):
    if now and threading.get_ident() in now.idents and not now.abandoned:
        me = now.idents.pop(threading.get_ident())  # the start of the real thread is nobody's business
        # Python counts its threads, those of other tests too: the picture must not.
        name = f"thread {len(now.started) + 1}" if thread.name.startswith("Thread-") else thread.name
        now.started[thread] = now.add(name, thread.run)
        now.idents[threading.get_ident()] = me
    else:
        START(thread)


def join(thread, timeout=None):
    actor, me = now and now.started.get(thread), now and now.me()
    if actor and me:
        now.wait(me, lambda: actor.done, -1 if timeout is None else timeout)
    elif not actor:
        JOIN(thread, timeout)


def is_alive(thread):
    actor = now and now.started.get(thread)
    return not actor.done if actor else IS_ALIVE(thread)


def sleep(seconds):
    if now and (me := now.me()):
        now.wait(me, lambda: False, max(seconds, 0))
    elif not (now and threading.get_ident() in now.idents):  # in scene() nobody else runs
        SLEEP(seconds)


def clock():
    if not (now and now.me()):
        return CLOCK()
    now.time += 1e-6  # so that it goes on for who looks at it until some time has passed
    return now.time


@contextlib.contextmanager
def seen(spaces):
    """Put what we see in the place of what would wait in the system."""
    global now
    ours = {
        threading: {"Lock": SeenLock, "RLock": SeenRLock, "_allocate_lock": SeenLock, "_time": clock},
        threading.Thread: {"start": start, "join": join, "is_alive": is_alive},
        queue: {"SimpleQueue": queue._PySimpleQueue, "time": clock},
        time: {"sleep": sleep, "monotonic": clock},
    }
    instead = {id(vars(owner)[name]): what for owner, names in ours.items() for name, what in names.items()}
    with contextlib.ExitStack() as stack:
        for owner, names in ours.items():
            stack.enter_context(mock.patch.multiple(owner, **names))
        for space in spaces:  # what `from threading import Lock` has brought there, and the locks that it has made
            names = {name: instead[id(value)] for name, value in space.items() if id(value) in instead}
            names |= {name: MADE[type(value)]() for name, value in space.items() if type(value) in MADE}
            stack.enter_context(mock.patch.dict(space, names))
        try:
            yield
        finally:
            now = None
