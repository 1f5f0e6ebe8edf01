"""Judge what you type in tests/mine/, each time that you save it: python tests/watch.py

lesson    what the first rule that is broken tells; what broke after it may have the same cause
line      the progress over the whole course
"""

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so tests.progress is found

from tests.chapter import ROOT
from tests.progress import ONLY_PYTHON, STEPS, Progress, Step, Trouble, check_syntax, more_fail, stamps

POLL_S = 0.25  # between two looks at the folder: at once, for a person, and next to no work
STUCK_S = 50.0  # without news: longer than the slowest start of a server, or any check
PATIENCE_S = 2.0  # for an answer: on one's own machine a right one comes in milliseconds

INSTALL = (
    r"py -m venv .venv; .venv\Scripts\pip install -q -r requirements.txt; .venv\Scripts\activate"
    if os.name == "nt"
    else "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt && . .venv/bin/activate"
)

HELP = """\
It judges the step whose file you saved last, or to begin with the first step that does not pass yet.
It shows the first lesson, and one line for the course:

    step 1 ✓   all its checks pass            step 3 7/11   so many of them
    step 4 ?   changed, and not judged since  step 5 ·      not begun
    step 6 ✗   it cannot even be started      (ok, -, X where the terminal has no such signs)

Step 3's functions and step 4's LineBuffer are judged in Python. The programs may be in any language: say
in tests/mine/commands.txt how they are started from the project's folder, a line for each step.

    # my servers are in Node
    step 1: node tests/mine/echo.js {port}
    step 2: node tests/mine/client.js {host} {port}

Exit status with --once: 0 if all checks pass of the step that it judges (without --step: of all steps that
you have begun), 1 if not, 2 if it cannot judge at all."""


class SavedMeanwhile(Exception):
    """What we judge is not what she has any more."""


