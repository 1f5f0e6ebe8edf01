"""Step 1: each client gets its own bytes back, and any number of clients is served at once."""

import errno
import functools
import hashlib
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading

import pytest

from extras.wiretap.options import address
from extras.wiretap.wiretap import Wiretap
from step1_echo import serving
from step1_echo.server import EchoServer
from step1_echo.serving import PAUSE_S, format_address
from step4_framing.server import FramedServer
from tests.chapter import ROOT
from tests.lesson import rule
from tests.servers import running
from tests.wire import DEADLINE_S, Wire

MEGABYTE = 1 << 20
FULL_S = 0.4  # no progress for this long: both kernels are full, and the server waits
UNREAD_BYTES = 32 * MEGABYTE  # more than two kernels hold for a connection that nobody reads
NUMBERS = b"".join(b"%015d\n" % number for number in range(MEGABYTE // 2))  # 8 MB, so that one can see what is lost
CHAPTER = "step1_echo/README.md"


@pytest.fixture
def client(serve, connect):
    """Open clients of one echo server: client() -> Wire."""
    server = serve(EchoServer)
    return lambda name="client": connect(server, name)


# What every echo server must do, in the order of the chapter.  Lines wherever the newline is not the point.


@rule(
    "a connection is echoed until its client ends it",
    f"{CHAPTER}#the-code-change-by-change",
    hint="One recv() is one chunk, not the whole conversation: send it back at once, and loop until recv() "
    "returns nothing.",
)
def test_many_messages_on_one_connection(client):
    wire = client()
    for number in range(100):
        wire.send(b"message %d\n" % number)
        wire.expect_among(b"message %d" % number)  # the exact bytes are another rule's


@rule(
    "the bytes that come back are those that were sent",
    f"{CHAPTER}#you-will-build",
    hint="Send back the bytes just as you received them. Do not decode, strip or split them, and send no greeting.",
)
@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        "grüße, 世界 🌍\n".encode(),
        bytes(range(256)) + b"\n",
        b"\0\n",
        b"\r\n\r\n",
        b"\xff\xfe\xff\xf4\xff\xfd\x06\n",
        b"  two blanks each side  \n",
    ],
    ids=["line", "UTF-8", "every byte", "NUL", "CR LF", "telnet's own bytes", "blanks"],
)
def test_the_same_bytes_come_back(client, data):
    wire = client()
    wire.send(data)
    wire.expect_bytes(data)
    wire.send(b"!\n")
    more = wire.read(2)
    if more:  # otherwise the connection has ended: that breaks another rule
        wire.compare(b"!\n", more)


@rule(
    "a byte comes back at once, not when a line or the input ends",
    f"{CHAPTER}#the-code-change-by-change",
    hint="recv() returns what is there, at least one byte. Send that back before you wait for more; read no lines.",
)
def test_bytes_come_back_before_a_line_ends(client):
    wire = client()
    for byte in (b"h", b"i", b"\n", b"!"):
        wire.send(byte)
        wire.expect_bytes(byte)


@rule(
    "after a half-close everything is echoed, then the server ends the connection",
    f"{CHAPTER}#the-code-change-by-change",
    hint="An empty recv() means that the client sends nothing more, but it still reads: send all that is left, "
    "then close.",
)
@pytest.mark.parametrize("data", [b"hi\n", b"", b"x" * 100_000 + b"\n"], ids=["a line", "nothing", "100,000 bytes"])
def test_after_a_half_close_everything_is_echoed_then_eof(client, data):
    wire = client()
    wire.send(data)
    wire.send_eof()
    wire.expect_end(data)


@rule(
    "when a client has gone, the next one is served",
    f"{CHAPTER}#the-code-change-by-change",
    hint="A server does not end with its client: after a conversation it goes back to accept().",
)
def test_the_next_client_is_served(client):
    for name in ("alice", "bob"):
        wire = client(name)
        wire.send(b"hello\n")
        wire.expect_bytes(b"hello\n")
        wire.send_eof()
        wire.compare(b"", wire.read_to_eof())


@rule(
    "megabytes come back, none lost, doubled or changed",
    f"{CHAPTER}#the-code-change-by-change",
    hint="send() may take only a part of the bytes, and returns how many; sendall() goes on until all are taken.",
)
def test_megabytes_come_back(client):
    wire, data = client(), NUMBERS
    wire.compare(data, wire.exchange(data))


