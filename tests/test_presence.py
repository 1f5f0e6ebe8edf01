"""Presence: what it says about who is here is true, however many come and go at once."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extras.broadcast.turns import TurnHandler
from extras.presence import naive_server
from extras.presence.client import PresenceCommands
from extras.presence.listing import list_lines
from extras.presence.server import PresenceHandler, PresenceServer
from step6_client.chat_client import Event
from tests.crowd import Walkon, follow, log_in, without_lock
from tests.interleave import explore
from tests.lesson import VERBS, rule, show
from tests.servers import Chat
from tests.stage import Stage

pytestmark = pytest.mark.any_network


@pytest.fixture
def server(serve):
    return serve(PresenceServer)


@pytest.fixture
def chat(server, connect):
    return new_chat(server, connect)


def new_chat(server, connect):
    chat = Chat(server, connect)
    chat._sift = chat.with_our_news
    return chat


# One at a time


def users(*wires):
    return " ".join(["USERS", *(wire.name for wire in wires)])


@rule(
    "a newcomer gets OK, then who is online; the others are told of the newcomer",
    VERBS,
    hint="In one step: take the name, send OK, send USERS with the others, and send ONLINE to each of them.",
)
def test_a_newcomer_hears_ok_then_who_is_here_and_the_others_hear_of_her(chat):
    alice = chat.login("Alice")
    alice.fence()  # nobody of this test is here: no USERS line
    bob = chat.login("bob")
    bob.expect(users(alice))
    bob.fence()
    alice.expect(f"ONLINE {bob.name}")
    carol = chat.login("carol")
    came = carol.read_line()
    if sorted(came.split()) != sorted(users(alice, bob).split()):
        raise carol.lesson(users(alice, bob), came)
    for wire in (alice, bob):
        wire.expect(f"ONLINE {carol.name}")
        wire.fence()


@rule(
    "WHO gets a list of all users, oneself too, and then OK with their number",
    VERBS,
    hint="USERS lines first, as many as it takes within 1024 bytes each, then OK <count> as the one reply.",
)
def test_who_lists_everybody_and_counts_them(chat):
    alice, bob = chat.login("alice"), chat.login("Bob")
    bob.expect(users(alice))
    start = len(bob.raw_lines)
    reply, events = bob.request("who")
    listed = [name for line in bob.raw_lines[start:-1] for name in line.split()[1:]]
    if [sorted(line.split()) for line in events] != [sorted(users(alice, bob).split())]:
        raise bob.lesson(users(alice, bob), " / ".join(events) or "no list")
    if reply.split()[:2] != ["OK", str(len(listed))]:
        raise bob.lesson(f"OK {len(listed)} ...", reply)
    chat.connect("stranger").ask("WHO", "ERR not-logged-in ...")


def logout(wire):
    wire.ask("LOGOUT", "OK ...")
    wire.read_to_eof()


def half_close(wire):
    wire.send_eof()
    wire.read_to_eof()


@rule(
    "a user who leaves, in whatever way, is announced once, and is then in no list",
    VERBS,
    hint="Send OFFLINE in one place, which is reached however the connection ends, and only if it had a name.",
)
@pytest.mark.parametrize(
    "leave",
    [logout, half_close, lambda wire: wire.close(), lambda wire: wire.reset()],
    ids=["LOGOUT", "half-close", "close", "reset"],
)
def test_who_leaves_is_announced_once_and_is_in_no_list(chat, leave):
    alice, bob = chat.login("alice"), chat.login("bob")
    bob.expect(users(alice))
    alice.expect(f"ONLINE {bob.name}")
    leave(bob)
    alice.expect(f"OFFLINE {bob.name}")
    alice.fence()
    carol = chat.login("carol")
    carol.expect(users(alice))
    carol.fence()


@pytest.mark.direct
@pytest.mark.usefixtures("impatient")
def test_a_user_who_is_cut_off_is_announced_once(connect, serve):
    server = serve(PresenceServer, max_pending_bytes=1000)
    alice, _mallory, carol = log_in(connect, server, "alice", "mallory", "carol")
    while alice.request("MSG mallory " + "x" * 900).reply == "OK":  # she does not read
        pass
    assert carol.read_line() == "OFFLINE mallory"
    assert carol.request("HELP").events == []


@rule(
    "a client that never logged in is never announced",
    VERBS,
    hint="Send ONLINE after the name is taken, and OFFLINE only for a client that had a name.",
)
def test_who_never_logged_in_is_never_announced(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.expect(f"ONLINE {bob.name}")
    bob.expect(users(alice))
    stranger = chat.connect("stranger")
    stranger.ask(f"LOGIN {alice.name}", "ERR name-taken ...")
    stranger.ask("LOGIN 1st", "ERR bad-name ...")
    logout(stranger)
    bob.ask(f"LOGIN {chat.name('carol')}", "ERR already-logged-in ...")
    alice.fence()
    bob.fence()


# Long lists


@pytest.mark.direct
@rule(
    "a list too long for one line comes as several, none over 1024 bytes",
    VERBS,
    hint="Begin a new USERS line when the next name would make this one longer than 1024 bytes.",
)
def test_a_long_list_is_several_lines(chat):
    stems = [f"u{n:02}".ljust(20 - len(chat.tag), "x") for n in range(60)]  # 60 names of 20 letters
    wires = [chat.login(stem) for stem in stems]
    names = [wire.name for wire in wires]
    last = wires[-1]
    for listed, expected in ((last.request("HELP").events, names[:-1]), (last.request("WHO").events, names)):
        came = [name for line in listed for name in line.split()[1:]]
        if sorted(came) != sorted(expected):
            raise last.lesson(f"USERS lines with {len(expected)} names", " / ".join(listed) or "no list")
    for line in last.raw_lines:
        if len(line.rstrip()) > 1024:
            raise last.lesson("lines of at most 1024 bytes", show(line))


NAMES = st.lists(st.integers(1, 20), max_size=200).map(
    lambda sizes: [chr(ord("a") + n % 26) * size for n, size in enumerate(sizes)]
)


@given(NAMES, st.sampled_from([("USERS",), ("MEMBERS", "tea"), ("MEMBERS", "t" * 20)]))
def test_a_list_is_all_names_in_order_and_no_line_too_long(names, head):
    lines = list(list_lines(names, *head))
    assert all(len(line) <= 1024 for line in lines)
    assert all(line.decode().startswith(" ".join(head) + " ") for line in lines)
    assert [word for line in lines for word in line.decode().split()[len(head) :]] == names


@given(NAMES)
def test_no_line_ends_before_the_next_name_would_be_too_much(names):
    lines = list(list_lines(names, "USERS"))
    for line, next_line in itertools.pairwise(lines):
        assert len(line) + 1 + len(next_line.split()[1]) > 1024


@pytest.mark.direct
def test_who_and_users_with_five_thousand_users(connect, server):
    names = [f"somebody-number-{n}" for n in range(5000)]
    for name in names:
        server.registry.claim(name, Walkon(name))
    wire = connect(server)
    assert wire.request("LOGIN alice").reply.startswith("OK")
    at_login = wire.request("HELP").events
    reply, listed = wire.request("WHO")
    assert reply.split()[:2] == ["OK", "5001"]
    assert all(len(line) <= 1024 for line in at_login + listed)
    assert [name for line in at_login for name in line.split()[1:]] == names
    assert [name for line in listed for name in line.split()[1:]] == [*names, "alice"]


# Many at once


def all_agree(chat) -> bool:
    """Let forty come, look around and go, all at once; return whether nothing contradicts."""
    watcher, others = chat.login("watcher"), [chat.connect() for _ in range(40)]
    names = [*(chat.name(f"user{n}") for n in range(40)), watcher.name]
    for wire, name in zip(others, names):
        wire.send(f"LOGIN {name}\n".encode() + b"WHO\n" * 10 + b"LOGOUT\n")
    heard_by = [[chat.with_our_news(line) for line in wire.expect_eof().decode().splitlines()] for wire in others]
    comings_and_goings = [watcher.read_line() for _ in range(80)]
    heard_by = [[line for line in heard if line] for heard in heard_by]
    assert all(sum(line.startswith("OK") for line in heard) == 12 for heard in heard_by), "not one OK for each request"
    heard_by.append(comings_and_goings)
    agree = all(consistent(heard, name) for heard, name in zip(heard_by, names))
    agree = agree and watcher.request("WHO").events == [f"USERS {watcher.name}"]
    for wire in (watcher, *others):
        wire.close()
    return agree


def consistent(lines: list[str], name: str) -> bool:
    """Return whether each of WHO's lists agrees with all lines before it."""
    for at, line in enumerate(lines):
        if line.startswith("USERS") and name in line.split():
            here, wrong = follow(lines[:at], name, "USERS", "ONLINE", "OFFLINE")
            if wrong or here != set(line.split()[1:]) - {name}:
                return False
    here, wrong = follow(lines, name, "USERS", "ONLINE", "OFFLINE")
    return not wrong


