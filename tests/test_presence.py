"""Presence: who is here, told truly however many come and go at once."""

import threading
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extras.presence import naive_server
from extras.presence.client import PresenceCommands
from extras.presence.listing import list_lines
from extras.presence.server import PresenceServer
from step6_client.chat_client import Event
from tests.crowd import Walkon, eager_threads, follow, log_in, reset, without_lock


@pytest.fixture
def server(serve):
    return serve(PresenceServer)


# One at a time


def test_a_newcomer_hears_ok_then_who_is_here_and_the_others_hear_of_her(connect, server):
    alice, bob, carol = (connect(server) for _ in range(3))
    assert alice.request("LOGIN Alice").reply.startswith("OK")
    assert alice.request("HELP").events == []  # nobody is here: no USERS line
    assert bob.request("LOGIN bob").events == []
    assert bob.request("HELP").events == ["USERS Alice"]
    assert carol.request("LOGIN carol").events == []
    assert carol.request("HELP").events == ["USERS Alice bob"]
    assert alice.request("HELP").events == ["ONLINE bob", "ONLINE carol"]
    assert bob.request("HELP").events == ["ONLINE carol"]


def test_who_lists_everybody_and_counts_them(connect, server):
    alice, bob = log_in(connect, server, "alice", "Bob")
    reply, events = bob.request("who")
    assert events == ["USERS alice Bob"]
    assert reply.split()[:2] == ["OK", "2"]
    assert connect(server).request("WHO").reply.startswith("ERR not-logged-in")


def logout(wire):
    assert wire.request("LOGOUT").reply == "OK bye"
    assert wire.expect_eof() == b""


def half_close(wire):
    wire.sock.shutdown(1)
    assert wire.expect_eof() == b""


@pytest.mark.parametrize("leave", [logout, half_close, lambda wire: wire.close(), reset])
def test_who_leaves_is_announced_once_and_the_name_is_free(connect, server, leave):
    alice, bob = log_in(connect, server, "alice", "bob")
    leave(bob)
    assert alice.read_line() == "OFFLINE bob"
    (bob,) = log_in(connect, server, "bob")
    assert alice.request("WHO").events == ["ONLINE bob", "USERS alice bob"]


@pytest.mark.direct
def test_a_user_who_is_cut_off_is_announced_once(connect, serve):
    server = serve(PresenceServer, max_pending_bytes=1000)
    alice, mallory, carol = log_in(connect, server, "alice", "mallory", "carol")
    while alice.request("MSG mallory " + "x" * 900).reply == "OK":  # she does not read
        pass
    assert carol.read_line() == "OFFLINE mallory"
    assert carol.request("HELP").events == []


def test_who_never_logged_in_is_never_announced(connect, server):
    alice, bob = log_in(connect, server, "alice", "bob")
    stranger = connect(server)
    assert stranger.request("LOGIN alice").reply.startswith("ERR name-taken")
    assert stranger.request("LOGIN 1st").reply.startswith("ERR bad-name")
    logout(stranger)
    assert bob.request("LOGIN carol").reply.startswith("ERR already-logged-in")
    assert alice.request("HELP").events == bob.request("HELP").events == []


# Long lists

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
    for line, next_line in zip(lines, lines[1:]):
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


def all_agree(connect, server) -> bool:
    """Let forty come, look around and go, all at once; tell whether nothing contradicts."""
    watcher, *others = (connect(server) for _ in range(41))
    assert watcher.request("LOGIN watcher").reply.startswith("OK")
    with eager_threads():
        for n, wire in enumerate(others):
            wire.send(f"LOGIN user{n}\n".encode() + b"WHO\n" * 10 + b"LOGOUT\n")
        heard_by = [wire.expect_eof().decode().splitlines() for wire in others]
        comings_and_goings = [watcher.read_line() for _ in range(80)]
    assert all("OK bye" in heard for heard in heard_by)
    heard_by.append(comings_and_goings)
    names = [*(f"user{n}" for n in range(40)), "watcher"]
    agree = all(consistent(heard, name) for heard, name in zip(heard_by, names))
    agree = agree and watcher.request("WHO").events == ["USERS watcher"]
    for wire in (watcher, *others):
        wire.close()
    return agree


def consistent(lines: list[str], name: str) -> bool:
    """Tell whether each of WHO's lists says what all lines before it have said."""
    for at, line in enumerate(lines):
        if line.startswith("USERS") and name in line.split():
            here, wrong = follow(lines[:at], name, "USERS", "ONLINE", "OFFLINE")
            if wrong or here != set(line.split()[1:]) - {name}:
                return False
    here, wrong = follow(lines, name, "USERS", "ONLINE", "OFFLINE")
    return not wrong


@pytest.mark.direct
def test_no_list_contradicts_what_is_told_before_and_after_it(connect, serve):
    for _ in range(3):
        assert all_agree(connect, serve(PresenceServer))


@pytest.mark.direct
def test_without_the_lock_they_contradict(connect, serve):
    # Ten tries, since a race need not show each time; one is enough nearly always.
    assert not all(all_agree(connect, serve(without_lock(PresenceServer))) for _ in range(10))


def test_the_naive_server_shows_a_ghost(connect, serve, monkeypatch):
    between = threading.Event()
    go_on = threading.Event()

    def unlucky(seconds):
        between.set()
        go_on.wait(10)

    monkeypatch.setattr(naive_server, "time", types.SimpleNamespace(sleep=unlucky))
    server = serve(naive_server.TwoStepServer)
    go_on.set()
    alice, bob = log_in(connect, server, "alice", "bob")
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
    assert shown == ["online: alice bob", "bob is online", "bob has gone"]
