"""Six guided scenes: what is to be read, what is done, and what must be seen before it goes on.

A scene is data.  The director carries it out on the real server: it gives the commands that a page
could give, too, and looks at every event.

step   a text, and a plan: it is done when the plan is
plan   dicts, in order: with "do" a command; with "kind" an event that must come, and those fields of
       it that matter (a tuple: several events, in any order); with "let" threads that may pass the
       gate in turn, each at one event, until the events "until" have come; with "states" the states
       that lanes must have had for STILL_S
lane   here a key, which "as" has given to a connection that was added, or else its name
"""

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

# How long nothing must happen before we believe that nothing will: a server that is only busy does
# something many times in that time.
STILL_S = 0.5
# How long a thread that was let pass may take to come to the gate again.  Then it waits somewhere
# else (for a peer, for the lock), and somebody else's turn comes.
PASS_S = 0.1
PACE_S = 0.4  # between two that are let pass: time enough to see each
LANE_FIELDS = ("lane", "by", "holder")  # the fields of an event that may name a lane


class Step(NamedTuple):
    """A text for the learner, and what happens meanwhile."""

    text: str
    plan: tuple[dict | tuple, ...] = ()


class Scene(NamedTuple):
    """Some steps, which show one idea."""

    key: str
    title: str
    chapter: str  # where the idea is explained
    steps: tuple[Step, ...]


def server(name: str) -> dict:
    """Start a server of this kind, with nobody there."""
    return {"do": "server", "server": name}


def rate(events_a_second: float) -> dict:
    """Run in slow motion; 0: in real time."""
    return {"do": "rate", "rate": events_a_second}


def come_in(*names: str) -> tuple[dict, ...]:
    """Let users log in, one after the other, until each has had her answer."""
    return tuple(
        item
        for name in names
        for item in ({"do": "add", "name": name}, {"kind": "named", "lane": name}, reads(name))
    )


def send(lane: str, text: str) -> dict:
    """Send these bytes, in one piece."""
    return {"do": "send", "lane": lane, "data": text.encode().decode("latin-1"), "cuts": []}


def chunk(lane: str, text: str) -> dict:
    """Expect that one recv returns these bytes."""
    return {"kind": "chunk", "lane": lane, "data": text.encode().decode("latin-1")}


def line(lane: str, text: str) -> dict:
    """Expect that this line is taken out of the buffer."""
    return {"kind": "line", "lane": lane, "line": text.encode().decode("latin-1")}


def reads(lane: str) -> dict:
    """Expect that its thread waits for the peer again."""
    return {"kind": "state", "lane": lane, "state": "reads"}


def flood(lane: str, to: str) -> dict:
    """Send more than all buffers hold, in messages of a kilobyte."""
    return {"do": "flood", "lane": lane, "to": to, "lines": 200, "bytes": 1000}


def starts(text: str) -> Callable:
    """Match a text that begins like this."""
    return lambda found, lanes: found is not None and found.startswith(text)


def over(number: int) -> Callable:
    """Match a number that is greater."""
    return lambda found, lanes: found is not None and found > number


def has(key: str) -> Callable:
    """Match a list in which this lane is."""
    return lambda found, lanes: lanes.get(key) in found


def two_of_one_name(kind_of_server: str) -> tuple[dict, ...]:
    """Let two connections stand in their threads with `LOGIN alice` in the hand, neither of them further."""
    return (
        server(kind_of_server),
        {"do": "add", "name": "", "as": "left"},
        {"kind": "connected", "lane": "left"},
        {"do": "add", "name": "", "as": "right"},
        {"kind": "connected", "lane": "right"},
        {"do": "pause"},
        send("left", "LOGIN alice\n"),
        {"let": ("left",), "until": chunk("left", "LOGIN alice\n")},
        send("right", "LOGIN alice\n"),
        {"let": ("right",), "until": chunk("right", "LOGIN alice\n")},
    )


def says_to_all(name: str, text: str) -> tuple[dict, ...]:
    """Let one user say something to all, and let her thread do all of its work; the postman stands still."""
    return (
        send(name, f"ALL {text}\n"),
        {"let": (name,), "until": chunk(name, f"ALL {text}\n")},
        {"let": (name,), "until": {"kind": "put", "by": name, "lane": "dave"}},
    )


