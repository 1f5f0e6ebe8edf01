"""What one connection can cause is limited, and the others get their turn.

Events, not luck, decide when sends, waits and turns meet.  Where something must last as long as a
peer likes, we count bytes.
"""

import socket
import threading
import time
from types import SimpleNamespace

import pytest

from extras.broadcast import turns
from extras.irc.server import IrcServer
from extras.irc.state import User
from extras.rooms.hub import MAX_ROOMS
from extras.rooms.server import RoomsHandler, RoomsServer
from step5_server import connection, handler, line_server
from step5_server.codec import LineCodec
from step5_server.connection import DEAD_AFTER_S
from step5_server.server import ChatHandler, ChatServer
from tests.dialects import DEADLINE_S, DIALECTS, Guest, eventually
from tests.servers import running

ROOMS, IRC = DIALECTS[1:]
SMALL_BUFFER = 4096  # so small that the server notices at once if a peer does not read


@pytest.fixture
def serve():
    """Serve in this process with small buffers: serve(server_class, **settings) -> server."""
    stack = []

    def serve(server_class, **settings):
        server = server_class(("127.0.0.1", 0), **settings)
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        stack.append(running(server))
        return stack[-1].__enter__()

    yield serve
    for context in stack:
        context.__exit__(None, None, None)


@pytest.fixture
def guest():
    """Open clients: guest(server, name) -> Guest; all are closed at the end."""
    guests = []

    def guest(server, name=None, **options):
        guests.append(Guest(ROOMS, server.server_address, name, **options))
        return guests[-1]

    yield guest
    for one in guests:
        one.close()


def handler_of(server, name):
    return next(one for one in server._serving if one.name == name)


# A long answer


class Walkon:
    """A user who is only there to be in rooms."""

    class outbox:
        codec = LineCodec()
        put = staticmethod(lambda data: None)


def fill_with_rooms(server, count):
    for start in range(0, count, MAX_ROOMS):
        walkon = Walkon()
        for n in range(start, min(start + MAX_ROOMS, count)):
            server.registry.join(f"room{n}", walkon)


def test_a_long_answer_waits_for_its_reader_and_comes_whole(serve, guest):
    """The answer to six bytes is half a megabyte; the bound for what others cause is a fifth of that."""
    server = serve(RoomsServer, max_pending_bytes=100_000)
    fill_with_rooms(server, 30_000)
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    alice = guest(server, "alice")
    outbox = handler_of(server, "mallory").outbox
    mallory.send(b"ROOMS\n")
    eventually(lambda: outbox.pending_bytes, "the answer waits")
    alice.fence()  # nobody else does
    for n in range(30_000):
        while (line := mallory.line()).startswith(b"ONLINE"):
            pass
        assert line == b"ROOM room%d 1" % n
        assert outbox.pending_bytes <= 50_100  # a quarter of the bound, and as much again
    assert mallory.line() == b"OK 30000 rooms"


@pytest.mark.parametrize("tag", [b"", b"@label=7 "], ids=["plain", "labelled"])
def test_a_long_list_of_irc_channels_waits_for_its_reader_and_comes_whole(serve, tag):
    server = serve(IrcServer, max_pending_bytes=100_000)
    for n in range(10_000):
        server.registry.join(User(SimpleNamespace(listener=(frozenset(), Walkon.outbox)), "here"), f"#c{n}", "")
    with (
        Guest(IRC, server.server_address, "alice") as alice,
        Guest(IRC, server.server_address, "mallory", receive_bytes=SMALL_BUFFER) as mallory,
    ):
        mallory.send(b"CAP REQ :batch labeled-response\r\n")
        mallory.fence()
        outbox = handler_of(server, "mallory").outbox
        mallory.send(tag + b"LIST\r\n")
        eventually(lambda: outbox.pending_bytes, "the answer waits")
        alice.fence()  # nobody else does
        channels = []
        while b" 323 " not in (line := mallory.line()):
            assert outbox.pending_bytes <= 50_600
            if b" 322 " in line:
                channels.append(line.split()[-3])
        assert channels == [b"#c%d" % n for n in range(10_000)]


