"""The gate: all that is seen, in one order; and the places where slow motion keeps a thread.

    gate.tell("line", line="HELP")   a number, a time, who did it: the next event
    gate.stop()                      at full speed nothing; else wait for our turn

event   what has happened, a dict that can be JSON
moment  the lock under which an event gets its number.  Who holds it while he acts, and tells, makes
        both one: nobody else's event can come between
lane    one connection, numbered from 1
me      who the running thread is: set by `enter`, forgotten by `leave`
stop    a place where a thread may be kept.  Only the server's own threads are: not the acceptor, nor
        whoever shows or plays
"""

import collections
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from step1_echo.serving import Address

KEPT_EVENTS = 4096  # for pages that are late: some seconds of a busy server, and a few MB
# "n", "t", "kind", "lane" and "thread"; and what else there is to say of something of this kind.
Event = dict[str, Any]
# What a page must know of each lane to begin in the middle.  The numbers of the outbox come from the lane.
LASTING = ("connected", "named", "state", "kept", "drainer", "cut")


def text_of(data: bytes | bytearray | memoryview) -> str:
    """Return bytes as JSON can carry them: one character each."""
    return bytes(data).decode("latin-1")


class Lane:
    """What is known of one connection.  Guarded by the gate's moment."""

    def __init__(self, number: int, peer: str, moment: threading.RLock):
        self.number, self.peer = number, peer
        self.last: dict[str, Event] = {}  # kind -> the last event of this kind
        self.heard_bytes = 0  # what recv has returned so far
        self.gone = False
        self.heard = threading.Condition(moment)  # more heard_bytes, or gone
        self.queued = self.unsent = 0  # bytes in the outbox: put, and taken from there
        self.outbox_facts: dict[str, Any] = {"bound": None}  # what else the events of an outbox say
        self.has_outbox = True  # else whoever has something for this peer sends it


class Me(threading.local):
    """Who the running thread is."""

    lane: Lane | None = None
    thread = ""
    is_kept = False  # at stops
    kept_s = 0.0  # how long, in all
    due = False  # something was told where no thread may be kept: stop as soon as it may


