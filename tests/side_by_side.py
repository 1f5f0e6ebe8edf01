"""Small runs of pytest inside a big one, some side by side: they mostly wait for answers that never come.

run      pytest, once, with some arguments
worker   a process that does one run after the other, since Python and pytest take longer to start than most runs
"""

import contextlib
import io
import json
import os
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.chapter import ROOT

WORKERS = 4  # more would make their servers late
# What takes more than half of the time of so short a run, and is not needed in it.
QUICK = ["-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception", "--tb=native"]


class Report(NamedTuple):
    """What became of one test."""

    test: str  # its id
    outcome: str  # "passed", "failed" or "skipped"; "error" of a file that cannot even be collected
    text: str  # of a failure, or why it was skipped


class Run(NamedTuple):
    """What came out of one run."""

    reports: list[Report]
    printed: str


class Keeper:
    """A pytest plugin that keeps the reports."""

    def __init__(self):
        self.reports = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reports.append(Report(report.nodeid, report.outcome, report.longrepr[2].removeprefix("Skipped: ")))
        elif report.when == "call" or report.failed:
            self.reports.append(Report(report.nodeid, report.outcome, report.longreprtext if report.failed else ""))

    def pytest_collectreport(self, report):
        if report.failed:
            self.reports.append(Report(report.nodeid, "error", report.longreprtext))


@contextlib.contextmanager
def side_by_side(asked):
    """Begin with the runs of {key: pytest's arguments}, and yield {key: a call that waits for its Run}.

    At the end, what has not begun is left out, and no worker is left.
    """
    with contextlib.ExitStack() as stack:
        idle = queue.SimpleQueue()
        for _ in range(min(WORKERS, len(asked))):
            idle.put(stack.enter_context(new_worker()))

        def run(arguments):
            worker = idle.get()
            try:
                print(json.dumps(arguments), file=worker.stdin, flush=True)
                reports, printed = json.loads(worker.stdout.readline())
            finally:
                idle.put(worker)
            return Run([Report(*report) for report in reports], printed)

        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield {key: pool.submit(run, arguments).result for key, arguments in asked.items()}


def new_worker() -> subprocess.Popen:
    """Start a worker: a line of JSON in for each run, its arguments, and one out, what came of it."""
    return subprocess.Popen(
        [sys.executable, "-c", "from tests.side_by_side import work; work()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


def work() -> None:
    """Be a worker, until there are no more lines."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a run prints past pytest is no answer
    for line in sys.stdin:
        keeper, printed = Keeper(), io.StringIO()
        with contextlib.redirect_stdout(printed):
            pytest.main([*QUICK, *json.loads(line)], plugins=[keeper])
        print(json.dumps([keeper.reports, printed.getvalue()]), file=answers, flush=True)
