"""What becomes of the checks: a lesson for each rule that is broken, a line for each rule, and less patience after that.

The hooks are pytest's; conftest.py imports them.
"""

import pytest

from tests import client_process
from tests.lesson import Lesson

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
        story = client_process.Now.story if "template" in item.fixturenames else None
        lesson = Lesson("that the rule holds", mishap(call.excinfo), story)
    if lesson.waited:
        stash = item.config.stash
        stash[WAITED_IN_VAIN] = stash.get(WAITED_IN_VAIN, 0) + 1
        if item.config.flag and stash[WAITED_IN_VAIN] - stash.get(PASSED, 0) >= GIVE_UP:
            item.session.shouldfail = f"{GIVE_UP} checks got no answer: the rest is not tried"
    server = getattr(item.config, "foreign_server", None)
    if told_before:
        text = lesson.tell(title, "(once more; the hint is above)")
    else:
        text = lesson.tell(**marker.kwargs, more=server.report() if server else "")
    if item.config.option.verbose > 0:  # -vv: our settings have a -q in them, which takes one off
        report.sections.append(("the lesson", text))
    else:
        report.longrepr = text


def mishap(excinfo) -> str:
    """Return, in one line, what an exception says and where it was raised."""
    if isinstance(excinfo.value, AssertionError):
        return str(excinfo.value).partition("\nassert ")[0]
    last = excinfo.traceback[-1]
    return f"{excinfo.typename}: {excinfo.value} ({last.path}, line {last.lineno + 1})"


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
