"""What becomes of the checks: a lesson for each rule that is broken, a line for each rule, and less patience after that.

The hooks are pytest's; conftest.py imports them.
"""

from pathlib import Path

import pytest

from tests import client_process
from tests.chapter import ROOT
from tests.crash import LIBRARY, Crash, crash_of, quote, shorten
from tests.lesson import Lesson, NotYet, Raised, on_the_wire

# Once a server has not answered in time, it has failed: from then on we wait less and less.
IMPATIENT_S = [(6, 1.0), (1, 3.0)]  # after so many times, so long
GIVE_UP = 15  # checks without an answer, and more of them than passed: then it is another kind of server, so stop

FAILED = pytest.StashKey[bool]()
WAITED_IN_VAIN = pytest.StashKey[int]()  # how many times
PASSED = pytest.StashKey[int]()  # how many checks
OUTCOMES = pytest.StashKey[dict]()  # rule title -> "passed", "failed", "skipped"


def patience(config) -> float:
    """Return how long to wait for an answer."""
    wanted = config.getoption("--patience")
    times = config.stash.get(WAITED_IN_VAIN, 0)
    return next((min(wanted, seconds) for enough, seconds in IMPATIENT_S if times >= enough), wanted)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    marker = item.get_closest_marker("rule")
    if not marker:
        return
    outcomes = item.config.stash.setdefault(OUTCOMES, {})
    title = marker.kwargs["title"]
    told_before = outcomes.get(title) == "failed"
    if report.failed:
        item.stash[FAILED] = True
        outcomes[title] = "failed"
    elif report.when == "call":
        item.config.stash[PASSED] = item.config.stash.get(PASSED, 0) + report.passed
        if outcomes.get(title) != "failed":
            outcomes[title] = report.outcome
    if not report.failed:
        return
    lesson = call.excinfo.value
    if not isinstance(lesson, Lesson):
        if not item.config.flag:
            return  # our own mistake: show its traceback
        lesson = mishap(lesson, "the client" if "template" in item.fixturenames else "the server")
    if lesson.waited:
        stash = item.config.stash
        stash[WAITED_IN_VAIN] = stash.get(WAITED_IN_VAIN, 0) + 1
        if item.config.flag and stash[WAITED_IN_VAIN] - stash.get(PASSED, 0) >= GIVE_UP:
            item.session.shouldfail = f"{GIVE_UP} checks got no answer: the rest is not tried"
    rule = dict(marker.kwargs)
    if told_before:
        rule |= {"at": "(once more; the hint is above)", "hint": ""}
    crash, printed = behind(item, lesson)
    if crash and crash.explains_itself:
        rule["hint"] = ""
    text = lesson.tell(**rule, more=printed, before=str(crash or ""))
    if item.config.option.verbose > 0:  # -vv: our settings have a -q in them, which takes one off
        report.sections.append(("the lesson", text))
    else:
        report.longrepr = text


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
    outcomes = config.stash.get(OUTCOMES, {})
    if outcomes:
        terminalreporter.section("the rules")
    for title, outcome in outcomes.items():
        mark = {"passed": "x", "failed": " "}.get(outcome, "-")
        terminalreporter.write_line(f"[{mark}] {title}")
    told = f"{config.deselected} tests of our own Python code were deselected: they cannot judge yours"
    terminalreporter.write_line(told)
