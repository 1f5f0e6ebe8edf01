"""The exercises: each fails as it is given, passes as it is solved, and has its place and hints in a chapter."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.chapter import text_files

EXERCISES = Path(__file__).parent / "exercises"
FOLDERS = sorted(path for path in EXERCISES.iterdir() if path.is_dir() and path.name[0] not in "._")
each_exercise = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


class Outcomes:
    """A pytest plugin that notes each test's outcome, by folder."""

    def __init__(self):
        self.by_folder = defaultdict(list)  # folder -> ["passed", "failed", ...]
        self.told = {}  # folder -> the first failure's text

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            folder = Path(report.nodeid).parent.name
            self.by_folder[folder].append(report.outcome)
            if report.failed:
                self.told.setdefault(folder, report.longreprtext)

    def pytest_collectreport(self, report):
        if report.failed:
            self.told.setdefault(Path(report.nodeid).parent.name, report.longreprtext)


def run(which: str) -> Outcomes:
    """Run the tests of all exercises on their start.py or solution.py."""
    outcomes = Outcomes()
    arguments = [*map(str, FOLDERS), f"--exercise={which}", "-q", "-p", "no:cacheprovider"]
    if which == "start":
        arguments.append("--patience=1")  # what is not there yet will not come later
    pytest.main(arguments, plugins=[outcomes])
    return outcomes


@pytest.fixture(scope="module")
def unsolved():
    return run("start")


@pytest.fixture(scope="module")
def solved():
    return run("solution")


@each_exercise
def test_it_fails_as_it_is_given(folder, unsolved):
    assert "failed" in unsolved.by_folder[folder.name], "nothing is left to do"


@each_exercise
def test_it_passes_as_it_is_solved(folder, solved):
    assert set(solved.by_folder[folder.name]) == {"passed"}, solved.told.get(folder.name)


@each_exercise
def test_it_has_all_its_files(folder):
    names = {path.name for path in folder.iterdir() if path.is_file() and path.name[:4] != "mine"}
    assert names >= {"start.py", "solution.py", f"test_{folder.name}.py"}


@each_exercise
def test_a_chapter_sets_it_with_hints_in_three_stages(folder):
    for path in text_files():
        text = path.read_text(encoding="utf-8")
        if path.name == "README.md" and path.parent.name != "tests" and f"exercises/{folder.name}" in text:
            break
    else:
        pytest.fail(f"no chapter speaks of tests/exercises/{folder.name}")
    section = text.split(f"exercises/{folder.name}")[-1]
    section = re.split(r"^#|tests/exercises/", section, maxsplit=1, flags=re.M)[0]
    assert section.count("<details>") == 3, f"{path} gives it hints in three stages"
