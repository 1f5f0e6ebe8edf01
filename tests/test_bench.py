"""The benchmark: it counts correctly, notices every lost or doubled message, and writes correct reports.

How fast anything is depends on the machine, so no test here looks at a time.
"""

import contextlib
import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from extras.irc.server import IrcServer
from extras.rooms.server import RoomsHandler, RoomsServer
from step3_protocol.protocol import format_line
from step5_server.server import ChatHandler, ChatServer
from tests.servers import running

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the benchmark is for Linux and macOS")

if os.name == "posix":
    from extras.bench import bench, load, wires, workloads
    from extras.bench.picture import draw
    from extras.bench.report import Report
    from extras.bench.servers import KINDS, Running

LATE_S = 0.3  # how late a server reads the log, to see who waits for it
BENCH = Path(__file__).resolve().parents[1] / "extras/bench/bench.py"


def numbers(**known):
    """Return a round's numbers, 1 where nothing else is said."""
    names = (
        "per_second",
        "cpu_us",
        "redis_us",
        "p50_ms",
        "p99_ms",
        "server_percent",
        "redis_percent",
        "generator_percent",
        "threads",
        "kb_per_connection",
        "cores",
        "count",
    )
    return {name: known.get(name, 1.0) for name in names}


class NumberedHandler(ChatHandler):
    """A chat handler that treats its third message wrongly."""

    copies_of_the_third = 1
    messages = 0

    def do_MSG(self, name, text):
        self.messages += 1
        line = format_line("MSG", self.name, text)
        for _ in range(self.copies_of_the_third if self.messages == 3 else 1):
            self.send_to(self.registry.get(name), line)
        self.ok()


class LosingHandler(NumberedHandler):
    copies_of_the_third = 0


class DoublingHandler(NumberedHandler):
    copies_of_the_third = 2


def run_pairs(serve, handler_class):
    """Run the pairs against a server of this handler; return bench.main's status."""
    server = serve(type("AccidentServer", (ChatServer,), {"handler_class": handler_class}))
    host, port = server.server_address
    return bench.main(["--quick", "--workloads", "pairs", "--connect", f"{host}:{port}", "--dialect", "chat"])