def test_who_leaves_in_the_middle_of_a_long_answer_leaves_nothing_behind(serve, guest):
    server = serve(RoomsServer)
    fill_with_rooms(server, 30_000)
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    outbox = handler_of(server, "mallory").outbox
    mallory.send(b"ROOMS\n" * 100)
    eventually(lambda: outbox.pending_bytes, "the answer waits")
    mallory.reset()
    eventually(lambda: not server._serving and not server._leaving, "she is forgotten")


def test_a_room_that_ends_while_the_list_is_read_is_not_listed(serve, guest):
    server = serve(RoomsServer, max_pending_bytes=1000)  # 250 bytes at a time
    alice = guest(server, "alice")
    for n in range(500):
        alice.send(b"JOIN room%d\n" % n)
    alice.fence()
    mallory = guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    outbox = handler_of(server, "mallory").outbox
    mallory.send(b"ROOMS\n")
    eventually(lambda: outbox.pending_bytes, "the answer waits")
    alice.send(b"LEAVE room499\n")
    alice.fence()
    lines = []
    while not (line := mallory.line()).startswith(b"OK"):
        lines.append(line)
    assert lines == [b"ROOM room%d 1" % n for n in range(499)]
    assert line == b"OK 499 rooms"


# The lock


class Latecomer:
    """A thread that waits for the lock from alice's FIRST on; does it get the lock before her SECOND?"""

    def __init__(self):
        self.waits, self.got_it = threading.Event(), threading.Event()
        self.came_in = []

    def handler(self, base):
        """Return a handler class with the two verbs."""

        class Handler(base):
            VERBS = base.VERBS | {"FIRST": "", "SECOND": ""}

            def do_FIRST(handler):
                def wait_for_the_lock():
                    with handler.registry.lock:
                        self.got_it.set()

                threading.Thread(target=wait_for_the_lock).start()
                self.waits.set()
                handler.ok()

            def do_SECOND(handler):
                self.came_in.append(self.got_it.is_set())
                handler.ok()

        return Handler

    def gets_time(self):
        """Give her all the time that she needs, if she gets the lock."""
        if self.waits.is_set():
            self.got_it.wait(DEADLINE_S)


def test_a_long_turn_lets_others_in_between_two_lines_of_a_chunk(serve, guest, clock, monkeypatch):
    latecomer = Latecomer()
    server = serve(type("Server", (RoomsServer,), {"handler_class": latecomer.handler(RoomsHandler)}))
    alice = guest(server, "alice")
    clock(turns, sleep=lambda seconds: latecomer.gets_time())
    monkeypatch.setattr(turns, "TURN_S", -1)  # every turn is a long one
    alice.send(b"FIRST\nSECOND\n")
    alice.fence()
    assert latecomer.came_in == [True]


def test_step_5_lets_others_in_between_two_lines_of_a_chunk(serve, guest, clock, monkeypatch):
    latecomer = Latecomer()
    server = serve(type("Server", (ChatServer,), {"handler_class": latecomer.handler(ChatHandler)}))
    alice = guest(server, "alice")
    clock(handler, sleep=lambda seconds: latecomer.gets_time())
    monkeypatch.setattr(handler, "LINES_IN_A_ROW", 1)
    alice.send(b"FIRST\nSECOND\n")
    alice.fence()
    assert latecomer.came_in == [True]


def test_step_5_makes_who_sends_much_step_back_now_and_then(serve, guest, clock):
    steps_back = []
    server = serve(ChatServer)
    alice = guest(server, "alice")
    clock(handler, sleep=steps_back.append)
    for _ in range(10):  # however they are cut
        alice.send(b"HELP\n" * handler.LINES_IN_A_ROW)
    for _ in range(10 * handler.LINES_IN_A_ROW):
        alice.line()
    assert len(steps_back) == 10


# Those who flood, and those who must read it


