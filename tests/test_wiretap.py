"""The wiretap: what goes in comes out, however the tap disturbs it; and what it shows is true."""

import contextlib
import dataclasses
import errno
import io
import json
import math
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extras.wiretap.direction import MAX_HELD_BYTES, MAX_HELD_CHUNKS, RECV_BYTES, Direction, Spoiling
from extras.wiretap.display import ARROWS, Display, Trace, draw, draw_tls, readable
from extras.wiretap.relay import Relay
from extras.wiretap.tls_records import KINDS, Records
from extras.wiretap.wiretap import Wiretap
from step1_echo.server import EchoServer
from step2_client.client import CannotConnect
from step6_client.trust import connect_tls
from tests.chapter import ROOT
from tests.wire import DEADLINE_S, Wire

FOREVER_S = 1e6  # of delay or stall: a test that really waited for it would fail


class Seen:
    """A trace that keeps what it is told: (sender, chunk), and (kind, sender) for the rest."""

    def __init__(self):
        self.chunks, self.events = [], []

    def chunk(self, sender, chunk):
        self.chunks.append((sender, chunk))

    def event(self, kind, sender=None, detail=""):
        self.events.append((kind, sender))

    def sent_by(self, sender):
        return b"".join(chunk for who, chunk in self.chunks if who == sender)


UNSPOILT = Spoiling()


@contextlib.contextmanager
def relayed(spoiling=UNSPOILT, **more):
    """Put a Relay between two socket pairs; yield (client, server, what the relay saw)."""
    client, client_side = socket.socketpair()
    server_side, server = socket.socketpair()
    seen = Seen()
    relay = Relay(client_side, server_side, spoiling, seen, **more)
    thread = threading.Thread(target=relay.run)
    thread.start()
    with client, server:
        client.settimeout(DEADLINE_S)
        server.settimeout(DEADLINE_S)
        yield client, server, seen
    thread.join(DEADLINE_S)
    assert not thread.is_alive(), "the relay has not ended with its two connections"


def send_all_and_read_all(sock, data, results, name):
    """Send `data` and EOF in one thread, and read to the EOF in this one."""

    def send():
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = bytearray()
    while chunk := sock.recv(65536):
        received += chunk
    sender.join()
    results[name] = bytes(received)


