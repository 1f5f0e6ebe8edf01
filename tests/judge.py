"""The process in which watch.py runs pytest: it tells what becomes of each rule, as soon as that is known.

In: a line of JSON, the arguments of one pytest after the other.  Out: a line of JSON for each thing to tell.
When its input ends it ends too, with all that it started: so it never outlives whoever started it.
"""

import contextlib
import io
import json
import os
import signal
import threading
from collections import Counter

import pytest

from tests.side_by_side import QUICK
from tests.verdict import NOT_TRIED


class Teller:
    """A pytest plugin that tells of each rule once: when one of its tests fails, or when all have passed."""

    def __init__(self, tell):
        self.tell = tell

    def pytest_collection_finish(self, session):
        self.titles = {item.nodeid: item.get_closest_marker("rule").kwargs["title"] for item in session.items}
        self.left = Counter(self.titles.values())  # rule -> how many of its tests are not done yet
        self.outcomes = {}  # rule -> "passed", "failed", "skipped" or "not tried", so far
        self.tell(rules=len(self.left))

    def pytest_runtest_logstart(self, nodeid):
        self.tell(trying=self.titles[nodeid])

    def pytest_runtest_logreport(self, report):
        title = self.titles[report.nodeid]
        before = self.outcomes.get(title)
        if report.failed and before != "failed":
            self.outcomes[title] = "failed"
            self.tell(outcome="failed", lesson=report.longreprtext)
        elif before in (None, "skipped") and (report.when == "call" or report.skipped):
            left_out = report.skipped and report.longrepr[2].endswith(NOT_TRIED)
            self.outcomes[title] = "not tried" if left_out else report.outcome
        if report.when == "teardown":  # not before: a server may be found dead there
            self.left[title] -= 1
            if not self.left[title] and self.outcomes[title] != "failed":
                self.tell(outcome=self.outcomes[title])

    def pytest_keyboard_interrupt(self, excinfo):
        if isinstance(excinfo.value, pytest.exit.Exception):  # the server under test did not even start
            self.tell(lesson=str(excinfo.value.__cause__))


def judge() -> None:
    """Run pytest as the input says."""
    over = threading.Event()  # nothing is left to be stopped

    def stop(number, frame):
        if not over.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    orders, answers, nothing = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w"), os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # what her code prints is no answer
    runs = json.loads(orders.readline() or "[]")

    def tell(**what):
        with contextlib.suppress(OSError):  # NOTE: nobody listens any more, so we are about to end
            print(json.dumps(what), file=answers, flush=True)

    # Ctrl-C may come at any moment, also when pytest does not expect it: that is the end, and no traceback.
    with contextlib.suppress(KeyboardInterrupt):
        try:
            threading.Thread(target=end_with, args=(orders,), daemon=True).start()
            run_all(runs, tell)
        finally:
            over.set()


def run_all(runs: list[list[str]], tell) -> None:
    """Run pytest with each of the arguments."""
    for arguments in runs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = pytest.main([*QUICK, *arguments], plugins=[Teller(tell)])
        if status == pytest.ExitCode.INTERRUPTED:
            break
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            tell(lesson=printed.getvalue().strip().removeprefix("ERROR: ").removeprefix("--python: "))


def end_with(orders) -> None:
    """Wait for the end of the input, then press Ctrl-C, so that every test cleans up."""
    orders.read()
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGINT)  # unlike the next line, it also wakes who waits in the system
    else:
        signal.raise_signal(signal.SIGINT)
