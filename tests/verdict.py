"""What becomes of the checks: a lesson for each rule that is broken, a line for each rule, and less patience after that.

The hooks are pytest's; conftest.py names this module.
"""

import time
from pathlib import Path

import pytest

from tests import client_process
from tests.chapter import ROOT
from tests.crash import LIBRARY, Crash, crash_of, quote, shorten
from tests.lesson import Lesson, NotYet, Raised, on_the_wire
from tests.progress import more_fail
from tests.wire import DEADLINE_S

PATIENCE_S = 5.0  # for an answer of a foreign program: on one's own machine a right one comes in milliseconds
# Once an answer has not come, its rule is broken, and others may be by the same cause: for those we wait a tenth, ...
IMPATIENT_S = 0.5  # ... but so long at least
SLOW_S = 2.0  # and so long where a right server may wait a second for another client: a check marked `slow`
LONG_ENOUGH_S = 30.0  # since the first rule was found broken: a server may answer, and very slowly
NO_MORE_SLOW = 3  # checks without an answer: then those are not tried
GIVE_UP_AT_ONCE = 4  # checks without an answer, and none has passed: what else is there to learn?
GIVE_UP = 15  # checks without an answer, and more of them than passed: then it is another kind of server, so stop

NOT_TRIED = "not tried, for much is broken already"
FAILED = pytest.StashKey[bool]()  # of a test


class SoFar:
    """What is known of a run so far."""

    def __init__(self):
        self.outcomes = {}  # rule title -> "passed", "failed", "skipped", "not tried"
        self.races = set()  # the titles of the rules that a race breaks, which may not show
        self.passed = 0  # tests
        self.waited = 0  # tests in which an answer did not come
        self.broken_at = None  # when the first rule was found broken
        self.no_server = ""  # why there is none

    def broken(self) -> int:
        """Return how many rules are broken."""
        return list(self.outcomes.values()).count("failed")

    def note(self, title: str, report) -> None:
        if report.failed:
            self.outcomes[title] = "failed"
            self.broken_at = self.broken_at or time.monotonic()
        elif report.when == "call":
            self.passed += report.passed
            if self.outcomes.get(title) != "failed":
                self.outcomes[title] = report.outcome

    def enough(self) -> str:
        """Return why the rest need not be tried; nothing if it is worth while."""
        if self.waited - self.passed >= (GIVE_UP if self.passed else GIVE_UP_AT_ONCE):
            return f"{self.waited} checks got no answer: the rest is not tried"
        if self.broken_at and time.monotonic() - self.broken_at > LONG_ENOUGH_S:
            return "something is broken, and the other checks take long: the rest is not tried"
        return ""


SO_FAR = pytest.StashKey[SoFar]()  # of the run


def patience(item) -> float:
    """Return how long a check is to wait for an answer."""
    config = item.config
    wanted = config.getoption("--patience") or (PATIENCE_S if config.flag else DEADLINE_S)
    if not config.stash[SO_FAR].waited:
        return wanted
    return min(wanted, max(wanted / 10, SLOW_S if item.get_closest_marker("slow") else IMPATIENT_S))


