"""The glass: what it tells is what has happened, all of it, in one order; slow motion keeps the server's threads, and nobody else."""

import collections
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extras.broadcast.fan_out import FanOutConnection
from extras.broadcast.postman import Postman
from extras.glass.commands import PLAYS
from extras.glass.desk import MAX_EVENTS, DeskHandler
from extras.glass.gate import KEPT_EVENTS, Gate
from extras.glass.house import House
from extras.glass.outboxes import TellingOutbox
from extras.glass.sockets import TellingSocket
from extras.rooms.server import RoomsHandler, RoomsServer
from step4_framing.framing import LineBuffer, LineTooLong
from step5_server.codec import LineCodec
from step5_server.connection import Connection
from step5_server.outbox import Outbox
from step5_server.registry import Registry
from step5_server.stream import Stream
from tests.chapter import ROOT
from tests.servers import Chat
from tests.wire import DEADLINE_S, Wire

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")
import itertools

from tests.web_sock import WebSock

KINDS = ("rooms", "chat", "small", "naive", "race")
NOWHERE = ("127.0.0.1", 0)


# Tools


@pytest.fixture
def watch(serve):
    """Start a house: watch("naive", desk=True) -> it, and what it tells."""

    def watch(server="rooms", desk=False, **settings):
        house = serve(House, server=server, desk_address=NOWHERE if desk else None, **settings)
        return house, Told(house.gate)

    return watch


class Told:
    """All events of a gate, from its first."""

    def __init__(self, gate):
        self.gate = gate
        with gate.moment:
            self.all = gate.events()
            gate.listeners.append(self.all.append)

    def until(self, kind, count=1, after=0, **facts):
        """Wait for the count-th event with these facts; return it."""

        def found():
            return [e for e in self.all[after:] if e["kind"] == kind and facts.items() <= e.items()]

        self.wait(lambda: len(found()) >= count, (kind, facts))
        return found()[count - 1]

    def wait(self, ready, why=""):
        """Wait until it holds, which an event changes, or who stands at a stop."""
        with self.gate.moment:
            assert self.gate.news.wait_for(ready, DEADLINE_S), (why, self.gate.waiting(), self.all[-10:])

    def stands(self, *threads):
        """Wait until just these threads stand at a stop, in this order."""
        self.wait(lambda: self.gate.waiting() == list(threads), threads)

    def step(self, thread):
        """Let a thread pass that stands at a stop, or will; wait until it has."""
        self.wait(lambda: thread in self.gate.waiting(), thread)
        place = next(place for place in self.gate._queue if place[0] == thread)
        self.gate.step(thread)
        self.wait(lambda: not any(other is place for other in self.gate._queue), thread)

    def walk(self, thread, until):
        """Let a thread pass again and again, until something is so."""
        while True:
            self.wait(lambda: until() or thread in self.gate.waiting(), thread)
            if until():
                return
            self.step(thread)

    def of(self, *kinds, **facts):
        return [e for e in self.all if e["kind"] in kinds and facts.items() <= e.items()]


def short(event):
    """Return what matters of an event, without numbers that nobody chose."""
    left_out = ("n", "t", "thread", "kernel", "bound")
    return {key: value for key, value in event.items() if key not in left_out}


def data_of(events):
    return "".join(event["data"] for event in events).encode("latin-1")


def next_of(buffer):
    """Return the next line of a buffer as an event has it, "too long", or None."""
    try:
        line = buffer.next_line()
    except LineTooLong:
        return "too long"
    return None if line is None else line.decode("latin-1")


def reference(data):
    """Return the lines in the data, and what is left over."""
    buffer = LineBuffer()
    buffer.feed(data)
    return list(iter(lambda: next_of(buffer), None)), bytes(buffer._rest).decode("latin-1")