@rule(
    "megabytes come back to a client that begins to read late",
    f"{CHAPTER}#check-yourself",
    hint="While the client does not read, the kernel's buffers fill; then send() takes only a part, or has to "
    "wait. You must send the rest later.",
)
def test_a_client_that_reads_late_gets_everything(client):
    wire, sent = client(), bytearray()
    wire.sock.settimeout(FULL_S)  # send until both kernels are full
    try:
        while len(sent) < UNREAD_BYTES:
            at = len(sent) % len(NUMBERS)
            block = NUMBERS[at : at + 65536]
            sent += block[: wire.sock.send(block)]
    except TimeoutError:
        pass
    wire.sock.settimeout(DEADLINE_S)
    wire.story.add(wire.name, ">", bytes(sent))
    wire.send_eof()
    wire.compare(bytes(sent), wire.read_to_eof())


@rule(
    "a client that says nothing keeps nobody waiting",
    f"{CHAPTER}#the-code-change-by-change",
    hint="recv() on one connection must not keep you from accept() and from the others.",
)
def test_a_client_that_says_nothing_keeps_nobody_waiting(client):
    silent, talker = client("silent"), client("talker")
    talker.send(b"hello\n")
    talker.expect_bytes(b"hello\n")
    silent.send(b"at last\n")
    silent.expect_bytes(b"at last\n")


@rule(
    "many clients are served at once",
    f"{CHAPTER}#the-code-change-by-change",
    hint="While you wait for the next bytes of one client, you must accept others: use a thread for each, or one "
    "loop that waits for all of them.",
)
def test_many_clients_are_served_at_once(client):
    wires = [client(f"client {number}") for number in range(50)]
    for number, wire in enumerate(wires):
        wire.send(b"%03d\n" % number)
    for number, wire in reversed(list(enumerate(wires))):
        wire.expect_bytes(b"%03d\n" % number)


@rule(
    "each client gets back its own bytes, and nobody else's",
    f"{CHAPTER}#you-will-build",
    hint="accept() returns a new socket for each client: answer on the one that you read from.",
)
def test_nobody_gets_what_another_sent(client):
    alice, bob = client("alice"), client("bob")
    alice.send(b"from alice\n")
    alice.expect_bytes(b"from alice\n")
    bob.send(b"from bob\n")
    bob.expect_bytes(b"from bob\n")
    for wire in (alice, bob):
        wire.send_eof()
        wire.compare(b"", wire.read_to_eof())


@rule(
    "a client that does not read keeps nobody waiting",
    f"{CHAPTER}#check-yourself",
    hint="sendall() waits while its client does not read. If one thread serves all clients, then all of them wait.",
)
def test_a_client_that_does_not_read_keeps_nobody_waiting(client):
    stuck, talker = client("stuck"), client("talker")
    stuck.sock.settimeout(FULL_S)
    sent = 0
    try:
        while sent < UNREAD_BYTES:  # until the server's own sending waits for us
            sent += stuck.sock.send(NUMBERS[:65536])
    except TimeoutError:
        pass
    stuck.story.add(stuck.name, ">", f"({sent} bytes, and reads nothing of what comes back)")
    talker.send(b"hello\n")
    talker.expect_bytes(b"hello\n")


@rule(
    "a client that crashes harms nobody else",
    f"{CHAPTER}#ours-beside-yours",
    hint='recv() and send() fail with "connection reset" or "broken pipe" when a client crashes: end that one '
    "connection and go on.",
)
def test_a_reset_harms_nobody_else(client):
    other = client("other")
    for data in (b"", b"hello\n", NUMBERS[:MEGABYTE]):
        victim = client("victim")
        victim.sock.setblocking(False)
        try:
            sent = victim.sock.send(data)
            victim.story.add(victim.name, ">" if sent else "", data[:sent] or "(connects)")
        except BlockingIOError:
            pass
        victim.reset()
        other.send(b"still here\n")
        other.expect_bytes(b"still here\n")
    newcomer = client("newcomer")
    newcomer.send(b"hello\n")
    newcomer.expect_bytes(b"hello\n")


# Our own


