"""Rooms: who is in a room hears what is said in it, once, in one order, and nobody else does."""

import contextlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from extras.rooms.client import RoomsCommands
from extras.rooms.hub import MAX_ROOMS
from extras.rooms.naive_server import ForgetfulServer
from extras.rooms.server import RoomsServer
from step6_client.chat_client import Event, Reply
from tests.conftest import running
from tests.crowd import (
    Walkon, eager_threads, follow, log_in, reset, talk, without_lock)
from tests.wire import Wire

TALKERS = [f"talker{n}" for n in range(12)]


@pytest.fixture
def server(serve):
    return serve(RoomsServer)


# One at a time


def test_a_message_reaches_the_others_in_the_room_and_nobody_else(connect, server):
    alice, bob, carol = log_in(connect, server, "alice", "bob", "carol")
    assert alice.request("JOIN tea") == ("OK", ["MEMBERS tea alice"])
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS tea alice bob"])
    assert alice.request("SAY tea  hello  there ") == ("OK", ["JOINED tea bob"])
    assert bob.read_line() == "SAY tea alice  hello  there "
    assert alice.request("HELP").events == carol.request("HELP").events == []


def test_a_room_is_shown_as_its_first_member_typed_it(connect, server):
    alice, bob = log_in(connect, server, "alice", "bob")
    alice.request("JOIN Tea")
    assert bob.request("JOIN tEA").events == ["MEMBERS Tea alice bob"]
    assert bob.request("SAY TEA hello").reply == "OK"
    assert bob.request("LEAVE tea").reply == "OK"
    assert alice.request("ROOMS").events == [
        "JOINED Tea bob", "SAY Tea bob hello", "LEFT Tea bob", "ROOM Tea 1"]
    alice.request("LEAVE TEA")
    assert bob.request("JOIN tEA").events == ["MEMBERS tEA bob"]  # a new room


def test_rooms_lists_the_rooms_that_have_members(connect, server):
    alice, bob = log_in(connect, server, "alice", "bob")
    assert alice.request("ROOMS") == ("OK 0 rooms", [])
    for room in ("tea", "coffee"):
        alice.request(f"JOIN {room}")
    bob.request("JOIN coffee")
    reply, events = bob.request("ROOMS")
    assert events == ["ROOM tea 1", "ROOM coffee 2"]
    assert reply.split()[:2] == ["OK", "2"]
    alice.request("LEAVE tea")
    assert bob.request("ROOMS").events == ["ROOM coffee 2"]


MISTAKES = {
    "JOIN 1st": "bad-name",
    "JOIN " + "x" * 21: "bad-name",
    "JOIN": "bad-arguments",
    "JOIN tea coffee": "bad-arguments",
    "JOIN TEA": "already-joined",
    "LEAVE coffee": "not-in-room",
    "LEAVE nowhere": "not-in-room",
    "SAY coffee hello": "not-in-room",
    "SAY nowhere hello": "not-in-room",
    "SAY tea": "bad-arguments",
    "SAY tea  ": "bad-text",
    "SAY tea \x1b[2J": "bad-text",
    "ROOMS tea": "bad-arguments",
}


def test_a_mistake_gets_its_code_and_nobody_else_hears_of_it(connect, server):
    alice, bob = log_in(connect, server, "alice", "bob")
    bob.request("JOIN tea")
    bob.request("JOIN coffee")
    alice.request("JOIN tea")
    bob.request("HELP")
    codes = {line: alice.request(line).reply.split()[1] for line in MISTAKES}
    assert codes == MISTAKES
    assert alice.request("HELP").events == bob.request("HELP").events == []


def test_all_of_it_needs_a_login(connect, server):
    stranger = connect(server)
    for line in ("JOIN tea", "LEAVE tea", "SAY tea hello", "ROOMS"):
        assert stranger.request(line).reply.startswith("ERR not-logged-in")


