"""The lesson of a program that stops with an exception of its own: the exception comes first, with its place."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import verdict
from tests.chapter import ROOT
from tests.crash import shorten
from tests.lesson import Lesson, Story
from tests.side_by_side import side_by_side
from tests.typed import LAST_RUNGS
from tests.verdict import LONG_ENOUGH_S, SoFar

pytestmark = pytest.mark.long

ECHO, CLIENT, PROTOCOL = (
    LAST_RUNGS[name].read_text(encoding="utf-8") for name in ("echo.py", "client.py", "protocol.py")
)
SERVER = ("test_step1_echo.py", "--server={python} FILE {port}")
STEP_2 = ("test_step2_client.py", "--client={python} FILE {host} {port}")


# What a program prints

HANDLER = """\
import socket, socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        print("connected", flush=True)
        %s
with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
    socket.create_connection(server.server_address)
    server.handle_request()
"""
IN_A_THREAD = """\
import threading
def work():
    %s
threading.Thread(target=work).start()
"""
CHAIN = """\
try:
    {}["bob"]
except KeyError:
    respnd("no-such-user")
"""


@pytest.mark.parametrize(
    "program, told",
    [
        (
            HANDLER % "self.request.sendall(chunck)",
            "connected\nline 5 of program.py: NameError: name 'chunck' is not defined",
        ),
        (
            HANDLER % "raise ConnectionResetError(104, 'reset')",
            "connected\nline 5 of program.py: ConnectionResetError: [Errno 104] reset",
        ),
        (IN_A_THREAD % "int('x')", "line 3 of program.py: ValueError: invalid literal for int() with base 10: 'x'"),
        (CHAIN, "line 4 of program.py: NameError: name 'respnd' is not defined"),
        ("import nosuch\n", "line 1 of program.py: ModuleNotFoundError: No module named 'nosuch'"),
        ("assert False\n", "line 1 of program.py: AssertionError"),
        ("print('Traceback, they say')\n", "Traceback, they say"),
    ],
    ids=[
        "in a handler",
        "of a peer",
        "in a thread",
        "one that led to another",
        "an import",
        "without a text",
        "no traceback",
    ],
)
def test_a_traceback_is_one_line_with_the_program_own_place(tmp_path, program, told):
    (tmp_path / "program.py").write_text(program)
    printed = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ).stdout
    shortened, crashes = shorten(printed)
    assert shortened == told, printed
    assert [str(crash) for crash in crashes] == [
        line for line in told.splitlines() if line.startswith("line ") and "ConnectionReset" not in line
    ]


# What happened


def test_two_steps_that_take_turns_are_told_once():
    story = Story()
    for line in (b"HELP\n", *[b"MSG bob hi\n"] * 200):
        story.add("alice", ">", line)
        story.add("alice", "<", b"OK\n")
    story.add("bob", "", "(says nothing)")  # so that the turns are over
    assert story.lines()[1:] == [
        "    alice > HELP\\n",
        "    alice < OK\\n",
        "    alice > MSG bob hi\\n",
        "    alice < OK\\n   (these two 200 times)",
        "      bob  (says nothing)",
    ]


def test_a_long_hint_is_cut_between_words():
    told = Lesson("one", "two").tell("a rule", "a place", hint="word " * 50).partition("hint      ")[2]
    assert max(map(len, told.splitlines())) < 80 and set(told.split()) == {"word"}


# The lesson


def replaced(text, old, new):
    assert old in text
    return text.replace(old, new)


BROKEN = {  # the program -> how it is judged, and how its lesson begins
    "a wrong name in a handler": (
        replaced(ECHO, "sendall(chunk)", "sendall(chunck)"),
        SERVER,
        "line 9 of program.py: NameError: name 'chunck' is not defined",
    ),
    "a wrong call in a handler": (replaced(ECHO, "recv(4096)", "recv()"), SERVER, "line 8 of program.py: TypeError: "),
    "an import that was forgotten in a client": (
        replaced(CLIENT, "import contextlib\n", ""),
        STEP_2,
        "line 14 of program.py: NameError: name 'contextlib' is not defined",
    ),
    "a wrong name in a function": (
        replaced(PROTOCOL, "tuple(args)", "tuple(arg)"),
        ("test_step3_protocol.py", "--python=step3=FILE"),
        "line 33 of program.py: NameError: name 'arg' is not defined",
    ),
    "a method that is not there": (
        "class LineBuffer:\n    pass\n",
        ("test_step4_framing.py", "--python=step4=FILE:LineBuffer"),
        "AttributeError: 'LineBuffer' object has no attribute 'feed'",
    ),
}


STRIPS = replaced(ECHO, "sendall(chunk)", "sendall(chunk.strip())")
SILENT = replaced(ECHO, "sendall(chunk)", "sendall(b'')")
LISTENS = """\
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on port", sys.argv[1])
"""
READS_LINES = replaced(
    replaced(ECHO, "Base", "Stream"), "chunk := self.request.recv(4096)", "chunk := self.rfile.readline()"
)
DELIVERS_NOTHING = replaced(ECHO, "sendall(chunk)", "sendall(b'OK\\n' * chunk.count(b'\\n'))")
OTHERS = {  # a name -> the program, how it is judged, and flags
    "strips": (STRIPS, SERVER),
    "strips, -vv": (STRIPS, SERVER, "-vv"),
    "silent": (SILENT, SERVER),
    "ends at once": (LISTENS, SERVER),
    "stops at once": (LISTENS + "listner.accept()\n", SERVER),
    "a client that ends at once": ("print('hello')\n", STEP_2, "-x"),
    "reads lines": (READS_LINES, SERVER, "-k", "not megabytes and not reads_late and not does_not_read"),  # it is slow
    "delivers nothing": (
        DELIVERS_NOTHING,
        ("test_step5_server.py", SERVER[1]),
        "-k",
        "as_typed or to_oneself or outlives or bounded",
    ),
}


@pytest.fixture(scope="module")
def lessons(tmp_path_factory):
    """Begin to judge the broken programs: name -> a call that waits for the verdict."""
    asked = {}
    for name, (program, (test_file, flag), *flags) in OTHERS.items():
        path = tmp_path_factory.mktemp("hers") / "program.py"
        path.write_text(program)
        asked[name] = [f"{ROOT}/tests/{test_file}", flag.replace("FILE", str(path)), "--patience=1", *flags]
    for name, (program, (test_file, flag), _) in BROKEN.items():
        path = tmp_path_factory.mktemp("hers") / "program.py"
        path.write_text(program)
        asked[name] = [f"{ROOT}/tests/{test_file}", flag.replace("FILE", str(path)), "-x", "--patience=1"]
    asked["a race"] = [
        f"{ROOT}/tests/test_step5_server.py",
        f"--server={{python}} {ROOT}/step5_server/server.py --port {{port}}",
        "-k",
        "one_of_many_gets_the_name or good_name",
    ]
    with side_by_side(asked) as runs:
        yield runs


@pytest.mark.parametrize("name", BROKEN)
def test_an_exception_of_the_program_comes_first_then_the_rule_and_no_hint(name, lessons):
    run = lessons[name]()
    lesson = next(report.text for report in run.reports if report.outcome == "failed")
    assert lesson.startswith(BROKEN[name][2]) and "\n\nrule      " in lesson, lesson
    assert "\nhint" not in lesson and "Traceback" not in lesson and str(Path(__file__).parent) not in lesson, lesson


def test_the_first_broken_rule_is_told_and_the_others_are_folded(lessons):
    printed = lessons["strips"]().printed
    broken = printed.count("\n[ ] ")
    assert broken > 5
    assert (
        printed.count("\nrule      ") == 1 and f"\n{broken - 1} more rules fail; begin with this one.\n" in printed
    ), printed
    assert f" {broken - 1} folded in " in printed and "\n[-] " not in printed, printed  # all the others are tried


def test_vv_tells_every_failure(lessons):
    run = lessons["strips, -vv"]()
    failed = [report for report in run.reports if report.outcome == "failed"]
    assert run.printed.count("\nrule      ") == len(failed) > run.printed.count("\n[ ] "), run.printed


def test_who_answers_nothing_is_not_asked_for_long(lessons):
    run = lessons["silent"]()
    waits = [
        line.removeprefix("came      ")
        for report in run.reports
        for line in report.text.splitlines()
        if line.startswith("came      nothing in ")
    ]
    assert waits == ["nothing in 1 s", *["nothing in 0.5 s"] * 3], run.printed
    assert "4 checks got no answer: the rest is not tried" in run.printed and "\n[-] " in run.printed


def test_of_a_race_no_line_says_that_there_is_none(lessons):
    lines = lessons["a race"]().printed.splitlines()
    assert "[x] not seen to break: if many ask for the same name at the same moment, one gets it" in lines
    assert "[x] LOGIN with a free name gets OK" in lines, lines


def test_a_program_that_ends_at_once_is_told_that_a_server_goes_on(lessons):
    run = lessons["ends at once"]()
    assert not run.reports and "\nthe server has ended, with status 0: a server goes on listening" in run.printed, (
        run.printed
    )
    assert "\n    listening on port " in run.printed and "\n[-] " in run.printed, run.printed


def test_of_a_client_that_has_ended_nothing_is_awaited(lessons):
    assert (
        "came      nobody did, and the client has ended, with status 0"
        in lessons["a client that ends at once"]().printed
    )


def test_a_server_that_stops_at_once_says_why(lessons):
    printed = lessons["stops at once"]().printed
    assert "\nline 4 of program.py: NameError: name 'listner' is not defined" in printed, printed
    assert "\nthe server never listened: it ended with status 1\n" in printed and "Traceback" not in printed, printed


def test_a_server_that_reads_lines_breaks_one_rule(lessons):
    run = lessons["reads lines"]()
    broken = [line for line in run.printed.splitlines() if line.startswith("[ ] ")]
    assert broken == ["[ ] a byte comes back at once, not when a line or the input ends"], run.printed
    assert run.printed.count("\n[x] ") == 8, run.printed


def test_what_takes_long_is_not_tried_where_much_is_broken(lessons):
    printed = lessons["delivers nothing"]().printed
    assert "\n[ ] a message to oneself is allowed\n" in printed, printed
    assert "\n[-] what waits for one client is bounded" in printed, printed


def test_a_run_that_takes_long_ends_once_something_is_broken(clock):
    now = 1.0
    clock(verdict, monotonic=lambda: now)
    so_far = SoFar()
    for rule in ("one", "two"):
        so_far.note(rule, SimpleNamespace(failed=False, passed=True, outcome="passed", when="call"))
        now += LONG_ENOUGH_S
        assert so_far.enough() == ""
    so_far.note("three", SimpleNamespace(failed=True))
    assert so_far.enough() == ""
    now += LONG_ENOUGH_S + 1
    assert "the rest is not tried" in so_far.enough()