def test_a_reset_harms_nobody_else_and_prints_no_traceback(caplog, capfd):
    caplog.set_level("INFO", "chat")
    with running(EchoServer(("127.0.0.1", 0))) as server, Wire(server.server_address) as other:
        for data in (b"", b"hello", bytes(MEGABYTE)):
            victim = Wire(server.server_address)
            victim.send(data)
            victim.reset()
            assert echo(other, b"still here") == b"still here"
    assert not [record for record in caplog.records if record.exc_info]  # all threads have ended by now
    assert "Traceback" not in capfd.readouterr().err


# No descriptors or threads left

SERVERS = {"step 1": EchoServer, "step 4": FramedServer, "wiretap": functools.partial(Wiretap, target=("127.0.0.1", 0))}


@pytest.fixture
def pauses(clock):
    """How long the acceptor has paused, each time; it does not take the time here."""
    pauses = []
    clock(serving, sleep=pauses.append)
    return pauses


@pytest.mark.parametrize("server_class", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS])
def test_without_descriptors_the_acceptor_pauses_and_goes_on(server_class, number, serve, pauses, monkeypatch, caplog):
    accepts = [OSError(number, "there is none left")] * 3

    def get_request(server, accept=socketserver.TCPServer.get_request):
        if accepts:
            raise accepts.pop()
        return accept(server)

    monkeypatch.setattr(socketserver.TCPServer, "get_request", get_request)
    with Wire(serve(server_class).server_address) as wire:
        wire.send_eof()
        wire.expect_eof()
    assert pauses == [PAUSE_S] * 3, "one after each accept() that failed, or it would be tried at once"
    assert len(caplog.records) == 1 and "there is none left" in caplog.text


@pytest.mark.parametrize("server_class", SERVERS.values(), ids=SERVERS)
def test_without_threads_the_acceptor_pauses_and_goes_on(server_class, serve, pauses, monkeypatch, caplog):
    server = serve(server_class)

    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        for _ in range(2):
            with Wire(server.server_address) as refused:
                refused.expect_eof()
    with Wire(server.server_address) as wire:
        wire.send_eof()
        wire.expect_eof()
    assert pauses == [PAUSE_S] * 2
    assert len(caplog.records) == 1 and "can't start new thread" in caplog.text and "Traceback" not in caplog.text


# The program, as a user starts it


@pytest.fixture
def start():
    """Start a program of step 1 in a process: start("server.py") -> (Popen, address)."""
    started = []

    def start(name, *args):
        process = subprocess.Popen(
            [sys.executable, ROOT / "step1_echo/server.py", "--port", "0", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        host, _, port = process.stdout.readline().removeprefix("listening on ").strip().rpartition(":")
        return process, (host.strip("[]"), int(port))

    yield start
    for process in started:
        process.kill()
        process.communicate()


def echo(wire, data):
    """Send a few bytes and return as many."""
    wire.send(data)
    return wire.read(len(data))


def peak_kilobytes(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_100_megabytes_pass_in_constant_memory(start):
    process, address = start("server.py")
    size, block = 100 * MEGABYTE, os.urandom(65536)
    # Of so much the kernel may drop what it has no room for just then; it sends that again, each time after a longer wait.
    with Wire(address, deadline_s=60) as wire:
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
    second = subprocess.run(
        [sys.executable, ROOT / "step1_echo" / "server.py", "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert second.returncode == 1 and second.stdout == ""
    assert f"{host}:{port}" in second.stderr and second.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["a" * 64, "no..host", "-"])
def test_a_host_that_cannot_be_is_one_line_and_status_1(host):
    told = subprocess.run(
        [sys.executable, ROOT / "step1_echo/server.py", f"--host={host}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr.startswith("cannot listen on ") and told.stderr.count("\n") == 1


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.parametrize("zone, name", [*socket.if_nameindex(), (2**31 - 1, str(2**31 - 1)), (0, "")])
def test_a_printed_address_leads_back_to_it(zone, name):
    sockaddr = ("fe80::1", 9000, 0, zone)
    printed = format_address(sockaddr)
    assert printed == (f"[fe80::1%{name}]:9000" if zone else "[fe80::1]:9000")
    host, port = address(printed)  # as the wiretap's command line takes it
    found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    assert [each[4] for each in found] == [sockaddr]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host, reached_by", [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_ipv6_addresses_work(start, host, reached_by):
    _, (shown, port) = start("server.py", "--host", host)
    assert shown == host
    with Wire((reached_by, port)) as wire:
        assert echo(wire, b"hello") == b"hello"
