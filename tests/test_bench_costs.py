"""What a message costs: the relay with threads, the counts, and the file that they are compared with.

How fast anything is depends on the machine, so no test here looks at a time.
"""

import collections
import json
import os
import re
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the benchmark is for Linux and macOS")

if os.name == "posix":
    from extras.bench import bench, calls, costs, counts, kernel, wires
    from extras.bench.servers import KINDS

LINES = 2000
LONG = 4000  # bytes of a line: all that is sent is more than the kernel holds for a peer


@pytest.fixture
def relay():
    """Return the address of a relay with threads."""
    args = bench.parse_args([])
    if why_not := KINDS["relay-threads"].why_not(args):
        pytest.skip(why_not)
    with KINDS["relay-threads"].start(args) as running:
        yield running.address


def join(address):
    """Return a connection that the relay has numbered."""
    sock = wires.plain(address)
    sock.sendall(b"!login\n")
    assert sock.recv(100) == b"!login\n"
    return sock


@pytest.mark.long
def test_lines_of_two_threads_to_one_peer_do_not_mix(relay):
    with join(relay) as reader, join(relay) as a, join(relay) as b:
        lines = {sock: b"0 " + letter * LONG + b"\n" for sock, letter in ((a, b"a"), (b, b"b"))}
        threads = [threading.Thread(target=sock.sendall, args=(line * LINES,)) for sock, line in lines.items()]
        for thread in threads:
            thread.start()
        with reader.makefile("rb") as file:
            got = [file.readline() for _ in range(2 * LINES)]
        for thread in threads:
            thread.join()
        assert all(got.count(line) == LINES for line in lines.values())


@pytest.mark.long
def test_who_has_left_is_sent_nothing_and_nobody_gets_her_number(relay):
    with join(relay) as a, join(relay) as b:
        b.shutdown(socket.SHUT_WR)
        assert b.recv(100) == b""  # so her place is empty by now
        with join(relay) as c:
            a.sendall(b"1 for b\n2 for c\n*for all\n")
            file = c.makefile("rb")
            assert file.readline() == b"2 for c\n"
            assert file.readline() == b"*for all\n"


@pytest.mark.long
@pytest.mark.parametrize("server", ["relay-threads", "relay-threads:pin"])
def test_the_relay_with_threads_loses_nothing(server, capsys):
    if why_not := KINDS[server].why_not(bench.parse_args([])):
        pytest.skip(why_not)
    assert bench.main(["--quick", "--servers", server, "--workloads", "fan-out/64,fan-out/1,pairs,logins"]) == 0
    assert capsys.readouterr().out.count(f"{KINDS[server].title} ") >= 4


def test_the_same_code_makes_the_same_calls_each_time():
    first, second = (calls.measure("step5") for _ in range(2))
    assert first == second
    assert dict(first["private"].names)["ChatHandler.do_MSG" if sys.version_info >= (3, 11) else "do_MSG"] == 1
    assert first["private"].python < first["login and quit"].python


@pytest.mark.long
@pytest.mark.parametrize("server", ["rooms", "irc"])
def test_lines_in_a_chunk_share_its_costs(server):
    measured = calls.measure(server)
    assert measured["to 50, 64 in a chunk"].python < measured["to 50"].python / 4
    assert {"private", "join", "leave", "login and quit"} < measured.keys()


def test_a_refused_request_is_not_counted():
    told = b"ERR no-such-user nobody here has that name\n"
    with pytest.raises(RuntimeError, match="no-such-user"):
        calls.take(lambda chunk, count: told, b"MSG x hello\n", refused=KINDS["step5"].dialect.refused)


STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 62,84    0,010000          10      1000           sendto
 37,16    0,005912           5      1100        12 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.015912           7      2100        12 total
