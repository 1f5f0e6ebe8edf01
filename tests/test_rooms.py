"""Rooms: the users in a room get its messages once and in one order, and nobody else does."""

import contextlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from extras.broadcast.fan_out import FanOutConnection, put_to
from extras.broadcast.hub import Audience
from extras.broadcast.turns import TurnHandler
from extras.rooms.client import RoomsCommands
from extras.rooms.hub import MAX_ROOMS, RoomHub
from extras.rooms.naive_server import ForgetfulServer
from extras.rooms.server import RoomsHandler, RoomsServer
from step6_client.chat_client import Event, Reply
from tests import lesson
from tests.crowd import Walkon, follow, log_in, talk, without_lock
from tests.dialects import eventually
from tests.interleave import explore
from tests.servers import Chat, running
from tests.stage import Stage
from tests.wire import Wire

pytestmark = pytest.mark.any_network

TALKERS = [f"talker{n}" for n in range(12)]


@pytest.fixture
def server(serve):
    return serve(RoomsServer)


@pytest.fixture
def chat(server, connect):
    return new_chat(server, connect)


def new_chat(server, connect):
    chat = Chat(server, connect)
    chat._sift = lambda line: chat.without_news(chat.with_our_news(line))
    return chat


# One at a time


def expect_members(wire, room, *members):
    """Read MEMBERS lines, and then the OK; they must name just these members, in any order."""
    reply, events = wire.read_answer()
    listed = [
        word for line in events for word in line.split()[2:] if line.lower().startswith(f"members {room.lower()} ")
    ]
    told_of_herself = any(line.startswith("JOINED ") and line.endswith(f" {wire.name}") for line in events)
    if told_of_herself or sorted(listed) != sorted(member.name for member in members) or reply.split()[0] != "OK":
        raise wire.lesson(
            " ".join(["MEMBERS", room, *(member.name for member in members)]) + ", then OK",
            ", then ".join([*events, reply]),
        )


@lesson.rule(
    "JOIN gets the members, oneself too, then OK; the other members get JOINED",
    lesson.VERBS,
    hint="In one step: add the user, list the members, tell the others.",
)
def test_who_joins_gets_the_members_and_they_hear_of_it(chat):
    (alice, bob, carol), tea = (chat.login(name) for name in ("alice", "bob", "carol")), chat.name("tea")
    for wire, there in ((alice, [alice]), (bob, [alice, bob])):
        wire.send(f"JOIN {tea}")
        expect_members(wire, tea, *there)
    alice.expect(f"JOINED {tea} {bob.name}")
    for wire in (alice, bob, carol):
        wire.fence()


@lesson.rule(
    "SAY reaches the other members of the room, and nobody else",
    lesson.VERBS,
    hint="SAY <room> <sender> <text> to each member but the sender; the text with all its spaces.",
)
def test_a_message_reaches_the_others_in_the_room_and_nobody_else(chat):
    (alice, bob, carol), tea = (chat.login(name) for name in ("alice", "bob", "carol")), chat.name("tea")
    for wire in (alice, bob):
        assert wire.request(f"JOIN {tea}").reply.startswith("OK"), "JOIN gets OK"
    alice.expect(f"JOINED {tea} {bob.name}")
    alice.ask(f"SAY {tea}  hello  there ", "OK ...")
    bob.expect(f"SAY {tea} {alice.name}  hello  there ")
    carol.ask(f"SAY {tea} hello", "ERR not-in-room ...")
    for wire in (alice, bob, carol):
        wire.fence()