def check_order(events, first=1):
    """Check what must be true of any events: their numbers, the lock, the outboxes, what comes before what."""
    assert [event["n"] for event in events] == list(range(first, first + len(events)))
    assert all(earlier["t"] <= later["t"] for earlier, later in itertools.pairwise(events))
    holder, queue, boxes, buffers = None, [], {}, {}
    for event in events:
        kind, lane = event["kind"], event["lane"]
        if kind == "lock":
            if event["holder"] is not None and event["holder"] != holder:
                assert holder is None, f"two hold the lock: {event}"
                assert event["holder"] in queue, f"got what it did not want: {event}"
                queue.remove(event["holder"])
            elif event["holder"] == holder:
                queue.append(event["queue"][-1])  # one more wants it
            assert event["queue"] == queue, event
            holder = event["holder"]
        elif kind == "put":
            boxes[lane] = boxes.get(lane, 0) + len(event["data"])
            assert event["queued"] + event["unsent"] == boxes[lane], event
        elif kind == "sent":
            boxes[lane] = boxes.get(lane, 0) - event["bytes"] - event.get("dropped", 0)
            assert event["queued"] + event["unsent"] == boxes[lane], event
        elif kind == "cut":
            boxes[lane] -= event["dropped"]
        elif kind == "chunk" and "dropped" not in event:
            buffer = buffers.setdefault(lane, LineBuffer())
            assert next_of(buffer) is None, f"a line was left: {event}"
            buffer.feed(event["data"].encode("latin-1"))
        elif kind == "kept":
            kept = len(buffers[lane]._lines), bytes(buffers[lane]._rest).decode("latin-1")
            assert (event["lines"], event["rest"]) == kept, event
        elif kind == "line":
            assert event.get("line", "too long") == next_of(buffers[lane]), event
    assert holder is None and not queue


@contextlib.contextmanager
def stands_still(house):
    """Keep the house's threads, and let them go at the end whatever happens."""
    house.gate.pause()
    try:
        yield
    finally:
        house.gate.set_rate(0)


# What is told


def test_a_message_is_told_from_the_chunk_to_the_kernel_and_nothing_else(watch, connect):
    house, told = watch("chat")
    alice, bob = connect(house, "alice"), connect(house, "bob")
    for number, wire in enumerate((alice, bob), 1):
        wire.ask(f"LOGIN {wire.name}", "OK ...")
        told.until("state", state="reads", lane=number, count=2)
    before = len(told.all)
    alice.send("MSG bob hello")
    bob.expect("MSG alice hello")
    alice.expect("OK")
    told.until("state", state="reads", lane=1, after=before)
    assert all(event["thread"] == "lane 1" for event in told.all[before:])
    events = [short(event) for event in told.all[before:]]
    sent = [event for event in events if event["kind"] == "sent"]
    assert sorted(sent, key=lambda event: event["lane"]) == [  # a set of outboxes is flushed: in any order
        {"kind": "sent", "lane": 1, "bytes": 3, "queued": 0, "unsent": 0},
        {"kind": "sent", "lane": 2, "bytes": 16, "queued": 0, "unsent": 0},
    ]
    assert [event for event in events if event["kind"] != "sent"] == [
        {"kind": "chunk", "lane": 1, "data": "MSG bob hello\n"},
        {"kind": "state", "lane": 1, "state": "works"},
        {"kind": "kept", "lane": 1, "lines": 1, "rest": ""},
        {"kind": "line", "lane": 1, "line": "MSG bob hello"},
        {"kind": "state", "lane": 1, "state": "wants"},
        {"kind": "lock", "lane": 1, "holder": None, "queue": [1]},
        {"kind": "lock", "lane": 1, "holder": 1, "queue": []},
        {"kind": "state", "lane": 1, "state": "holds"},
        {"kind": "request", "lane": 1, "verb": "MSG", "params": ["bob", "hello"]},
        {"kind": "put", "lane": 2, "by": 1, "data": "MSG alice hello\n", "queued": 16, "unsent": 0},
        {"kind": "reply", "lane": 1, "line": "OK"},
        {"kind": "put", "lane": 1, "by": 1, "data": "OK\n", "queued": 3, "unsent": 0},
        {"kind": "lock", "lane": 1, "holder": None, "queue": []},
        {"kind": "state", "lane": 1, "state": "works"},
        {"kind": "state", "lane": 1, "state": "reads"},
    ]
    assert events[-3:-1] == [
        event for event in events if event["kind"] == "sent"
    ]  # after the lock, before the next recv


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_visit_does_is_told_whatever_the_server(kind, watch, connect):
    house, told = watch(kind)
    alice, bob = (connect(house, name, sift=Chat.without_news) for name in ("alice", "bob"))
    told.until("connected", count=2)
    lanes = {
        wire.name: told.of("connected", peer="{}:{}".format(*wire.sock.getsockname()))[0]["lane"]
        for wire in (alice, bob)
    }
    for wire in (alice, bob):
        wire.ask(f"LOGIN {wire.name}", "OK ...")
    alice.ask("HOW are you", "ERR unknown-command ...")
    alice.send_cut(b"MSG bob h\xc3", b"\xa9\r\nMSG carol hello\n")
    alice.expect(*["OK", "ERR no-such-user ..."])
    while not bob.read_line().startswith("MSG alice "):
        pass
    heard = {}
    for wire in (alice, bob):
        wire.send_eof()
        heard[wire.name] = b"".join(wire.raw_lines) + wire.expect_eof()
    for lane in lanes.values():
        told.until("gone", lane=lane, why="EOF")
    check_order(told.all)
    said = data_of(told.of("chunk", lane=lanes["alice"]))
    assert said == "LOGIN alice\nHOW are you\nMSG bob hé\r\nMSG carol hello\n".encode()
    assert [event["line"] for event in told.of("line", lane=lanes["alice"])] == reference(said)[0]
    assert [event.get("verb", event.get("error")) for event in told.of("request", lane=lanes["alice"])] == [
        "LOGIN",
        "unknown-command",
        "MSG",
        "MSG",
    ]
    for wire in (alice, bob):
        assert data_of(told.of("put", lane=lanes[wire.name])) == heard[wire.name]
    assert [told.of("named", lane=lane)[0]["name"] for lane in lanes.values()] == ["alice", "bob"]
    assert not house.gate.lanes


