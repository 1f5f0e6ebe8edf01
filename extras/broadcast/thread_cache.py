"""A thread cache: a thread that is done with one connection waits for the next one.

Each connection still has a thread of its own.  But to start one and to end it costs time:
the kernel maps a stack, and Python waits until the new thread says that it runs.  Where
clients come and go all the time, this is more work than what they ask for.

job     a function and its arguments
busy    a thread that does a job
spare   a thread that waits for one
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

MAX_SPARES = 32  # more than come and go in a moment; each holds some 20 kB
Job = tuple[Callable[..., object], tuple[Any, ...]]


class ThreadCache:
    """Do each job at once, in a spare thread if there is one, else in a new one.

    When the last busy thread ends, the spare ones do too: an idle server has none.
    Thread: any.
    """

    def __init__(self) -> None:
        # One job wakes one spare thread; None sends one home.
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Guards all below, so that no job is promised to a thread that is just leaving.
        self._lock = threading.Lock()
        self._busy = 0
        self._spares = 0  # those who wait, and are promised nothing
        self._ended = False

    def run(self, function: Callable[..., object], *args: Any) -> None:
        """Call function(*args) in another thread.  Blocks: never.

        Raises: RuntimeError, MemoryError when a new thread is needed and cannot be had.
        """
        job = function, args
        with self._lock:
            self._busy += 1
            if self._spares:
                self._spares -= 1
                self._jobs.put(job)
                return
        try:
            threading.Thread(target=self._live, args=(job,), daemon=True).start()
        except (RuntimeError, MemoryError):
            with self._lock:
                self._busy -= 1
            raise

    def end(self) -> None:
        """Keep no spare threads, now and from now on; run() still works."""
        with self._lock:
            self._ended = True
            self._send_home(self._spares)

    def _live(self, job: Job | None) -> None:
        """Do one job after the other, until no more is to come.  Thread: one of ours."""
        while job:
            function, args = job
            function(*args)
            del function, args, job  # let go of the connection while we wait
            job = self._jobs.get() if self._stays() else None

    def _stays(self) -> bool:
        """Make this thread, whose job is done, a spare one if there is room for it."""
        with self._lock:
            self._busy -= 1
            room = MAX_SPARES if self._busy and not self._ended else 0
            if self._spares < room:
                self._spares += 1
                return True
            self._send_home(self._spares - room)
            return False

    def _send_home(self, count: int) -> None:
        """Let so many spare threads end.  Holds the lock."""
        for _ in range(count):
            self._spares -= 1
            self._jobs.put(None)