def exchange(spoiling, from_client, from_server):
    """Send both ways at once through a relay; return what came out at each end, and what it saw."""
    results = {}
    with relayed(spoiling) as (client, server, seen):
        threads = [
            threading.Thread(target=send_all_and_read_all, args=args)
            for args in ((client, from_client, results, "client"), (server, from_server, results, "server"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return results["client"], results["server"], seen


DATA = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\xc3", b"\xc3\xa9", b"hello", b"\0", b"\x1b["]), max_size=12
).map(b"".join)
SPOILINGS = st.builds(
    Spoiling,
    slice_bytes=st.none() | st.integers(1, 7),
    slice_gap_s=st.just(0),
    glue_s=st.sampled_from([0, 0, 0.001, 0.003]),
    delay_s=st.sampled_from([0, 0, 0.001, 0.003]),
    stall_s=st.sampled_from([0, 0, 0.001, 0.003]),
)


@settings(deadline=None, max_examples=60)
@given(SPOILINGS, DATA, DATA)
def test_what_goes_in_comes_out_both_ways(spoiling, from_client, from_server):
    at_client, at_server, seen = exchange(spoiling, from_client, from_server)
    assert (at_client, at_server) == (from_server, from_client)
    # And what is shown is what went through, cut as it was sent.
    assert (seen.sent_by("server"), seen.sent_by("client")) == (from_server, from_client)
    assert all(0 < len(chunk) <= (spoiling.slice_bytes or RECV_BYTES) for _, chunk in seen.chunks)


@pytest.mark.parametrize(
    "spoiling",
    [
        Spoiling(),
        Spoiling(slice_bytes=50_000),
        Spoiling(glue_s=0.01),
        Spoiling(delay_s=0.02),
        Spoiling(stall_s=0.1),
        Spoiling(30_000, 0, 0.005, 0.005, 0.05),
    ],
    ids=["as it is", "slice", "glue", "delay", "stall", "all"],
)
def test_megabytes_pass_unaltered_both_ways_at_once(spoiling):
    data = bytes(range(256)) * 12_000  # 3 MB: more than all the buffers on the way
    at_client, at_server, _ = exchange(spoiling, data, data[::-1])
    assert at_client == data[::-1]
    assert at_server == data


@settings(deadline=None, max_examples=40)
@given(SPOILINGS, DATA, DATA, st.integers(1, 40))
def test_a_cut_lets_exactly_so_many_bytes_through(spoiling, request, reply, cut_bytes):
    spoiling = dataclasses.replace(spoiling, stall_s=0, cut_bytes=cut_bytes)
    received = []

    def read(sock):
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := sock.recv(100):
                data += chunk
        received.append(data)

    with relayed(spoiling) as (client, server, seen):
        for sock, data in ((client, request), (server, reply)):
            with contextlib.suppress(BrokenPipeError):  # the cut was quicker
                sock.sendall(data)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        for sock in (client, server):
            read(sock)
    total = len(request) + len(reply)
    assert sum(map(len, received)) == min(cut_bytes, total)
    assert reply.startswith(received[0]) and request.startswith(received[1])
    assert (("cut", None) in seen.events) == (cut_bytes <= total)


# Time, with a clock that the test sets


def direction(spoiling, stall_s=0.0):
    """Return (near, direction, far): what is sent at near comes out at far, in its time."""
    near, source = socket.socketpair()
    sink, far = socket.socketpair()
    for sock in (near, source, sink, far):
        sock.setblocking(False)
    return near, Direction("client", source, sink, spoiling, stall_s), far


def test_delay_holds_each_chunk_for_its_time():
    near, tap, _ = direction(Spoiling(delay_s=5))
    for now, chunk in ((100, b"one"), (102, b"two")):
        near.send(chunk)
        tap.receive(now)
    assert bytes(tap.next_piece(104.9)) == b""
    assert tap.wake_at(104.9) == 105
    assert bytes(tap.next_piece(105)) == b"one"
    tap.send(tap.next_piece(105), 105)
    assert bytes(tap.next_piece(106.9)) == b""
    assert bytes(tap.next_piece(107)) == b"two"


def test_glue_collects_and_sends_as_one():
    near, tap, far = direction(Spoiling(glue_s=5))
    for now, chunk in ((100, b"MSG bob he"), (101, b"llo\n"), (104.9, b"LOGOUT\n")):
        near.send(chunk)
        tap.receive(now)
    assert bytes(tap.next_piece(104.99)) == b""
    tap.send(tap.next_piece(105), 105)
    assert far.recv(100) == b"MSG bob hello\nLOGOUT\n"


def test_glue_and_delay_together_glue_what_a_delay_alone_would_have_let_go():
    near, tap, _ = direction(Spoiling(glue_s=5, delay_s=10))
    for now, chunk in ((100, b"a"), (105, b"b"), (106, b"c")):
        near.send(chunk)
        tap.receive(now)
    assert bytes(tap.next_piece(114.9)) == b""
    assert bytes(tap.next_piece(115)) == b"ab"


def test_slices_leave_one_at_a_time_with_a_gap_between():
    near, tap, far = direction(Spoiling(slice_bytes=2, slice_gap_s=3))
    near.send(b"LOGIN")
    tap.receive(100)
    for now, piece in ((100, b"LO"), (102.9, b""), (103, b"GI"), (106, b"N"), (109, b"")):
        assert bytes(tap.next_piece(now)) == piece
        if piece:
            tap.send(tap.next_piece(now), now)
            assert far.recv(100) == piece
            assert tap.wake_at(now) in (now + 3, math.inf)


def test_a_delay_is_between_slices_too():
    near, tap, _ = direction(Spoiling(slice_bytes=2, delay_s=5))
    near.send(b"abc")
    tap.receive(100)
    tap.send(tap.next_piece(105), 105)
    assert tap.wake_at(105) == 110
    assert bytes(tap.next_piece(110)) == b"c"


def test_eof_waits_its_turn():
    near, tap, _far = direction(Spoiling(delay_s=5))
    near.send(b"bye")
    tap.receive(100)
    near.shutdown(socket.SHUT_WR)
    tap.receive(101)
    assert not tap.at_end(105.5)  # the bytes have not gone yet
    tap.send(tap.next_piece(105.5), 105.5)
    assert not tap.at_end(105.9)
    assert tap.at_end(106)


def test_a_stall_reads_nothing_for_its_time():
    _, tap, _ = direction(Spoiling(), stall_s=20)
    assert tap.wants_read(100)
    tap.begin_stall(100)
    assert not tap.wants_read(119.9)
    assert tap.wake_at(119.9) == 120
    assert tap.wants_read(120)


@pytest.mark.parametrize("spoiling", [Spoiling(delay_s=FOREVER_S), Spoiling(glue_s=FOREVER_S)], ids=["delay", "glue"])
@pytest.mark.parametrize("size", [1, RECV_BYTES])
def test_what_waits_in_the_tap_is_bounded(spoiling, size):
    near, tap, _ = direction(spoiling)
    for now in range(2 * MAX_HELD_CHUNKS):
        if not tap.wants_read(now):
            break
        near.send(b"x" * size)
        tap.receive(now)
    assert tap.full()
    assert tap.held_bytes < MAX_HELD_BYTES + RECV_BYTES
    assert len(tap.held) <= MAX_HELD_CHUNKS


def test_a_full_store_leaves_at_once_when_it_was_only_to_be_glued():
    near, tap, _ = direction(Spoiling(glue_s=FOREVER_S))
    while tap.wants_read(100):
        near.send(b"x" * RECV_BYTES)
        tap.receive(100)
    assert tap.wake_at(100) == 100
    assert len(tap.next_piece(100)) >= MAX_HELD_BYTES


def test_a_sender_waits_when_the_receiver_does_not_read():
    with relayed() as (client, server, _seen):
        client.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 1 << 28:
                sent += client.send(b"x" * RECV_BYTES)
        # The kernel's buffers and one chunk of ours; then the sender was told to wait.
        assert sent < 1 << 28
        client.setblocking(True)
        client.shutdown(socket.SHUT_WR)
        received = 0
        while chunk := server.recv(1 << 20):
            received += len(chunk)
        assert received == sent


# The tap as a server, between real sockets


class Upstream:
    """A listening socket, so that the test itself is the server behind the tap."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.listener.settimeout(DEADLINE_S)
        self.address = self.listener.getsockname()[:2]

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(DEADLINE_S)
        return sock


@pytest.fixture
def upstream():
    """A server that the test plays."""
    server = Upstream()
    with server.listener:
        yield server


@pytest.fixture
def tapped(serve, connect, upstream):
    """Connect through a tap: tapped(slice_bytes=1) -> (the client's Wire, the server's socket)."""
    with contextlib.ExitStack() as stack:

        def tapped(**spoiling):
            tap = serve(Wiretap, target=upstream.address, spoiling=Spoiling(**spoiling))
            client = connect(tap)
            return client, stack.enter_context(upstream.accept())

        yield tapped


def reset(sock):
    """End a connection with RST instead of FIN.  Source: SO_LINGER in socket(7)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_half_close_passes_through_each_way(tapped):
    client, server = tapped()
    client.send_eof()
    assert server.recv(10) == b""
    server.sendall(b"still here\n")
    assert client.read_line() == "still here"
    server.shutdown(socket.SHUT_WR)
    assert client.expect_eof() == b""


def test_a_half_close_of_the_server_leaves_the_client_its_say(tapped):
    client, server = tapped()
    server.shutdown(socket.SHUT_WR)
    assert client.expect_eof() == b""
    client.send("last words")
    client.send_eof()
    assert server.makefile("rb").read() == b"last words\n"


def test_the_clients_reset_reaches_the_server_as_a_reset(tapped):
    client, server = tapped()
    client.reset()
    with pytest.raises(ConnectionResetError):
        server.recv(10)


def test_the_servers_reset_reaches_the_client_as_a_reset(tapped):
    client, server = tapped()
    reset(server)
    with pytest.raises(ConnectionResetError):
        client.sock.recv(10)


@pytest.mark.skipif(sys.platform != "linux", reason="a RST overtakes unread bytes elsewhere")
@pytest.mark.parametrize("spoiling", [{}, {"delay_s": 0.02}, {"glue_s": 0.02}, {"slice_bytes": 3}])
def test_what_was_sent_before_a_reset_still_arrives(tapped, spoiling):
    client, server = tapped(**spoiling)
    client.send(b"LOGIN alice\n")
    client.reset()
    received = b""
    with pytest.raises(ConnectionResetError):
        while chunk := server.recv(100):
            received += chunk
    assert received == b"LOGIN alice\n"


def test_a_reset_is_seen_by_a_server_that_only_sends(tapped):
    client, server = tapped()
    client.send_eof()
    assert server.recv(10) == b""
    client.reset()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:
            server.sendall(b"x" * RECV_BYTES)


def test_a_cut_resets_both_ends(tapped):
    client, server = tapped(cut_bytes=5)
    client.send(b"LOGIN alice\n")
    for sock in (server, client.sock):
        received = b""
        with pytest.raises(ConnectionResetError):
            while chunk := sock.recv(100):
                received += chunk
        wanted = b"LOGIN" if sock is server else b""
        # Elsewhere a RST may overtake what its receiver has not read yet.
        assert received == wanted if sys.platform == "linux" else wanted.startswith(received)


def test_slices_arrive_one_by_one(tapped):
    client, server = tapped(slice_bytes=1)
    client.send(b"x" * 100)
    client.send_eof()
    chunks = []
    while chunk := server.recv(100):
        chunks.append(chunk)
    assert b"".join(chunks) == b"x" * 100
    # Mostly 100.  If the system makes the receiver wait, it gets some of them together.
    assert len(chunks) > 10


def test_a_stalled_server_keeps_its_bytes_and_the_client_goes_on(tapped):
    client, server = tapped(stall_s=FOREVER_S)
    server.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while sent < 1 << 28:
            sent += server.send(b"x" * RECV_BYTES)
    server.settimeout(DEADLINE_S)
    client.send(b"the other direction is not stalled")
    assert server.recv(100) == b"the other direction is not stalled"
    client.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.sock.recv(1)


def test_a_tap_that_stops_ends_connections_with_nothing_to_say(serve, connect, upstream):
    tap = serve(Wiretap, target=upstream.address, spoiling=Spoiling(stall_s=FOREVER_S))
    client = connect(tap)
    with upstream.accept() as server:
        server.sendall(b"unread")
        tap.stop()
        assert client.expect_eof() == b""
        assert not tap.carriers


def test_a_client_of_a_dead_server_is_told_and_the_tap_goes_on(serve, connect):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen, so connections are refused
        tap = serve(Wiretap, target=closed.getsockname())
        tap.display = Display(io.StringIO())
        client = connect(tap)
        client.send("LOGIN alice")
        assert client.expect_eof() == b""
    shown = tap.display.out.getvalue().splitlines()
    host, port = tap.target
    assert shown == ["#1 open", f"#1 no server: {host}:{port}: {os.strerror(errno.ECONNREFUSED)}"]
    tap.target = serve(EchoServer).server_address
    client = connect(tap)
    client.send("LOGIN alice")
    assert client.read_line() == "LOGIN alice"


def test_a_name_that_no_server_can_have_is_told_like_a_dead_server(serve, connect, caplog):
    tap = serve(Wiretap, target=("x" * 64 + ".example", 9000))
    tap.display = Display(io.StringIO())
    client = connect(tap)
    assert client.expect_eof() == b""
    [_opened, no_server] = tap.display.out.getvalue().splitlines()
    assert "no server" in no_server and not caplog.records


def test_many_connections_at_once_are_kept_apart(serve, connect):
    tap = serve(Wiretap, target=serve(EchoServer).server_address, spoiling=Spoiling(slice_bytes=2))
    tap.display = Display(io.StringIO())
    clients = [connect(tap) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(f"this is {number}")
    for number, client in enumerate(clients):
        assert client.read_line() == f"this is {number}"
    assert set(re.findall(r"^#\d+ ", tap.display.out.getvalue(), re.MULTILINE)) == {f"#{n} " for n in range(1, 21)}


# What is shown


def unreadable(text):
    """Return the bytes that readable() showed as `text`."""
    return re.sub(
        rb"\\(x..|.)",
        lambda found: bytes([int(found[1][1:], 16)]) if len(found[1]) > 1
        else {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}[found[1]],
        text.encode(),
    )  # fmt: skip


@given(st.binary() | st.text().map(str.encode) | DATA)
def test_every_byte_can_be_told_and_none_can_drive_the_terminal(data):
    text = readable(data)
    assert text.isprintable()
    assert unreadable(text) == data


@pytest.mark.parametrize(
    "data, text",
    [
        (b"LOGIN alice\r\n", r"LOGIN alice\r\n"),
        ("grüße 世界".encode(), "grüße 世界"),
        ("é".encode()[:1], r"\xc3"),
        (b"\x1b[2J\a\t\\n", r"\x1b[2J\x07\t\\n"),
        ("\u202e\u0085│".encode(), r"\xe2\x80\xae\xc2\x85\xe2\x94\x82"),
    ],
    ids=["line end", "UTF-8", "half a character", "controls", "invisible or ours"],
)
def test_bytes_are_shown_as_python_would_write_them(data, text):
    assert readable(data) == text


def test_a_chunk_is_drawn_a_row_for_each_line():
    assert draw(b"one\ntwo\r\nthr") == [r"one\n", r"two\r\n", "thr"]


def test_the_middle_of_a_long_chunk_is_left_out():
    assert draw(b"a" * 10_000 + b"b" * 10_000) == ["a" * 1024, "(17952 bytes more)", "b" * 1024]
    assert draw(b"a" * 2048) == ["a" * 2048]


def shown(colour=False):
    out, save = io.StringIO(), io.StringIO()
    trace = Trace(Display(out, save, colour), 7)
    trace.event("open")
    trace.chunk("client", b"MSG bob h\xc3\xa9\nLOG\xff")
    trace.event("EOF", "client")
    trace.event("cut", detail="RST to both")
    return out.getvalue(), [json.loads(line) for line in save.getvalue().splitlines()]


def test_rows_tell_connection_direction_time_size_and_bytes():
    text, _ = shown()
    text = re.sub(r" \+\d+\.\d ms ", " +0.0 ms ", text)
    assert re.sub(r" {2,}", "  ", text).splitlines() == [
        "#7 open",
        r"#7 client → server  +0.0 ms  16 bytes │MSG bob hé\n",
        r"  │LOG\xff│",
        "#7 client → server  +0.0 ms EOF",
        "#7 cut: RST to both",
    ]
    assert "\x1b" not in text


def test_the_bars_of_a_chunk_stand_below_each_other():
    text, _ = shown()
    first, second = text.splitlines()[1:3]
    assert first.index("│") == second.index("│")


def test_colour_changes_nothing_else():
    plain, colour = (re.sub(r"\+ *\d+\.\d", "", shown(on)[0]) for on in (False, True))
    assert colour != plain
    assert re.sub(r"\x1b\[\d+m", "", colour) == plain


def test_what_is_saved_has_every_byte():
    _, records = shown()
    assert [record["event"] for record in records] == ["open", "chunk", "EOF", "cut"]
    assert {record["connection"] for record in records} == {7}
    chunk = records[1]
    assert (chunk["from"], chunk["size"]) == ("client", 16)
    assert chunk["bytes"].encode("latin-1") == b"MSG bob h\xc3\xa9\nLOG\xff"
    assert chunk["since_ms"] >= 0


# The command line


@pytest.fixture
def start():
    """Run the wiretap as a user does: start("--listen", "0", ...) -> Popen, killed at the end."""
    with contextlib.ExitStack() as stack:

        def start(*words, **more):
            process = subprocess.Popen(
                [sys.executable, "extras/wiretap/wiretap.py", *words],
                cwd=ROOT,
                encoding="utf-8",
                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def listening(process):
    """Return the address from the first line, and the rest of that line."""
    line = process.stdout.readline()
    found = re.fullmatch(r"listening on (\S+):(\d+) -> (\S+)\n", line)
    assert found, line
    return (found[1].strip("[]"), int(found[2])), found[3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0(start, upstream, number):
    process = start("--listen", "0", "--to", f"127.0.0.1:{upstream.address[1]}")
    where, to = listening(process)
    assert to == f"127.0.0.1:{upstream.address[1]}"
    with Wire(where) as client, upstream.accept():
        process.send_signal(number)
        assert client.expect_eof() == b""
        assert process.wait(DEADLINE_S) == 0
    assert process.stdout.read() == "#1 open\n#1 closed\n"


def test_ipv6_on_both_sides(start):
    server = Upstream("::1")
    process = start("--listen", "[::1]:0", "--to", f"[::1]:{server.address[1]}")
    where, to = listening(process)
    assert (where[0], to) == ("::1", f"[::1]:{server.address[1]}")
    with Wire(where) as client, server.listener, server.accept() as sock:
        client.send("over IPv6")
        assert sock.recv(100) == b"over IPv6\n"


def test_a_port_in_use_is_one_line_and_status_1(start, upstream, tmp_path):
    saved = tmp_path / "saved"
    saved.write_text("of another tap")
    process = start("--listen", str(upstream.address[1]), "--to", "127.0.0.1:9", "--save", str(saved))
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, output) == (1, "")
    assert re.fullmatch(r"cannot listen on 127\.0\.0\.1:\d+: .* --listen .*\n", errors)
    assert saved.read_text() == "of another tap"


def test_a_file_that_cannot_be_written_is_one_line_and_status_1(start, tmp_path):
    process = start("--listen", "0", "--to", "127.0.0.1:9", "--save", str(tmp_path))
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith(f"cannot write to {tmp_path}: ") and errors.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--listen", "no", "--to", "127.0.0.1:9"),
        ("--listen", "0", "--to", "9000"),
        ("--listen", "0", "--to", "::1:9000"),
        ("--listen", "0", "--to", "[localhost]:9000"),
        ("--listen", "9001", "--to", "127.0.0.1:9001"),
        ("--listen", "0"),
        ("--listen", "0", "--to", "127.0.0.1:9", "--slice", "0"),
        ("--listen", "0", "--to", "127.0.0.1:9", "--cut", "-1"),
        ("--listen", "0", "--to", "127.0.0.1:9", "--delay", "nan"),
        ("--listen", "0", "--to", "127.0.0.1:9", "--stall", "soon"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_told_without_a_traceback(start, words):
    process = start(*words)
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, output) == (2, "")
    assert errors.startswith("usage:") and "Traceback" not in errors
    assert "error: " in errors.splitlines()[-1]


def test_what_is_shown_in_a_pipe_and_saved(start, upstream, tmp_path):
    saved = tmp_path / "saved.jsonl"
    to = f"127.0.0.1:{upstream.address[1]}"
    process = start("--listen", "0", "--to", to, "--slice", "6", "--save", str(saved))
    with Wire(listening(process)[0]) as client, upstream.accept() as server:
        client.send(b"\x1b[31mLOGIN\r\n")
        client.send_eof()
        assert server.makefile("rb").read() == b"\x1b[31mLOGIN\r\n"
    process.terminate()
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert re.findall("│.*│", output) == [r"│\x1b[31mL│", r"│OGIN\r\n│"]
    assert "\x1b" not in output
    records = [json.loads(line) for line in saved.read_text().splitlines()]
    assert [record["bytes"] for record in records if record["event"] == "chunk"] == ["\x1b[31mL", "OGIN\r\n"]
    assert "Traceback" not in errors


def test_a_reader_of_the_pipe_that_leaves_ends_no_connection(start, upstream):
    process = start("--listen", "0", "--to", f"127.0.0.1:{upstream.address[1]}")
    where = listening(process)[0]
    process.stdout.close()
    with Wire(where) as client, upstream.accept() as server:
        for line in ("one", "two"):
            client.send(line)
            assert server.recv(100) == line.encode() + b"\n"
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr.read().count("cannot write to <stdout> any more") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("no_color, coloured", [("", True), ("1", False)])
def test_colour_on_a_terminal_unless_no_color_says_no(start, upstream, no_color, coloured):
    import pty

    ours, theirs = pty.openpty()
    start(
        "--listen", "0", "--to", f"127.0.0.1:{upstream.address[1]}",
        stdout=theirs, env={**os.environ, "NO_COLOR": no_color, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    os.close(theirs)
    with open(ours, encoding="utf-8") as screen:
        port = int(re.search(r":(\d+) ->", screen.readline())[1])
        with Wire(("127.0.0.1", port)) as client, upstream.accept():
            client.send("hi")
            lines = [screen.readline() for _ in range(2)]
    assert (r"hi\n│" in lines[1]) != coloured
    assert any("\x1b[" in line for line in lines) == coloured


# TLS, from outside


def record(kind, payload, version=b"\3\3"):
    return bytes([kind]) + version + len(payload).to_bytes(2, "big") + payload


RECORDS = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.binary(max_size=9)), max_size=5)


@given(RECORDS, st.data())
def test_records_are_named_the_same_wherever_the_chunks_are_cut(sent, data):
    sent = [(22, b"\1hello")] + sent
    stream = b"".join(record(*one) for one in sent)
    whole, rest = Records().take(stream)
    assert rest == b""
    assert whole == [f"TLS {KINDS[kind]}, {len(payload)} bytes" for kind, payload in sent]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    records, rows, payload_bytes = Records(), [], 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)]):
        for row in records.take(stream[start:end])[0]:
            more = re.search(r"(\d+) bytes more", row)
            here = re.search(r"(\d+) of them here", row)
            payload_bytes += int((more or here or re.search(r"(\d+) bytes$", row))[1])
            if not more:
                rows.append(row.partition(" bytes")[0] + " bytes")
    assert rows == whole
    assert payload_bytes == sum(len(payload) for _, payload in sent)


def test_the_half_of_a_head_is_shown_as_it_is():
    records = Records()
    assert records.take(b"\x16\3") == ([], b"\x16\3")
    assert records.take(b"\3\0\4ab") == (["TLS handshake, 4 bytes, 2 of them here"], b"")
    assert records.take(b"cd\x17\3\3\0\0\x15") == (
        ["TLS handshake, 2 bytes more", "TLS application data, 0 bytes"],
        b"\x15",
    )


@pytest.mark.parametrize(
    "stream",
    [
        b"LOGIN alice\n",
        b"\x17\3\3\0\1a",
        b"\x16\3\3\xff\xff" + b"a" * 99,
        b"\x16\2\1\0\1a",
        b"\x16\3",
    ],
    ids=["text", "data before a handshake", "too long", "another version", "too short"],
)
def test_what_is_no_tls_is_shown_as_it_is(stream):
    assert Records().take(stream) == ([], stream)


def test_from_a_broken_record_on_all_is_shown_as_it_is():
    records = Records()
    assert records.take(record(22, b"hello") + b"GET / HTTP") == (["TLS handshake, 5 bytes"], b"GET / HTTP")
    assert records.take(record(22, b"hello")) == ([], record(22, b"hello"))


def test_of_many_records_in_a_chunk_the_middle_is_left_out():
    rows = draw_tls(Records(), record(22, b"first") + record(23, b"a") * 98 + record(23, b"last"))
    assert rows == [
        "TLS handshake, 5 bytes",
        *["TLS application data, 1 bytes"] * 9,
        "(80 records more)",
        *["TLS application data, 1 bytes"] * 9,
        "TLS application data, 4 bytes",
    ]


def test_each_direction_is_told_in_its_own_way():
    """A server that speaks no TLS may answer a hello in plain text."""
    trace = Trace(Display(io.StringIO()), 1)
    trace.chunk("client", record(22, b"\1hello"))
    trace.chunk("server", b"ERR bad-encoding\n")
    client, server = trace.display.out.getvalue().splitlines()
    assert client.endswith("│TLS handshake, 6 bytes│")
    assert server.endswith(r"│ERR bad-encoding\n│")


@pytest.mark.parametrize(
    "spoiling",
    [
        Spoiling(),
        Spoiling(slice_bytes=7, slice_gap_s=0),
        Spoiling(glue_s=0.005),
        Spoiling(delay_s=0.005),
        Spoiling(stall_s=0.05),
        Spoiling(7, 0, 0.005, 0.005, 0.05),
    ],
    ids=["as it is", "slice", "glue", "delay", "stall", "all"],
)
def test_tls_passes_however_it_is_disturbed_and_its_text_is_not_seen(serve, certificates, spoiling):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "ours.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tap = serve(Wiretap, target=listener.getsockname(), spoiling=spoiling)
        tap.display = Display(io.StringIO(), io.StringIO())

        def echo():
            with context.wrap_socket(listener.accept()[0], server_side=True) as sock:
                sock.settimeout(DEADLINE_S)
                while chunk := sock.recv(65536):
                    sock.sendall(chunk)
                with contextlib.suppress(OSError):
                    sock.unwrap()

        thread = threading.Thread(target=echo)
        thread.start()
        with connect_tls("localhost", tap.server_address[1], certificates / "ours.pem") as sock:
            sock.sendall(b"a secret\n")
            sock.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: sock.recv(100), b"")) == b"a secret\n"
        thread.join(DEADLINE_S)
    records = [json.loads(line) for line in tap.display.save.getvalue().splitlines()]
    for sender in ("client", "server"):
        sealed = "".join(one["bytes"] for one in records if one["from"] == sender and one["event"] == "chunk")
        assert sealed.startswith("\x16\3") and "secret" not in sealed
        shown = re.findall(f"^#1 {ARROWS[sender]}.*│TLS (.*?), ", tap.display.out.getvalue(), re.MULTILINE)
        assert shown[0] == "handshake" and "application data" in tap.display.out.getvalue()


def test_a_cut_in_a_tls_handshake_is_told_by_the_client(serve, certificates):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tap = serve(Wiretap, target=listener.getsockname(), spoiling=Spoiling(cut_bytes=100))
        with pytest.raises(CannotConnect, match="no TLS with localhost port .*: .*reset"):
            connect_tls("localhost", tap.server_address[1], certificates / "ours.pem")