@pytest.mark.direct
@rule(
    "no list of users contradicts the ONLINE and OFFLINE lines before and after it",
    VERBS,
    hint="Take the name, list the others and tell them in one step; WHO must be one step too. Otherwise a "
    "newcomer's list may lack somebody whose ONLINE never comes, or contain somebody who has gone.",
    race=True,
)
def test_no_list_contradicts_what_is_told_before_and_after_it(server, connect):
    for _ in range(3):
        assert all_agree(new_chat(server, connect)), "somebody was told of a coming or going that her list contradicts"


# Two at once, in all orders (see tests/interleave.py)


def come_at_once(server_class):
    """Let carol come while bob goes.  Raises: AssertionError, if what somebody was told is not who is here then."""

    def scene():
        stage = Stage(server_class, "alice", "bob")

        def check(saw):
            assert saw == {"carol": None, "bob": None}
            for name, before in (("alice", ["USERS bob"]), ("carol", [])):
                here, wrong = follow([*before, *stage.heard(name)], name, "USERS", "ONLINE", "OFFLINE")
                assert not wrong, f"{name} was told {wrong}"
                assert here | {name} == set(stage.registry.names()), f"{name} was told of a ghost"

        return {"carol": lambda: stage.say("carol", "LOGIN carol"), "bob": lambda: stage.leave("bob")}, check

    return explore(scene, TurnHandler.answer_lines, PresenceHandler, naive_server.TwoStepHandler, Stage.leave)


