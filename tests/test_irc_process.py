"""The IRC server as a program: its flags, its operators, its end."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extras.irc.more.passwords import hash_password
from extras.irc.server import parser
from tests.irc_wire import IrcWire, short

SERVER = Path(__file__).resolve().parents[1] / "extras/irc/server.py"


# Runs a program in a process that can start so many threads, and no more.
WITH_FEW_THREADS = """
import itertools, runpy, sys, threading
threads, count, start = int(sys.argv[1]), itertools.count(), threading.Thread.start
def start_or_not(thread):
    if next(count) >= threads:
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start_or_not
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@contextlib.contextmanager
def program(*flags, threads=None, path=None):
    """Run the server on a free port; give the process and its address."""
    few = [] if threads is None else ["-c", WITH_FEW_THREADS, str(threads)]
    process = subprocess.Popen(
        [sys.executable, *few, str(SERVER), "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(path)} if path else None,
    )
    try:
        host, port = process.stdout.readline().split()[-1].rsplit(":", 1)
        yield process, (host, int(port))
    finally:
        process.kill()
        process.communicate()


def enter(wire, nick):
    wire.send(f"NICK {nick}\r\nUSER {nick} 0 * :x")
    return wire.read_until("376", "422", "ERROR")


def test_every_flag_is_heard(tmp_path):
    (tmp_path / "motd").write_text("drink tea\n")
    flags = [
        "--name",
        "irc.tea",
        "--network",
        "Tea Net",
        "--info",
        "a pot",
        "--motd",
        str(tmp_path / "motd"),
        "--max-channels",
        "1",
    ]
    flags += [
        "--oper",
        "root:" + hash_password("pot"),
        "--oper",
        "two:plain:with:colons",
        "--password",
        "leaf",
        "--flood",
        "100/1",
    ]
    with program(*flags) as (_, address), IrcWire(address) as wire:
        wire.send("PASS leaf")
        welcome = [short(m) for m in enter(wire, "alice")]
        assert welcome[0].startswith("001 Welcome to the Tea Net Network") and "372 - drink tea" in welcome
        assert wire.codes("JOIN #a,#b")[-1] == "405"
        assert wire.codes("OPER root wrong", "OPER root pot", "OPER two plain:with:colons")[:2] == ["464", "381"]
        assert "312 alice irc.tea a pot" in wire.lines("WHOIS alice")


def test_a_flooder_is_slowed_down_by_default():
    assert parser().parse_args([]).flood == (100, 20)
    assert parser().parse_args(["--flood", "off"]).flood is None


@pytest.mark.parametrize(
    "flags",
    [
        ["--oper", "nobody"],
        ["--name", "two words"],
        ["--flood", "x"],
        ["--max-channels", "0"],
        ["--ping-timeout", "-1"],
    ],
)
def test_a_bad_flag_is_one_clear_line(flags):
    done = subprocess.run([sys.executable, str(SERVER), *flags], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("server.py: error: argument --")


def test_a_database_that_cannot_be_opened_is_one_clear_line(tmp_path):
    path = str(tmp_path / "none" / "irc.db")
    done = subprocess.run([sys.executable, str(SERVER), "--db", path], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr == f"--db: {path}: No such file or directory\n"


def test_a_python_without_sqlite_serves_without_accounts(tmp_path):
    (tmp_path / "sqlite3.py").write_text("raise ImportError")
    with program(path=tmp_path) as (_, address), IrcWire(address) as wire:
        assert enter(wire, "alice")[0].command == "001"
        assert wire.codes("CAP LS 302", "NS HELP", "AUTHENTICATE PLAIN")[-2:] == ["421", "421"]


def test_die_ends_the_server_cleanly():
    with program("--oper", "root:pot") as (process, address), IrcWire(address) as wire, IrcWire(address) as other:
        enter(wire, "alice"), enter(other, "bob")
        wire.ask("OPER root pot")
        wire.send("DIE")
        assert [m.command for m in wire.goodbye()] == [m.command for m in other.goodbye()] == ["ERROR"]
        assert process.wait(10) == 0 and "Traceback" not in process.stderr.read()


def test_die_ends_the_server_though_it_has_no_thread_left():
    with program("--oper", "root:pot", threads=4) as (process, address), IrcWire(address) as wire:
        enter(wire, "alice")
        wire.ask("OPER root pot")
        with IrcWire(address) as other:
            assert short(other.read()).endswith("(out of threads)")
        wire.send("DIE")
        assert [m.command for m in wire.goodbye()] == ["ERROR"]
        assert process.wait(10) == 0 and "Traceback" not in process.stderr.read()


def test_sigterm_ends_it_cleanly_too():
    with program() as (process, address), IrcWire(address) as wire:
        enter(wire, "alice")
        process.send_signal(signal.SIGTERM)
        assert [m.command for m in wire.goodbye()] == ["ERROR"]
        assert process.wait(10) == 0


def test_nothing_that_a_peer_writes_reaches_the_log_as_a_control_character():
    with program("-v", "--oper", "root:pot") as (process, address), IrcWire(address) as wire:
        enter(wire, "alice")
        wire.send("\x1b[2J x\r\nOPER \x1b[31m y\r\nNICK \x1b\r\nQUIT :\x1b[0m\x07")
        wire.goodbye()
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=10)[1]
        assert "QUIT" in log and not [char for char in log if not char.isprintable() and char != "\n"]