"""


def test_the_table_of_strace_is_read_with_errors_and_without():
    assert kernel.summary(STRACE) == {"sendto": 1000, "recvfrom": 1100}


@pytest.mark.long
def test_without_strace_a_line_says_so_and_the_rest_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(kernel.shutil, "which", lambda name: None)
    args = counts.parse_args(["step5", "--workloads", "pairs/1", "--seconds", "0.01"])
    assert counts.count_in_the_kernel(["step5"], args) == 0
    told = capsys.readouterr().out
    assert "system calls are not counted: no strace here" in told
    if sys.platform == "linux":
        assert re.search(r"step 5 +switches \d+\.\d\d\n", told)


def test_switches_are_not_known_once_a_thread_has_ended():
    answers = [{"1": 5, "2": 7}, {"1": 9}]
    running = SimpleNamespace(switches=lambda: answers.pop(0))
    with kernel.switches(running) as found:
        pass
    assert found == collections.Counter()


@pytest.mark.long
@pytest.mark.parametrize("watch", ["perf", "system_calls"])
def test_a_relay_sends_and_receives_once_for_each_message(watch, relay):
    if watch == "perf" and not kernel.perf_can():
        pytest.skip("perf may not count system calls here")
    args = counts.parse_args(["--seconds", "0.2"])
    try:
        shares = kernel.costs(KINDS["relay-threads"], args, "pairs", getattr(kernel, watch))
    except kernel.CannotTrace as error:
        pytest.skip(str(error))
    assert 1 <= shares["sendto"] < 1.2 and 1 <= shares["recvfrom"] < 1.2
    assert watch != "perf" or shares["switches"] > 0


def file_of(path, calls=45.0, cpu=100.0, machine="one", python="CPython 3.11"):
    """Write a made-up file of costs."""
    path.write_text(
        json.dumps(
            {
                "calls": {"measured on": {"python": python}, "numbers": {"irc, private, Python": calls}},
                "times": {
                    "measured on": {"machine": machine, "python": python},
                    "numbers": {"irc, pairs, CPU us": cpu},
                },
            }
        )
    )
    return costs.read(path)


def test_what_is_ten_per_cent_worse_is_marked(tmp_path):
    old = file_of(tmp_path / "old")
    for new, is_worse in (({}, False), ({"calls": 49.4}, False), ({"calls": 49.6}, True), ({"cpu": 111.0}, True)):
        table, worse = costs.compare(old, file_of(tmp_path / "new", **new))
        assert (table.count("WORSE"), worse) == (int(is_worse), is_worse), table
        assert "irc, private, Python" in table and "irc, pairs, CPU us" in table


def test_other_machines_and_pythons_are_not_compared(tmp_path):
    old = file_of(tmp_path / "old")
    table, worse = costs.compare(old, file_of(tmp_path / "new", calls=99.0, cpu=999.0, machine="another"))
    assert worse and "times are not compared: there is one, CPython 3.11, and this is another, CPython 3.11" in table
    table, worse = costs.compare(old, file_of(tmp_path / "new", calls=99.0, cpu=999.0, python="CPython 3.14"))
    assert not worse and table.count("not compared") == 2


def report_of(path, *values):
    """Write a made-up report of bench.py."""
    rounds = [{"cpu_us": value, "kb_per_connection": None} for value in values]
    about = {"machine": "one", "python": "CPython 3.11.2", "date": "today"}
    path.write_text(json.dumps({"about": about, "rounds": {"pairs": {"irc": rounds, "ngircd": rounds}}}))
    return path


def test_a_report_saved_can_be_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(counts.calls, "measure", lambda server: {"private": calls.Calls(45.0, 48.0, [])})
    common = ["irc", "--file", str(tmp_path / "costs.json"), "--report"]
    assert counts.main([*common, str(report_of(tmp_path / "a", 110, 100, 300)), "--save"]) == 0
    assert costs.read(tmp_path / "costs.json")["times"]["numbers"] == {"irc, pairs, CPU us": 100}
    assert counts.main([*common, str(report_of(tmp_path / "b", 105)), "--compare"]) == 0
    assert counts.main([*common, str(report_of(tmp_path / "c", 130)), "--compare"]) == 1
    assert "1.30  WORSE" in capsys.readouterr().out


def test_memory_is_taken_where_it_is_measured(tmp_path):
    report = costs.read(report_of(tmp_path / "report", 50))
    report["rounds"]["idle/1000"] = {"irc": [{"cpu_us": 50, "kb_per_connection": 25.5}]}
    assert costs.times_of(report)["numbers"] == {"irc, idle/1000, kB a connection": 25.5, "irc, pairs, CPU us": 50}


def test_saving_calls_keeps_the_times_that_were_there(tmp_path, monkeypatch):
    monkeypatch.setattr(counts.calls, "measure", lambda server: {"private": calls.Calls(44.0, 48.0, [])})
    file_of(tmp_path / "costs.json")
    assert counts.main(["irc", "--file", str(tmp_path / "costs.json"), "--save"]) == 0
    saved = costs.read(tmp_path / "costs.json")
    assert saved["times"]["numbers"] == {"irc, pairs, CPU us": 100.0}
    assert saved["calls"]["numbers"]["irc, private, Python"] == 44.0


def test_saving_some_numbers_keeps_the_others_of_the_same_machine(tmp_path):
    old, new = ({"times": {"measured on": {"machine": "one"}, "numbers": {name: 1, "both": 2}}} for name in "ab")
    costs.save(old, new, tmp_path / "costs.json")
    assert costs.read(tmp_path / "costs.json")["times"]["numbers"] == {"a": 1, "b": 1, "both": 2}
    new["times"]["measured on"] = {"machine": "another"}
    costs.save(old, new, tmp_path / "costs.json")
    assert costs.read(tmp_path / "costs.json") == new


@pytest.mark.parametrize("content", [None, "no JSON", '{"rounds": 1}', "[]"])
def test_a_wrong_report_is_told_in_one_line(content, tmp_path):
    if content is not None:
        (tmp_path / "report").write_text(content)
    with pytest.raises(SystemExit, match="report"):
        counts.main(["step5", "--compare", "--report", str(tmp_path / "report")])


def test_the_file_in_the_repository_can_be_read():
    table, worse = costs.compare(costs.read(costs.FILE), costs.read(costs.FILE))
    assert not worse and "irc, private, Python" in table


@pytest.mark.long
def test_the_command_explains_itself_and_its_errors():
    for words, status, told in ((["--help"], 0, "--compare"), (["nobody"], 2, "'nobody' is none of step5, ")):
        run = subprocess.run([sys.executable, counts.__file__, *words], capture_output=True, text=True)
        assert run.returncode == status and told in run.stdout + run.stderr