ALPHABET = [
    "\r",
    "\n",
    "\r\n",
    "\xc3",
    "\xa9",
    "é",
    "x",
    " ",
    "LOGIN alice\n",
    "LOGIN bob\n",
    "MSG alice ",
    "MSG bob é\n",
    "ALL hi\n",
    "MSG BOB to be cut",
    "HELP\n",
    "y" * 600,
]
PIECES = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=6)), max_size=12)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_invented_and_nothing_is_missing_however_it_is_cut(kind, serve):
    house = serve(House, server=kind)
    told = Told(house.gate)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(PIECES, st.sampled_from([0, 10_000]))
    def check(pieces, rate):
        house.gate.set_rate(rate)
        before = len(told.all)
        with Wire(house.server_address) as left, Wire(house.server_address) as right:
            said = {left: b"", right: b""}
            for is_left, texts in pieces:
                wire = left if is_left else right
                data = "".join(texts).encode("latin-1")
                said[wire] += data
                wire.send(data)
            peers = {wire: "{}:{}".format(*wire.sock.getsockname()) for wire in said}
            heard = {}
            for wire in said:
                wire.send_eof()
            for wire in said:
                heard[wire] = wire.expect_eof()
            lanes = {wire: told.until("connected", after=before, peer=peer)["lane"] for wire, peer in peers.items()}
            for lane in lanes.values():
                told.until("gone", after=before, lane=lane)
        check_order(told.all[before:], before + 1)
        for wire, lane in lanes.items():
            assert data_of(told.of("chunk", lane=lane)) == said[wire]
            lines, rest = reference(said[wire])
            assert [event.get("line", "too long") for event in told.of("line", lane=lane)] == lines
            assert not said[wire] or rest in ("", told.of("kept", lane=lane)[-1]["rest"])
            assert data_of(told.of("put", lane=lane)) == heard[wire]
            assert sum(event["bytes"] for event in told.of("sent", lane=lane)) == len(heard[wire])

    check()


# Slow motion


def test_a_pause_keeps_a_thread_at_each_place_and_a_step_lets_it_go_to_the_next(watch, connect):
    house, told = watch("chat")
    alice = connect(house, "alice")
    told.until("state", state="reads")
    with stands_still(house):
        alice.send("HELP")
        places = []
        for _ in range(9):
            told.stands("lane 1")
            places.append(told.all[-1])
            told.step("lane 1")
        told.until("state", state="reads", count=2)
        assert [place["kind"] for place in places] == [
            "state",
            "kept",
            "line",
            "lock",
            "state",
            "request",
            "put",
            "state",
            "sent",
        ]
        assert [place["state"] for place in places if place["kind"] == "state"] == ["works", "holds", "works"]
        assert house.gate.waiting() == []
        alice.expect("OK ...")


def test_who_came_first_to_the_gate_passes_first_unless_another_is_called(watch, connect):
    house, told = watch("chat")
    wires = [connect(house) for _ in range(3)]
    told.until("state", state="reads", count=3)
    peers = ["{}:{}".format(*wire.sock.getsockname()) for wire in wires]
    threads = [f"lane {told.of('connected', peer=peer)[0]['lane']}" for peer in peers]
    with stands_still(house):
        for number, wire in enumerate(wires, 1):
            wire.send("HELP")
            told.stands(*threads[:number])
        house.obey({"do": "step"})
        told.stands(threads[1], threads[2], threads[0])
        house.obey({"do": "step", "thread": threads[2]})
        told.stands(threads[1], threads[0], threads[2])
    for wire in wires:
        wire.expect("OK ...")