def test_whoever_comes_while_another_goes_is_told_who_is_here():
    come_at_once(PresenceServer)


@pytest.mark.parametrize(
    "server_class",
    [without_lock(PresenceServer), naive_server.TwoStepServer],
    ids=["no lock", "first the list, then the name"],
)
def test_without_the_lock_she_is_told_of_a_ghost(server_class):
    with pytest.raises(AssertionError, match="carol was told"):
        come_at_once(server_class)


def test_the_naive_server_shows_a_ghost(connect, serve, clock):
    between = threading.Event()
    go_on = threading.Event()

    def unlucky(seconds):
        between.set()
        go_on.wait(10)

    clock(naive_server, sleep=unlucky)
    server = serve(naive_server.TwoStepServer)
    go_on.set()
    _alice, bob = log_in(connect, server, "alice", "bob")
    between.clear()
    go_on.clear()
    carol = connect(server)
    carol.send("LOGIN carol")
    assert between.wait(10)
    logout(bob)
    go_on.set()
    assert carol.read_line().startswith("OK")
    assert carol.read_line() == "USERS alice bob"  # and no OFFLINE bob will ever come
    assert carol.request("WHO").events == ["USERS alice carol"]


# The client


def test_slash_who_and_what_a_person_reads():
    commands = PresenceCommands()
    assert commands.parse_input("/who").send == "WHO"
    shown = [commands.render(Event(line)) for line in ("USERS alice bob", "ONLINE bob", "OFFLINE bob")]
    assert shown == ["* online: alice bob", "* bob is online", "* bob has gone"]