def test_a_flooder_is_slowed_down_to_a_reader_that_reads(serve, guest, monkeypatch):
    """Otherwise she is cut off after a few of his chunks, although she reads all the time."""
    monkeypatch.setattr(connection, "PATIENCE_S", DEADLINE_S)
    server = serve(ChatServer, max_pending_bytes=100_000)
    alice = guest(server, "alice", receive_bytes=SMALL_BUFFER)
    mallory = guest(server, "mallory")
    count = 3000
    flood = b"".join(ROOMS.message("alice", b"%d " % n + b"x" * 900) for n in range(count))
    sender = threading.Thread(target=mallory.send, args=(flood,))
    reader = threading.Thread(target=mallory.fence)
    sender.start()
    reader.start()
    for n in range(count):
        assert alice.line().startswith(b"MSG mallory %d " % n)
    sender.join(DEADLINE_S)
    reader.join(DEADLINE_S)


def test_who_speaks_like_a_person_waits_for_nobody(serve, guest, monkeypatch):
    """Mallory does not read; alice has not said much in this second, so she goes on."""
    monkeypatch.setattr(connection, "PATIENCE_S", 10 * DEADLINE_S)
    server = serve(ChatServer)
    alice = guest(server, "alice")
    guest(server, "mallory", receive_bytes=SMALL_BUFFER)
    outbox = handler_of(server, "mallory").outbox
    outbox.put(b"x" * (outbox.max_pending_bytes - 1000))
    outbox.flush()  # or the thread that has its lock just now
    eventually(lambda: outbox.pending_bytes > outbox.max_pending_bytes // 2, "much waits for her")
    for _ in range(10):
        alice.tell("mallory", b"hello")
    alice.fence()


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_who_is_cut_off_for_not_reading_is_told_so_if_it_reads_again(dialect, serve, monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE_S", 0.001)
    server = serve(dialect.server_class, max_pending_bytes=50_000)
    with (
        Guest(dialect, server.server_address, "alice") as alice,
        Guest(dialect, server.server_address, "mallory", receive_bytes=SMALL_BUFFER) as mallory,
    ):
        outbox = handler_of(server, "mallory").outbox
        said = 0
        while not outbox.ended:
            alice.tell("mallory", b"%d" % said)
            alice.fence()
            said += 1
        eventually(lambda: server.registry.get("mallory") is None, "the name is free")
        *lines, last = mallory.rest()
        got = [text for line in lines if (message := dialect.parse(line)) for text in message[1:]]
        assert got == [b"%d" % n for n in range(len(got))]
        assert last.startswith((b"ERR too-slow ", b"ERROR :Closing Link: * (")), last


# Those who are refused, and those who are dead


def test_a_server_that_was_stopped_does_not_blame_its_clients(serve, guest):
    """SIGSTOP, or a laptop's lid: what they sent meanwhile has not been read yet."""
    server = serve(ChatServer, login_timeout_s=60)
    stranger = guest(server)
    eventually(lambda: server._serving, "he is admitted")
    with server.registry.lock:  # so that nobody else sweeps
        now = server._swept_at + 1000
        server.sweep(now)
        server.sweep(now + 1)
        (handler,) = server._serving
        assert not handler.conn.closing
        for second in range(2, 70):
            server.sweep(now + second)
        assert handler.conn.closing
        server._swept_at = time.monotonic()
    assert stranger.rest()[-1].startswith(b"ERR login-timeout")


def test_only_a_few_peers_may_take_their_time_to_leave(serve, guest, monkeypatch):
    monkeypatch.setattr(line_server, "MAX_LINGERING", 3)
    monkeypatch.setattr(connection, "QUIET_S", 10 * DEADLINE_S)
    monkeypatch.setattr(connection, "LINGER_S", 10 * DEADLINE_S)
    server = serve(ChatServer, max_clients=1)
    alice = guest(server, "alice")
    refused = [guest(server) for _ in range(30)]
    for one in refused:
        assert one.line().startswith(b"ERR server-full")
    eventually(lambda: len(server._leaving) <= 3, "the others are gone")
    alice.fence()
    for one in refused:
        one.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such limit")
def test_what_a_dead_peer_does_not_acknowledge_ends_the_connection_as_soon_as_silence(serve, guest):
    server = serve(ChatServer)
    guest(server, "alice")
    sock = handler_of(server, "alice").request
    get = lambda name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
    assert get("TCP_USER_TIMEOUT") == DEAD_AFTER_S * 1000
    assert get("TCP_KEEPIDLE") + get("TCP_KEEPINTVL") * get("TCP_KEEPCNT") == DEAD_AFTER_S
