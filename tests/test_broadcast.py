"""Broadcast: ALL reaches everybody else, once, and in one order."""

import pytest

from extras.broadcast.client import BroadcastCommands
from extras.broadcast.server import BroadcastServer
from step6_client.chat_client import Event
from tests.crowd import eager_threads, log_in, talk, without_lock

TALKERS = [f"talker{n}" for n in range(12)]


@pytest.fixture
def server(serve):
    return serve(BroadcastServer)


def test_all_reaches_every_other_user_and_not_its_sender(connect, server):
    alice, bob, carol = log_in(connect, server, "Alice", "bob", "carol")
    assert alice.request("all  hello  there ") == ("OK", [])
    assert bob.read_line() == carol.read_line() == "ALL Alice  hello  there "
    assert alice.request("HELP").events == bob.request("HELP").events == []


def test_all_with_nobody_else_there_is_fine(connect, server):
    (alice,) = log_in(connect, server, "alice")
    assert alice.request("ALL anybody?") == ("OK", [])


def test_who_has_not_logged_in_neither_speaks_nor_hears(connect, server):
    (alice,) = log_in(connect, server, "alice")
    stranger = connect(server)
    assert stranger.request("ALL hello").reply.startswith("ERR not-logged-in")
    assert alice.request("ALL hello") == ("OK", [])
    assert stranger.request("HELP").events == []


def test_who_has_left_hears_no_more(connect, server):
    alice, bob, carol = log_in(connect, server, "alice", "bob", "carol")
    assert bob.request("LOGOUT").reply == "OK bye"
    assert alice.request("ALL hello").reply == "OK"
    assert carol.read_line() == "ALL alice hello"
    assert bob.expect_eof() == b""


@pytest.mark.parametrize(
    "line, code",
    [("ALL", "bad-arguments"), ("ALL   ", "bad-text"), ("ALL \x1b[2J", "bad-text"), (b"ALL \xff\n", "bad-encoding")],
)
def test_a_bad_message_reaches_nobody(connect, server, line, code):
    alice, bob = log_in(connect, server, "alice", "bob")
    assert alice.request(line).reply.split()[:2] == ["ERR", code]
    assert bob.request("HELP").events == []


def test_help_lists_it(connect, server):
    assert "ALL" in connect(server).request("HELP").reply.split()


def orders_agree(connect, server) -> bool:
    """Let twelve talk at once; tell whether all heard one order (each without her own lines)."""
    wires = log_in(connect, server, *TALKERS, "listener")
    lines_of = [[f"ALL {n}" for n in range(150)] for _ in TALKERS] + [[]]
    with eager_threads():
        *heard_by, heard_by_listener = talk(wires, lines_of)
    for wire in wires:
        wire.close()
    return all(
        heard == [event for event in heard_by_listener if event.split()[1] != name]
        for name, heard in zip(TALKERS, heard_by)
    )


@pytest.mark.direct
def test_all_users_hear_one_order(connect, server):
    assert orders_agree(connect, server)


@pytest.mark.direct
def test_without_the_lock_the_orders_differ(connect, serve):
    # Ten tries, since a race need not show each time; one is enough nearly always.
    assert not all(orders_agree(connect, serve(without_lock(BroadcastServer))) for _ in range(10))


# The client


def test_slash_all_says_it_to_everybody():
    commands = BroadcastCommands()
    assert commands.parse_input("/all hello  there").send == "ALL hello  there"
    assert commands.parse_input("/all").show == "! usage: /all TEXT"
    assert commands.render(Event("ALL bob hello  there")) == "bob to all: hello  there"
    assert "/all TEXT" in commands.parse_input("/help").show