@lesson.rule(
    "LEAVE gets OK, the members who stay get LEFT, and the one who has left gets nothing more",
    lesson.VERBS,
    hint="In one step: take the user out of the room, and tell those who are still in it.",
)
def test_who_leaves_a_room_hears_no_more(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    tea = chat.name("tea")
    for wire in (alice, bob):
        assert wire.request(f"JOIN {tea}").reply.startswith("OK"), "JOIN gets OK"
    alice.expect(f"JOINED {tea} {bob.name}")
    bob.ask(f"LEAVE {tea}", "OK ...")
    alice.expect(f"LEFT {tea} {bob.name}")
    alice.ask(f"SAY {tea} hello", "OK ...")
    bob.ask(f"LEAVE {tea}", "ERR not-in-room ...")
    bob.fence()
    alice.fence()


@lesson.rule(
    "a room is found in upper or lower case, as a user is",
    lesson.VERBS,
    hint="Keep rooms by the lower-case form of their names.",
)
def test_a_room_is_found_in_any_case(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    tea = chat.name("tea")
    alice.send(f"JOIN {tea}")
    expect_members(alice, tea, alice)
    bob.send(f"JOIN {tea.upper()}")
    expect_members(bob, tea, alice, bob)
    bob.ask(f"JOIN {tea}", "ERR already-joined ...")


def test_a_room_is_shown_as_its_first_member_typed_it(connect, server):
    alice, bob = log_in(connect, server, "alice", "bob")
    alice.request("JOIN Tea")
    assert bob.request("JOIN tEA").events == ["MEMBERS Tea alice bob"]
    assert bob.request("SAY TEA hello").reply == "OK"
    assert bob.request("LEAVE tea").reply == "OK"
    assert alice.request("ROOMS").events == ["JOINED Tea bob", "SAY Tea bob hello", "LEFT Tea bob", "ROOM Tea 1"]
    alice.request("LEAVE TEA")
    assert bob.request("JOIN tEA").events == ["MEMBERS tEA bob"]  # a new room


@lesson.rule(
    "ROOMS lists the rooms that have members, with how many, then OK and their count",
    lesson.VERBS,
    hint="A room exists while it has members: when the last one leaves, forget it.",
)
def test_rooms_lists_the_rooms_that_have_members(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    tea, coffee = chat.name("tea"), chat.name("coffee")
    alice.send(f"JOIN {tea}\nJOIN {coffee}\n".encode())
    expect_members(alice, tea, alice)
    expect_members(alice, coffee, alice)
    bob.send(f"JOIN {coffee}")
    expect_members(bob, coffee, alice, bob)
    expect_rooms(bob, f"ROOM {tea} 1", f"ROOM {coffee} 2")
    alice.ask(f"JOIN {tea}", f"JOINED {coffee} {bob.name}", "ERR already-joined ...")
    alice.ask(f"LEAVE {tea}", "OK ...")
    expect_rooms(bob, f"ROOM {coffee} 2")


def expect_rooms(wire, *rooms):
    start = len(wire.raw_lines)
    reply, events = wire.request("ROOMS")
    if sorted(events) != sorted(rooms):
        raise wire.lesson(" and ".join(rooms), " and ".join(events) or "no rooms")
    count = sum(line.startswith(b"ROOM ") for line in wire.raw_lines[start:])
    if reply.split()[:2] != ["OK", str(count)]:
        raise wire.lesson(f"OK {count} ...", reply)


MISTAKES = {
    "JOIN 1st": "ERR bad-name ...",
    "JOIN " + "x" * 21: "ERR bad-name ...",
    "JOIN": "ERR bad-arguments ...",
    "JOIN {tea} {coffee}": "ERR bad-arguments ... / ERR bad-name ...",
    "JOIN {tea}": "ERR already-joined ...",
    "LEAVE {coffee}": "ERR not-in-room ...",
    "LEAVE nowhere": "ERR not-in-room ...",
    "SAY {coffee} hello": "ERR not-in-room ...",
    "SAY nowhere hello": "ERR not-in-room ...",
    "SAY {tea}": "ERR bad-arguments ...",
    "SAY {tea}   ": "ERR bad-text ... / ERR bad-arguments ...",
    "SAY {tea} \x1b[2J": "ERR bad-text ...",
    "ROOMS {tea}": "ERR bad-arguments ...",
}


@lesson.rule(
    "a mistake with rooms gets its code, and nobody else hears of it",
    lesson.VERBS,
    hint="Check first, then change, then tell the others: a request that is refused must change nothing.",
)
def test_a_mistake_gets_its_code_and_nobody_else_hears_of_it(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    rooms = {name: chat.name(name) for name in ("tea", "coffee")}
    for wire, line in ((bob, "JOIN {tea}"), (bob, "JOIN {coffee}"), (alice, "JOIN {tea}")):
        assert wire.request(line.format(**rooms)).reply.startswith("OK"), "JOIN gets OK"
    bob.expect(f"JOINED {rooms['tea']} {alice.name}")
    for line, codes in MISTAKES.items():
        alice.ask(line.format(**rooms), codes)
    alice.fence()
    bob.fence()


@lesson.rule(
    "rooms need a login", lesson.VERBS, hint="Check whether the connection has a name before you do what the line says."
)
def test_all_of_it_needs_a_login(chat):
    stranger = chat.connect("stranger")
    for line in ("JOIN tea", "LEAVE tea", "SAY tea hello", "ROOMS"):
        stranger.ask(line, "ERR not-logged-in ...")


@lesson.rule(
    "a user who goes, in whatever way, leaves each of her rooms once",
    lesson.VERBS,
    hint="Leave the rooms in one place, which is reached however the connection ends, and loop over a copy "
    "of the list.",
)
@pytest.mark.parametrize(
    "leave", [lambda wire: wire.send("LOGOUT"), Wire.close, Wire.reset], ids=["LOGOUT", "close", "reset"]
)
def test_who_is_gone_has_left_her_rooms_once(chat, leave):
    (alice, bob, carol) = (chat.login(name) for name in ("alice", "bob", "carol"))
    tea, coffee, empty = (chat.name(room) for room in ("tea", "coffee", "empty"))
    for room in (tea, coffee, empty):
        assert bob.request(f"JOIN {room}").reply.startswith("OK"), "JOIN gets OK"
    for room in (tea, coffee):
        alice.send(f"JOIN {room}")
        expect_members(alice, room, alice, bob)
    leave(bob)
    alice.expect_in_any_order(f"LEFT {tea} {bob.name}", f"LEFT {coffee} {bob.name}")
    alice.fence()
    carol.fence()
    expect_rooms(alice, f"ROOM {tea} 1", f"ROOM {coffee} 1")


@pytest.mark.parametrize("leave", [lambda wire: wire.send("LOGOUT"), Wire.close, Wire.reset])
def test_our_server_says_left_before_offline(connect, server, leave):
    alice, bob, carol = log_in(connect, server, "alice", "bob", "carol")
    for room in ("tea", "coffee"):
        bob.request(f"JOIN {room}")
        alice.request(f"JOIN {room}")
    leave(bob)
    assert [alice.read_line() for _ in range(3)] == ["LEFT tea bob", "LEFT coffee bob", "OFFLINE bob"]
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
    """Four users do anything, in any order; the model says what each of them must get.

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
            wire.reset() if how == "reset" else wire.close()
            # If nobody is left to be told, nobody can tell us when the server has noticed it.
            eventually(lambda: self.server.registry.get(user) is None, "the name is free")
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
                f"ROOM {self.shown[key]} {len(self.members(key))}" for key in {key for key, _ in self.joined}
            )


TestRooms = RoomsMachine.TestCase
TestRooms.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


# Many at once


@pytest.mark.direct
@lesson.rule(
    "all members of a room get its messages in the same order",
    lesson.VERBS,
    hint="Put one message into all members' queues in one step, so that no other thread's message comes in between.",
    race=True,
)
def test_twelve_users_hear_150_messages_of_each_other_in_one_order(chat):
    """Each hears the others (not herself) in the order that the listener hears."""
    wires, tea = [chat.login(name) for name in (*TALKERS, "listener")], chat.name("tea")
    for wire in wires:
        wire.request(f"JOIN {tea}")
    for wire in wires:
        wire.request("HELP")
    lines_of = [[f"SAY {tea} {n}" for n in range(150)] for _ in TALKERS] + [[]]
    *heard_by, heard_by_listener = talk(wires, lines_of)
    assert all(len(heard) == 11 * 150 for heard in heard_by), "somebody heard too much or too little"
    for wire, heard in zip(wires, heard_by):
        expected = [event for event in heard_by_listener if event.split()[2] != wire.name]
        assert heard == expected, "two members heard two messages in different orders"


def all_agree(connect, server) -> bool:
    """Let thirty come and go in a room, all at once; return whether nothing contradicts.

    Every second user stays at the end, and each of these must know who has stayed.
    """
    names = [f"user{n}" for n in range(30)]
    wires = log_in(connect, server, *names)
    come_and_go = b"JOIN tea\nLEAVE tea\n" * 5 + b"JOIN tea\n"
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


# Two at once, in all orders (see tests/interleave.py)


MEMBERS = ["bob", "carol", "dave", "erin"]


def at_once(server_class, check, **lines):
    """Let two say these lines; all but alice are in one room."""

    def scene():
        stage = Stage(server_class, "alice", *MEMBERS)
        for name in MEMBERS:
            stage.say(name, "JOIN tea")
        for user in stage.users.values():
            user.request.got = b""
        actors = {name: lambda name=name: stage.say(name, lines[name]) for name in lines}
        return actors, lambda saw: check(stage, saw)

    return explore(
        scene,
        TurnHandler.answer_lines,
        FanOutConnection.put_held,
        put_to,
        RoomsHandler,
        RoomHub.join,
        RoomHub.leave,
        Audience,
    )


def same_rooms(stage, saw):
    """Raises: AssertionError, if what somebody was told is not who is in the room then."""
    there = {member.name for room in stage.registry.rooms() for member in room.members}
    assert there == {"alice", "carol", "dave", "erin"}
    for name in sorted(there):
        before = ["MEMBERS " + " ".join(MEMBERS)] * (name != "alice")
        told = [line.replace("MEMBERS tea", "MEMBERS") for line in stage.heard(name)]
        here, wrong = follow([*before, *told], name, "MEMBERS", "JOINED", "LEFT")
        assert not wrong and here | {name} == there, f"{name} was told {stage.heard(name)}"


def test_whoever_comes_in_while_another_leaves_is_told_who_is_there():
    at_once(RoomsServer, same_rooms, alice="JOIN tea", bob="LEAVE tea")


def test_without_the_lock_she_is_told_of_a_ghost():
    with pytest.raises(AssertionError, match="was told"):
        at_once(without_lock(RoomsServer), same_rooms, alice="JOIN tea", bob="LEAVE tea")


def one_order(stage, saw):
    assert sorted(stage.heard("dave")) == ["SAY tea bob 1", "SAY tea carol 2"]
    assert stage.heard("dave") == stage.heard("erin"), "they heard different orders"


def test_two_who_talk_at_once_are_heard_in_one_order():
    at_once(RoomsServer, one_order, bob="SAY tea 1", carol="SAY tea 2")


def test_without_the_lock_the_orders_differ():
    with pytest.raises(AssertionError, match="they heard different orders"):
        at_once(without_lock(RoomsServer), one_order, bob="SAY tea 1", carol="SAY tea 2")


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
        "JOIN tea",
        "SAY tea hello",
        "JOIN coffee",
        "SAY coffee hello",
    ]
    assert commands.prompt == "coffee> "
    assert sent(commands, "/leave", "hello", "/join TEA", "/leave tea") == [
        "LEAVE coffee",
        "SAY tea hello",
        "JOIN TEA",
        "LEAVE tea",
    ]
    assert commands.parse_input("hello").show.startswith("! to whom?")
    assert commands.parse_input("/leave").show.startswith("! you are in no room")


def test_join_goes_back_to_a_room_and_what_was_for_one_that_refuses_goes_nowhere(commands):
    sent(commands, "/join tea", "/msg bob psst")
    assert sent(commands, "more", "/join Tea") == ["MSG bob more", "JOIN Tea"]
    commands.heed(Reply("JOIN Tea", False, "already-joined", "you are in this room"))
    assert sent(commands, "hello", "/join 1st") == ["SAY Tea hello", "JOIN 1st"]
    commands.heed(Reply("JOIN 1st", False, "bad-name", "a letter first"))
    assert commands.parse_input("hello").show.startswith("! to whom?"), "it was for the other room"
    assert sent(commands, "/join tea", "hello", "/leave") == ["JOIN tea", "SAY tea hello", "LEAVE tea"]


def test_rooms_before_the_login_change_nothing():
    commands = RoomsCommands()
    assert sent(commands, "/join tea", "/leave tea", "alice") == ["JOIN tea", "LEAVE tea", "LOGIN alice"]


def test_leaving_a_room_does_not_end_a_private_talk(commands):
    assert sent(commands, "/join tea", "/msg bob psst", "/leave", "more") == [
        "JOIN tea",
        "MSG bob psst",
        "LEAVE tea",
        "MSG bob more",
    ]


@pytest.mark.parametrize(
    "line, shown",
    [
        ("MEMBERS tea alice bob", "* [tea] in here: alice bob"),
        ("JOINED tea bob", "* [tea] bob has come in"),
        ("SAY tea bob hello  there", "[tea] bob: hello  there"),
        ("LEFT tea bob", "* [tea] bob has left"),
        ("ROOM tea 2", "* [tea] members: 2"),
        ("ONLINE bob", "* bob is online"),
    ],
)
def test_events_are_shown_in_words(commands, line, shown):
    assert commands.render(Event(line)) == shown


@pytest.mark.parametrize("imitation", ["MSG online alice", "ALL online alice", "SAY tea members 2"])
def test_what_the_server_tells_cannot_be_said_by_a_user(commands, imitation):
    """For any user name: the server's news begins with a star, and lines of users never do."""
    assert not commands.render(Event(imitation)).startswith("*")
    for told in (
        "USERS alice",
        "ONLINE bob",
        "OFFLINE bob",
        "MEMBERS tea bob",
        "JOINED tea bob",
        "LEFT tea bob",
        "ROOM tea 2",
    ):
        assert commands.render(Event(told)).startswith("* ")
