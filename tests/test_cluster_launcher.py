"""The launcher of a cluster: it starts Redis and servers, and ends them; and the naive server that it can start."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wire import Wire

pytest.importorskip("redis", reason="redis-py is not installed: pip install -r extras/cluster/requirements.txt")
if not shutil.which("redis-server"):
    pytest.skip("redis-server is not installed (apt install redis-server)", allow_module_level=True)

LAUNCHER = Path(__file__).resolve().parents[1] / "extras/cluster/cluster.py"
DEADLINE_S = 60.0  # for an end that takes a second

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes


class Cluster:
    """A launcher in a process of its own.  A context manager: nothing of it is left."""

    def __init__(self, folder: Path, *flags: str, **environment: str):
        self.folder = folder  # the only place for what is temporary; it also marks the processes
        self.environment = os.environ | {"TMPDIR": str(folder)} | environment
        self.popen = subprocess.Popen(
            [sys.executable, str(LAUNCHER), *flags],
            cwd="/",
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.addresses, self.processes = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.kill()
        self.popen.communicate()

    def read_until(self, pattern: str) -> str:
        """Return the first line that the pattern is found in."""
        for line in self.popen.stdout:
            if found := re.match(r"(\w+): listening on (\S+):(\d+), process (\d+)$", line):
                name, host, port, process = found.groups()
                self.addresses[name], self.processes[name] = (host, int(port)), int(process)
            if re.search(pattern, line):
                return line
        pytest.fail(f"no line with {pattern!r} has come")

    def all_listen(self, servers: int) -> None:
        """Wait until all servers have said where they listen."""
        while len(self.addresses) < 1 + servers:
            self.read_until("listening on")

    def end(self, number: int) -> int:
        """Send a signal, Ctrl-C as a terminal does; return the exit status when the keeper has ended, too."""
        if number == signal.SIGINT:
            os.killpg(self.popen.pid, number)
        else:
            self.popen.send_signal(number)
        self.last_words, _ = self.popen.communicate(timeout=DEADLINE_S)  # until nobody has its output any more
        return self.popen.returncode

    def left(self) -> list:
        """Return what is left: processes that have our environment, and files."""
        processes = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # NOTE: it has ended meanwhile, or is somebody else's
                if b"TMPDIR=%s\0" % os.fsencode(self.folder) in (folder / "environ").read_bytes():
                    processes.append((folder / "cmdline").read_bytes())
        return processes + list(self.folder.iterdir())


@pytest.fixture
def launch(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda *flags, **environment: stack.enter_context(Cluster(tmp_path, *flags, **environment))


def test_its_servers_are_one_chat(launch):
    cluster = launch("--servers", "3", "--port", "0")
    cluster.all_listen(3)
    assert set(cluster.addresses) == {"redis", "s1", "s2", "s3"}
    with contextlib.ExitStack() as stack:
        alice, bob, carol = (
            stack.enter_context(Wire(cluster.addresses[server], name))
            for server, name in (("s1", "alice"), ("s2", "bob"), ("s3", "carol"))
        )
        alice.ask("LOGIN alice", "OK ...")
        bob.ask("LOGIN bob", "OK ...", "USERS alice")
        assert alice.read_line() == "ONLINE bob"
        assert carol.request("LOGIN Alice").reply.startswith("ERR name-taken")
        bob.ask("MSG alice hello", "OK")
        assert alice.read_line() == "MSG bob hello"
    assert cluster.end(signal.SIGINT) == 0
    assert "has ended" not in cluster.last_words, "Ctrl-C has reached more than the launcher"
    assert cluster.left() == []


def test_it_takes_the_ports_that_it_is_told(launch):
    """Two servers on a port and the next one: which can only be told where both are free."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                break
    cluster = launch("--servers", "2", "--port", str(port))
    cluster.all_listen(2)
    assert [cluster.addresses[name][1] for name in ("s1", "s2")] == [port, port + 1]