def tells_all(config) -> bool:
    """Say whether every failure is to be shown: with -vv, since our settings have a -q in them, which takes one off."""
    return config.option.verbose > 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Leave out what else a broken rule has to say, one lesson is enough; and what takes long, where much is broken."""
    marker, config = item.get_closest_marker("rule"), item.config
    if marker and config.flag and not tells_all(config):
        so_far = config.stash[SO_FAR]
        broken = so_far.outcomes.get(marker.kwargs["title"]) == "failed"
        if broken or item.get_closest_marker("slow") and so_far.waited >= NO_MORE_SLOW:
            pytest.skip(NOT_TRIED)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    marker = item.get_closest_marker("rule")
    if not marker:
        return
    so_far, title, foreign = item.config.stash[SO_FAR], marker.kwargs["title"], bool(item.config.flag)
    if marker.kwargs["race"]:
        so_far.races.add(title)
    told_before = so_far.outcomes.get(title) == "failed"
    report.folded = foreign and report.failed and so_far.broken() > 0
    so_far.note(title, report)
    if report.failed:
        item.stash[FAILED] = True
        lesson = call.excinfo.value
        if not isinstance(lesson, Lesson) and foreign:
            lesson = mishap(lesson, "the client" if "template" in item.fixturenames else "the server")
        if isinstance(lesson, Lesson):  # else it is our own mistake: show its traceback
            so_far.waited += lesson.waited
            text = tell(item, lesson, told_before)
            if tells_all(item.config):
                report.sections.append(("the lesson", text))
            else:
                report.longrepr = text
    if foreign and (why := so_far.enough()):
        item.session.shouldfail = why


def tell(item, lesson: Lesson, told_before: bool) -> str:
    """Return a lesson as text."""
    rule = {key: what for key, what in item.get_closest_marker("rule").kwargs.items() if key != "race"}
    if told_before:
        rule |= {"at": "(once more; the hint is above)", "hint": ""}
    crash, printed = behind(item, lesson)
    if crash and crash.explains_itself:
        rule["hint"] = ""
    return lesson.tell(**rule, more=printed, before=str(crash or ""))


def pytest_report_teststatus(report, config):
    """Keep what is folded out of the failures that are shown."""
    if getattr(report, "folded", False) and not tells_all(config):
        return "folded", "F", "FAILED"


def mishap(error: BaseException, who: str) -> Lesson:
    """Return the lesson of a check that has met what it did not foresee."""
    story = client_process.Now.story if who == "the client" else None
    if isinstance(error, AssertionError):
        return Lesson("that the rule holds", str(error).partition("\nassert ")[0], story)
    if isinstance(error, TimeoutError):
        return Lesson("that the rule holds", f"nothing from {who}, for as long as we wait", story, waited=True)
    if isinstance(error, OSError):
        return Lesson("that the rule holds", on_the_wire(error, who), story)
    return Lesson("that the rule holds", Raised(error), story, error=error)


def behind(item, lesson: Lesson) -> tuple[Crash | None, str]:
    """Return the exception that made the program under test fail, if any, and what else it printed, as text."""
    if not item.config.flag:
        return None, ""
    if lesson.error:
        return (None if isinstance(lesson.error, NotYet) else crash_of(lesson.error, is_hers)), ""
    if server := getattr(item.config, "foreign_server", None):
        told, crashes = shorten(server.printed())
        ending = server.how_it_ended()
        if crashes or told.count("\n") < 1 and not ending:  # one line says where it listens, most likely
            return next(iter(crashes), None), ending
        return None, "\n".join([quote("the server", told), *[ending] * bool(ending)])
    now = client_process.Now
    _, crashes = shorten(now.printed.decode("utf-8", "replace"))
    told, _ = shorten(now.errors.decode("utf-8", "replace"))
    if crashes or not told.strip():
        return next(iter(crashes), None), ""
    return None, quote("the client", told)


def is_hers(path: str) -> bool:
    """Say whether a frame is in the code under test, and not in a check or a library."""
    ours = path.startswith(str(ROOT)) and Path(path).name.startswith(("test_", "yours"))
    return not ours and not LIBRARY.search(path)


def pytest_terminal_summary(terminalreporter, config):
    """Show for each rule whether it holds."""
    if not config.flag:
        return
    so_far = config.stash[SO_FAR]
    if so_far.broken() > 1:
        terminalreporter.write_line("\n" + more_fail(so_far.broken() - 1))
    if so_far.no_server:
        terminalreporter.write_line(so_far.no_server)
    if so_far.outcomes:
        terminalreporter.section("the rules")
    for title, outcome in so_far.outcomes.items():
        mark = {"passed": "x", "failed": " "}.get(outcome, "-")
        # It depends on luck whether a race shows from outside, so we must not say that there is none.
        unseen = "not seen to break: " * (outcome == "passed" and title in so_far.races)
        terminalreporter.write_line(f"[{mark}] {unseen}{title}")
    told = f"{config.deselected} tests of our own Python code were deselected: they cannot judge yours"
    terminalreporter.write_line(told)
