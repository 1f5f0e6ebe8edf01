"""The command that watches a learner's folder: it judges what she saves, tells one lesson, and leaves nothing behind."""

import contextlib
import importlib
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

from tests import watch
from tests.chapter import ROOT, fences
from tests.progress import STEPS, Progress, Step

pytestmark = pytest.mark.long  # it starts pytest, again and again

OUR_PROTOCOL = (ROOT / "step3_protocol" / "protocol.py").read_text(encoding="utf-8")
NO_PYTHON = "def answer(:\n"
DEADLINE_S = 60  # for what takes a second or two
on_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send to one process")

# A server that tells a test that it runs, by a connection which ends when the server does.
SILENT = """\
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
test = socket.create_connection(("127.0.0.1", {port}))
test.recv(1)
"""


@pytest.fixture(autouse=True)
def terminal_with_all_signs(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def titles(step):
    """Return the rules of a step's checks."""
    module = importlib.import_module(f"tests.{step.test_file.stem}")
    return {
        mark.kwargs["title"]
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "rule"
    }


def screen(encoding="utf-8"):
    return watch.Screen(io.TextIOWrapper(io.BytesIO(), encoding))


def shown(screen):
    screen.file.seek(0)
    return screen.file.read()


def once(folder, only=None):
    """Return the exit status, and what is printed."""
    printed = screen()
    status = watch.Watch(folder, printed, 2.0, only).judge_saved()
    return status, shown(printed)


class StandIn:
    """In the place of pytest: it tells `news` of each step, and notes the arguments that it got."""

    def __init__(self):
        self.news = [{"rules": 1}, {"outcome": "passed"}]
        self.asked = []

    def __call__(self, runs, patience_s, edited):
        self.asked += runs
        return iter(self.news)


@pytest.fixture
def pytest_is(monkeypatch):
    """Judge by a stand-in, and return it."""
    stand_in = StandIn()
    monkeypatch.setattr(watch, "judgement", stand_in)
    return stand_in


@contextlib.contextmanager
def watching(folder, *flags, stderr=subprocess.STDOUT):
    """Run the command; yield its process."""
    with subprocess.Popen(
        [sys.executable, ROOT / "tests" / "watch.py", "--folder", folder, *flags],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    ) as process:
        alarm = threading.Timer(DEADLINE_S, process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def read_until(process, wanted):
    """Return what is printed, up to the first line that has `wanted` in it."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    raise AssertionError(f"it ended without {wanted!r}:\n{''.join(lines)}")


@pytest.fixture
def silent(tmp_path):
    """Put a silent server into the folder; return a call that waits for it, and returns its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        listener.settimeout(DEADLINE_S)
        (tmp_path / "echo.py").write_text(SILENT.format(port=listener.getsockname()[1]))

        def connection():
            sock = stack.enter_context(listener.accept()[0])
            sock.settimeout(DEADLINE_S)
            return sock

        yield connection


# The verdict, by pytest itself


def session(wanted):
    """Return the lines of the session in our README that has `wanted` in it."""
    return next(fence.body for fence in fences(ROOT / "tests" / "README.md") if wanted in fence.body)


def test_it_tells_the_first_lesson_only_and_the_course_in_one_line(tmp_path):
    lines = session("$ cat tests/mine/echo.py")
    command = lines.index("$ python tests/watch.py --once")
    (tmp_path / "echo.py").write_text("\n".join(lines[1:command]))
    status, printed = once(tmp_path)
    assert printed.splitlines() == list(lines[command + 1 :])
    assert status == 1 and printed.count("rule  ") == 1


def test_it_counts_each_rule_once_and_says_what_comes_next(tmp_path):
    (tmp_path / "protocol.py").write_text(OUR_PROTOCOL)
    status, printed = once(tmp_path)
    assert status == 0
    line, all_line, next_line = printed.splitlines()
    assert line == "step 1 ·  step 2 ·  step 3 ✓  step 4 ·  step 5 ·  step 6 ·"
    assert all_line == f"All {len(titles(STEPS[2]))} checks of step 3 pass; read its chapter to the end."
    assert next_line.endswith(f"step4_framing/README.md, and begin an empty {tmp_path.as_posix()}/framing.py.")


def test_a_program_in_any_language_is_started_by_its_command(tmp_path):
    (tmp_path / "commands.txt").write_text(
        "# the first is what node, or anything else, would be\n\n"
        f"step 1: {{python}} {ROOT}/tests/correct/echo_selectors.py {{port}}\n"
    )
    status, printed = once(tmp_path)
    assert status == 0 and printed.startswith("step 1 ✓  step 2 ·  "), printed


def test_a_step_of_two_files_counts_the_checks_of_both_and_names_the_one_that_is_not_there(tmp_path):
    (tmp_path / "framing.py").write_text((ROOT / "step4_framing" / "framing.py").read_text(encoding="utf-8"))
    status, printed = once(tmp_path)
    passed, rules = map(int, printed.split("step 4 ")[1].split(" ")[0].split("/"))
    assert 0 < passed < rules == len(titles(STEPS[3]))
    assert status == 1 and f"begin an empty {tmp_path.as_posix()}/line_server.py" in printed


def test_code_that_cannot_be_imported_is_told_with_its_place(tmp_path):
    (tmp_path / "words.py").write_text("\n\nmaximum = longest\n")
    (tmp_path / "protocol.py").write_text("from words import maximum\n")
    status, printed = once(tmp_path)
    assert status == 1
    assert printed.startswith("line 3 of words.py: NameError: name 'longest' is not defined\n\nso ")
    assert "protocol.py cannot be imported\n\nstep 1 ·  step 2 ·  step 3 ✗" in printed


def test_a_program_that_ends_at_once_is_no_server(tmp_path):
    (tmp_path / "echo.py").write_text("print('hello')\n")
    status, printed = once(tmp_path)
    assert status == 1
    assert printed.startswith("the server has ended, with status 0: a server goes on listening")
    assert "it printed, at the end:\n    hello\n" in printed


def test_a_loop_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "STUCK_S", 0.5)
    (tmp_path / "protocol.py").write_text("while True:\n    pass\n")
    status, printed = once(tmp_path)
    assert status == 1 and "is there a loop without end?" in printed


# What is judged, and what is not


def test_nothing_begun_is_no_success_and_says_where_to_begin(tmp_path, pytest_is):
    status, printed = once(tmp_path)
    told = printed.replace(tmp_path.as_posix(), "tests/mine").splitlines()
    assert (status, told) == (1, list(session("$ python tests/watch.py")[1:]))
    assert not pytest_is.asked


def test_a_step_that_passes_leads_to_the_next(tmp_path, pytest_is):
    (tmp_path / "echo.py").touch()
    pytest_is.news = [{"rules": len(titles(STEPS[0]))}, *[{"outcome": "passed"}] * len(titles(STEPS[0]))]
    status, printed = once(tmp_path)
    told = printed.replace(tmp_path.as_posix(), "tests/mine").splitlines()
    assert (status, told) == (0, list(session("step 1 ✓  step 2 ·  step 3 ·  step 4 ·  step 5 ·  step 6 ·")))


def test_a_step_that_passed_is_judged_again_only_when_a_file_of_its_has_changed(tmp_path, pytest_is):
    (tmp_path / "framing.py").touch()
    (tmp_path / "line_server.py").write_text("from framing import LineBuffer\n")
    (tmp_path / "chat_server.py").write_text("import socket, line_server\n")
    pytest_is.news = [{"rules": 1}, {"outcome": "passed"}] * 1
    assert once(tmp_path)[0] == 0
    assert len(pytest_is.asked) == 3  # step 4 has two files
    pytest_is.asked.clear()
    status, printed = once(tmp_path)
    assert status == 0 and "step 4 ✓  step 5 ✓" in printed and not pytest_is.asked

    (tmp_path / "notes.txt").touch()
    (tmp_path / "chat_server.py").write_text("import line_server\n")
    assert once(tmp_path)[0] == 0
    assert [run[0] for run in pytest_is.asked] == [str(STEPS[4].test_file)]

    pytest_is.asked.clear()
    (tmp_path / "framing.py").write_text("# which both import\n")
    assert once(tmp_path)[0] == 0
    assert [run[0] for run in pytest_is.asked] == [str(STEPS[3].test_file)] * 2 + [str(STEPS[4].test_file)]


def test_a_chat_servers_threads_are_judged_if_it_may_be_imported_before_the_server_is_started(tmp_path):
    server = tmp_path / "chat_server.py"
    for text, files in (
        ("import socket", [STEPS[4].test_file]),
        ('if __name__ == "__main__":', [ROOT / "tests/test_step5_races.py", STEPS[4].test_file]),
    ):
        server.write_text(text)
        assert [run[0] for run in Progress(tmp_path).runs(STEPS[4])] == list(map(str, files))
    assert Progress(tmp_path).runs(STEPS[4])[0][1] == f"--python=step5={server}"


def test_an_update_of_the_checks_has_a_step_judged_again(tmp_path, pytest_is, monkeypatch):
    (tmp_path / "echo.py").touch()
    assert once(tmp_path)[0] == 0
    monkeypatch.setattr(Step, "test_file", tmp_path / "echo.py")
    assert Progress(tmp_path).unfinished() == [STEPS[0]]


def test_a_step_that_has_changed_is_shown_as_not_known(tmp_path, pytest_is):
    (tmp_path / "echo.py").touch()
    (tmp_path / "client.py").touch()
    assert once(tmp_path)[0] == 0
    (tmp_path / "echo.py").write_text("\n")
    assert "\nstep 1" not in once(tmp_path, only=STEPS[1])[1]
    assert once(tmp_path, only=STEPS[1])[1].startswith("step 1 ?  step 2 ✓")


def test_a_rule_that_is_left_out_counts_and_one_that_cannot_be_judged_here_does_not(tmp_path, pytest_is):
    (tmp_path / "echo.py").touch()
    pytest_is.news = [{"rules": 4}, *({"outcome": outcome} for outcome in ("passed", "failed", "not tried", "skipped"))]
    assert "step 1 1/3" in once(tmp_path)[1]


def test_one_step_can_be_asked_for(tmp_path, pytest_is):
    (tmp_path / "echo.py").touch()
    (tmp_path / "client.py").touch()
    assert once(tmp_path, only=STEPS[1])[0] == 0
    assert [run[0] for run in pytest_is.asked] == [str(STEPS[1].test_file)]
    status, printed = once(tmp_path, only=STEPS[5])
    assert status == 1 and "begin " in printed and "chat_client.py" in printed


def test_all_six_steps_lead_to_the_extras(tmp_path, pytest_is):
    for step in STEPS:
        for name in step.parts:
            (tmp_path / name).touch()
    status, printed = once(tmp_path)
    assert status == 0 and "extras/README.md" in printed


def test_a_mistake_in_the_syntax_is_one_line_with_its_place(tmp_path, pytest_is):
    (tmp_path / "protocol.py").write_text("\n" + NO_PYTHON)
    status, printed = once(tmp_path)
    lesson, _empty, line = printed.splitlines()
    assert lesson.startswith("protocol.py, line 2: ") and lesson.endswith("def answer(:")
    assert status == 1 and "step 3 ✗" in line and not pytest_is.asked


def test_a_spoiled_memory_is_as_good_as_none(tmp_path, pytest_is):
    (tmp_path / "echo.py").touch()
    (tmp_path / ".progress.json").write_text("{")
    assert once(tmp_path)[0] == 0


@pytest.mark.parametrize("encoding, language", [("ascii", "en_US"), ("cp1252", "en_US"), ("utf-8", "C")])
def test_signs_that_the_terminal_does_not_have_are_letters(tmp_path, pytest_is, monkeypatch, encoding, language):
    (tmp_path / "echo.py").touch()
    monkeypatch.setenv("LC_ALL", language)
    printed = screen(encoding)
    watch.Watch(tmp_path, printed, 2.0, None).judge_saved()
    assert shown(printed).startswith("step 1 ok  step 2 -  step 3 -")


# Commands


@pytest.mark.parametrize(
    "line, wrong",
    [
        ("node echo.js {port}", "it is not like this one"),
        ("step one: node echo.js {port}", "it is not like this one"),
        ("step 1:", "it is not like this one"),
        ("step 7: node echo.js {port}", "the steps are 1 to 6"),
        ("step 1: node echo.js 9000", "it has no {port}"),
        ("step 2: node echo.js {port}", "step 2 has a command already"),
        ("step 3: node protocol.js {port}", "a command cannot start functions"),
    ],
    ids=lambda text: text,
)
def test_a_bad_line_is_told_by_its_number(tmp_path, line, wrong):
    (tmp_path / "commands.txt").write_text(f"# mine\nstep 2: node client.js {{host}} {{port}}\n{line}\n")
    status, printed = once(tmp_path)
    assert status == 2
    assert printed.startswith(f"commands.txt, line 3: {wrong}") and printed.endswith(f"\n    {line}\n")


def test_a_command_takes_the_place_of_the_program_in_the_table(tmp_path, pytest_is):
    (tmp_path / "commands.txt").write_text(
        f"step 4: node {tmp_path.as_posix()}/lines.js {{port}}\nstep 6: node {tmp_path.as_posix()}/later.js {{port}}\n"
    )
    (tmp_path / "lines.js").write_text('const { lines } = require("./helper");\n')
    for name in ("helper.js", "echo.js"):
        (tmp_path / name).touch()
    status, printed = once(tmp_path)
    assert status == 0
    assert [run[1] for run in pytest_is.asked] == [f"--server=node {tmp_path.as_posix()}/lines.js {{port}}"]
    assert "In another language than Python, only the server's checks of step 4" in printed
    (tmp_path / "echo.js").write_text("// which lines.js does not need\n")
    assert not Progress(tmp_path).unfinished()
    (tmp_path / "helper.js").write_text("// which it does\n")
    assert [step.number for step in Progress(tmp_path).unfinished()] == [4]


# Saving


@pytest.fixture
def watcher(tmp_path, pytest_is):
    """Return a watch that has judged what is there: steps 4 and 5."""
    (tmp_path / "framing.py").touch()
    (tmp_path / "line_server.py").write_text("from framing import LineBuffer\n")
    (tmp_path / "chat_server.py").write_text("from framing import LineBuffer\n")
    watcher = watch.Watch(tmp_path, screen(), 2.0, None)
    watcher.judge_saved()
    return watcher


def test_a_file_that_is_written_twice_or_by_renaming_is_saved_once(tmp_path, watcher):
    assert watcher.saved() == set()
    (tmp_path / "framing.py").write_text("half")
    assert watcher.saved() == set()  # it may be written on
    (tmp_path / "framing.py").write_text("half and half")
    assert watcher.saved() == set()
    assert watcher.saved() == {"framing.py"}
    watcher.judge_saved({"framing.py"})
    (tmp_path / ".framing.py.new").write_text("other")
    (tmp_path / "framing.py~").touch()
    os.replace(tmp_path / ".framing.py.new", tmp_path / "framing.py")
    assert [watcher.saved(), watcher.saved()] == [set(), {"framing.py"}]
    watcher.judge_saved({"framing.py"})
    assert [watcher.saved(), watcher.saved()] == [set(), set()]


def test_she_is_in_the_step_whose_file_she_saved_last(tmp_path, watcher):
    assert watcher.step_of({"line_server.py"}) == watcher.step_of({"framing.py"}) == STEPS[3]
    assert watcher.step_of({"chat_server.py"}) == STEPS[4]
    for name, step in (("line_server.py", STEPS[3]), ("chat_server.py", STEPS[4])):
        os.utime(tmp_path / name, ns=(0, 2**62 + step.number))
        watcher.judge_saved()
        assert watcher.step_of({"line_server.py", "chat_server.py"}) == step


def test_a_module_that_several_steps_use_belongs_to_the_step_that_she_is_in(tmp_path, watcher):
    (tmp_path / "words.py").touch()
    for name in ("line_server.py", "chat_server.py"):
        (tmp_path / name).write_text("import words")
    watcher.judge_saved({"line_server.py"})
    watcher.current = STEPS[3]
    assert watcher.step_of({"words.py"}) == STEPS[3]
    watcher.current = STEPS[4]
    assert watcher.step_of({"words.py"}) == STEPS[4]


def test_a_save_that_changes_nothing_is_judged_anew_and_stops_no_judging(tmp_path, watcher):
    os.utime(tmp_path / "chat_server.py", ns=(0, 2**62))
    assert not watcher.edited() and not watcher.edited()
    assert watcher.saved() == {"chat_server.py"}
    (tmp_path / "chat_server.py").write_text("another")
    assert [watcher.edited(), watcher.edited()] == [False, True]


def test_what_her_program_writes_while_it_is_judged_is_no_save(tmp_path, watcher, clock):
    saves = itertools.chain([lambda: (tmp_path / "chat_server.py").write_text("now")], itertools.repeat(lambda: None))
    clock(watch, sleep=lambda seconds: next(saves)())
    (tmp_path / "log.txt").touch()
    assert watcher.wait() == {"chat_server.py"}


# The command


def test_it_judges_whenever_a_file_is_saved(tmp_path):
    with watching(tmp_path) as process:
        assert "rule" not in read_until(process, "begin ")
        (tmp_path / "protocol.py").write_text(NO_PYTHON)
        assert "protocol.py, line 1: " in read_until(process, "step 3 ✗")
        (tmp_path / "protocol.py").write_text(OUR_PROTOCOL)
        assert "rule  " not in read_until(process, "checks of step 3 pass")
        (tmp_path / "commands.txt").write_text("step 3\n")
        read_until(process, "commands.txt, line 1: ")
        (tmp_path / "commands.txt").write_text("")
        assert "step 3 ✓" in read_until(process, "begin ")


def test_a_save_while_the_checks_run_ends_them_and_begins_anew(tmp_path, silent):
    with watching(tmp_path, "--patience=600") as process:
        server = silent()
        (tmp_path / "echo.py").write_text(NO_PYTHON)
        assert server.recv(1) == b""  # it has ended
        assert read_until(process, "step 1 ✗").strip().startswith("echo.py, line 1")


INTERRUPTED = """\
from tests import judge
def main(*args, **kwargs):
    raise KeyboardInterrupt
judge.pytest.main = main
judge.judge()
"""


def test_a_save_stops_the_judge_without_a_traceback_wherever_pytest_is():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as judge:
        print("[[]]", file=judge.stdin, flush=True)
        assert judge.wait(DEADLINE_S) == 0
        assert judge.stdout.read() == ""


@on_posix
@pytest.mark.parametrize("flag, status", [("--step=1", 0), ("--once", 130)])
def test_ctrl_c_ends_it_and_the_server_that_it_judges(tmp_path, silent, flag, status):
    with watching(tmp_path, flag, "--patience=600") as process:
        server = silent()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that runs in it
        assert server.recv(1) == b""  # it has ended
        assert "Traceback" not in process.stdout.read()
        assert process.wait(DEADLINE_S) == status


def test_the_server_that_it_judges_ends_even_if_it_is_killed(tmp_path, silent):
    with watching(tmp_path, "--patience=600") as process:
        server = silent()
        process.kill()
        assert server.recv(1) == b""


def test_its_help_can_be_read_in_any_terminal():
    told = subprocess.run(
        [sys.executable, ROOT / "tests" / "watch.py", "--help"],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    ).stdout
    assert b"step 1 ok " in told and b"?   all" not in told


def test_without_pytest_it_gives_the_command_of_the_readme(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["watch.py"])
    monkeypatch.setattr(watch.importlib.util, "find_spec", lambda name: None)
    assert watch.main() == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.endswith(f"  {watch.INSTALL}\n")
    assert watch.INSTALL.rpartition(".venv")[0].rstrip(".& ") in (ROOT / "README.md").read_text(encoding="utf-8")


@on_posix
def test_a_reader_that_ends_ends_it_without_a_trace(tmp_path):
    with tempfile.TemporaryFile() as errors, watching(tmp_path, stderr=errors) as process:
        read_until(process, "begin ")
        process.stdout.close()
        (tmp_path / "protocol.py").write_text(NO_PYTHON)
        assert process.wait(DEADLINE_S) == 1
        errors.seek(0)
        assert errors.read() == b""


# Her folder


def test_git_and_pytest_leave_what_is_hers_alone(request):
    assert "mine" in request.config.getini("norecursedirs")
    mine = ROOT / "tests" / "mine"
    assert {"*", "!.gitignore"} <= set((mine / ".gitignore").read_text().splitlines())