def test_while_a_thread_stands_with_the_lock_others_come_and_want_it(watch, connect):
    house, told = watch("rooms")
    alice, bob = connect(house, "alice"), connect(house, "bob")
    told.until("state", state="reads", count=2)
    with stands_still(house):
        alice.send("HELP")
        first = told.until("chunk")["lane"]
        told.walk(f"lane {first}", lambda: told.of("lock", holder=first)[1:])
        carol = connect(house, "carol")  # the acceptor is never kept, but to be admitted takes the lock
        third = told.until("connected", count=3)["lane"]
        told.stands(f"lane {first}", f"lane {third}")
        bob.send("HELP")
        second = told.until("chunk", count=2)["lane"]
        told.stands(f"lane {first}", f"lane {third}", f"lane {second}")
        told.walk(f"lane {second}", lambda: told.of("lock", holder=first, queue=[third, second]))
        told.until("lock", holder=first, queue=[third, second])
    for wire in (alice, bob, carol):
        wire.fence()
    for wire in (alice, bob):
        wire.expect("OK ...")
    check_order(told.all)


@pytest.mark.parametrize("kind, answers", [("race", {"OK"}), ("naive", {"OK", "ERR"})])
def test_between_looking_and_taking_another_may_look_only_where_there_is_no_lock(kind, answers, watch, connect):
    house, told = watch(kind)
    wires = [connect(house) for _ in range(2)]
    told.until("state", state="reads", count=2)
    with stands_still(house):
        for number, wire in enumerate(wires, 1):
            wire.send("LOGIN alice")
            told.until("chunk", count=number)
        first, second = (event["thread"] for event in told.of("chunk"))
        told.walk(first, lambda: told.of("table", thread=first))
        told.walk(second, lambda: told.of("table" if kind == "race" else "lock", thread=second))
    assert {wire.read_line().split()[0] for wire in wires} == answers
    looks = [event["found"] for event in told.of("table", does="looks")]
    assert looks == ([False, False] if kind == "race" else [False, True])


def test_in_slow_motion_too_the_lines_of_a_chunk_are_one_turn(watch):
    house, told = watch("rooms")
    (alice,) = add(house, told, "alice")
    house.obey({"do": "rate", "rate": 500})  # ten stops take longer than the longest turn
    before = len(told.all)
    house.obey({"do": "glue", "lane": alice, "lines": [f"MSG alice {number}" for number in range(10)]})
    told.until("state", lane=alice, state="reads", after=before)
    assert len(told.of("line", lane=alice)) == 11
    assert [event["holder"] for event in told.all[before:] if event["kind"] == "lock"] == [None, alice, None]


def test_the_postman_gathers_what_comes_while_he_stands_at_the_door(watch, connect):
    house, told = watch("rooms")
    users = [connect(house, name) for name in ("alice", "bob", "carol", "dave")]
    for number, wire in enumerate(users):
        wire.ask(f"LOGIN {wire.name}", "OK ...")
        wire.read_line() if number else None  # USERS
        for other in users[:number]:
            other.expect(f"ONLINE {wire.name}")
    lanes = {event["name"]: event["lane"] for event in told.of("named")}
    for lane in lanes.values():
        told.until("state", state="reads", lane=lane, count=2)
    if told.of("postman", state="walks"):
        told.until("postman", state="sleeps", after=told.of("postman", state="walks")[-1]["n"])
    before = len(told.all)
    with stands_still(house):
        for wire in users[:3]:
            wire.send("ALL hello")
            lane = lanes[wire.name]
            told.walk(f"lane {lane}", lambda: told.of("state", state="reads", lane=lane)[-1]["n"] > before)
        assert told.of("postman", state="walks")[-1]["n"] > before
        assert not [event for event in told.all[before:] if event["kind"] == "sent"]
    dave = told.until("sent", lane=lanes["dave"], after=before)
    assert (dave["bytes"], dave["thread"]) == (len("ALL alice hello\nALL bob hello\nALL carol hello\n"), "postman")


# What goes wrong


def add(house, told, *names):
    """Let players log in, and wait until their threads wait in recv; return their lanes."""
    lanes = []
    for name in names:
        lanes.append(house.do({"do": "add", "name": name}))
        told.until("named", lane=lanes[-1], name=name)
        told.until("state", lane=lanes[-1], state="reads", count=2)
    return lanes