class Gate:
    """The order of events, and whose turn it is.  Thread: any."""

    def __init__(self, server: str, rate: float = 0.0):
        """Begin to count.  `server` is what `mode` calls it; `rate` events a second, 0 is no limit."""
        self.server = server
        self.me = Me()
        self.lanes: dict[int, Lane] = {}  # those that are not gone
        # Called with each event, under the moment: they must not block.
        self.listeners: list[Callable[[Event], None]] = []
        # Guards all above and the events.  The innermost lock: who holds it takes no other.
        self.moment = threading.RLock()
        self.news = threading.Condition(self.moment)
        self.count = 0  # events so far; the last one's number
        self._events: collections.deque[Event] = collections.deque(maxlen=KEPT_EVENTS)
        self._last: dict[str, Event] = {}  # of what belongs to no lane
        self._lane_numbers = itertools.count(1)
        self._began = time.monotonic()
        # Guards all below.  Who waits at a stop waits here, and holds nothing of the gate's.
        # Lock order: this one, then the moment.
        self._turn = threading.Condition(threading.Lock())
        self._queue: list[list[str]] = []  # first come, first served: a place for each thread, with its name
        self._rate, self._paused, self._ended = rate, False, False
        self._steps = 0  # how many may pass in spite of a pause
        self._called: list[str] | None = None  # whose place it is that may pass, whoever stands before it
        self._next_at = 0.0
        self._keeps = rate > 0  # whether anybody is kept: read without the lock, at each stop
        self.tell_mode()

    # Who does it

    def connect(self, address: Address, **facts: Any) -> Lane:
        """Number a connection, and tell of it.  Thread: the acceptor."""
        with self.moment:
            lane = Lane(next(self._lane_numbers), f"{address[0]}:{address[1]}", self.moment)
            self.lanes[lane.number] = lane
            self.tell("connected", lane, peer=lane.peer, name=f"lane {lane.number}", **facts)
            return lane

    def enter(self, lane: Lane | None, thread: str) -> None:
        """Be this thread from now on, for this lane if it is one's, and be kept at stops."""
        self.me.lane, self.me.thread, self.me.is_kept, self.me.due = lane, thread, True, False

    def leave(self) -> None:
        """Be nobody: this thread may serve another connection later."""
        self.me.lane, self.me.thread, self.me.is_kept = None, "", False

    def is_own(self, lane: Lane) -> bool:
        """Tell whether the running thread is a lane's own."""
        return self.me.thread == f"lane {lane.number}"

    def who(self) -> int | str:
        """Return whom the running thread is called: a lane's number, or a name."""
        lane = self.me.lane
        return lane.number if lane and self.is_own(lane) else self.me.thread or threading.current_thread().name

    # What happens

    def tell(self, kind: str, lane: Lane | None = None, **facts: Any) -> Event:
        """Make the next event; without a lane it is of the running thread's, if that has one."""
        me = self.me
        lane = lane or me.lane
        with self.moment:
            self.count += 1
            event = {
                "n": self.count,
                "t": round(time.monotonic() - self._began, 6),
                "kind": kind,
                "lane": lane.number if lane else None,
                "thread": me.thread or threading.current_thread().name,
                **facts,
            }
            self._events.append(event)
            (lane.last if lane and kind != "lock" else self._last)[kind] = event
            for listener in self.listeners:
                listener(event)
            self.news.notify_all()
            return event

    def state(self, state: str, **facts: Any) -> None:
        """Tell what a lane's own thread does now; of other threads there is no state to tell."""
        lane = self.me.lane
        if lane and self.is_own(lane) and lane.last.get("state", {}).get("state") != state:
            self.tell("state", state=state, **facts)

    def outbox(self, kind: str, lane: Lane, **facts: Any) -> None:
        """Tell something of a lane's outbox, with what it holds now.  Holds the moment."""
        self.tell(kind, lane, **facts, queued=lane.queued, unsent=lane.unsent, **lane.outbox_facts)

    def gone(self, lane: Lane, why: str) -> None:
        """Tell that a connection has ended, and forget it."""
        with self.moment:
            self.tell("state", lane, state="gone")
            self.tell("gone", lane, why=why)
            lane.gone = True
            self.lanes.pop(lane.number, None)
            lane.heard.notify_all()

    # For those who show it

    def events(self, after: int = 0) -> list[Event]:
        """Return the events with higher numbers than `after`, those that are still kept."""
        with self.moment:
            missing = self.count - len(self._events)
            return list(itertools.islice(self._events, max(after - missing, 0), None))

    def present(self) -> list[Event]:
        """Return what is so now, as events: what a page needs that has seen none.  Holds the moment."""
        found = list(self._last.values())
        for lane in self.lanes.values():
            found += [lane.last[kind] for kind in LASTING if kind in lane.last]
        found.sort(key=lambda event: event["n"])
        for lane in self.lanes.values():
            now: Event = {"bytes": 0, "kernel": None} | lane.last.get("sent", {"t": 0.0, "thread": ""})
            now |= {"kind": "sent", "lane": lane.number, "queued": lane.queued, "unsent": lane.unsent}
            found.append(now | lane.outbox_facts | {"bytes": 0, "dropped": 0})
        return [{**event, "n": self.count, "present": True} for event in found]

    # Slow motion

    def stop(self) -> None:
        """Wait for our turn.  Blocks: in slow motion and while paused; never for who is not kept."""
        me = self.me
        me.due = False
        if not (self._keeps and me.is_kept):
            return
        began = time.monotonic()
        place = [me.thread]
        with self._turn:
            self._set_queue([*self._queue, place])
            while not self._lets_pass(place):
                is_next = not self._paused and self._queue[0] is place
                self._turn.wait(self._next_at - time.monotonic() if is_next else None)
            self._set_queue([other for other in self._queue if other is not place])
            self._turn.notify_all()
        me.kept_s += time.monotonic() - began

    def stop_if_due(self) -> None:
        """Stop for what was told where nobody may be kept: under an outbox's lock."""
        if self.me.due:
            self.stop()

    def waiting(self) -> list[str]:
        """Return the threads that stand at a stop, who came first first.  `news` tells of changes, too."""
        return [place[0] for place in self._queue]

    def _set_queue(self, queue: list[list[str]]) -> None:
        """Let others stand here from now on.  Holds the turn's lock."""
        with self.moment:
            self._queue = queue  # a new one each time: so whoever reads it needs no lock
            self.news.notify_all()

    def pause(self) -> None:
        """Let nobody pass."""
        self._change(paused=True)

    def run(self) -> None:
        """Go on as before the pause."""
        self._change(paused=False)

    def set_rate(self, rate: float) -> None:
        """Let so many pass a second; 0: no limit.  Ends a pause."""
        self._change(paused=False, rate=rate)

    def step(self, thread: str | None = None) -> None:
        """Let one pass, or the next who comes; pause if we do not yet.

        With a thread let this one pass if it stands here, whoever came before it.
        """
        if not self._paused:
            self.pause()
        with self._turn:
            if thread:
                self._called = next((place for place in self._queue if place[0] == thread), None)
            else:
                # Who asks again and again while nobody comes must not be surprised by a run later.
                self._steps = min(self._steps + 1, max(len(self._queue), 1))
            self._turn.notify_all()

    def end(self) -> None:
        """Keep nobody any more: the server stops."""
        with self._turn:
            self._ended, self._keeps = True, False
            self._turn.notify_all()
        with self.moment:
            self.news.notify_all()

    def begin(self, server: str) -> None:
        """Begin with another server, at the same rate; a pause is over."""
        with self.moment:
            self.server = server
            self._last.clear()
        with self._turn:
            self._ended = False
        self.run()

    @property
    def ended(self) -> bool:
        """Whether the server stops."""
        return self._ended

    @property
    def is_slow(self) -> bool:
        """Whether threads are kept, so that no clock of the server says anything."""
        return self._keeps

    @property
    def mode(self) -> str:
        """Return how it runs."""
        return "paused" if self._paused else "slow" if self._rate else "runs"

    def tell_mode(self) -> None:
        """Tell how it runs now."""
        self.tell("mode", mode=self.mode, rate=self._rate, server=self.server)

    def _change(self, paused: bool, rate: float | None = None) -> None:
        """Run in another way from now on."""
        with self._turn:
            self._paused = paused
            self._rate = self._rate if rate is None else rate
            self._steps, self._called = 0, None
            self._next_at = time.monotonic()
            self._keeps = not self._ended and (paused or self._rate > 0)
            self._turn.notify_all()
        self.tell_mode()

    def _lets_pass(self, place: list[str]) -> bool:
        """Tell whether a thread may pass, and count that it does.  Holds the turn's lock."""
        if not self._keeps:
            return True
        if self._called is place:
            self._called = None
            return True
        if self._queue[0] is not place:
            return False
        if self._paused:
            self._steps, passes = max(self._steps - 1, 0), self._steps > 0
            return passes
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + 1 / self._rate
        return True
