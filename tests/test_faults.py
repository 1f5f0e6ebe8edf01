"""What can go wrong: bad input, peers that disappear or do not read, no more descriptors or threads, the stop.

Step 5 handles all this for all servers; so each test runs with step 5's server, with rooms (which
builds on the other extras) and with IRC.
"""

import contextlib
import itertools
import logging
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from step5_server.line_server import STOP_S
from step5_server.server import ChatServer
from tests.chapter import ROOT
from tests.dialects import DEADLINE_S, DIALECTS, OVER, Guest, Process, eventually
from tests.over import Plain
from tests.servers import running

pytestmark = pytest.mark.long

SMALL_BUFFER = 4096  # so small that the server notices at once if a peer does not read
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, or sets Linux's limits")


@pytest.fixture(params=DIALECTS + OVER, ids=repr)
def dialect(request):
    return request.param


@pytest.fixture(autouse=True)
def calm(caplog, request):
    """No peer may cause a traceback, or control characters in the log."""
    if "garbage" in request.fixturenames:  # for all of them it would take too long
        caplog.set_level(logging.INFO, logger="chat")
    yield
    for record in caplog.get_records("call"):
        assert "bug_of_ours" in request.node.name or not record.exc_info, record.exc_text
        text = record.getMessage()
        assert not [char for char in text if unicodedata.category(char) == "Cc"], text


@pytest.fixture
def host(dialect):
    """Serve in this process: host(**settings) -> server, with small buffers on its side."""
    with contextlib.ExitStack() as stack:

        def host(server_class=dialect.server_class, **settings):
            server = server_class(("127.0.0.1", 0), **settings)
            server.door = dialect.over.open_door(server)
            # Accepted sockets inherit it.
            server.door.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
            return stack.enter_context(running(server))

        yield host


@pytest.fixture
def guest(dialect):
    """Open clients: guest(server, name) -> Guest; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def guest(server, name=None, **options):
            address = server.address if isinstance(server, Process) else server.door.server_address
            return stack.enter_context(Guest(dialect, address, name, **options))

        yield guest


@pytest.fixture
def start(dialect, tmp_path):
    """Start the server as a user does: start("--flag") -> Process; it must log no traceback."""
    with contextlib.ExitStack() as stack:
        logs = []

        def start(*flags, **options):
            logs.append(tmp_path / f"log{len(logs)}")
            return stack.enter_context(
                Process(dialect.script, *dialect.flags, *flags, log=logs[-1], over=dialect.over, **options)
            )

        yield start
    for log in logs:
        assert "Traceback" not in log.read_text()


def talk(one, other, text):
    """Check that two users are served: a message arrives, and nothing before it."""
    one.tell("bob", text)
    one.fence()
    assert other.fence() == [("alice", text)]


# Bad input

GARBAGE = {
    "random bytes": random.Random(7).randbytes(200_000),
    "NULs": b"\0" * 5000 + b"\n" + b"\0\n" * 50,
    "control characters": bytes(range(32)) * 100 + b"\x1b[2J\x1b]0;mine\x07\n\x9b31m\n",
    "broken UTF-8": b"\xff\xfe\n\xc3\n\xed\xa0\x80\n\xf4\x90\x80\x80\nMSG bob \xc3\x28\n",
    "telnet's own bytes": b"\xff\xf4\xff\xfd\x06\xff\xfb\x1f\xff\xfa\x1f\0P\0\x18\xff\xf0\n",
    "long lines": (b"x" * 5000 + b"\n") * 20,
    "only ends of lines": b"\n\r\r\n\n\r" * 5000,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x1b[31m\r\n\r\n",
}


def send(guest, data):
    """Send as much as the server lets her.  Thread: one of the test's own."""
    with contextlib.suppress(OSError):
        guest.send(data)