@pytest.mark.usefixtures("impatient")
def test_a_slow_consumer_is_cut_off_at_its_bound_and_nobody_waits_for_it(watch):
    house, told = watch("chat", max_pending_bytes=8192)
    mallory, alice = add(house, told, "mallory", "alice")
    house.obey({"do": "stop_reading", "lane": mallory})
    house.obey({"do": "flood", "lane": alice, "to": "mallory", "lines": 1000, "bytes": 100})
    cut = told.until("cut", lane=mallory)
    last = told.of("sent", "put", lane=mallory)
    before = [event for event in last if event["n"] < cut["n"]][-1]
    assert before["bound"] == 8192 < before["unsent"] and cut["dropped"] > 0
    assert told.of("drainer", lane=mallory)[0]["runs"]
    told.until("reply", lane=alice, line="ERR no-such-user nobody here has that name")
    house.obey({"do": "read_again", "lane": mallory})
    assert told.until("gone", lane=mallory)["why"].startswith("too slow")
    assert told.of("put", lane=mallory, last=True)[0]["data"].startswith("ERR too-slow")
    assert not told.of("state", lane=alice, state="sends")
    house.obey({"do": "half_close", "lane": alice})
    told.until("gone", lane=alice)
    check_order(told.all)
    assert [event["runs"] for event in told.of("drainer", lane=mallory)][:2] == [True, False]


def test_at_the_naive_server_all_wait_for_the_lock_while_its_holder_waits_for_a_reader(watch):
    house, told = watch("naive")
    mallory, alice, bob = add(house, told, "mallory", "alice", "bob")
    house.obey({"do": "stop_reading", "lane": mallory})
    house.obey({"do": "flood", "lane": alice, "to": "mallory", "lines": 1000, "bytes": 100})
    told.until("sent", lane=mallory, bytes=0)  # the kernel takes no more

    def frozen():
        hers, his = (house.gate.lanes[lane].last["state"] for lane in (alice, bob))
        return (hers["state"], hers.get("to"), his["state"]) == ("sends", mallory, "wants")

    answered = len(told.of("reply", lane=bob))
    while not frozen():
        house.obey({"do": "say", "lane": bob, "text": "MSG bob hello"})
        told.wait(lambda: frozen() or len(told.of("reply", lane=bob)) > answered)
        answered = len(told.of("reply", lane=bob))
    before = len(told.all)
    house.obey({"do": "read_again", "lane": mallory})
    told.until("reply", lane=bob, after=before)


def test_at_the_naive_server_the_lock_is_free_again_when_who_did_not_read_has_crashed(watch):
    house, told = watch("naive")
    mallory, alice = add(house, told, "mallory", "alice")
    house.obey({"do": "stop_reading", "lane": mallory})
    house.obey({"do": "flood", "lane": alice, "to": "mallory", "lines": 1000, "bytes": 100})
    told.until("sent", lane=mallory, bytes=0)
    house.obey({"do": "reset", "lane": mallory})
    told.until("gone", lane=mallory)
    # Her thread has ended with the send in which it waited; or it was between two, and is told that nobody is there.
    told.wait(
        lambda: (
            told.of("gone", lane=alice)
            or told.of("reply", lane=alice, line="ERR no-such-user nobody here has that name")
        )
    )
    (_bob,) = add(house, told, "bob")
    assert told.of("lock")[-1]["holder"] is None


def test_who_gets_no_thread_is_told_to_be_gone(watch, connect):
    house, told = watch("chat")

    def no_thread(*_):
        del house.server.start_thread
        raise RuntimeError("can't start new thread")

    house.server.start_thread = no_thread
    connect(house).expect("ERR server-full ...")
    assert told.until("gone", lane=1)["why"] == "can't start new thread"
    connect(house).fence()
    assert list(house.gate.lanes) == [2]


def test_what_is_put_after_the_end_is_told_as_dropped():
    near, far = socket.socketpair()
    with near, far:
        gate = Gate("chat")
        told, lane = Told(gate), gate.connect(("127.0.0.1", 4711))
        sock = TellingSocket(near, gate, lane)
        outbox = TellingOutbox(sock, Stream(sock), LineCodec(), 1000, b"")
        outbox.end(b"bye")
        outbox.put(b"too late\n")
        outbox.flush()
        assert far.recv(100) == b"bye\n"
        assert [event["bytes"] for event in told.of("sent")] == [4, 0]
        assert told.of("sent")[-1]["dropped"] == len(b"too late\n")
        check_order(told.all)


