"""The glass: what it tells is what has happened, all of it, in one order; slow motion keeps the server's threads, and nobody else."""

import contextlib
import json
import os
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
from extras.rooms.server import RoomsHandler, RoomsServer
from step4_framing.framing import LineBuffer, LineTooLong
from step5_server.connection import Connection
from step5_server.outbox import Outbox
from step5_server.registry import Registry
from tests.chapter import ROOT, STEPS
from tests.conftest import Chat, running
from tests.wire import DEADLINE_S, Wire

web_sock = pytest.importorskip("tests.web_sock", reason="needs the library websockets", exc_type=ImportError)

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


def reference(data):
    """Return the lines in the data, "too long" for those that are; and what is left over."""
    buffer, lines = LineBuffer(), []
    buffer.feed(data)
    while True:
        try:
            line = buffer.next_line()
        except LineTooLong:
            lines.append("too long")
            continue
        if line is None:
            return lines, bytes(buffer._rest)
        lines.append(line)


def check_order(events, first=1):
    """Check what must be true of any events: their numbers, the lock, the outboxes, what comes before what."""
    assert [event["n"] for event in events] == list(range(first, first + len(events)))
    assert all(earlier["t"] <= later["t"] for earlier, later in zip(events, events[1:]))
    holder, queue, boxes, fed, lines = None, [], {}, {}, {}
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
        elif kind == "chunk":
            fed[lane] = fed.get(lane, "") + event["data"]
        elif kind == "kept" and not event["lines"]:
            assert event["rest"] == fed[lane].rpartition("\n")[2] or event["rest"] == "", event
        elif kind == "line":
            lines[lane] = lines.get(lane, 0) + 1
            assert lines[lane] <= fed[lane].count("\n") + ("too_long" in event), f"a line before its chunk: {event}"
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
    assert events[-3:-1] == [event for event in events if event["kind"] == "sent"]  # after the lock, before the next recv


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_visit_does_is_told_whatever_the_server(kind, watch, connect):
    house, told = watch(kind)
    alice, bob = (connect(house, name, sift=Chat.without_news) for name in ("alice", "bob"))
    told.until("connected", count=2)
    lanes = {wire.name: told.of("connected", peer="{}:{}".format(*wire.sock.getsockname()))[0]["lane"] for wire in (alice, bob)}
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
    told_lines = [event["line"].encode("latin-1") for event in told.of("line", lane=lanes["alice"])]
    assert told_lines == reference(said)[0]
    assert [event.get("verb", event.get("error")) for event in told.of("request", lane=lanes["alice"])] == [
        "LOGIN", "unknown-command", "MSG", "MSG"]
    for wire in (alice, bob):
        assert data_of(told.of("put", lane=lanes[wire.name])) == heard[wire.name]
    assert [told.of("named", lane=lane)[0]["name"] for lane in lanes.values()] == ["alice", "bob"]
    assert not house.gate.lanes


ALPHABET = ["\r", "\n", "\r\n", "\xc3", "\xa9", "é", "x", " ", "LOGIN alice\n", "LOGIN bob\n", "MSG alice ", "MSG bob é\n",
            "ALL hi\n", "MSG BOB to be cut", "HELP\n", "y" * 600]
PIECES = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=6)), max_size=12)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_invented_and_nothing_is_missing_however_it_is_cut(kind, serve):
    house = serve(House, server=kind)
    told = Told(house.gate)

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
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
            told_lines = ["too long" if "too_long" in event else event["line"].encode("latin-1")
                          for event in told.of("line", lane=lane)]
            assert told_lines == lines
            if said[wire]:
                assert told.of("kept", lane=lane)[-1]["rest"].encode("latin-1") == rest
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
            "state", "kept", "line", "lock", "state", "request", "put", "state", "sent"]
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
    house.stop()
    check_order(told.all)


@pytest.mark.parametrize("kind, answers", [("race", {"OK", "OK"}), ("naive", {"OK", "ERR"})])
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
