"""The director: carries out the scenes on the real server, one at a time.

It gives the commands that a page could give, too, and looks at every event.  A step is done when all
of its plan has come true: so no text can tell what has not happened.
"""

import queue
import threading
from collections.abc import Callable

from extras.glass.gate import Event
from extras.glass.scenes import SCENES, Item

# How long nothing must happen before we believe that nothing will: a server that is only busy does
# something many times in that time.
STILL_S = 0.5
# How long a thread that was let pass may take to come to the gate again.  Then it waits somewhere
# else (for a peer, for the lock), and somebody else's turn comes.
PASS_S = 0.1
PACE_S = 0.4  # between two that are let pass: time enough to see each
LANE_FIELDS = ("lane", "by", "holder")  # the fields of an event that may name a lane


class Director:
    """Who carries them out, in a thread of its own.

    do     carries out a command, with the lane's number, and returns what it has made: for `add` a lane
    tell   makes an event
    see    must be called with every event, in order; it never blocks
    """

    def __init__(self, do: Callable[[Item], int | None], tell: Callable[..., object]):
        self._do, self._tell = do, tell
        self.pace_s, self.still_s = PACE_S, STILL_S  # a test has no need to see anything
        self.haste = 1.0  # and can do with less slow motion
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()  # those since the step began; None: give up
        self._lock = threading.Lock()  # guards all below: held to look and to set, never to wait
        self._number = self._step = 0  # from 1; 0: no scene
        self._done = False  # the step, and nobody has asked for the next yet
        self._thread: threading.Thread | None = None
        self._lanes: dict[str, int | None] = {}  # key -> number; None: a page has meddled, and it was not made
        self._states: dict[int | None, str] = {}  # by the lane's number

    def start(self, number: int) -> None:
        """Begin a scene; one that is under way is given up.  Raises: ValueError."""
        if not 1 <= number <= len(SCENES):
            raise ValueError(f"there are scenes 1 to {len(SCENES)}")
        self.end()
        self._lanes.clear()
        self._begin(number, 1)

    def next(self) -> None:
        """Go on to the next step; after the last one the scene is over.  Does nothing while a step is under way."""
        with self._lock:
            number, step = self._number, self._step
            if not self._done:
                return
            self._done = False
        if step < len(SCENES[number - 1].steps):
            self._begin(number, step + 1)
        else:
            self._number = 0
            self._tell("scene", scene=0)

    def see(self, event: Event) -> None:
        """Notice an event.  Thread: any.  Blocks: never."""
        if event["kind"] == "state":
            self._states[event["lane"]] = event["state"]
        if self._thread is not None:
            self._events.put(event)

    def end(self) -> None:
        """Give up the scene that is under way.  Blocks: until the command that is just carried out has been."""
        thread = self._thread
        if thread and thread is not threading.current_thread():
            self._events.put(None)
            thread.join()
        self._thread, self._number, self._done = None, 0, False

    def _begin(self, number: int, step: int) -> None:
        with self._lock:
            self._number, self._step = number, step
            self._events = queue.SimpleQueue()
            self._thread = threading.Thread(target=self._play, name="director", daemon=True)
            self._thread.start()

    def _play(self) -> None:
        """Carry out a step.  Thread: the director."""
        self._tell_step(done=False)
        for item in SCENES[self._number - 1].steps[self._step - 1].plan:
            if not self._carry_out(item):
                return
        self._done = True
        self._tell_step(done=True)

    def _tell_step(self, done: bool) -> None:
        scene = SCENES[self._number - 1]
        self._tell(
            "scene",
            scene=self._number,
            of=len(SCENES),
            step=self._step,
            steps=len(scene.steps),
            title=scene.title,
            chapter=scene.chapter,
            text=scene.steps[self._step - 1].text,
            done=done,
        )

    def _carry_out(self, item: Item | tuple[Item, ...]) -> bool:
        """Do what the plan says next; tell whether the scene goes on."""
        if isinstance(item, tuple):
            return self._expect(list(item))
        if "do" in item:
            return self._command(item)
        if "let" in item:
            pace_s = self.pace_s if item["pace_s"] is None else min(item["pace_s"], self.pace_s)
            return self._let(item["let"], list(item["until"]), pace_s)
        if "states" in item:
            return self._stay(item["states"])
        return self._expect([item])

    def _expect(self, missing: list[Item]) -> bool:
        """Wait until all these events have come; tell whether the scene goes on."""
        while missing and (event := self._events.get()) is not None:
            missing = self._without(event, missing)
        return not missing

    def _without(self, event: Event, missing: list[Item]) -> list[Item]:
        """Return what is still missing when this event has come."""
        return [wanted for wanted in missing if not self._is(event, wanted)]

    def _command(self, item: Item) -> bool:
        command = dict(item)
        key = command.pop("as", command.get("name"))
        if "lane" in command:
            command["lane"] = self._lanes[command["lane"]]
        if "rate" in command:
            command["rate"] *= self.haste
        made = self._do(command)
        if command["do"] == "add":
            self._lanes[key] = made
        return True

    def _let(self, keys: tuple[str, ...], missing: list[Item], pace_s: float) -> bool:
        """Let threads pass in turn, until what is missing has come."""
        turn, patience_s = 0, 0.0
        while True:
            try:
                while (event := self._events.get(timeout=patience_s)) is not None:
                    missing = self._without(event, missing)
                    if not missing:
                        return True
                    if event.get("thread") == self._thread_of(keys[turn % len(keys)]):
                        patience_s = pace_s  # it has done something, and stands still again
                return False
            except queue.Empty:
                pass
            turn += 1
            patience_s = PASS_S
            self._do({"do": "step", "thread": self._thread_of(keys[turn % len(keys)])})

    def _thread_of(self, key: str) -> str:
        """Return the name of a lane's thread; others have names that are no keys."""
        return f"lane {self._lanes[key]}" if key in self._lanes else key

    def _stay(self, states: dict[str, str]) -> bool:
        """Wait until these lanes are in these states, and nothing happens for a while."""
        while True:
            try:
                if self._events.get(timeout=self.still_s) is None:
                    return False
            except queue.Empty:
                if all(self._states.get(self._lanes[key]) == state for key, state in states.items()):
                    return True

    def _is(self, event: Event, wanted: Item) -> bool:
        """Tell whether the event has all that is wanted."""
        for field, value in wanted.items():
            found = event.get(field)
            if callable(value):
                if not value(found, self._lanes):
                    return False
            elif found != (self._lanes.get(value) if field in LANE_FIELDS else value):
                return False
        return True
