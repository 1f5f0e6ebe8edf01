"""The checks themselves: they find what is wrong, each by the check that is named, and pass what is right.

tests/mutants/ has programs that are wrong in one way each, tests/correct/ right ones that differ from ours.
"""

import io
import os
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from tests.side_by_side import QUICK, side_by_side

HERE = Path(__file__).parent
NO_PLUGINS = mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
sys.path.append(str(HERE / "mutants"))

from buffers import BUFFERS
from chat_servers import CHAT_SERVERS
from clients import STEP_2, STEP_6
from echo_servers import ECHO_SERVERS

pytestmark = pytest.mark.long

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")

# Normally only some, since a hundred small runs take longer than all other tests; in CI every one.
EVERY = 1 if os.environ.get("MUTANTS") == "all" else 5


def judging(test_file, *flags, check=""):
    """Return pytest's arguments for a file's checks, or for one of them."""
    return (f"{HERE / test_file}::{check}".rstrip(":"), *flags)


@pytest.fixture(scope="module")
def verdicts(request, tmp_path_factory):
    """Begin to judge all that is asked for here: arguments -> a call that waits for the verdict."""
    asked = [
        item.callspec.params["arguments"]
        for item in request.session.items
        if "verdicts" in item.fixturenames and not any(mark.args[0] for mark in item.iter_markers("skipif"))
    ]
    folder = str(tmp_path_factory.mktemp("programs"))
    with side_by_side({each: [part.replace("{folder}", folder) for part in each] for each in asked}) as verdicts:
        yield verdicts


def each_of(mutants, test_file, flag):
    """Parametrize a test by the mutants of a catalogue, with pytest's arguments to judge each."""

    def arguments(mutant):
        # Little patience: we know that no right answer will come.
        return judging(
            getattr(mutant, "test_file", test_file),
            "-x",
            "--patience=1",
            flag.replace("{mutant}", mutant.__name__),
            check=mutant.check,
        )

    names = list(mutants)[::EVERY]
    return pytest.mark.parametrize(
        "mutant, arguments", [(mutants[name], arguments(mutants[name])) for name in names], ids=names
    )


def assert_caught(mutant, run):
    lessons = [report.text for report in run.reports if report.outcome == "failed"]
    assert lessons, f"{mutant.__doc__}\nand nobody noticed\n{run.printed}"
    lesson = lessons[0]
    assert lesson.startswith(("rule  ", "line ")) and "\nexpected  " in lesson and "\ncame      " in lesson, lesson
    assert "\nhint      " in lesson, lesson
    if "client" not in mutant.__module__:  # there a traceback may be the mistake itself
        assert lesson.startswith("rule  "), lesson  # it must be wrong, but not broken
    assert "test_step" not in lesson, lesson  # where our own code stands, nobody needs to know
    assert "\n[ ] " in run.printed, run.printed


@each_of(ECHO_SERVERS, "test_step1_echo.py", f"--server={{python}} {HERE}/mutants/echo_servers.py {{mutant}} {{port}}")
def test_a_wrong_echo_server_is_caught(mutant, arguments, verdicts):
    assert_caught(mutant, verdicts[arguments]())


@each_of(
    CHAT_SERVERS, "test_step5_server.py", f"--server={{python}} {HERE}/mutants/chat_servers.py {{mutant}} {{port}}"
)
def test_a_wrong_chat_server_is_caught(mutant, arguments, verdicts):
    assert_caught(mutant, verdicts[arguments]())


@each_of(BUFFERS, "test_step4_framing.py", f"--python=step4={HERE}/mutants/buffers.py:{{mutant}}")
def test_a_wrong_buffer_is_caught(mutant, arguments, verdicts):
    assert_caught(mutant, verdicts[arguments]())


CLIENT = f"--client={{python}} {HERE}/mutants/clients.py {{mutant}} {{host}} {{port}}"


@on_posix
@each_of(STEP_2, "test_step2_client.py", CLIENT)
def test_a_wrong_client_of_step_2_is_caught(mutant, arguments, verdicts):
    assert_caught(mutant, verdicts[arguments]())


@on_posix
@each_of(STEP_6, "test_step6_client.py", CLIENT)
def test_a_wrong_client_of_step_6_is_caught(mutant, arguments, verdicts):
    assert_caught(mutant, verdicts[arguments]())


# The lessons


class Rules:
    """A pytest plugin that notes where each rule says that it stands."""

    def __init__(self):
        self.places = set()

    def pytest_collection_modifyitems(self, items):
        self.places |= {marker.kwargs["at"] for item in items for marker in item.iter_markers("rule")}


def test_every_rule_has_its_place_in_our_text():
    rules = Rules()
    with redirect_stdout(io.StringIO()), NO_PLUGINS:
        pytest.main([*map(str, HERE.glob("test_*.py")), "--collect-only", *QUICK], plugins=[rules])
    assert len(rules.places) > 5
    for place in rules.places:
        path, _, anchor = place.partition("#")
        text = (HERE.parent / path).read_text(encoding="utf-8")
        headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        anchors = {
            "".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char in "-_")
            for heading in headings
        }
        assert anchor in anchors, place


# What is right


def other_ways(test_files, names, flag="--server={program} {port}"):
    """Parametrize a test by files of checks and programs of tests/correct, with pytest's arguments to judge each."""
    tools = {".js": "node", ".c": "cc"}
    started = {
        ".py": "{python} {path}",
        ".js": "node {path}",
        ".c": "cc -o {folder}/program {path} && {folder}/program",
    }

    def one(test_file, name):
        path, suffix = HERE / "correct" / name, Path(name).suffix
        program = started[suffix].replace("{path}", str(path))
        lacking = suffix in tools and not shutil.which(tools[suffix])
        return pytest.param(
            judging(test_file, flag.replace("{program}", program), "--patience=10"),
            id=f"{test_file}-{name}",
            marks=pytest.mark.skipif(lacking, reason=f"needs {tools.get(suffix)}"),
        )

    return pytest.mark.parametrize("arguments", [one(test_file, name) for test_file in test_files for name in names])


def assert_passes(run):
    outcomes = {report.outcome for report in run.reports}
    assert "passed" in outcomes <= {"passed", "skipped"}, run.printed


@on_posix
@other_ways(["test_step2_client.py"], ["client.js"], "--client={program} {host} {port}")
def test_a_correct_client_of_step_2_passes(arguments, verdicts):
    assert_passes(verdicts[arguments]())


@on_posix
@other_ways(["test_step6_client.py"], ["chat_client_select.py"], "--client={program} {host} {port}")
def test_a_correct_client_of_step_6_passes(arguments, verdicts):
    assert_passes(verdicts[arguments]())


@other_ways(["test_step1_echo.py"], ["echo_asyncio.py", "echo_selectors.py", "echo.js", "echo.c"])
def test_a_correct_echo_server_passes(arguments, verdicts):
    assert_passes(verdicts[arguments]())


@other_ways(["test_step4_framing.py", "test_step5_server.py"], ["chat_asyncio.py", "chat_selectors.py", "chat.js"])
def test_a_correct_chat_server_passes(arguments, verdicts):
    assert_passes(verdicts[arguments]())
