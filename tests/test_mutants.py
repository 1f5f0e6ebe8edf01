"""The checker itself: it catches what is wrong, by the check that its name says, and passes what is right.

tests/mutants/ holds what is wrong in one way each, tests/correct/ what is right and written in other ways than ours.
"""

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

HERE = Path(__file__).parent
# What takes more than half of the time of so short a run, and is not needed in it.
QUICK = ["-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception", "--tb=native"]
NO_PLUGINS = mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
sys.path.append(str(HERE / "mutants"))

from buffers import BUFFERS  # noqa: E402
from chat_servers import CHAT_SERVERS  # noqa: E402
from clients import STEP_2, STEP_6  # noqa: E402
from echo_servers import ECHO_SERVERS  # noqa: E402


# At a learner's desk a sample, since a hundred small runs take longer than all else; in CI every one.
EVERY = 1 if os.environ.get("MUTANTS") == "all" else 5


def each_of(mutants):
    """Parametrize a test by the mutants of a catalogue."""
    names = list(mutants)[::EVERY]
    return pytest.mark.parametrize("mutant", [mutants[name] for name in names], ids=names)


class Verdict:
    """A pytest plugin that keeps what came out."""

    def __init__(self):
        self.passed, self.lessons = 0, []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.lessons.append(report.longreprtext)
        elif report.when == "call":
            self.passed += 1


def judge(test_file, *flags, check=""):
    """Run a file's checks, or one of them; return (verdict, what pytest printed)."""
    verdict, printed = Verdict(), io.StringIO()
    with redirect_stdout(printed), NO_PLUGINS:
        pytest.main([f"{HERE / test_file}::{check}".rstrip(":"), *QUICK, *flags], plugins=[verdict])
    return verdict, printed.getvalue()


def assert_caught(mutant, test_file, *flags):
    # Little patience: a right answer would have come long ago, and we know that none will.
    verdict, printed = judge(test_file, "-x", "--patience=1", *flags, check=mutant.check)
    assert verdict.lessons, f"{mutant.__doc__}\nand nobody noticed\n{printed}"
    lesson = verdict.lessons[0]
    assert lesson.startswith("rule  ") and "\nexpected  " in lesson and "\ncame      " in lesson, lesson
    assert "\nhint      " in lesson, lesson
    if "client" not in mutant.__module__:  # there a trace may be the very fault
        assert "Traceback" not in lesson and 'File "' not in lesson, lesson  # wrong, yes, but not broken
    assert "\n[ ] " in printed, printed


def command(file, name):
    return f"--server={{python}} {HERE / 'mutants' / file} {name} {{port}}"


@each_of(ECHO_SERVERS)
def test_a_wrong_echo_server_is_caught(mutant):
    assert_caught(mutant, "test_step1_echo.py", command("echo_servers.py", mutant.__name__))


@each_of(CHAT_SERVERS)
def test_a_wrong_chat_server_is_caught(mutant):
    test_file = getattr(mutant, "test_file", "test_step5_server.py")
    assert_caught(mutant, test_file, command("chat_servers.py", mutant.__name__))


@each_of(BUFFERS)
def test_a_wrong_buffer_is_caught(mutant):
    where = f"{HERE / 'mutants' / 'buffers.py'}:{mutant.__name__}"
    assert_caught(mutant, "test_step4_framing.py", f"--python=step4={where}")


def client_command(mutant):
    return f"--client={{python}} {HERE / 'mutants' / 'clients.py'} {mutant.__name__} {{host}} {{port}}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@each_of(STEP_2)
def test_a_wrong_client_of_step_2_is_caught(mutant):
    assert_caught(mutant, "test_step2_client.py", client_command(mutant))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@each_of(STEP_6)
def test_a_wrong_client_of_step_6_is_caught(mutant):
    assert_caught(mutant, "test_step6_client.py", client_command(mutant))


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
        anchors = {"".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char in "-_")
                   for heading in headings}
        assert anchor in anchors, place


# What is right

def other_way(name, tmp_path):
    """Return the command that starts a server of tests/correct."""
    path = HERE / "correct" / name
    if path.suffix == ".py":
        return f"--server={{python}} {path} {{port}}"
    tool = {".js": "node", ".c": "cc"}[path.suffix]
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    if tool == "node":
        return f"--server=node {path} {{port}}"
    program = tmp_path / path.stem
    subprocess.run(["cc", "-o", program, path], check=True)
    return f"--server={program} {{port}}"


def assert_passes(test_file, *flags):
    verdict, printed = judge(test_file, *flags)
    assert verdict.passed and not verdict.lessons, printed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("test_file, name", [
    ("test_step2_client.py", "client.js"), ("test_step6_client.py", "chat_client_select.py")])
def test_a_correct_client_passes(test_file, name, tmp_path):
    server = other_way(name, tmp_path)
    assert_passes(test_file, server.replace("--server=", "--client=").replace("{port}", "{host} {port}"))


@pytest.mark.parametrize("name", ["echo_asyncio.py", "echo_selectors.py", "echo.js", "echo.c"])
def test_a_correct_echo_server_passes(name, tmp_path):
    assert_passes("test_step1_echo.py", other_way(name, tmp_path))


@pytest.mark.parametrize("name", ["chat_asyncio.py", "chat_selectors.py", "chat.js"])
@pytest.mark.parametrize("test_file", ["test_step4_framing.py", "test_step5_server.py"])
def test_a_correct_chat_server_passes(name, test_file, tmp_path):
    assert_passes(test_file, other_way(name, tmp_path))
