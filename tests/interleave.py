"""A scheduler for tests: it runs small functions in threads, one at a time, in all the orders that matter.

    def scene():                                   # builds everything anew, for each order
        registry = Registry()
        actors = {"alice": lambda: registry.claim("x", 1), "bob": lambda: registry.claim("x", 2)}
        def check(saw):                            # name of an actor -> what it returned, or its exception
            assert list(saw.values()).count(None) == 1
        return actors, check

    explore(scene, Registry)                       # raises AssertionError, with a picture, if an order breaks it

watched     code in which threads are switched: before each line, and inside of a line before it writes or calls
            after it has read.  Other code runs in one go, until it waits for a lock.
point       a place where the scheduler may switch
switch      another thread goes on though the one who runs could, or another than the first of those who can.  All
            orders with two switches at most are tried, those with fewer first: hardly a race needs more.  (Who
            begins does not count.)  No order is left to luck, so each run says the same.

The locks, queues and threads that are made meanwhile are ours, so nobody waits where we do not see it.  The
clock stands still: who sleeps, or waits for some time only, goes on when nobody else can.
"""

import dis
import functools
import linecache
import sys
import threading
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests import stand_ins
from tests.stand_ins import CLOCK, JOIN, LOCK, START, seen

STUCK_S = 10.0  # one order takes a millisecond: then somebody waits where we do not see it
MOST_POINTS = 20_000  # in one order: then it has no end
FAIR_POINTS = 100  # in a row: then the others have a turn, as whoever spins in a loop may wait for them
SHOWN_ROWS = 60  # of a picture: the last ones matter most
COLUMN = 58  # characters


class CannotSee(Exception):
    """Somebody waits for something that we do not know."""


class Abandoned(BaseException):
    """Ends an actor that waits for ever."""


class Actor:
    """A function in a thread, which runs only when it has the baton."""

    def __init__(self, order, name, body):
        self.order, self.name, self.body = order, name, body
        self.baton = LOCK()
        self.baton.acquire()
        self.done, self.saw = False, None
        self.ready, self.wakes_at, self.timed_out = None, None, False  # while it waits
        self.in_a_row = 0
        self.thread = threading.Thread(target=self.live, name=name, daemon=True)
        START(self.thread)

    def live(self):
        order = self.order
        self.baton.acquire()
        order.idents[threading.get_ident()] = self
        try:
            if not order.abandoned:
                sys.settrace(order.enter)
                self.saw = self.body()
        except BaseException as error:  # noqa: BLE001 (it is what this body has to show)
            self.saw = error
        finally:
            sys.settrace(None)
        del order.idents[threading.get_ident()]
        self.done = True
        if not order.abandoned:
            order.pass_on(self)

    def note(self, text):
        """Write beside its last line what becomes of it, if it is in that line still."""
        frame = sys._getframe(1)
        while frame and not self.order.watches(frame.f_code):
            frame = frame.f_back
        if frame and self.order.story and self.order.story[-1][:2] == [self, line_of(frame)]:
            self.order.story[-1][2] += f"  ({text})"


