"""Step 1: whatever bytes come in go out again, to any number of clients at once."""

import hashlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

from step1_echo.server import EchoServer
from tests.chapter import ROOT
from tests.conftest import running
from tests.wire import DEADLINE_S, Wire

MEGABYTE = 1 << 20


def read_exactly(sock, size):
    """Return the next `size` bytes, or fewer at EOF."""
    data = bytearray()
    while len(data) < size and (chunk := sock.recv(size - len(data))):
        data += chunk
    return bytes(data)


def echo(wire, data):
    """Send a few bytes and return as many."""
    wire.send(data)
    return read_exactly(wire.sock, len(data))


def reset(wire):
    """End a connection as a crash would: RST instead of FIN.  Source: SO_LINGER in socket(7)."""
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


@pytest.fixture
def client(serve, connect):
    """Open clients of one echo server: client() -> Wire."""
    server = serve(EchoServer)
    return lambda: connect(server)


@pytest.mark.parametrize("data", [
    b"hello\n", b"no line end", "grüße, 世界 🌍".encode(), bytes(range(256)), b"\0", b"\r\n\r\n", b"\xff\xfe\xff\xf4\xff\xfd\x06",
], ids=["line", "no line end", "UTF-8", "every byte", "NUL", "CR LF", "telnet's own bytes"])
def test_the_same_bytes_come_back(client, data):
    assert echo(client(), data) == data


def test_bytes_come_back_before_a_line_ends(client):
    wire = client()
    assert [echo(wire, byte) for byte in (b"h", b"i", b"\n")] == [b"h", b"i", b"\n"]


def test_after_a_half_close_everything_is_echoed_then_eof(client):
    wire, data = client(), os.urandom(MEGABYTE)
    sender = threading.Thread(target=lambda: (wire.send(data), wire.sock.shutdown(socket.SHUT_WR)))
    sender.start()
    assert wire.expect_eof() == data
    sender.join()


def test_an_empty_conversation_is_only_eof(client):
    wire = client()
    wire.sock.shutdown(socket.SHUT_WR)
    assert wire.expect_eof() == b""


def test_many_clients_are_served_at_once(client):
    wires = [client() for _ in range(50)]
    for number, wire in enumerate(wires):
        wire.send(b"%03d" % number)
    answers = [read_exactly(wire.sock, 3) for wire in reversed(wires)]
    assert answers == [b"%03d" % number for number in reversed(range(50))]


def test_a_client_that_says_nothing_keeps_nobody_waiting(client):
    silent, talker = client(), client()
    assert echo(talker, b"hello") == b"hello"
    assert echo(silent, b"at last") == b"at last"


def test_a_client_that_does_not_read_keeps_nobody_waiting(client):
    stuck, talker = client(), client()
    stuck.sock.setblocking(False)
    try:
        while True:
            stuck.sock.send(bytes(65536))   # until the server's own sendall waits for us
    except BlockingIOError:
        pass
    assert echo(talker, b"hello") == b"hello"


def test_a_reset_harms_nobody_else_and_prints_no_traceback(caplog, capfd):
    caplog.set_level("INFO", "chat")
    with running(EchoServer(("127.0.0.1", 0))) as server:
        with Wire(server.server_address) as other:
            for data in (b"", b"hello", bytes(MEGABYTE)):
                victim = Wire(server.server_address)
                victim.send(data)
                reset(victim)
                assert echo(other, b"still here") == b"still here"
    assert not [record for record in caplog.records if record.exc_info]     # all threads have ended by now
    assert "Traceback" not in capfd.readouterr().err


# The program, as a user starts it

@pytest.fixture
def start():
    """Start a program of step 1 in a process: start("server.py") -> (Popen, address)."""
    started = []

    def start(name, *args):
        process = subprocess.Popen(
            [sys.executable, ROOT / "step1_echo" / name, "--port", "0", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        host, _, port = process.stdout.readline().removeprefix("listening on ").strip().rpartition(":")
        return process, (host.strip("[]"), int(port))
    yield start
    for process in started:
        process.kill()
        process.communicate()


def peak_kilobytes(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_100_megabytes_pass_in_constant_memory(start):
    process, address = start("server.py")
    size, block = 100 * MEGABYTE, os.urandom(65536)
    with Wire(address) as wire:
        echo(wire, block)
        before = peak_kilobytes(process) if sys.platform == "linux" else None

        def send_all():
            for _ in range(size // len(block)):
                wire.sock.sendall(block)
            wire.sock.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send_all)
        sender.start()
        received, total = hashlib.sha256(), 0
        while chunk := wire.sock.recv(MEGABYTE):
            received.update(chunk)
            total += len(chunk)
        sender.join()
        expected = hashlib.sha256(block * (size // len(block)))
        assert (total, received.digest()) == (size, expected.digest())
        if before:
            assert peak_kilobytes(process) - before < 4096, "kilobytes more than before the 100 MB"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends a process no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("clients", [0, 50])
def test_a_signal_ends_the_server_with_status_0(start, number, clients):
    process, address = start("server.py")
    wires = [Wire(address) for _ in range(clients)]
    assert all(echo(wire, b"here") == b"here" for wire in wires)
    process.send_signal(number)
    assert process.wait(DEADLINE_S) == 0
    assert "Traceback" not in process.stderr.read()
    for wire in wires:
        wire.close()


def test_a_port_in_use_is_one_line_and_status_1(start):
    _, (host, port) = start("server.py")
    second = subprocess.run([sys.executable, ROOT / "step1_echo/server.py", "--port", str(port)],
                            capture_output=True, text=True, timeout=DEADLINE_S)
    assert second.returncode == 1 and second.stdout == ""
    assert f"{host}:{port}" in second.stderr and second.stderr.count("\n") == 1


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host, reached_by", [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_ipv6_addresses_work(start, host, reached_by):
    _, (shown, port) = start("server.py", "--host", host)
    assert shown == host
    with Wire((reached_by, port)) as wire:
        assert echo(wire, b"hello") == b"hello"


def test_the_naive_server_serves_one_client_after_the_other(start):
    _, address = start("naive_server.py")
    with Wire(address) as first:
        assert echo(first, b"one") == b"one"
        with Wire(address) as second:       # the kernel accepts it; the program does not
            second.send(b"two")
            assert echo(first, b"three") == b"three"
            assert select.select([second.sock], [], [], 0)[0] == []
            first.close()
            assert read_exactly(second.sock, 3) == b"two"