@pytest.mark.long
def test_a_quick_run_measures_every_workload(tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "picture.svg"
    run = subprocess.run(
        [sys.executable, BENCH, "--quick", "--servers", "step5,irc", "--json", report, "--svg", picture],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rounds = json.loads(report.read_text())["rounds"]
    assert set(rounds["pairs"]) == set(rounds["logins"]) == {"step5", "irc"}
    assert set(rounds["fan-out/64"]) == set(rounds["fan-out/1"]) == set(rounds["growth/10"]) == {"irc"}
    assert set(rounds["mixed/64"]) == set(rounds["joins"]) == set(rounds["fan-out/1+2"]) == {"irc"}
    assert all(one["count"] > 0 for servers in rounds.values() for many in servers.values() for one in many)
    assert "fan-out/64  our IRC" in run.stderr  # the progress
    assert "deliveries/s" in run.stdout and "step 5 " in run.stdout
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.skipif(sys.platform != "linux", reason="relay.c needs Linux")
def test_the_relay_in_c_relays(capsys):
    if KINDS["relay"].why_not(None):
        pytest.skip("no C compiler")
    assert bench.main(["--quick", "--servers", "relay", "--workloads", "fan-out/1,pairs,logins"]) == 0
    assert capsys.readouterr().out.count("relay.c ") >= 3


@pytest.mark.long
@pytest.mark.parametrize("server", ["ngircd", "inspircd", "ergo"])
def test_other_peoples_servers_are_measured(server, capsys):
    if why_not := KINDS[server].why_not(None):
        pytest.skip(why_not)
    status = bench.main(["--quick", "--servers", server, "--workloads", "fan-out/64,pairs"])
    told = capsys.readouterr().out
    assert status == 0 and told.count(f"{KINDS[server].title} ") == 2, told


def test_without_a_program_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr("extras.bench.servers.SYSTEM_PATH", "")
    assert bench.chosen_servers(bench.parse_args(["--servers", "inspircd,ergo"])) == {}
    assert capsys.readouterr().err == "without InspIRCd (C++): no inspircd here\nwithout Ergo (Go): no ergo here\n"


@pytest.mark.long
@pytest.mark.parametrize("server", ["rooms:tls", "irc:tls", "rooms:web", "irc:web"])
def test_what_comes_in_tls_or_websocket_is_counted_too(server, capsys):
    if why_not := KINDS[server].why_not(bench.parse_args([])):
        pytest.skip(f"needs {why_not}")
    status = bench.main(["--quick", "--servers", server, "--workloads", "fan-out/64,logins"])
    told = capsys.readouterr().out
    assert status == 0 and told.count(f"{KINDS[server].title} ") == 2, told


@pytest.fixture
def cluster():
    """Return the kind of server that is two of them; skip the test where Redis or its library is missing."""
    kind = KINDS["cluster:2"]
    if why_not := kind.why_not(bench.parse_args([])):
        pytest.skip(f"needs Redis and its library: {why_not}")
    return kind


@pytest.mark.long
def test_servers_with_redis_between_them_are_counted_as_one(cluster, tmp_path):
    report = tmp_path / "report.json"
    workloads = "pairs,fan-out/64,logins"
    assert bench.main(["--quick", "--servers", "rooms,cluster:2", "--workloads", workloads, "--json", str(report)]) == 0
    rounds = json.loads(report.read_text())["rounds"]
    assert set(rounds) == {"pairs", "pairs/across", "fan-out/64", "logins"}
    assert set(rounds["pairs"]) == {"rooms", "cluster:2"} and set(rounds["pairs/across"]) == {"cluster:2"}
    for name, servers in rounds.items():
        (numbers,) = servers["cluster:2"]
        assert numbers["count"] > 0
        if sys.platform == "linux":
            assert numbers["redis_us"] is not None and numbers["cpu_us"] is not None, name


@pytest.mark.long
def test_the_fence_of_a_cluster_comes_behind_what_is_in_the_log(cluster, monkeypatch):
    from extras.cluster.member import Member
    from extras.cluster.private_redis import PrivateRedis
    from extras.cluster.server import ClusterServer

    may_read, carry_out = threading.Event(), Member.carry_out
    may_read.set()

    def late(member, *entry):
        assert may_read.wait(10)
        carry_out(member, *entry)

    monkeypatch.setattr(Member, "carry_out", late)
    with (
        PrivateRedis() as redis,
        running(ClusterServer(("127.0.0.1", 0), redis=redis.url)) as server,
        load.Crowd(server.server_address, cluster.dialect) as crowd,
    ):
        crowd.grow(2)
        first, second = crowd.clients
        may_read.clear()
        first.ask(crowd.dialect.tell(second.user, b"hello" + load.MARK), re.compile(rb"OK\n"))  # it is in the log
        soon = threading.Timer(LATE_S, may_read.set)
        soon.start()
        second.ask(crowd.dialect.fence, crowd.dialect.fenced)
        soon.join()
        assert second.received == 1


def test_the_two_of_a_pair_are_on_one_server_and_then_on_two(serve, monkeypatch):
    addresses = [serve(ChatServer).server_address for _ in range(3)]
    played = {}

    def ping_pong(server, crowd, name, seconds, couples):
        played[name] = [[client.sock.getpeername() for client in couple] for couple in couples]

    monkeypatch.setattr(workloads, "ping_pong", ping_pong)
    with load.Crowd(addresses[0], KINDS["step5"].dialect, others=addresses[1:]) as crowd:
        list(workloads.pairs(None, crowd, "pairs", 0))
    assert all(one == other for one, other in played["pairs"])
    assert all(one != other for one, other in played["pairs/across"])
    assert {one for one, _ in played["pairs"]} == set(addresses) == {one for one, _ in played["pairs/across"]}
    assert len(played["pairs"]) == len(played["pairs/across"]) == 20


def test_without_redis_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert bench.chosen_servers(bench.parse_args(["--servers", "cluster:2"])) == {}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("without cluster of 2: a cluster needs Redis, which is not installed")


def test_without_its_library_a_line_says_so(tmp_path, monkeypatch, capsys):
    for name, status in (("python", 1), ("redis-server", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    python = str(tmp_path / "python")
    assert bench.chosen_servers(bench.parse_args(["--servers", "cluster:2", "--python", python])) == {}
    assert capsys.readouterr().err == f"without cluster of 2: {python} -m pip install redis\n"


def test_a_wire_waits_for_its_handshake_and_half_closes_like_a_socket(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "ours.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = wires.Tls(listener.getsockname(), certificates / "ours.pem")
        wire.sendall(b"before the handshake is over\n")
        wire.setblocking(False)
        seen = []

        def serve():
            with context.wrap_socket(listener.accept()[0], server_side=True, suppress_ragged_eofs=False) as sock:
                sock.sendall(b"welcome\n")
                while chunk := sock.recv(1000):
                    seen.append(chunk)
                sock.sendall(b"late\n")

        thread = threading.Thread(target=serve)
        thread.start()
        told = b""
        while b"late" not in told:
            with contextlib.suppress(BlockingIOError):
                told += wire.recv(1000)
            if told == b"welcome\n":
                wire.shutdown(socket.SHUT_WR)
            select.select([wire], [], [], 5)
        assert (told, b"".join(seen)) == (b"welcome\nlate\n", b"before the handshake is over\n")
        thread.join()
        wire.close()


def test_lines_go_out_as_frames_that_a_server_may_read():
    assert wires.frames(b"HELP\nLOGIN a\n") == b"\x81\x84\0\0\0\0HELP\x81\x87\0\0\0\0LOGIN a"


def test_a_whole_run_is_counted(serve):
    assert run_pairs(serve, NumberedHandler) == 0


def test_a_lost_message_fails_the_run(serve, monkeypatch, capsys):
    monkeypatch.setattr(workloads, "DEADLINE_S", 0.2)
    assert run_pairs(serve, LosingHandler) == 1
    assert "did not arrive" in capsys.readouterr().out


def test_a_doubled_message_fails_the_run(serve, capsys):
    assert run_pairs(serve, DoublingHandler) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.long
def test_half_of_a_mixed_room_gets_tags(serve):
    server = serve(IrcServer)
    with load.Crowd(server.server_address, KINDS["irc"].dialect) as crowd:
        here = Running(None, server.server_address)
        (result,) = workloads.fan_out(here, crowd, "mixed/1", 0.01, members=10, in_flight=1, tags_every=2)
        crowd.clients[0].send(crowd.dialect.say(b"hello"))
        told = [client.sock.recv(1000) for client in crowd.clients[1:] if not client.sock.settimeout(5)]
    assert result.count > 0 and [line[:1] for line in told] == [b":", b"@"] * 4 + [b":"]


def test_a_server_without_tags_has_no_mixed_room():
    args = bench.parse_args(["--servers", "ngircd,ergo"])
    assert not bench.takes_part("mixed/64", "ngircd", KINDS["ngircd"], args)
    assert bench.takes_part("mixed/64", "ergo", KINDS["ergo"], args)


def test_busy_loops_end_even_on_ctrl_c():
    with pytest.raises(KeyboardInterrupt), load.busy_loops(2) as loops:
        assert [loop.poll() for loop in loops] == [None, None]
        raise KeyboardInterrupt
    assert all(loop.returncode for loop in loops)


def test_a_busy_loop_ends_when_nobody_holds_its_pipe():
    with subprocess.Popen([sys.executable, "-c", load.BUSY_LOOP], stdin=subprocess.PIPE) as loop:
        loop.stdin.close()
        assert loop.wait(10) == 0


@pytest.mark.long
def test_a_neighbour_is_busy_while_a_workload_runs(serve, monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "busy_loops", lambda count: asked.append(count) or load.busy_loops(count))
    host, port = serve(ChatServer).server_address
    words = ["--quick", "--workloads", "pairs,pairs+2,neighbours", "--connect", f"{host}:{port}", "--dialect", "chat"]
    assert bench.main(words) == 0
    assert asked == [0, 2, 1, 0, 1, 2]  # pairs, then the other pairs, then logins; no rooms here


@pytest.mark.long
@pytest.mark.parametrize("copies, status", [(1, 0), (0, 1), (2, 1)])
def test_who_comes_and_goes_is_counted_at_each_member(serve, monkeypatch, copies, status):
    class AccidentHandler(RoomsHandler):
        def tell(self, room, *words):
            first_to_go = words[0] == "LEFT" and self.server.lucky and self.server.lucky.pop()
            for _ in range(copies if first_to_go else 1):
                super().tell(room, *words)

    monkeypatch.setattr(load, "DEADLINE_S", 0.2)
    server = serve(type("AccidentServer", (RoomsServer,), {"handler_class": AccidentHandler, "lucky": [True]}))
    host, port = server.server_address
    words = ["--quick", "--workloads", "joins", "--connect", f"{host}:{port}", "--dialect", "rooms"]
    assert bench.main(words) == status


def test_a_crowd_that_misses_one_delivery_raises(serve):
    server = serve(ChatServer)
    with load.Crowd(server.server_address, KINDS["step5"].dialect) as crowd:
        crowd.grow(3)
        first, second, _ = crowd.clients
        first.send(crowd.dialect.tell(second.user, b"hello" + load.MARK))
        crowd.check([0, 1, 0])
        with pytest.raises(load.Lost, match="user 2: 0 of 1"):
            crowd.check([0, 1, 1])


def test_users_may_be_let_in_together(serve):
    together = threading.Barrier(load.AT_ONCE, timeout=5)

    class SlowHandler(ChatHandler):
        def setup(self):
            super().setup()
            together.wait()

    server = serve(type("SlowServer", (ChatServer,), {"handler_class": SlowHandler}))
    with load.Crowd(server.server_address, KINDS["step5"].dialect) as crowd:
        crowd.grow(2 * load.AT_ONCE)
    assert not together.broken


def test_a_refused_login_is_told(serve):
    server = serve(ChatServer, max_clients=1)
    with load.Crowd(server.server_address, KINDS["step5"].dialect) as crowd:
        with pytest.raises(load.LoadError, match="server-full"):
            crowd.grow(2)


def test_ratios_compare_within_a_round():
    report = Report({})
    for ours, theirs in ((10, 5), (100, 50), (30, 10)):  # a noisy machine: rounds differ, ratios hardly
        report.add("pairs", "irc", numbers(per_second=ours))
        report.add("pairs", "ngircd", numbers(per_second=theirs))
    assert report.median("pairs", "irc", "per_second") == 30
    assert report.ratio("pairs", "per_second", "irc", "ngircd") == 2


def test_a_missed_goal_is_called_missed():
    report = Report({})
    report.add("pairs", "irc", numbers(per_second=80, cpu_us=2))
    report.add("pairs", "ngircd", numbers(per_second=100, cpu_us=2))
    assert report.goals() == [
        "MISSED our IRC pairs per_second: 0.80 x ngIRCd (C) (goal: >= 0.9)",
        "met    our IRC pairs cpu_us: 1.00 x ngIRCd (C) (goal: <= 1.3)",
    ]


def test_a_goal_may_be_a_multiple_of_the_same_in_another_workload():
    report = Report({})
    for workload, ours, theirs in (("fan-out/1", 100, 200), ("fan-out/1+1", 40, 160)):
        report.add(workload, "rooms", numbers(per_second=ours, cpu_us=100 / ours))
        report.add(workload, "ngircd", numbers(per_second=theirs))
    assert [goal for goal in report.goals() if "+1" in goal] == [
        "MISSED rooms fan-out/1+1 cpu_us: 2.50 x fan-out/1 (goal: <= 1.3)",
        "met    rooms fan-out/1+1 per_second: 0.50 x what ngIRCd (C) keeps of fan-out/1 (goal: >= 0.5)",
    ]


def test_the_columns_of_redis_stand_only_where_there_was_one():
    report = Report({})
    report.add("pairs", "rooms", numbers(redis_us=None, redis_percent=None))
    assert "Redis" not in report.table("pairs")
    report.add("pairs", "cluster:2", numbers(redis_us=41.5))
    assert "Redis us each" in report.table("pairs") and "41.50" in report.table("pairs")


def test_what_the_system_does_not_tell_is_a_dash():
    report = Report({"machine": "one without /proc"})
    report.add("pairs", "irc", numbers(cpu_us=None, threads=None))
    assert " - " in report.table("pairs")
    ElementTree.fromstring(draw(report))


def test_curves_are_drawn_for_what_grows():
    report = Report({})
    for level in (10, 1000):
        report.add(f"idle/{level}", "irc", numbers(cpu_us=level))
    picture = draw(report)
    assert "by users connected" in picture and picture.count("<polyline") >= 2
    ElementTree.fromstring(picture)


@pytest.mark.parametrize("wrong", [["--servers", "nobody"], ["--workloads", "sleep"], ["--rounds", "many"]])
def test_a_wrong_argument_is_explained(wrong, capsys):
    with pytest.raises(SystemExit):
        bench.parse_args(wrong)
    assert wrong[1] in capsys.readouterr().err