@pytest.mark.parametrize("leave", [lambda wire: wire.send("LOGOUT"), Wire.close, reset])
def test_who_is_gone_has_left_her_rooms_once_and_then_the_server(connect, server, leave):
    alice, bob, carol = log_in(connect, server, "alice", "bob", "carol")
    for room in ("tea", "coffee", "empty"):
        bob.request(f"JOIN {room}")
    alice.request("JOIN tea")
    alice.request("JOIN coffee")
    leave(bob)
    assert [alice.read_line() for _ in range(3)] == ["LEFT tea bob", "LEFT coffee bob", "OFFLINE bob"]
    assert alice.request("ROOMS").events == ["ROOM tea 1", "ROOM coffee 1"]
    assert carol.request("HELP").events == ["OFFLINE bob"]


@pytest.mark.direct
def test_nobody_fills_the_memory_with_rooms(connect, server):
    (alice,) = log_in(connect, server, "alice")
    alice.send("".join(f"JOIN room{n}\n" for n in range(MAX_ROOMS)).encode())
    for n in range(MAX_ROOMS):
        assert alice.read_answer() == ("OK", [f"MEMBERS room{n} alice"])
    assert alice.request("JOIN onemore").reply.startswith("ERR too-many-rooms")
    reply, rooms = alice.request("ROOMS")
    assert reply.split()[:2] == ["OK", str(MAX_ROOMS)]
    assert rooms == [f"ROOM room{n} 1" for n in range(MAX_ROOMS)]
    alice.request("LEAVE room0")
    assert alice.request("JOIN onemore").reply == "OK"


@pytest.mark.direct
def test_members_of_a_room_with_five_thousand(connect, server):
    names = [f"somebody-number-{n}" for n in range(5000)]
    for name in names:
        server.registry.join("x" * 20, Walkon(name))
    (alice,) = log_in(connect, server, "alice")
    reply, events = alice.request("JOIN " + "x" * 20)
    assert reply == "OK"
    assert all(len(line) <= 1024 for line in events)
    assert [name for line in events for name in line.split()[2:]] == [*names, "alice"]


# Any sequence, against a model


class RoomsMachine(RuleBasedStateMachine):
    """Four users do anything, in any order; the model says what each of them must hear.

    The model is who is online, and who has joined what, both in order of arrival.
    """

    users = st.sampled_from(["Alice", "bob", "carol", "dave"])
    rooms = st.sampled_from(["tea", "Tea", "TEA", "coffee", "Coffee"])

    def __init__(self):
        super().__init__()
        self.server = self.enter(running(RoomsServer(("127.0.0.1", 0))))
        self.wires: dict[str, Wire] = {}
        self.joined: list[tuple[str, str]] = []  # room in lower case, user
        self.shown: dict[str, str] = {}  # room in lower case -> as its first member typed it

    def enter(self, context):
        self.stack = contextlib.ExitStack()
        return self.stack.enter_context(context)

    def teardown(self):
        for wire in self.wires.values():
            wire.close()
        self.stack.close()

    def members(self, room):
        return [user for key, user in self.joined if key == room.lower()]

    def tell(self, users, event):
        for user in users:
            assert self.wires[user].read_line() == event

    def part(self, key, user):
        self.joined.remove((key, user))
        self.tell(self.members(key), f"LEFT {self.shown[key]} {user}")

    @invariant()
    def nobody_hears_anything_else(self):
        for wire in self.wires.values():
            assert wire.request("HELP").events == []

    @rule(user=users)
    def log_in(self, user):
        wire = Wire(self.server.server_address)
        reply = wire.request(f"LOGIN {user}").reply
        if user in self.wires:
            assert reply.startswith("ERR name-taken")
            wire.close()
            return
        assert reply.startswith("OK")
        if self.wires:
            assert wire.read_line() == "USERS " + " ".join(self.wires)
        self.tell(self.wires, f"ONLINE {user}")
        self.wires[user] = wire

    @rule(user=users, how=st.sampled_from(["LOGOUT", "close", "reset"]))
    def go(self, user, how):
        if wire := self.wires.pop(user, None):
            if how == "LOGOUT":
                assert wire.request(how) == ("OK bye", [])
                assert wire.expect_eof() == b""
            reset(wire) if how == "reset" else wire.close()
            for key in [key for key, member in self.joined if member == user]:
                self.part(key, user)
            self.tell(self.wires, f"OFFLINE {user}")

    @rule(user=users, room=rooms)
    def join(self, user, room):
        if wire := self.wires.get(user):
            reply, events = wire.request(f"JOIN {room}")
            if user in self.members(room):
                assert reply.startswith("ERR already-joined") and not events
                return
            others = self.members(room)
            if not others:
                self.shown[room.lower()] = room
            self.joined.append((room.lower(), user))
            name = self.shown[room.lower()]
            assert (reply, events) == ("OK", [" ".join(["MEMBERS", name, *others, user])])
            self.tell(others, f"JOINED {name} {user}")

    @rule(user=users, room=rooms)
    def leave(self, user, room):
        if wire := self.wires.get(user):
            reply = wire.request(f"LEAVE {room}").reply
            if user in self.members(room):
                assert reply == "OK"
                self.part(room.lower(), user)
            else:
                assert reply.startswith("ERR not-in-room")

    @rule(user=users, room=rooms)
    def say(self, user, room):
        if wire := self.wires.get(user):
            reply = wire.request(f"SAY {room} hello").reply
            if user in self.members(room):
                assert reply == "OK"
                others = [other for other in self.members(room) if other != user]
                self.tell(others, f"SAY {self.shown[room.lower()]} {user} hello")
            else:
                assert reply.startswith("ERR not-in-room")

    @rule(user=users)
    def look_around(self, user):
        if wire := self.wires.get(user):
            assert wire.request("WHO").events == ["USERS " + " ".join(self.wires)]
            assert sorted(wire.request("ROOMS").events) == sorted(
                f"ROOM {self.shown[key]} {len(self.members(key))}"
                for key in {key for key, _ in self.joined}
            )


