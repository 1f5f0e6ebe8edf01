"""What a message costs: the relay with threads, the counts, and the file that they are compared with.

How fast anything is depends on the machine, so no test here looks at a time.
"""

import os
import socket
import threading

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the benchmark is for Linux and macOS")

if os.name == "posix":
    from extras.bench import bench, wires
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