class Order:
    """One interleaving: `choices` says who goes on at the first decisions; after them, whoever runs."""

    def __init__(self, watched, choices):
        self.codes, self.files = watched
        self.choices = choices
        self.decisions = []  # (how many could go on, which of them did, whether another choice counts)
        self.actors, self.main = [], []
        self.idents = {threading.get_ident(): None}  # the threads whose threads are actors
        self.started = {}  # a thread of the code under test -> its actor
        self.story = []  # [actor, line, what became of it]
        self.points, self.time, self.abandoned = 0, CLOCK(), False
        self.over = LOCK()
        self.over.acquire()

    def me(self):
        """Return the actor in whose thread we are."""
        return None if self.abandoned else self.idents.get(threading.get_ident())

    def play(self, actors):
        """Run it to the end.  Raises: AssertionError, if it has none."""
        others, self.actors = self.actors, []  # threads that the scene has started
        self.main = [self.add(name, body) for name, body in actors.items()]
        self.actors += others
        self.idents = {}
        self.pass_on(None)
        if not self.over.acquire(timeout=STUCK_S):
            raise CannotSee(f"somebody waits where the scheduler does not see it:\n\n{self.picture()}")
        waiting = [actor.name for actor in self.main if not actor.done]
        self.abandoned = True
        for actor in self.actors:
            if not actor.done:
                actor.baton.release()
            JOIN(actor.thread)
        if waiting:
            endless = self.points > MOST_POINTS
            raise AssertionError(
                "there is no end to it" if endless else f"deadlock: {' and '.join(waiting)} wait for ever"
            )
        for actor in self.actors[len(self.main) :]:
            if isinstance(actor.saw, Exception):
                raise AssertionError(f"{actor.name} failed: {actor.saw!r}")  # noqa: TRY004 (no type is wrong here)

    def add(self, name, body):
        """Return a new actor."""
        self.actors.append(Actor(self, name, body))
        return self.actors[-1]

    # Who goes on

    def pass_on(self, me):
        """Give the baton to whoever is to go on; return when we have it again."""
        if (chosen := self.choose(me)) is not me:
            (chosen.baton if chosen else self.over).release()
            if me and not me.done:
                me.baton.acquire()
                me.in_a_row = 0
                if self.abandoned:
                    raise Abandoned

    def choose(self, me):
        """Return who goes on: None at the end, or if nobody can."""
        alive = [actor for actor in self.actors if not actor.done]
        able = [actor for actor in alive if not actor.ready or actor.ready()]
        if self.points > MOST_POINTS:
            return None
        if not able:
            self.time = min((actor.wakes_at for actor in alive if actor.wakes_at), default=self.time)
            able = [actor for actor in alive if actor.wakes_at == self.time]
            for actor in able[1:]:
                actor.wakes_at += 1e-6  # one at a time
            for actor in able[:1]:
                actor.timed_out = True
            return next(iter(able), None)
        preempts = me in able
        if preempts:
            others = [actor for actor in able if actor is not me]
            preempts = not (others and me.in_a_row > FAIR_POINTS)
            able = [me, *others] if preempts else others
        if len(able) == 1:
            return able[0]
        at = len(self.decisions)
        which = self.choices[at] if at < len(self.choices) else 0
        self.decisions.append((len(able), which, preempts or at > 0))
        return able[which]

    def wait(self, me, ready, timeout=-1):
        """Let others go on until it is ready; return False if the time is over before."""
        me.ready, me.timed_out = ready, False
        me.wakes_at = self.time + timeout if timeout >= 0 else None
        self.pass_on(me)
        me.ready = me.wakes_at = None
        return not me.timed_out

    def next_choices(self, switches):
        """Return the choices for the order after this one, depth first, or None after the last."""
        for at in reversed(range(len(self.decisions))):
            many, which, counts = self.decisions[at]
            spent = sum(counts and which > 0 for _, which, counts in self.decisions[:at])
            if which + 1 < many and spent + counts <= switches:
                return [which for _, which, _ in self.decisions[:at]] + [which + 1]
        return None

    # What is run

    def enter(self, frame, event, arg):
        """Watch a function that is called, or do not."""
        if self.watches(frame.f_code):
            frame.f_trace_opcodes = True
            return self.step

    def watches(self, code):
        return code in self.codes or code.co_filename in self.files

    def step(self, frame, event, arg):
        """Stop before a line, or inside of it."""
        if event == "line":  # 3.13 and later heed it in the first frame only if it changes after the call
            frame.f_trace_opcodes = False
            frame.f_trace_opcodes = True
        inside = event == "opcode" and frame.f_lasti in points_inside(frame.f_code)
        if (event == "line" or inside) and (me := self.me()):
            self.points += 1
            me.in_a_row += 1
            self.pass_on(me)
            if not inside or self.story[-1][0] is not me:
                self.story.append([me, line_of(frame), "  (goes on)" * inside])
        return self.step

    def picture(self):
        """Return who ran which line, a column for each actor, and what each saw at the end."""
        columns = [actor for actor in self.actors if actor in self.main or any(row[0] is actor for row in self.story)]
        width = min(COLUMN, max((len(line + note) for _, line, note in self.story), default=0) + 2)
        cut = lambda text: text if len(text) <= width - 2 else text[: width - 3] + "…"
        rows = ["".join(cut(actor.name).ljust(width) for actor in columns)]
        rows += ["..."] * (len(self.story) > SHOWN_ROWS)
        for actor, line, note in self.story[-SHOWN_ROWS:]:
            room = width - 2 - len(note)
            line = line if len(line) <= room else line[: room - 1] + "…"
            rows.append(" " * width * columns.index(actor) + line + note)
        saw = ["no end" if isinstance(actor.saw, Abandoned) else repr(actor.saw) for actor in columns]
        rows.append("".join(cut(f"-> {what}").ljust(width) for what in saw))
        return "\n".join("    " + row.rstrip() for row in rows)