@pytest.mark.long
def test_the_small_servers_queue_and_its_writer_are_an_outbox_and_a_drainer(watch):
    house, told = watch("small")
    mallory, alice = add(house, told, "mallory", "alice")
    house.obey({"do": "stop_reading", "lane": mallory})
    house.obey({"do": "flood", "lane": alice, "to": "mallory", "lines": 300, "bytes": 100})
    full = told.until("put", lane=mallory, waiting=50)
    assert full["bound_lines"] == 50 and full["by"] == alice
    told.until("state", lane=alice, state="waits")
    told.until("gone", lane=mallory)  # cut off after a second of that
    house.obey({"do": "half_close", "lane": alice})
    told.until("gone", lane=alice)
    assert [event["runs"] for event in told.of("drainer", lane=alice)] == [True, False]
    check_order(told.all)


# Players


def test_what_a_player_sends_in_pieces_arrives_in_these_pieces(watch):
    house, told = watch("chat")
    (alice,) = add(house, told, "alice")

    def chunks(count, **command):
        before = len(told.all)
        house.obey({"lane": alice, **command})
        told.until("chunk", lane=alice, count=count, after=before)
        return [event["data"] for event in told.all[before:] if event["kind"] == "chunk"]

    assert chunks(6, do="bytewise", text="HELLO") == ["H", "E", "L", "L", "O", "\n"]
    assert chunks(2, do="cut_in_char", text="MSG alice né") == ["MSG alice n\xc3", "\xa9\n"]
    assert chunks(1, do="glue", lines=["HELP", "HELP", "HELP"]) == ["HELP\nHELP\nHELP\n"]
    assert chunks(3, do="send", data="MSG alice a\r\n", cuts=[3, 12]) == ["MSG", " alice a\r", "\n"]
    assert chunks(1, do="say", text="MSG alice hi é") == ["MSG alice hi \xc3\xa9\n"]
    assert "".join(chunks(1, do="flood", text="HELP", lines=20)).startswith("HELP\n")
    told.until("chunk", lane=alice)
    house.obey({"do": "half_close", "lane": alice})
    told.until("eof", lane=alice)
    assert told.until("gone", lane=alice)["why"] == "EOF"
    bob, silent = add(house, told, "bob")[0], house.do({"do": "silent"})
    house.obey({"do": "reset", "lane": bob})
    told.until("reset", lane=bob)
    assert told.until("gone", lane=bob)["why"] != "EOF"
    told.until("state", lane=silent, state="reads")
    assert not told.of("chunk", lane=silent)


@pytest.mark.parametrize(
    "command",
    [
        None,
        [],
        "pause",
        {},
        {"do": 1},
        {"do": "fly"},
        {"do": "say", "lane": 9, "text": "x"},
        {"do": "say", "text": "x"},
        {"do": "say", "lane": True},
        {"do": "rate", "rate": -1},
        {"do": "rate", "rate": "1"},
        {"do": "rate", "rate": float("nan")},
        {"do": "send", "lane": 1, "data": "€"},
        {"do": "send", "lane": 1, "data": "ab", "cuts": [0]},
        {"do": "add", "name": 7},
        {"do": "send", "lane": 1, "data": "ab", "cuts": "1"},
        {"do": "glue", "lane": 1, "lines": [1]},
        {"do": "say", "lane": 1, "text": "x" * 20_000},
        {"do": "cut_in_char", "lane": 1, "text": "x"},
        {"do": "flood", "lane": 1, "lines": 1e9},
        {"do": "server", "server": "best"},
        {"do": "scene", "scene": 99},
        {"do": "step", "thread": 3},
        {"do": [1]},
    ],
    ids=str,
)
def test_a_command_that_is_none_is_refused_and_does_nothing(command, watch):
    house, told = watch("chat")
    house.do({"do": "silent"})
    told.until("state", state="reads")
    before = len(told.all)
    with pytest.raises(ValueError):
        house.obey(command)
    assert len(told.all) == before and house.gate.mode == "runs"


def test_only_what_a_page_drives_can_be_driven(watch, connect):
    house, told = watch("chat")
    connect(house)
    assert not told.until("connected")["ours"]
    for do in PLAYS:
        with pytest.raises(ValueError, match="not played from here"):
            house.obey({"do": do, "lane": 1, "text": "x"})


@pytest.mark.long
def test_another_server_takes_the_port_and_the_numbers_go_on(watch, connect):
    house, told = watch("rooms")
    connect(house, "alice", sift=Chat.without_news).ask("LOGIN alice", "OK ...")
    for lane, kind in enumerate(("naive", "chat", "rooms"), 2):
        with stands_still(house):
            house.obey({"do": "server", "server": kind})
            assert told.all[-1]["kind"] in ("mode", "postman") and not house.gate.lanes
            told.until("mode", server=kind, mode="runs")
            wire = connect(house, "alice", sift=Chat.without_news)
            wire.ask("LOGIN alice", "OK ...")
            assert told.until("named", lane=lane)["name"] == "alice"
    assert [event["n"] for event in told.all] == list(range(1, len(told.all) + 1))