def judgement(runs: list[list[str]], patience_s: float, edited):
    """Yield what tests/judge.py tells, each a dict.  Raises: SavedMeanwhile, when edited() says so."""
    # In a group of its own it does not get our Ctrl-C: so nothing disturbs it while it cleans up.
    apart = (
        {"start_new_session": True} if os.name == "posix" else {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    )
    judge = subprocess.Popen(
        [sys.executable, "-c", "from tests.judge import judge; judge()"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **apart,
        # A .pyc knows to the second when its source was saved: of two saves in one, the first.
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    lines = queue.SimpleQueue()
    reader = threading.Thread(
        target=lambda: [lines.put(line) for line in itertools.chain(judge.stdout, [""])], daemon=True
    )
    reader.start()
    try:
        print(json.dumps([[*run, f"--patience={patience_s}"] for run in runs]), file=judge.stdin, flush=True)
        news_at, trying = time.monotonic(), "its code can be imported"
        while time.monotonic() < news_at + STUCK_S:
            if edited():
                raise SavedMeanwhile
            with contextlib.suppress(queue.Empty):
                if not (line := lines.get(timeout=POLL_S)):
                    return
                yield (news := json.loads(line))
                news_at, trying = time.monotonic(), news.get("trying", trying)
        yield {"lesson": f"rule      {trying}\n\ncame      nothing, for {STUCK_S:g} s: is there a loop without end?"}
    finally:
        judge.stdin.close()  # it ends, and her program with it
        judge.wait()
        reader.join()
        judge.stdout.close()


class Screen:
    """A terminal, whose last line is drawn anew while it changes; or a pipe, which gets whole lines only."""

    def __init__(self, file):
        self.file = file
        self.drawn = ""
        file.reconfigure(errors="replace")  # a lesson shows whatever came
        self.ok, self.not_begun, self.broken = "✓·✗"
        old = (os.environ.get("LC_ALL") or os.environ.get("LANG")) in (
            "C",
            "POSIX",
        )  # where Python says UTF-8 all the same
        if old or "?" in "✓·✗".encode(file.encoding, "replace").decode(file.encoding):
            self.ok, self.not_begun, self.broken = "ok", "-", "X"

    def draw(self, line: str) -> None:
        if self.file.isatty():
            line = line[: shutil.get_terminal_size().columns - 1]  # in two rows it could not be drawn anew
            print("\r" + line.ljust(len(self.drawn)), end="\r", file=self.file, flush=True)
            self.drawn = line

    def print(self, text: str = "") -> None:
        self.draw("")
        self.drawn = ""
        print(text, file=self.file, flush=True)


class Watch:
    """What goes on between a learner's folder and her screen."""

    def __init__(self, folder: Path, screen: Screen, patience_s: float, only: Step | None):
        self.folder, self.screen, self.patience_s, self.only = folder, screen, patience_s, only
        self.current = None  # the step that she is in
        self.progress = None  # as it was when we began to judge
        self.known = self.last = {}  # her files' stamps then, and at our last look

    # Her saves

    def watch(self) -> None:
        """Judge whenever she saves.  Blocks: until Ctrl-C."""
        names = set()
        while True:
            with contextlib.suppress(SavedMeanwhile):
                self.judge_saved(names, self.edited)
            names = self.wait()
            self.screen.print()

    def wait(self) -> set[str]:
        """Return the names of the files that she saves next, or has saved while we judged."""
        now = stamps(self.folder)
        if self.progress and not self.differs():
            self.known = now  # what else has changed, her programs wrote while they ran
        while not (names := self.saved()):
            time.sleep(POLL_S)
        return names

    def saved(self) -> set[str]:
        """Return the names of the files that were saved, once they are left alone: an editor may write twice."""
        now = stamps(self.folder)
        settled, self.last = now == self.last, now
        return {name for name in {*now, *self.known} if now.get(name) != self.known.get(name)} if settled else set()

    def differs(self) -> bool:
        """Say whether a program is another than the one that we judge."""
        try:
            return Progress(self.folder).prints != self.progress.prints
        except Trouble:
            return True

    def edited(self) -> bool:
        return bool(self.saved()) and self.differs()

    def step_of(self, names: set[str]) -> Step | None:
        """Return the step that she is in, after she saved these files."""
        progress = self.progress
        newest = max(names & progress.stamps.keys(), key=lambda name: progress.stamps[name], default=None)
        owners = [step for step in STEPS if newest in progress.own(step)]
        users = [step for step in STEPS if newest in progress.files(step)]
        if self.only or not owners and self.current in users:
            return self.only or self.current
        return next(iter([*owners[-1:], *users[-1:], *progress.unfinished()]), None)

    # The verdict

    def judge_saved(self, names: set[str] = frozenset(), edited=lambda: False) -> int:
        """Judge the step that she is in and, if it passes, what is unfinished; return the exit status."""
        self.known = self.last = stamps(self.folder)
        self.progress = None
        try:
            self.progress = Progress(self.folder)
        except Trouble as trouble:
            self.screen.print(str(trouble))
            return 2
        step, passes, self.passed, self.lesson = self.step_of(names), bool(self.progress.begun_steps()), [], ""
        while step:
            self.current = step
            passes = self.progress.begun(step) and self.judge(step, edited)
            self.passed += [step] * passes
            step = next(iter(self.progress.unfinished()), None) if passes and not self.only else None
        self.screen.print(self.line())
        if not self.lesson:
            self.screen.print(self.what_next())
        return 0 if passes else 1

    def judge(self, step: Step, edited) -> bool:
        """Judge a step, tell the first lesson, and remember what came out; say whether it passes."""
        passed, failed, rules, self.lesson = 0, 0, 0, ""
        self.screen.draw(self.line(step, "..."))
        try:
            for name in sorted(self.progress.files(step)):
                if name.endswith(".py"):
                    check_syntax(self.folder / name)
            for news in judgement(self.progress.runs(step), self.patience_s, edited):
                passed += news.get("outcome") == "passed"
                failed += news.get("outcome") == "failed"
                rules += news.get("rules", 0) - (news.get("outcome") == "skipped")
                self.tell(news.get("lesson", ""))
                self.screen.draw(self.line(step, f"{passed}/{rules}..."))
            if failed > 1:
                self.screen.print(more_fail(failed - 1) + "\n")
            self.tell("" if rules else "no check was run: does the program end pytest?")
        except Trouble as trouble:
            self.tell(str(trouble))
        self.progress.remember(step, passed=passed, rules=rules, passes=passed == rules > 0 and not self.lesson)
        return self.progress.passes(step)

    def tell(self, lesson: str) -> None:
        """Print the first lesson only."""
        if lesson and not self.lesson:
            self.lesson = lesson
            self.screen.print(lesson + "\n")

    def line(self, judged: Step | None = None, count: str = "") -> str:
        """Return the progress over the whole course, with the count so far of the step that is being judged."""
        return "  ".join(f"{step} {count if step == judged else self.mark(step)}" for step in STEPS)

    def mark(self, step: Step) -> str:
        result = self.progress.result(step)
        if not self.progress.begun(step):
            return self.screen.not_begun
        if not result:
            return "?"
        if not result["rules"]:
            return self.screen.broken
        return self.screen.ok if result["passes"] else f"{result['passed']}/{result['rules']}"

    def what_next(self) -> str:
        """Say what passes, and what to begin."""
        progress = self.progress
        told = [
            f"All {progress.result(step)['rules']} checks of {step} pass; read its chapter to the end."
            for step in self.passed
        ]
        if next_one := progress.next(self.only):
            step, name = next_one
            told.append(f"Next: open {step.folder}/README.md, and begin an empty {progress.shown(name)}.")
            if progress.commands and any(step in (STEPS[2], STEPS[3]) for step in [*self.passed, step]):
                told.append(ONLY_PYTHON)
        else:
            told.append("You have all six steps. Next: open extras/README.md.")
        return "\n".join(told)


def main() -> int:
    screen = Screen(sys.stdout)
    signs = str.maketrans({"✓": screen.ok, "·": screen.not_begun, "✗": screen.broken})
    parser = argparse.ArgumentParser(
        description="Judge what you type in tests/mine/, each time that you save it. Ctrl-C ends it.",
        epilog=HELP.translate(signs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="judge once, and do not watch")
    parser.add_argument("--step", type=int, choices=[step.number for step in STEPS], help="judge this step only")
    parser.add_argument("--folder", type=Path, default=ROOT / "tests" / "mine", help="another folder than tests/mine")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        metavar="SECONDS",
        help="how long to wait for an answer (default %(default)g; more on a very slow machine)",
    )
    args = parser.parse_args()
    if not args.folder.is_dir():
        parser.error(f"there is no folder {args.folder}")
    if not all(map(importlib.util.find_spec, ("pytest", "hypothesis"))):
        print(f"The checks need pytest, which this Python does not have. Run:  {INSTALL}", file=sys.stderr)
        return 2
    only = STEPS[args.step - 1] if args.step else None
    watch = Watch(args.folder.resolve(), screen, args.patience, only)
    try:
        return watch.judge_saved() if args.once else watch.watch()
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()
        return 130 if args.once else 0
    except BrokenPipeError:  # whoever read us has ended, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


if __name__ == "__main__":
    sys.exit(main())