TestRooms = RoomsMachine.TestCase
TestRooms.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


# Many at once


def orders_agree(connect, server) -> bool:
    """Let twelve talk in one room; tell whether all heard one order (each without her own)."""
    wires = log_in(connect, server, *TALKERS, "listener")
    for wire in wires:
        wire.request("JOIN tea")
    for wire in wires:
        wire.request("HELP")
    lines_of = [[f"SAY tea {n}" for n in range(150)] for _ in TALKERS] + [[]]
    with eager_threads():
        *heard_by, heard_by_listener = talk(wires, lines_of)
    for wire in wires:
        wire.close()
    assert all(len(heard) == 11 * 150 for heard in heard_by)
    return all(
        heard == [event for event in heard_by_listener if event.split()[2] != name]
        for name, heard in zip(TALKERS, heard_by)
    )


@pytest.mark.direct
def test_twelve_users_hear_150_messages_of_each_other_in_one_order(connect, server):
    assert orders_agree(connect, server)


@pytest.mark.direct
def test_without_the_lock_the_orders_differ(connect, serve):
    # Ten tries, since a race need not show each time; one is enough nearly always.
    assert not all(orders_agree(connect, serve(without_lock(RoomsServer))) for _ in range(10))


def all_agree(connect, server) -> bool:
    """Let thirty come and go in a room, all at once; tell whether nothing contradicts.

    Every second one stays at the end, and all who stay must know who does.
    """
    names = [f"user{n}" for n in range(30)]
    wires = log_in(connect, server, *names)
    come_and_go = b"JOIN tea\nLEAVE tea\n" * 5 + b"JOIN tea\n"
    with eager_threads():
        for n, wire in enumerate(wires):
            wire.send(come_and_go + (b"LOGOUT\n" if n % 2 else b"LEAVE none\n"))
        heard_by = [read_to_the_end(wire) for wire in wires]
    for heard, wire in zip(heard_by[::2], wires[::2]):
        heard += wire.request("HELP").events
    (late,) = log_in(connect, server, "late")
    truth = set(late.request("JOIN tea").events[0].split()[2:]) - {"late"}
    for wire in (*wires, late):
        wire.close()
    for name, heard in zip(names, heard_by):
        here, wrong = follow(heard, name, "MEMBERS", "JOINED", "LEFT")
        here.discard("tea")  # MEMBERS names the room first
        if wrong or name in truth and here != truth - {name}:
            return False
    return truth == set(names[::2])