# The page's end


class Page:
    """A page that has opened its WebSocket, and what it got."""

    def __init__(self, house, **options):
        self.sock = WebSock(house.desk.server_address, **options)
        self.lists, self._rest = [], b""

    @property
    def events(self):
        return [event for events in self.lists for event in events]

    def tell(self, **command):
        self.sock.sendall(json.dumps(command).encode() + b"\n")

    def until(self, kind, **facts):
        """Read until there is such an event; return it."""
        while True:
            for event in self.events:
                if event["kind"] == kind and facts.items() <= event.items():
                    return event
            chunk = self.sock.recv(65536)
            assert chunk, f"the end, and no {kind}"
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self.lists += map(json.loads, lines)


@pytest.fixture
def page(watch):
    with contextlib.ExitStack() as stack:

        def page(house, **options):
            page = Page(house, **options)
            stack.callback(page.sock.close)
            return page

        yield page


def test_a_page_drives_users_and_gets_each_event_once_in_order(watch, page):
    house, told = watch("rooms", desk=True)
    mine = page(house, origin="http://{}:{}".format(*house.desk.server_address))
    mine.until("mode", mode="runs", server="rooms", present=True)
    mine.tell(do="add", name="alice")
    lane = mine.until("named", name="alice")["lane"]
    mine.tell(do="say", lane=lane, text="MSG alice <b>hé</b>")
    mine.until("put", lane=lane, data="MSG alice <b>h\xc3\xa9</b>\n")
    mine.tell(do="half_close", lane=lane)
    mine.until("gone", lane=lane)
    mine.tell(do="fly")
    assert mine.until("refused")["text"] == "there is no command 'fly'"
    events = [event for event in mine.events if not event.get("present") and event["kind"] != "refused"]
    assert [event["n"] for event in events] == list(range(events[0]["n"], events[-1]["n"] + 1))
    assert events[0]["kind"] == "skipped" and events[1:] == told.all[events[0]["n"] : events[-1]["n"]]


def test_a_page_that_comes_later_gets_what_is_so_now(watch, page):
    house, told = watch("chat", desk=True)
    alice, bob = add(house, told, "alice", "bob")
    with stands_still(house):
        house.obey({"do": "say", "lane": alice, "text": "MSG bob hello"})
        told.walk(f"lane {alice}", lambda: told.of("put", lane=bob, by=alice))
        late = page(house)
        late.until("skipped")
        (first,) = late.lists
        assert first[0]["count"] == first[0]["n"] == len(told.all)
        assert all(event["present"] and event["n"] == len(told.all) for event in first[1:])
        now = {(event["kind"], event["lane"]): event for event in first[1:]}
        assert now["mode", None]["mode"] == "paused"
        assert now["lock", alice]["holder"] == alice
        assert (now["named", alice]["name"], now["named", bob]["name"]) == ("alice", "bob")
        assert (now["state", alice]["state"], now["state", bob]["state"]) == ("holds", "reads")
        assert now["sent", bob]["queued"] == len("MSG alice hello\n") and now["sent", alice]["queued"] == 0
        late.tell(do="step")
        assert late.until("reply", lane=alice)["n"] == len(told.all) - 1  # and its put


def test_a_page_that_cannot_keep_up_is_told_how_much_it_misses_and_what_is_so_now():
    gate = Gate("chat")
    lane = gate.connect(("127.0.0.1", 4711))
    with gate.moment:
        for number in range(MAX_EVENTS):
            gate.tell("line", lane, line=str(number))
        events = DeskHandler.list_from(gate, 2, False)
        assert [event["n"] for event in events] == list(range(3, MAX_EVENTS + 3))
        gate.tell("named", lane, name="alice")
        skipped, *present = DeskHandler.list_from(gate, 2, False)
        assert (skipped["kind"], skipped["count"], skipped["n"]) == ("skipped", MAX_EVENTS + 1, MAX_EVENTS + 3)
        assert {event["kind"] for event in present} == {"mode", "connected", "named", "sent"}
        for _ in range(2 * KEPT_EVENTS):
            gate.tell("line", lane, line="")
        assert len(gate.events()) == KEPT_EVENTS and gate.events()[-1]["n"] == gate.count
        assert [event["n"] for event in gate.events(gate.count - 2)] == [gate.count - 1, gate.count]


def test_a_page_from_elsewhere_and_a_host_of_another_name_are_refused(watch):
    house, _ = watch("chat", desk=True)
    with pytest.raises(ConnectionError, match="403"):
        Page(house, origin="http://evil.example")
    with Wire(house.desk.server_address) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert wire.read_to_eof().startswith(b"HTTP/1.1 421 ")