def test_it_ends_when_a_server_cannot_start(launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = launch("--servers", "1", "--port", str(taken.getsockname()[1]))
        assert "the port is in use" in cluster.read_until("cannot listen")
        cluster.popen.communicate(timeout=DEADLINE_S)
    assert cluster.popen.returncode == 1 and cluster.left() == []


def test_it_says_why_redis_cannot_start(launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = launch("--redis-port", str(taken.getsockname()[1]))
        assert cluster.read_until("does not start on port")
        cluster.popen.communicate(timeout=DEADLINE_S)
    assert cluster.popen.returncode == 1 and cluster.left() == []


def test_a_process_that_dies_is_named_and_the_others_go_on(launch):
    cluster = launch("--servers", "2", "--port", "0")
    cluster.all_listen(2)
    os.kill(cluster.processes["s2"], signal.SIGKILL)
    assert cluster.read_until("has ended") == "s2 has ended: killed by SIGKILL\n"
    os.kill(cluster.processes["redis"], signal.SIGKILL)
    assert cluster.read_until("has ended") == "redis has ended: killed by SIGKILL\n"
    with Wire(cluster.addresses["s1"], "alice") as alice:
        assert alice.request("HELP").reply.startswith("OK")
    os.kill(cluster.processes["s1"], signal.SIGTERM)
    assert cluster.read_until("has ended") == "s1 has ended: exit status 0\n"
    cluster.popen.communicate(timeout=DEADLINE_S)
    assert cluster.popen.returncode == 1, "no server is left"
    assert cluster.left() == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("after", ["", "redis: listening", "s[12]: listening"])
def test_nothing_is_left_when_it_is_ended_in_the_middle_of_starting(launch, after, number):
    cluster = launch("--servers", "2", "--port", "0")
    if after:
        cluster.read_until(after)
    assert cluster.end(number) in ({-signal.SIGKILL} if number == signal.SIGKILL else {0, -signal.SIGTERM})
    assert cluster.left() == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_no_process_is_left_when_even_the_keeper_is_killed(launch):
    cluster = launch("--servers", "2", "--port", "0")
    cluster.all_listen(2)
    after_the_name = Path(f"/proc/{cluster.processes['s1']}/stat").read_text().rpartition(")")[2]
    os.kill(int(after_the_name.split()[1]), signal.SIGKILL)  # the parent of s1
    cluster.popen.communicate(timeout=DEADLINE_S)
    assert cluster.popen.returncode == 1
    while any(isinstance(left, bytes) for left in cluster.left()):
        pass  # they have been killed, and it takes the system a moment


def test_a_server_that_was_stopped_is_ended_too(launch):
    cluster = launch("--servers", "1", "--port", "0")
    cluster.all_listen(1)
    os.kill(cluster.processes["s1"], signal.SIGSTOP)
    assert cluster.end(signal.SIGTERM) == 0
    assert cluster.left() == []


def test_without_redis_it_says_how_to_get_it(launch, tmp_path):
    cluster = launch(PATH=str(tmp_path))
    assert "apt install redis-server" in cluster.read_until("needs Redis")
    cluster.popen.communicate(timeout=DEADLINE_S)
    assert cluster.popen.returncode == 1


@pytest.mark.parametrize("program", ["cluster.py", "server.py", "naive_server.py"])
def test_without_the_library_it_says_how_to_get_it(program, tmp_path):
    (tmp_path / "redis.py").write_text("raise ImportError")
    told = subprocess.run(
        [sys.executable, LAUNCHER.with_name(program), "--port", "0"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert (
        told.stderr
        == "a cluster needs a library that is not installed: pip install -r extras/cluster/requirements.txt\n"
    )


# What is wrong with the naive server


@pytest.fixture
def naive(launch):
    """Return a cluster of two naive servers, Redis's client, and four users: two on each server."""
    from redis import Redis

    cluster = launch("--servers", "2", "--port", "0", "--naive")
    cluster.all_listen(2)
    with contextlib.ExitStack() as stack:
        wires = []
        for name, server in (("alice", "s1"), ("carol", "s1"), ("bob", "s2"), ("dave", "s2")):
            wires.append(stack.enter_context(Wire(cluster.addresses[server], name)))
            wires[-1].ask(f"LOGIN {name}", "OK ...")
        redis = stack.enter_context(Redis(port=cluster.addresses["redis"][1]))
        yield cluster, redis, wires


def test_users_of_two_naive_servers_see_two_orders(naive):
    _cluster, redis, (alice, carol, bob, dave) = naive
    redis.client_pause(1000)  # so that none of the two messages is faster
    alice.send("ALL me first")
    bob.send("ALL no, me")
    assert [carol.read_line() for _ in range(2)] == ["ALL alice me first", "ALL bob no, me"]
    assert [dave.read_line() for _ in range(2)] == ["ALL bob no, me", "ALL alice me first"]


def test_a_naive_server_loses_what_got_ok_while_its_connection_to_redis_is_cut(naive):
    cluster, redis, (alice, carol, _bob, dave) = naive
    alice.ask("ALL one", "OK")
    assert dave.read_line() == "ALL alice one"
    redis.client_kill_filter(_type="pubsub")
    for _ in range(2):
        cluster.read_until("has cut us off")
    alice.ask("ALL two", "OK")
    assert [carol.read_line() for _ in range(2)] == ["ALL alice one", "ALL alice two"]
    for _ in range(2):
        cluster.read_until("subscribed again")
    alice.ask("ALL three", "OK")
    assert dave.read_line() == "ALL alice three"  # and two?
