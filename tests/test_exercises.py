"""The exercises: each fails before it is solved, passes with its solution, and has its hints in a chapter."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.chapter import text_files
from tests.side_by_side import side_by_side

EXERCISES = Path(__file__).parent / "exercises"
FOLDERS = sorted(path for path in EXERCISES.iterdir() if path.is_dir() and path.name[0] not in "._")
each_exercise = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def each_exercise_with(which):
    """Parametrize a test by (an exercise, which of its files the exercise's own tests are to load)."""
    return pytest.mark.parametrize(
        "asked", [(folder, which) for folder in FOLDERS], ids=[path.name for path in FOLDERS]
    )


@pytest.fixture(scope="module")
def runs(request):
    """Begin to run the tests of the exercises that this run asks for: (folder, which) -> a call that waits."""
    arguments = {}
    for item in request.session.items:
        if "asked" in item.fixturenames:
            folder, which = asked = item.callspec.params["asked"]
            arguments[asked] = [str(folder), f"--exercise={which}"]
            if which == "start":
                arguments[asked] += ["-x", "--patience=1"]  # what is not there yet will not come later
    with side_by_side(arguments) as runs:
        yield runs


@pytest.mark.long
@each_exercise_with("start")
def test_it_fails_as_it_is_given(asked, runs):
    outcomes = {report.outcome for report in runs[asked]().reports}
    assert "failed" in outcomes or outcomes == {"skipped"}, "nothing is left to do"


@pytest.mark.long
@each_exercise_with("solution")
def test_it_passes_as_it_is_solved(asked, runs):
    run = runs[asked]()
    if skipped := [report.text for report in run.reports if report.outcome == "skipped"]:
        pytest.skip(skipped[0])  # a tool is missing
    assert {report.outcome for report in run.reports} == {"passed"}, run.printed


@each_exercise
def test_it_has_all_its_files(folder):
    names = {path.name for path in folder.iterdir() if path.is_file() and path.name[:4] != "mine"}
    assert names >= {"start.py", "solution.py", f"test_{folder.name}.py"}


@each_exercise
def test_a_chapter_sets_it_with_hints_in_three_stages(folder):
    for path in text_files():
        text = path.read_text(encoding="utf-8")
        if path.parent.name != "tests" and f"exercises/{folder.name}" in text:
            break
    else:
        pytest.fail(f"no chapter speaks of tests/exercises/{folder.name}")
    section = text.split(f"exercises/{folder.name}")[-1]
    section = re.split(r"^#|tests/exercises/", section, maxsplit=1, flags=re.MULTILINE)[0]
    assert section.count("<details>") == 3, f"{path} gives it hints in three stages"


# Step 1's counter: its point is the lock

COUNTERS_WITHOUT_A_LOCK = {
    "two lines": ("self.clients += 1", "return self.clients"),
    "one line": ("number = self.clients = self.clients + 1", "return number"),
    "read, add, write": ("number = self.clients", "number += 1", "self.clients = number", "return number"),
    "a lock for the write only": (
        "number = self.clients + 1",
        "with self.lock:",
        "    self.clients = number",
        "return number",
    ),
    "a lock that ends too early": ("with self.lock:", "    self.clients += 1", "return self.clients"),
    "a lock for each call": ("with threading.Lock():", "    self.clients += 1", "    return self.clients"),
    "a list": ("self.seen = getattr(self, 'seen', [])", "self.seen.append(1)", "return len(self.seen)"),
}
COUNTERS_THAT_ARE_RIGHT = {
    "a lock": ("with self.lock:", "    self.clients += 1", "    return self.clients"),
    "acquire and release": (
        "self.lock.acquire()",
        "try:",
        "    self.clients += 1",
        "    return self.clients",
        "finally:",
        "    self.lock.release()",
    ),
    "a lock for the addition": (
        "with self.lock:",
        "    self.clients += 1",
        "    number = self.clients",
        "return number",
    ),
    "a lock of the module": ("with LOCK:", "    self.clients += 1", "    return self.clients"),
    "a lock of the class": ("with CountServer.LOCK:", "    self.clients += 1", "    return self.clients"),
    "a condition": ("with CONDITION:", "    self.clients += 1", "    return self.clients"),
    "itertools.count": ("return next(COUNT)",),
    "a queue": ("number = NUMBERS.get()", "NUMBERS.put(number + 1)", "return number"),
    "a simple queue": ("number = SIMPLE.get()", "SIMPLE.put(number + 1)", "return number"),
}
USED = """
import itertools, queue
from queue import SimpleQueue
from threading import Lock
LOCK, CONDITION, COUNT, NUMBERS, SIMPLE = Lock(), threading.Condition(), itertools.count(1), queue.Queue(), SimpleQueue()
NUMBERS.put(1)
SIMPLE.put(1)
CountServer.LOCK = threading.RLock()
"""


def judge_counter(tmp_path, lines):
    """Judge step 1's solution with this body of next_number().  Raises: AssertionError."""
    folder = EXERCISES / "step1_count"
    test, solution = load(folder / "test_step1_count.py"), (folder / "solution.py").read_text(encoding="utf-8")
    before, _, after = solution.partition("        with self.lock:")
    body = "".join(f"        {line}\n" for line in lines)
    mine = tmp_path / "tests/exercises/step1_count/mine.py"
    mine.parent.mkdir(parents=True)
    mine.write_text(before + body + after[after.index("\n\n\nif ") :] + USED, encoding="utf-8")
    test.test_no_two_clients_get_the_same_number(load(mine))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lines", COUNTERS_WITHOUT_A_LOCK.values(), ids=COUNTERS_WITHOUT_A_LOCK)
def test_step_1s_check_finds_the_counter_without_its_lock(tmp_path, lines):
    with pytest.raises(AssertionError, match="two clients got the same number"):
        judge_counter(tmp_path, lines)


def test_the_readme_shows_what_it_tells(tmp_path):
    with pytest.raises(AssertionError) as caught:
        judge_counter(tmp_path, COUNTERS_WITHOUT_A_LOCK["two lines"])
    told = str(caught.value).split("\n\n")[-2]
    assert told in (EXERCISES.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("lines", COUNTERS_THAT_ARE_RIGHT.values(), ids=COUNTERS_THAT_ARE_RIGHT)
def test_step_1s_check_accuses_no_counter_that_is_right(tmp_path, lines):
    judge_counter(tmp_path, lines)