@pytest.mark.parametrize("logged_in", [False, True], ids=["stranger", "user"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_harms_neither_its_sender_nor_others(host, guest, dialect, garbage, logged_in):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob")
    mallory = guest(server, "mallory" if logged_in else None)
    mallory.way.begin()  # else she may be reset in the middle of it, and her thread would not notice
    apology = dialect.sign_of_life + dialect.message("bob", b"sorry") + dialect.sign_of_life
    sender = threading.Thread(target=send, args=(mallory, garbage + b"\n" + (apology if logged_in else b"")))
    sender.start()
    if logged_in:  # else a server may give a stranger few answers
        mallory.until_fence()
        mallory.until_fence()
        assert bob.fence()[-1] == ("mallory", b"sorry")
    talk(alice, bob, b"still here")
    mallory.reset()
    sender.join(DEADLINE_S)


@on_linux
def test_a_line_of_200_mb_costs_no_memory(start, guest):
    server = start()
    mallory = guest(server, "mallory")
    before = server.memory_kb()
    megabyte = b"x" * (1 << 20)
    for _ in range(200):
        mallory.send(megabyte)
    most = server.memory_kb()
    mallory.send(b"\n")
    mallory.fence()
    assert most - before < 10_000


def test_empty_lines_are_just_read_however_many(host, guest):
    server = host()
    mallory, alice, bob = guest(server, "mallory"), guest(server, "alice"), guest(server, "bob")
    sender = threading.Thread(target=send, args=(mallory, b"\n" * 200_000))
    sender.start()
    talk(alice, bob, b"meanwhile")
    sender.join(DEADLINE_S)
    assert mallory.fence() == []


def test_ten_thousand_commands_at_once_are_done_in_order(host, guest, dialect):
    server = host()
    alice = guest(server, "alice")
    texts = [b"%d" % n for n in range(10_000)]
    data = b"".join(dialect.message("alice", text) for text in texts)
    sender = threading.Thread(target=alice.send, args=(data,))
    sender.start()
    assert alice.messages(len(texts)) == [("alice", text) for text in texts]
    sender.join(DEADLINE_S)
    assert alice.fence() == []


def test_who_never_reads_the_replies_is_not_read_either(host, guest, dialect):
    """When she begins to read, she gets all of them."""
    server = host(max_pending_bytes=50_000)
    alice, bob = guest(server, "alice"), guest(server, "bob")
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    outbox = next(h for h in server._serving if h.name == "mallory").outbox
    asked = 8000
    sender = threading.Thread(target=mallory.send, args=(dialect.sign_of_life * asked,))
    sender.start()
    eventually(lambda: outbox.pending_bytes, "replies wait")
    select.select([], [], [], 0.2)  # a wrong server would read on now, and cut her off
    talk(alice, bob, b"meanwhile")
    for _ in range(asked):
        while not dialect.is_alive(mallory.line()):
            pass
        assert outbox.pending_bytes <= 50_000
    sender.join(DEADLINE_S)
    assert mallory.fence() == []


PIECES = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b":",
    b"\0",
    b"\xff",
    b"\xc3",
    "é".encode(),
    b"x" * 1100,
    b"a",
    b"LOGIN",
    b"MSG",
    b"HELP",
    b"JOIN",
    b"SAY",
    b"tea",
    b"NICK",
    b"USER",
    b"PRIVMSG",
    b"#tea",
    b"MODE",
    b"*",
]


@pytest.mark.hypothesis
def test_no_bytes_however_cut_end_anothers_session(host, guest, dialect):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob")
    number = itertools.count()

    @settings(max_examples=settings.default.max_examples // 2, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.binary(max_size=40), max_size=8),
        st.booleans(),
        st.booleans(),
    )
    def fuzz(chunks, logged_in, rude):
        with Guest(dialect, server.door.server_address) as mallory:
            if logged_in:
                mallory.send(dialect.login(f"m{next(number)}"))
            with contextlib.suppress(ConnectionError):  # QUIT may be among the bytes
                for chunk in chunks:
                    mallory.send(chunk)
                if rude:
                    mallory.reset()
                else:
                    mallory.way.half_close()
                    mallory.rest()  # the server ends it: no hang
        talk(alice, bob, b"still here")

    fuzz()
    eventually(lambda: len(server._serving) == 2, "all others are forgotten")


CHAT_PIECES = [
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"HELP",
    b"help",
    b"LOGIN",
    b"MSG",
    b"alice",
    b"bob",
    b"\xff",
    "é".encode(),
    b"\0",
    b"x" * 1030,
]


@pytest.mark.hypothesis
def test_each_line_gets_exactly_one_reply_whatever_it_holds(serve):
    """The reference: one for each line that is not empty."""
    server = serve(ChatServer)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(CHAT_PIECES), max_size=40), st.integers(1, 50))
    def answers(pieces, size):
        data = b"".join(pieces)
        lines = [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]]
        # A line whose end never comes is answered only if it is too long already.
        half = data.split(b"\n")[-1].removesuffix(b"\r")
        expected = sum(1 for line in lines if line) + (len(half) > 1024)
        with Guest(DIALECTS[0], server.server_address) as alice:
            for at in range(0, len(data), max(size, len(data) // 20)):
                alice.send(data[at : at + max(size, len(data) // 20)])
            alice.way.half_close()
            replies = [line for line in alice.rest() if line.split(b" ")[0] in (b"OK", b"ERR")]
            assert len(replies) == expected

    answers()


# Peers that vanish or stall

POINTS = {
    "after connecting": [],
    "in the middle of a login": [b"LOG"],
    "after a login": ["login"],
    "in the middle of a line": ["login", b"MSG bo"],
    "with replies unread": ["login", "asks"],
    "after a message": ["login", "message"],
    "in the middle of a long line": ["login", b"x" * 5000],
}


@pytest.mark.parametrize("end", ["EOF", "RST"])
@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_a_peer_may_end_anywhere_and_its_name_is_free(host, guest, dialect, point, end):
    server = host()
    bob = guest(server, "bob")
    alice = guest(server, "alice" if "login" in point else None)
    for step in point:
        if step == "asks":
            alice.send(dialect.sign_of_life * 500)
        elif step == "message":
            alice.tell("bob", b"last")
        elif step != "login":
            alice.send(step)
    alice.reset() if end == "RST" else alice.close()
    if end == "EOF" and "message" in point:
        assert bob.messages(1) == [("alice", b"last")]
    eventually(lambda: guest(server).login("alice"), "the name is free")
    assert bob.fence() in ([], [("alice", b"last")])


def test_a_half_close_gets_its_replies(host, guest, dialect):
    server = host()
    alice = guest(server)
    data = dialect.login("alice") + b"".join(dialect.message("alice", b"%d" % n) for n in range(1000))
    alice.send(data)
    alice.way.half_close()
    messages = [message for line in alice.rest() if (message := dialect.parse(line))]
    assert messages == [("alice", b"%d" % n) for n in range(1000)]


def test_the_last_words_arrive_though_the_peer_still_talks(host, guest, dialect):
    """If the server closed with input unread, the kernel would send RST, which may arrive before them."""
    server = host()
    alice = guest(server, "alice", receive_bytes=SMALL_BUFFER)
    (handler,) = server._serving
    asked = 1000
    alice.send(dialect.sign_of_life * asked + dialect.goodbye + b"and another thing\n" * 5000)
    replies = []
    with contextlib.suppress(EOFError):  # she read so fast that nothing is left
        while not handler.conn.closing or handler.outbox.pending_bytes:
            replies.append(alice.line())
    # Now the kernel has the rest; see that it keeps it when the connection is closed.
    eventually(lambda: handler not in server._leaving, "the connection is closed")
    *replies, last_words = replies + alice.rest()
    assert sum(map(dialect.is_alive, replies)) == asked
    assert last_words.startswith((b"OK bye", b"ERROR"))


def test_half_a_line_at_the_end_is_no_message(host, guest, dialect):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob")
    alice.send(dialect.message("bob", b"whole") + dialect.message("bob", b"pay 1000")[:-4].rstrip(b"\r"))
    alice.close()
    eventually(lambda: guest(server).login("alice"), "the name is free")
    assert bob.fence() == [("alice", b"whole")]


@on_linux
def test_who_stops_reading_delays_nobody_and_is_dropped_at_the_bound(start, guest, dialect):
    server = start("--max-pending", "100000")
    alice, bob = guest(server, "alice"), guest(server, "bob")
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    alice.tell("mallory", b"x" * 400)
    alice.fence()
    before = server.memory_kb()
    for n in range(300):  # 12 MB: the kernel takes some 3 of them
        alice.send(dialect.message("mallory", b"x" * 400) * 100)
        alice.fence()
        if n % 50 == 0:
            talk(alice, bob, b"%d" % n)
    assert server.memory_kb() - before < 4000
    assert guest(server).login("mallory")
    # She gets the beginning of it, and no half-sent line has another's bytes in its middle.
    for line in mallory.rest():
        assert dialect.parse(line) in (None, ("alice", b"x" * 400))


@pytest.mark.usefixtures("impatient")
def test_who_pauses_and_comes_back_loses_nothing(host, guest):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob", receive_bytes=SMALL_BUFFER)
    texts = [b"%d " % n + b"x" * 300 for n in range(2000)]  # 650 kB: more than the buffers, less than the bound
    for text in texts:
        alice.tell("bob", text)
    alice.fence()
    assert bob.fence() == [("alice", text) for text in texts]


def test_the_kernel_looks_for_dead_peers(host, guest):
    server = host()
    guest(server, "alice")
    (handler,) = server._serving
    assert handler.request.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for name, most in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 9)):
        if hasattr(socket, name):
            assert handler.request.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) <= most


def test_a_drip_of_bytes_does_not_get_past_the_login_timeout(host, guest):
    server = host(login_timeout_s=0.3)
    mallory = guest(server)
    for _ in range(500):
        mallory.send(b"x")
        if select.select([mallory.sock], [], [], 0.02)[0]:
            break
    else:
        pytest.fail("she was let drip for ten seconds")
    assert mallory.rest()[-1].startswith(b"ER")


def test_silent_connections_keep_others_out_no_longer_than_the_login_timeout(host, guest, dialect):
    server = host(max_clients=150, login_timeout_s=0.3)
    silent = [guest(server) for _ in range(150)]

    def get_in():
        try:
            return guest(server, "alice")
        except (EOFError, ConnectionError):
            return None

    eventually(get_in, "there is a place")
    words = silent[0].rest()
    assert words[-1].startswith(b"ER") if dialect.over is Plain else not words  # she has not even shaken hands


def test_one_host_may_be_limited(host, guest):
    server = host(max_per_host=2)
    alice = guest(server, "alice")
    guest(server, "bob")
    (last_words,) = guest(server).rest()
    assert last_words.startswith(b"ER")
    alice.close()
    eventually(lambda: len(server._serving) == 1, "her place is free")
    guest(server, "carol")


# Rooms: one line to many, and still nobody waits for anybody

in_rooms = pytest.mark.parametrize("dialect", DIALECTS[1:] + OVER, ids=repr)


@pytest.fixture
def members(guest, dialect):
    """Log users in and let them join one room: members(server, "alice", "bob") -> guests."""

    def members(server, *names):
        guests = [guest(server, name) for name in names]
        for one in guests:
            one.send(dialect.join("tea"))
            one.fence()
        for one in guests:  # past the news that the others have joined
            one.fence()
        return guests

    return members


def told(dialect, lines):
    """Return what was said in the room, of all these lines."""
    return [said for line in lines if (said := dialect.parse_said(line))]


@in_rooms
@pytest.mark.parametrize("end", ["EOF", "RST"])
def test_a_member_who_vanishes_is_seen_to_leave(host, members, dialect, end):
    alice, bob = members(host(), "alice", "bob")
    alice.send(dialect.say("tea", b"bye") + b"half a li")
    assert told(dialect, iter_until(bob, lambda line: dialect.parse_said(line))) == [("alice", b"bye")]
    alice.reset() if end == "RST" else alice.close()
    assert not told(dialect, iter_until(bob, lambda line: dialect.is_leaving(line, "alice")))


def iter_until(guest, is_last):
    """Return the next lines, up to and with the last."""
    lines = [guest.line()]
    while not is_last(lines[-1]):
        lines.append(guest.line())
    return lines


@on_linux
@in_rooms
def test_a_member_who_stops_reading_delays_no_other(start, guest, members, dialect):
    server = start("--max-pending", "100000")
    alice, bob = members(server, "alice", "bob")
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    mallory.send(dialect.join("tea"))
    mallory.fence()
    before, texts = server.memory_kb(), []
    reader = threading.Thread(target=lambda: texts.extend(bob_reads()))

    def bob_reads():
        return told(dialect, iter_until(bob, lambda line: line.endswith(b"the end")))

    reader.start()
    for n in range(200):  # 8 MB
        alice.send(b"".join(dialect.say("tea", b"%d " % (n * 100 + m) + b"x" * 400) for m in range(100)))
        alice.fence()
    alice.send(dialect.say("tea", b"the end"))
    reader.join(DEADLINE_S)
    assert [int(text.split()[0]) for _, text in texts[:-1]] == list(range(20_000))
    assert server.memory_kb() - before < 6000
    eventually(lambda: guest(server).login("mallory"), "she was cut off")


@in_rooms
@pytest.mark.skipif(os.name != "posix", reason="sends POSIX's signals")
def test_what_was_said_before_the_stop_reaches_all_members(start, members, dialect):
    server = start()
    senders = members(server, "sender0", "sender1", "sender2")
    readers = members(server, *(f"reader{n}" for n in range(6)))
    acknowledged, received = {}, [None] * len(readers)
    busy = threading.Barrier(len(senders) + 1)

    def send(sender, name):
        try:
            for first in range(0, 1_000_000, 20):
                sender.send(b"".join(dialect.say("tea", b"%d" % n) for n in range(first, first + 20)))
                sender.fence()
                acknowledged[name] = first + 20
                if first == 200:
                    busy.wait(DEADLINE_S)
        except (EOFError, ConnectionError):
            pass

    def read(number):
        received[number] = told(dialect, readers[number].rest())

    threads = [threading.Thread(target=send, args=(sender, f"sender{n}")) for n, sender in enumerate(senders)]
    threads += [threading.Thread(target=read, args=(n,)) for n in range(len(readers))]
    for thread in threads:
        thread.start()
    busy.wait(DEADLINE_S)
    server.signal()
    assert server.wait() == 0
    for thread in threads:
        thread.join(DEADLINE_S)
    assert all(one == received[0] for one in received), "all see one order"
    for name, count in acknowledged.items():
        texts = [int(text) for sender, text in received[0] if sender == name]
        assert texts == list(range(len(texts)))
        assert len(texts) >= count


# Exhaustion


@on_linux
def test_without_descriptors_those_who_are_on_go_on(start, guest, dialect):
    import resource

    server = start(limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    alice, bob = guest(server, "alice"), guest(server, "bob")
    crowd = [guest(server) for _ in range(60)]
    eventually(lambda: server.fds() == 40, "no descriptor is left")
    talk(alice, bob, b"hello")
    cpu_s = server.cpu_s()
    select.select([], [], [], 1.0)  # a second of the accept loop's life
    assert server.cpu_s() - cpu_s < 0.1
    talk(alice, bob, b"still here")
    assert len(server.log.splitlines()) <= 2  # one in ten seconds
    for client in crowd:
        client.close()
    with guest(server, "carol") as carol:
        carol.tell("bob", b"back to normal")
        carol.fence()
    assert bob.fence() == [("carol", b"back to normal")]


def test_without_threads_those_who_are_on_go_on(host, guest, dialect, monkeypatch, caplog):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob")

    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        refused = [guest(server) for _ in range(5)]
        for client in refused:
            words = client.rest()  # without a thread there is no handshake, and without it there are no words
            assert words[-1].startswith(b"ER") if dialect.over is Plain else not words
        talk(alice, bob, b"still here")
    assert sum("new clients" in record.getMessage() for record in caplog.records) == 1
    carol = guest(server, "carol")
    assert carol.fence() == []


# Our own errors


def test_a_bug_of_ours_ends_one_connection_and_is_logged_once(host, guest, dialect, caplog):
    class Handler(dialect.server_class.handler_class):
        def answer(self, line):
            if line == b"BOOM":
                raise ZeroDivisionError
            super().answer(line)

    class Server(dialect.server_class):
        handler_class = Handler

    server = host(Server)
    alice, bob, mallory = guest(server, "alice"), guest(server, "bob"), guest(server, "mallory")
    mallory.send(b"BOOM" + dialect.eol)
    mallory.rest()
    eventually(lambda: caplog.records, "it is logged")
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]
    talk(alice, bob, b"still here")
    assert guest(server).login("mallory")


def test_a_bug_of_ours_under_the_lock_leaves_no_lock_behind(serve, guest, monkeypatch, caplog):
    def boom(handler):
        raise ZeroDivisionError

    monkeypatch.setattr(ChatServer.handler_class, "do_HELP", boom)
    server = serve(ChatServer)
    with Guest(DIALECTS[0], server.server_address) as mallory:
        mallory.send(b"LOGIN mallory\nHELP\nHELP\n")
        assert mallory.rest() == [b"OK welcome, mallory"]
    with Guest(DIALECTS[0], server.server_address) as alice:
        alice.send(b"LOGIN mallory\n")
        assert alice.line().startswith(b"OK")
    eventually(lambda: caplog.records, "it is logged")
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


# The stop


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX's signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_what_was_acknowledged_before_the_stop_is_delivered(start, guest, dialect, number):
    """Under load; then exit status 0, and the port is free at once."""
    server = start()
    pairs, window = 4, 20
    senders = [guest(server, f"sender{n}") for n in range(pairs)]
    receivers = [guest(server, f"receiver{n}") for n in range(pairs)]
    acknowledged, received = [0] * pairs, [None] * pairs
    busy = threading.Barrier(pairs + 1)

    def send(n):
        try:
            for first in range(0, 1_000_000, window):
                for serial in range(first, first + window):
                    senders[n].tell(f"receiver{n}", b"%d" % serial)
                senders[n].fence()
                acknowledged[n] = first + window
                if first == 200:
                    busy.wait(DEADLINE_S)
        except (EOFError, ConnectionError):
            pass

    def receive(n):
        received[n] = receivers[n].rest()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(pairs) for work in (send, receive)]
    for thread in threads:
        thread.start()
    busy.wait(DEADLINE_S)
    server.signal(number)
    assert server.wait() == 0
    for thread in threads:
        thread.join(DEADLINE_S)
    for n in range(pairs):
        texts = [message[1] for line in received[n] if (message := dialect.parse(line))]
        assert len(texts) >= acknowledged[n] > 200
        assert texts == [b"%d" % serial for serial in range(len(texts))]
        assert b"stopping" in received[n][-1]
    port = server.port
    assert start("--port", str(port)).port == port


def test_the_stop_waits_for_who_reads_slowly(host, guest, dialect):
    server = host()
    alice, bob = guest(server, "alice"), guest(server, "bob", receive_bytes=SMALL_BUFFER)
    texts = [b"%d " % n + b"x" * 300 for n in range(1000)]
    for text in texts:
        alice.tell("bob", text)
    alice.fence()
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    assert b"stopping" in alice.rest()[-1]
    *messages, last_words = bob.rest()
    assert [message for line in messages if (message := dialect.parse(line))] == [("alice", text) for text in texts]
    assert b"stopping" in last_words
    stopper.join(DEADLINE_S)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX's signals")
def test_the_stop_does_not_wait_for_those_who_are_idle(start, guest, dialect):
    server = start()
    strangers = [guest(server) for _ in range(25)]  # first: when the others are in, these are too
    idle = [guest(server, f"idle{n}") for n in range(25)]
    server.signal()
    # Less than it gives to those who have not got everything yet.
    assert server.popen.wait(STOP_S) == 0
    for client in idle + strangers:
        words = client.rest()  # who has not shaken hands cannot be told
        assert b"stopping" in words[-1] if words else client in strangers and dialect.over is not Plain


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX's signals")
def test_a_second_ctrl_c_leaves_at_once(start, guest, dialect):
    server = start()
    alice = guest(server, "alice")
    guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    for _ in range(100):  # 3 MB to somebody who does not read: the stop would wait for her
        alice.send(dialect.message("mallory", b"x" * 400) * 75)
        alice.fence()
    server.signal(signal.SIGINT)
    eventually(lambda: "stopping" in server.log, "it stops")
    server.signal(signal.SIGINT)
    assert server.wait() in (0, 130)


def test_a_port_in_use_is_one_line_and_status_1(start, dialect):
    server = start()
    second = subprocess.run(
        [sys.executable, str(ROOT / dialect.script), "--port", str(server.port)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert "in use" in second.stderr


def test_a_server_listens_on_this_machine_only_unless_told(start):
    assert start().address[0] == "127.0.0.1"


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot tell that a pipe is full")
def test_a_log_that_nobody_reads_delays_nobody(dialect):
    server = subprocess.Popen(
        [sys.executable, str(ROOT / dialect.script), *dialect.flags, "--port", "0", "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        port = int(server.stdout.readline().split(b":")[-1])
        with Guest(dialect, ("127.0.0.1", port), "alice") as alice:
            alice.send(dialect.sign_of_life * 3000)  # each is a line in the log: 3 times what a pipe takes
            for _ in range(3000):
                while not dialect.is_alive(alice.line()):
                    pass
            server.terminate()
            assert server.wait(DEADLINE_S) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        server.stderr.close()