def read_to_the_end(wire: Wire) -> list[str]:
    """Return all lines up to the answer to LOGOUT or `LEAVE none`."""
    lines = []
    while not lines or lines[-1].split()[:2] not in (["OK", "bye"], ["ERR", "not-in-room"]):
        lines.append(wire.read_line())
    return lines


@pytest.mark.direct
def test_no_list_contradicts_who_is_told_to_come_and_go(connect, serve):
    for _ in range(3):
        assert all_agree(connect, serve(RoomsServer))


@pytest.mark.direct
def test_without_the_lock_they_contradict(connect, serve):
    with pytest.raises((AssertionError, EOFError)):  # EOF: a handler saw a dict change under it
        for _ in range(10):
            assert all_agree(connect, serve(without_lock(RoomsServer)))


def test_in_the_naive_servers_rooms_a_ghost_remains(connect, serve):
    alice, bob, carol = log_in(connect, serve(ForgetfulServer), "alice", "bob", "carol")
    alice.request("JOIN tea")
    alice.close()
    assert bob.read_line() == "OFFLINE alice"
    assert bob.request("JOIN tea").events == ["MEMBERS tea alice bob"]
    assert carol.request("ROOMS").events[-1] == "ROOM tea 2"


# The client


@pytest.fixture
def commands():
    commands = RoomsCommands()
    commands.heed(Reply("LOGIN alice", True, "", "welcome"))
    return commands


def sent(commands, *typed):
    return [commands.parse_input(line).send for line in typed]


def test_plain_text_goes_to_the_room_that_she_is_in(commands):
    assert sent(commands, "/join tea", "hello", "/join coffee", "hello") == [
        "JOIN tea", "SAY tea hello", "JOIN coffee", "SAY coffee hello"]
    assert commands.prompt == "coffee> "
    assert sent(commands, "/leave", "hello", "/join TEA", "/leave tea") == [
        "LEAVE coffee", "SAY tea hello", "JOIN TEA", "LEAVE tea"]
    assert commands.parse_input("hello").show.startswith("! to whom?")
    assert commands.parse_input("/leave").show.startswith("! you are in no room")


def test_join_goes_back_to_a_room_and_not_into_one_that_refuses(commands):
    sent(commands, "/join tea", "/msg bob psst")
    assert sent(commands, "more", "/join Tea") == ["MSG bob more", "JOIN Tea"]
    commands.heed(Reply("JOIN Tea", False, "already-joined", "you are in this room"))
    assert sent(commands, "hello", "/join 1st") == ["SAY Tea hello", "JOIN 1st"]
    commands.heed(Reply("JOIN 1st", False, "bad-name", "a letter first"))
    assert sent(commands, "hello", "/leave") == ["SAY Tea hello", "LEAVE Tea"]


def test_rooms_before_the_login_change_nothing():
    commands = RoomsCommands()
    assert sent(commands, "/join tea", "/leave tea", "alice") == ["JOIN tea", "LEAVE tea", "LOGIN alice"]


def test_leaving_a_room_does_not_end_a_private_talk(commands):
    assert sent(commands, "/join tea", "/msg bob psst", "/leave", "more") == [
        "JOIN tea", "MSG bob psst", "LEAVE tea", "MSG bob more"]


@pytest.mark.parametrize(
    "line, shown",
    [
        ("MEMBERS tea alice bob", "[tea] in here: alice bob"),
        ("JOINED tea bob", "[tea] bob has come in"),
        ("SAY tea bob hello  there", "[tea] bob: hello  there"),
        ("LEFT tea bob", "[tea] bob has left"),
        ("ROOM tea 2", "[tea] members: 2"),
        ("ONLINE bob", "bob is online"),
    ],
)
def test_events_are_shown_in_words(commands, line, shown):
    assert commands.render(Event(line)) == shown