SCENES = (
    Scene(
        "two_chunks",
        "A line in two chunks",
        "step4_framing",
        (
            Step(
                "Alice and Bob log in. Each has a lane, with a thread of the server that waits in recv for what"
                " she or he sends.",
                (server("chat"), rate(4), *come_in("alice", "bob")),
            ),
            Step(
                "Alice sends “MSG bob hel”, and nothing more yet. Her thread's recv returns it: a chunk. There is"
                " no \\n in it, so it is no line. The line buffer keeps it, and the thread waits in recv again.",
                (
                    send("alice", "MSG bob hel"),
                    chunk("alice", "MSG bob hel"),
                    {"kind": "kept", "lane": "alice", "lines": 0, "rest": "MSG bob hel"},
                    reads("alice"),
                ),
            ),
            Step(
                "Now “lo” and the \\n. With what was kept it is a whole line, and only now a request. It goes into"
                " Bob's outbox, and from there to Bob.",
                (
                    send("alice", "lo\n"),
                    chunk("alice", "lo\n"),
                    line("alice", "MSG bob hello"),
                    {"kind": "request", "lane": "alice", "verb": "MSG"},
                    {"kind": "put", "lane": "bob", "by": "alice", "data": "MSG alice hello\n"},
                    {"kind": "sent", "lane": "bob"},
                ),
            ),
            Step(
                "A cut may be anywhere, also in the middle of a letter: é is two bytes, and here one of them comes"
                " first. The buffer keeps bytes, not letters, so it does not mind.",
                (
                    {**send("alice", ""), "data": "MSG bob caf\xc3"},
                    {"kind": "kept", "lane": "alice", "lines": 0, "rest": "MSG bob caf\xc3"},
                    {**send("alice", ""), "data": "\xa9\n"},
                    line("alice", "MSG bob café"),
                    {"kind": "sent", "lane": "bob"},
                    rate(0),
                ),
            ),
        ),
    ),
    Scene(
        "one_chunk",
        "Two lines in one chunk",
        "step4_framing",
        (
            Step("Alice and Bob log in.", (server("chat"), rate(4), *come_in("alice", "bob"))),
            Step(
                "Alice's client sends two lines so fast that they arrive together: one recv, one chunk. The buffer"
                " finds two \\n in it. The lines are taken out and answered one after the other, each with the"
                " lock. Both leave for Bob with one send.",
                (
                    send("alice", "MSG bob one\nMSG bob two\n"),
                    chunk("alice", "MSG bob one\nMSG bob two\n"),
                    {"kind": "kept", "lane": "alice", "lines": 2, "rest": ""},
                    line("alice", "MSG bob one"),
                    {"kind": "put", "lane": "bob", "data": "MSG alice one\n"},
                    line("alice", "MSG bob two"),
                    {"kind": "put", "lane": "bob", "data": "MSG alice two\n"},
                    {"kind": "sent", "lane": "bob", "bytes": len("MSG alice one\nMSG alice two\n")},
                ),
            ),
            Step(
                "A line and a half: the whole one is answered, the half one is kept.",
                (
                    send("alice", "MSG bob three\nMSG bob fo"),
                    {"kind": "kept", "lane": "alice", "lines": 1, "rest": "MSG bob fo"},
                    line("alice", "MSG bob three"),
                    {"kind": "sent", "lane": "bob"},
                ),
            ),
            Step(
                "And the other half.",
                (send("alice", "ur\n"), line("alice", "MSG bob four"), {"kind": "sent", "lane": "bob"}, rate(0)),
            ),
        ),
    ),
    Scene(
        "freeze",
        "The naive freeze",
        "step5_server",
        (
            Step(
                "This is the server that sends to others under the lock, as you have typed it before there were"
                " outboxes. Mallory and Alice log in.",
                (server("naive"), rate(4), *come_in("mallory", "alice")),
            ),
            Step(
                "Mallory stops reading, and Alice writes to her: a kilobyte, and again. It goes well until the"
                " kernel's buffers for Mallory are full. Then Alice's thread waits in its send to Mallory, and has"
                " the lock.",
                (
                    rate(40),
                    {"do": "stop_reading", "lane": "mallory"},
                    flood("alice", "mallory"),
                    {"kind": "sent", "lane": "mallory", "bytes": 0},  # the kernel takes nothing
                    {"states": {"alice": "sends"}},
                ),
            ),
            Step(
                "Bob comes, who has nothing to do with either. For LOGIN his thread wants the lock, and now it"
                " waits, too. So will everybody who wants anything. Nobody can do anything about it but Mallory.",
                (
                    {"do": "add", "name": "bob"},
                    {"kind": "state", "lane": "bob", "state": "wants"},
                    {"states": {"alice": "sends", "bob": "wants"}},
                ),
            ),
            Step(
                "Mallory reads again. Alice's send comes back, she lets go of the lock, and Bob gets it.",
                ({"do": "read_again", "lane": "mallory"}, {"kind": "named", "lane": "bob", "name": "bob"}, rate(0)),
            ),
        ),
    ),
    Scene(
        "slow_consumer",
        "The bounded outbox and the slow consumer",
        "step5_server",
        (
            Step(
                "The same guests at the full server. What is meant for somebody else goes into her outbox.",
                (server("chat"), rate(4), *come_in("mallory", "alice")),
            ),
            Step(
                "Mallory stops reading, and Alice writes to her. First the kernel's buffers fill. When they are"
                " full, Mallory gets a thread that waits for her, the drainer, and what it cannot send waits in"
                " her outbox. Alice's thread does not wait in a send. (Here we stop it for a moment.)",
                (
                    rate(40),
                    {"do": "stop_reading", "lane": "mallory"},
                    flood("alice", "mallory"),
                    {"kind": "drainer", "lane": "mallory", "runs": True},
                    {"do": "pause"},
                ),
            ),
            Step(
                "Bob comes, in slow motion. The lock is free between two requests of Alice's, so he gets it at"
                " once.",
                (rate(8), *come_in("bob"), {"do": "pause"}),
            ),
            Step(
                "On. The outbox has a bound, and when more than that waits, Mallory is a slow"
                " consumer: she is cut off. Her thread wakes up in recv and frees her name. Then Alice is told that"
                " nobody has it.",
                (
                    rate(40),
                    {"kind": "cut", "lane": "mallory"},
                    {"kind": "reply", "lane": "alice", "line": starts("ERR no-such-user")},
                ),
            ),
            Step(
                "Bob has not noticed anything.",
                (send("bob", "HELP\n"), {"kind": "reply", "lane": "bob", "line": starts("OK LOGIN")}, rate(0)),
            ),
        ),
    ),
    Scene(
        "race",
        "A race for a name, without the lock and with it",
        "step5_server",
        (
            Step(
                "This is the server without a lock. Two connections say LOGIN alice, in the same moment. Both threads"
                " have read it, and stand still.",
                two_of_one_name("race"),
            ),
            Step(
                "They go on in turn, which may happen at any time. The left one looks into the table: alice is free."
                " The right one looks: still free. Both take it, and both are welcome.",
                (
                    {"let": ("left",), "until": {"kind": "table", "lane": "left", "does": "looks", "found": False}},
                    {"let": ("right",), "until": {"kind": "table", "lane": "right", "does": "looks", "found": False}},
                    {"let": ("left",), "until": {"kind": "table", "lane": "left", "does": "takes"}},
                    {"let": ("right",), "until": {"kind": "table", "lane": "right", "does": "takes"}},
                    {"let": ("left",), "until": ({"kind": "reply", "lane": "left", "line": starts("OK")}, reads("left"))},
                    {"let": ("right",), "until": ({"kind": "reply", "lane": "right", "line": starts("OK")}, reads("right"))},
                    rate(0),
                ),
            ),
            Step(
                "Carol writes to alice. Only the one who was last is in the table: the other has a name, and hears"
                " nothing.",
                (
                    *come_in("carol"),
                    send("carol", "MSG alice which of you?\n"),
                    {"kind": "sent", "lane": "right", "bytes": len("MSG carol which of you?\n")},
                ),
            ),
            Step("Now the same with a lock. Again two connections have read LOGIN alice.", two_of_one_name("naive")),
            Step(
                "The left thread takes the lock, looks, and stands still between looking and taking. The right one"
                " may run as long as it likes: it waits for the lock.",
                (
                    {"let": ("left",), "until": {"kind": "table", "lane": "left", "does": "looks", "found": False}},
                    {"let": ("right",), "until": {"kind": "state", "lane": "right", "state": "wants"}},
                    {"let": ("right",), "until": {"kind": "lock", "holder": "left", "queue": has("right")}},
                ),
            ),
            Step(
                "The left one takes the name and lets go of the lock. The right one gets it, looks, and finds that the"
                " name is taken. To look and to take have become one step.",
                (
                    {"let": ("left",), "until": {"kind": "table", "lane": "left", "does": "takes"}},
                    {
                        "let": ("left", "right"),
                        "until": (
                            {"kind": "lock", "holder": "right"},
                            {"kind": "table", "lane": "right", "does": "looks", "found": True},
                            {"kind": "reply", "lane": "right", "line": starts("ERR name-taken")},
                            reads("left"),
                            reads("right"),
                        ),
                    },
                    rate(0),
                ),
            ),
        ),
    ),
    Scene(
        "postman",
        "The postman gathers messages",
        "extras/broadcast",
        (
            Step(
                "Four users of the rooms server. What one says to all goes into three outboxes, and into her own the"
                " OK.",
                (
                    server("rooms"),
                    rate(0),
                    *come_in("alice", "bob", "carol"),
                    {"do": "add", "name": "dave"},
                    {"kind": "named", "lane": "dave"},
                    (reads("dave"), {"kind": "sent", "lane": "dave"}),  # his welcome leaves with the news of him for all
                    {"do": "pause"},
                    {"let": ("postman",), "until": {"kind": "postman", "state": "sleeps"}},
                ),
            ),
            Step(
                "Alice says something to all. Her thread puts it into the outboxes, and does not send it: it wakes the"
                " postman, who is about to go past all of them. Here we stop him at the door.",
                (
                    *says_to_all("alice", "one"),
                    {"let": ("alice",), "until": (reads("alice"), {"kind": "postman", "state": "walks"})},
                ),
            ),
            Step(
                "Meanwhile Bob and Carol say something, too. In Dave's outbox, three lines have come together.",
                (
                    *says_to_all("bob", "two"),
                    {"let": ("bob",), "until": reads("bob")},
                    *says_to_all("carol", "three"),
                    {"let": ("carol",), "until": reads("carol")},
                ),
            ),
            Step(
                "The postman goes. For Dave, who gets three lines, he needs one send.",
                (
                    {
                        "let": ("postman",),
                        "until": {
                            "kind": "sent",
                            "lane": "dave",
                            "bytes": len("ALL alice one\nALL bob two\nALL carol three\n"),
                        },
                    },
                    rate(0),
                ),
            ),
        ),
    ),
)