def line_of(frame):
    """Return the line in which a frame is, as text."""
    path, number = frame.f_code.co_filename, frame.f_lineno
    return f"{Path(path).name}:{number}  {linecache.getline(path, number).strip()}"


@functools.cache
def points_inside(code):
    """Return the offsets in the bytecode at which a line writes or calls, after it has read what others may change."""
    found, read, extended = set(), "", []
    for one in dis.get_instructions(code):
        if one.starts_line:
            read, extended = "", []
        if one.opname == "EXTENDED_ARG":
            extended.append(one.offset)
            continue
        calls = one.opname.startswith("CALL")
        if (
            read
            and one.opname.startswith(("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF", "DELETE_"))
            or calls
            and read == "value"
        ):
            found |= {one.offset, *extended}
        if calls or one.opname in ("CONTAINS_OP", "BINARY_SUBSCR", "BINARY_OP", "COMPARE_OP", "FOR_ITER"):
            read = "value"
        elif one.opname.startswith(("LOAD_ATTR", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_METHOD")):
            read = read or "name"
        extended = []
    return found


def unfold(watched):
    """Return the code objects and the files that are watched, and the namespaces that they use."""
    codes, files, spaces, waiting = set(), set(), [], list(watched)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ModuleType):
            files.add(one.__file__)
            spaces.append(vars(one))
        elif isinstance(one, (str, Path)):
            files.add(str(one))
        elif isinstance(one, type):
            waiting += [getattr(what, "__wrapped__", what) for what in vars(one).values() if callable(what)]
        elif isinstance(one, FunctionType):
            spaces.append(one.__globals__)
            waiting.append(one.__code__)
        elif isinstance(one, CodeType):
            codes.add(one)
            waiting += [const for const in one.co_consts if isinstance(const, CodeType)]
    return (codes, files), spaces


def anew(module):
    """Run a module's code once more and return the module: in a scene, so that the locks that it makes are seen."""
    exec(code_of(module), vars(module))  # noqa: S102 (a module of this project)
    return module


@functools.lru_cache(maxsize=8)
def code_of(module):
    """Return a module's code: always the same, since 3.12 looks inside of a line from the second time on."""
    return module.__spec__.loader.get_code(module.__name__)


def explore(scene, *watched, switches=2, most=3000):
    """Try the orders of a scene; return how many.  Raises: AssertionError, for the first that breaks it.

    Watched are modules, files, classes or functions.  scene() returns the actors, name -> function, and check(saw).
    """
    __tracebackhide__ = True  # pytest is to show the picture, and not how we found it
    codes_and_files, spaces = unfold(watched)
    tried = 0
    with seen(spaces):
        for bound in range(switches + 1):
            choices = []
            while choices is not None and tried < most:
                tried += 1
                stand_ins.now = order = Order(codes_and_files, choices)
                actors, check = scene()
                try:
                    order.play(actors)
                    check({actor.name: actor.saw for actor in order.main})
                except AssertionError as error:
                    raise AssertionError(f"{error}\n\n{order.picture()}\n\n    (order {tried})") from None
                choices = order.next_choices(bound)
    return tried
