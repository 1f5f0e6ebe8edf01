"""The exercises: each fails before it is solved, passes with its solution, and has its hints in a chapter."""

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
    return pytest.mark.parametrize("asked", [(folder, which) for folder in FOLDERS], ids=[path.name for path in FOLDERS])


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
    assert "failed" in {report.outcome for report in runs[asked]().reports}, "nothing is left to do"


@pytest.mark.long
@each_exercise_with("solution")
def test_it_passes_as_it_is_solved(asked, runs):
    run = runs[asked]()
    assert {report.outcome for report in run.reports} == {"passed"}, run.printed


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
