"""The attacks of STRANGERS.md: the small chat server falls to each, and the full one survives it.

An attack tells which by its exit status: 0 (survived) or 1.  On Linux only: others hold other amounts in
their kernels, and have no /proc.
"""

import os
import signal
import subprocess
import sys

import pytest

from step5_server import connection
from step5_server.server import ChatServer
from tests.chapter import ROOT
from tests.foreign import ServerCommand
from tests.typed import put_rungs

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the amounts are those of Linux's kernel"),
]

ATTACKS = ROOT / "step5_server" / "attacks"
FULL = f"{ROOT}/step5_server/server.py --port {{port}}"
FEW = "ulimit -n 60; "  # descriptors: fewer than a crowd wants
DEADLINE_S = 30  # so that no test hangs; no verdict depends on it
SURVIVED, FELL = 0, 1
# Those that need nobody's help: (limits of the server, flags of the full one, arguments of the attack)
ALONE = {
    "crowd": (FEW, "--max-per-host 20", ()),
    "spin": (FEW, "", ()),
    "drip": ("", "--login-timeout 0.3", ("1.5",)),
    "deaf": ("", "", ()),
    "flood": ("", "", ()),
    "goodbye": ("", "", ()),
    "dead": ("", "", ()),
}


@pytest.fixture
def start(tmp_path):
    """Start a server: start(command) -> ServerCommand; `small` in it is what the learner has typed."""
    put_rungs(tmp_path)
    servers = []

    def start(limits, program):
        servers.append(ServerCommand(f"{limits}exec {{python}} {program}", str(tmp_path)))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def attack():
    """Begin an attack: attack(name, server, *more) -> its process."""
    begun = []

    def attack(name, server, *more):
        command = [sys.executable, str(ATTACKS / f"{name}.py"), str(server.server_address[1]), *more]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return begun[-1]

    yield attack
    for process in begun:
        process.kill()
        process.communicate()


def verdict(process):
    """Wait for an attack to end; return its status, and what it told."""
    told, _ = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in told, told
    return process.returncode, told


@pytest.mark.parametrize("name", ALONE)
def test_the_small_server_falls_and_the_full_one_survives(start, attack, name):
    limits, flags, more = ALONE[name]
    small = attack(name, start(limits, "chat_server.py {port}"), *more)
    full = attack(name, start(limits, f"{FULL} {flags}"), *more)
    status, told = verdict(small)
    assert status == FELL, told
    status, told = verdict(full)
    assert status == SURVIVED, told


def test_who_leaves_and_does_not_read_stays_in_the_small_server(start, attack, serve, monkeypatch):
    monkeypatch.setattr(connection, "LINGER_S", 0.3)  # the full server gives her five seconds
    small = attack("leaver", start("", "chat_server.py {port}"), "1")
    full = attack("leaver", serve(ChatServer), "10")
    status, told = verdict(small)
    assert status == FELL, told
    status, told = verdict(full)
    assert status == SURVIVED, told


@pytest.mark.parametrize("program, fate", [("chat_server.py {port}", FELL), (FULL, SURVIVED)], ids=["small", "full"])
def test_what_was_acknowledged_before_the_stop_is_lost_by_the_small_server_only(start, attack, program, fate):
    server = start("", program)
    process = attack("stop", server)
    assert "now stop the server" in process.stdout.readline()
    os.killpg(server.process.pid, signal.SIGINT)
    status, told = verdict(process)
    assert status == fate, told


def test_each_attack_is_tried():
    assert {*ALONE, "leaver", "stop", "guest"} == {path.stem for path in ATTACKS.glob("*.py")}