@pytest.mark.long
def test_with_two_hundred_users_talking_a_page_gets_bounded_lists_that_end_with_the_truth(watch, page):
    house, told = watch("rooms", desk=True)
    mine = page(house)
    counts, all_said = collections.Counter(), threading.Event()
    house.gate.listeners.remove(told.all.append)  # it would be the slowest part of it

    def count(event):
        counts[event["kind"]] += 1
        if counts["named"] == 200 and counts["reply"] == 200 * 3:
            all_said.set()

    house.gate.listeners.append(count)
    for number in range(200):
        lane = house.do({"do": "add", "name": f"user{number}"})
        house.obey({"do": "flood", "lane": lane, "text": "ALL hello", "lines": 2})
    assert all_said.wait(6 * DEADLINE_S)
    house.obey({"do": "add", "name": "last"})
    last = mine.until("named", name="last")
    assert len(mine.lists) < 60 * last["t"] + 60
    assert max(len(events) for events in mine.lists) < 200 * 8 + 20
    n = 0
    for event in mine.events:
        if event.get("present") or event["kind"] == "refused":
            assert event.get("n", n) == n
        else:
            assert event["n"] == n + event.get("count", 1)
            n = event["n"]


# From outside


@pytest.mark.long
def test_ctrl_c_ends_all_even_when_it_stands_still():
    command = [sys.executable, ROOT / "extras/glass/server.py", "--port=0", "--web-port=0", "--pause"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            web = process.stdout.readline()
            assert web.startswith("open http://127.0.0.1:")
            page = WebSock(("127.0.0.1", int(web.rpartition(":")[2])))
            with Wire(("127.0.0.1", port)) as wire:
                wire.send("HELP")
                while b'"wants"' not in page.recv(65536):
                    pass
                process.send_signal(signal.SIGINT)
                assert process.wait(DEADLINE_S) == 0
            page.close()
            assert process.stderr.read() == "stopping\n"
        finally:
            process.kill()


def test_a_scene_can_be_given_up_at_any_moment_and_no_other_begins_once_all_of_it_stops(watch):
    house, told = watch("chat")
    for scene in (1, 5, 2):  # a scene that is under way is given up
        house.obey({"do": "scene", "scene": scene})
    told.until("scene", scene=2, step=1, done=False)
    told.until("connected", ours=True)
    house.stop()
    with pytest.raises(ValueError, match="stops"):
        house.obey({"do": "scene", "scene": 1})
    with pytest.raises(ValueError, match="stops"):
        house.obey({"do": "next"})
    assert not [thread for thread in threading.enumerate() if thread.name == "director"]


@pytest.mark.parametrize("kind", ["rooms", "small"])
def test_a_house_that_has_not_begun_to_serve_can_stop_too(kind):
    before = threading.active_count()
    house = House(NOWHERE, kind, NOWHERE)
    house.stop()
    house.serve_forever()  # comes back
    assert threading.active_count() == before


def test_what_cannot_be_done_in_a_scene_is_told_and_ends_no_thread(watch):
    house, told = watch("chat")
    house.director._do({"do": "say", "lane": 7, "text": "hello"})
    assert told.until("refused")["text"] == "lane 7 is not played from here"


def test_the_glass_leaves_the_classes_that_it_watches_as_they_were(watch, connect):
    watched = (
        RoomsServer,
        RoomsHandler,
        FanOutConnection,
        Connection,
        Outbox,
        Postman,
        Registry,
        LineBuffer,
        socket.socket,
    )
    before = [dict(vars(each)) for each in watched]
    modules = set(sys.modules)
    for kind in KINDS:
        house, _ = watch(kind)
        connect(house, sift=Chat.without_news).ask("LOGIN alice", "OK ...")
    assert [dict(vars(each)) for each in watched] == before
    assert not {"framing", "protocol", "line_server"} & (set(sys.modules) - modules)


@pytest.mark.long
def test_a_system_that_cannot_do_it_is_told_so_in_one_line():
    program = """if True:
        import runpy, select, socket, sys
        sys.modules["fcntl"] = sys.modules["termios"] = None
        del select.poll, socket.MSG_DONTWAIT
        sys.argv = ["server.py"]
        runpy.run_path(PATH, run_name="__main__")
    """.replace("PATH", repr(str(ROOT / "extras/glass/server.py")))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=6 * DEADLINE_S)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("the glass needs Linux or macOS") and done.stderr.count("\n") == 1