class Director:
    """Carries out one scene at a time, in a thread of its own.

    do     carries out a command, with the lane's number, and returns what it has made: for `add` a lane
    tell   makes an event
    see    must be called with every event, in order; it never blocks
    """

    def __init__(self, do: Callable[[dict], object], tell: Callable[..., None]):
        self._do, self._tell = do, tell
        self.pace_s = PACE_S  # a test has no need to see it
        self.haste = 1.0  # and can do with less slow motion
        self._events: queue.SimpleQueue = queue.SimpleQueue()  # those since the step began; None: give up
        self._lock = threading.Lock()  # guards all below: held to look and to set, never to wait
        self._number = self._step = 0  # from 1; 0: no scene
        self._done = False  # the step, and nobody has asked for the next yet
        self._thread: threading.Thread | None = None
        self._lanes: dict[str, int] = {}  # key -> number
        self._states: dict[int, str] = {}

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

    def see(self, event: dict) -> None:
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

    def _carry_out(self, item: dict | tuple) -> bool:
        """Do what the plan says next; tell whether the scene goes on."""
        if "do" in item:
            return self._command(item)
        if "let" in item:
            return self._let(item["let"], item["until"])
        if "states" in item:
            return self._stay(item["states"])
        missing = self._listed(item)
        while missing and (event := self._events.get()) is not None:
            missing = self._without(event, missing)
        return not missing

    @staticmethod
    def _listed(wanted: dict | tuple) -> list[dict]:
        return [wanted] if isinstance(wanted, dict) else list(wanted)

    def _without(self, event: dict, missing: list[dict]) -> list[dict]:
        """Return what is still missing when this event has come."""
        return [wanted for wanted in missing if not self._is(event, wanted)]

    def _command(self, item: dict) -> bool:
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

    def _let(self, keys: tuple[str, ...], until: dict | tuple[dict, ...]) -> bool:
        """Let threads pass in turn, until the wanted events have come."""
        missing = self._listed(until)
        turn, patience_s = 0, 0.0
        while True:
            try:
                while (event := self._events.get(timeout=patience_s)) is not None:
                    missing = self._without(event, missing)
                    if not missing:
                        return True
                    if event.get("thread") == self._thread_of(keys[turn % len(keys)]):
                        patience_s = self.pace_s  # it has done something, and stands still again
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
        """Wait until these lanes are in these states, and nothing happens for STILL_S."""
        while True:
            try:
                if self._events.get(timeout=STILL_S) is None:
                    return False
            except queue.Empty:
                if all(self._states.get(self._lanes[key]) == state for key, state in states.items()):
                    return True

    def _is(self, event: dict, wanted: dict) -> bool:
        """Tell whether the event has all that is wanted."""
        for field, value in wanted.items():
            found = event.get(field)
            if callable(value):
                if not value(found, self._lanes):
                    return False
            elif found != (self._lanes.get(value) if field in LANE_FIELDS else value):
                return False
        return True
