"""Every program with standard streams that are closed, full, without a reader, or non-blocking.

Each test starts a real process: with these streams it shows no traceback, does not hang, and its exit
status is right.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from extras.broadcast.server import BroadcastServer
from step1_echo.server import EchoServer
from step1_echo.serving import format_address

try:
    import fcntl
    import pty
    import termios
except ImportError:
    pass  # Windows: there none of these tests runs

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 20.0  # a limit; usually it is much faster
AGAIN_S = 0.01  # between two tries to connect

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and a shared port are Linux's"),
]

# name -> the streams that are closed, full or without a reader
STATES = {
    "all well": {},
    "no stdin": {"stdin": "closed"},
    "no stdout": {"stdout": "closed"},
    "no stderr": {"stderr": "closed"},
    "none": {"stdin": "closed", "stdout": "closed", "stderr": "closed"},
    "full stdout": {"stdout": "full"},
    "full stderr": {"stderr": "full"},
    "unread stdout": {"stdout": "unread"},
    "unread stderr": {"stderr": "unread"},
}
# Programs that start as another one does are tried in these states only; and at a learner's desk
# all that come after the first of a kind: a process each takes its time.
FEW = "none", "full stdout"
MANY = STATES if os.environ.get("MUTANTS") == "all" else FEW


def in_its_states(programs):
    """Parametrize a test: each program in all states, or in a few."""
    return pytest.mark.parametrize(
        "command, state",
        [
            pytest.param(command, STATES[state], id=f"{command}-{state}")
            for command, states in programs.items()
            for state in states
        ],
    )


@contextlib.contextmanager
def started(words, state):
    """Start a program; the streams that `state` does not name are pipes."""
    with open("/dev/full", "r+b", buffering=0) as full:
        streams = {
            name: full if state.get(name) == "full" else subprocess.PIPE for name in ("stdin", "stdout", "stderr")
        }
        to_close = [number for number, name in enumerate(streams) if state.get(name) == "closed"]
        gone = [end for name in streams if state.get(name) == "unread" for end in [pipe_without_reader()]]
        for name in state:
            if state[name] == "unread":
                streams[name] = gone[0]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, **streams, preexec_fn=lambda: [os.close(number) for number in to_close]
        )
        for end in gone:
            os.close(end)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def pipe_without_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


WHY = {"full": "No space left", "unread": "Broken pipe"}


def complained(process, state):
    """Wait until a server has said that it cannot print its address; return what it has said by then."""
    why, said = WHY.get(state.get("stdout"), "").encode(), b""
    watchdog = threading.Timer(DEADLINE_S, process.kill)
    watchdog.start()
    while process.stderr and why not in said and (line := process.stderr.readline()):
        said += line
    watchdog.cancel()
    return said


def told(process, state, quiet=False, before=b""):
    """Wait for the end; return what the program printed on the streams that can be read."""
    out, err = process.communicate(timeout=DEADLINE_S)
    text = (before + (out or b"") + (err or b"")).decode()
    assert "Traceback" not in text and "rror:" not in text and "xception" not in text
    why = WHY.get(state.get("stdout"), "")
    assert why in text or quiet
    return text


@pytest.fixture
def port():
    """A port that is ours until the test ends, and where a server may listen meanwhile."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def connected(port, process):
    """Connect as soon as the server listens."""
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        select.select([], [], [], AGAIN_S)
    pytest.fail(f"it does not listen; its status: {process.returncode}")


HELP = b"HELP\n"
# A wrong password is worth a warning in the log, with -v or without.
OPER = b"NICK a\r\nUSER a 0 * :a\r\nOPER x z\r\nPING HELP\r\n"
SERVERS = {
    "step1_echo/server.py -v": STATES,
    "step4_framing/server.py -v": FEW,
    "step5_server/server.py -v": FEW,
    "extras/irc/server.py --oper x:y": MANY,
    "extras/wiretap/wiretap.py": MANY,
}


@in_its_states(SERVERS)
def test_a_server_serves_whatever_its_streams_are(command, state, port, serve):
    words = command.split()
    if "wiretap" in command:
        words += ["--listen", str(port), "--to", format_address(serve(EchoServer).server_address)]
    else:
        words += ["--port", str(port)]
    with started(words, state) as process:
        for _ in range(2):  # the second comes after all that the log may have met
            with connected(port, process) as sock:
                sock.sendall(OPER if "irc" in command else HELP)
                answer = b""
                while b"HELP" not in answer:
                    chunk = sock.recv(4096)
                    assert chunk, answer
                    answer += chunk
        said = complained(process, state)  # it may serve before it comes to that
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        assert "stopping" in told(process, state, before=said) or "stderr" in state


CLIENTS = {"step2_client/client.py": STATES, "step6_client/client.py": STATES, "extras/rooms/client.py": FEW}


@in_its_states(CLIENTS)
def test_a_client_ends_well_whatever_its_streams_are(command, state, serve):
    server = serve(BroadcastServer)
    with started([command, "--port", str(server.server_address[1])], state) as process:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"alice\n/raw HELP\n")
                process.stdin.flush()
        # Like all filters, step 2's ends silently when nobody reads its output: `| head -1` is no mistake.
        text = told(process, state, quiet="step2" in command and state.get("stdout") == "unread")
        broken = state.get("stdout") in ("full", "unread")
        assert process.returncode == broken
        assert "lost the server" not in text


@pytest.mark.parametrize("heeds_sighup", [True, False], ids=["SIGHUP", "nohup"])
@pytest.mark.parametrize("command", ["step2_client/client.py", "step6_client/client.py"])
def test_a_terminal_that_is_closed_ends_the_client(command, heeds_sighup, serve):
    def begin():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL if heeds_sighup else signal.SIG_IGN)

    server = serve(BroadcastServer)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, command, "--port", str(server.server_address[1])],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=begin,
    )
    os.close(theirs)
    try:
        os.write(ours, b"LOGIN alice\n" if "step2" in command else b"alice\n")
        seen = b""
        while b"welcome" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert len(errors.splitlines()) <= 1
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", ["step2_client/client.py", "step6_client/client.py"])
def test_non_blocking_streams_make_a_client_neither_hurry_nor_stop(command, serve):
    """EAGAIN is neither the end of the input nor a failure of the output."""
    server = serve(BroadcastServer)
    asked = 3000  # their answers are more than a pipe takes
    (input_, typing), (reading, output) = os.pipe(), os.pipe()
    os.set_blocking(input_, False)
    os.set_blocking(output, False)
    process = subprocess.Popen(
        [sys.executable, command, "--port", str(server.server_address[1])],
        cwd=ROOT,
        stdin=input_,
        stdout=output,
        stderr=subprocess.PIPE,
    )
    os.close(input_)
    os.close(output)
    try:
        with open(typing, "wb", buffering=0) as keyboard, open(reading, "rb") as screen:
            keyboard.write(b"LOGIN alice\n" if "step2" in command else b"alice\n")
            assert b"welcome, alice" in screen.readline()
            # The input was empty for a while, and it has not ended.
            keyboard.writelines(b"HELP\n" if "step2" in command else b"/raw HELP\n" for _ in range(asked))
            keyboard.close()
            assert screen.read().count(b"HELP") == asked
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
