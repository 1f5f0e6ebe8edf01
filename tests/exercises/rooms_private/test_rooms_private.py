"""Exercise: INVITE: a room for invited users only."""

import pytest

from tests.crowd import log_in


@pytest.fixture
def wires(exercise, serve, connect):
    wires = log_in(connect, serve(exercise.PrivateServer), "alice", "bob", "carol")
    wires[0].request("JOIN Tea")
    assert wires[0].request("LOCK tea").reply == "OK"
    return wires


def test_nobody_gets_in_uninvited(wires):
    alice, bob, _ = wires
    assert bob.request("JOIN TEA").reply.startswith("ERR not-invited")
    assert alice.request("HELP").events == []


def test_who_is_invited_gets_in_once(wires):
    alice, bob, carol = wires
    assert alice.request("INVITE Bob tea").reply == "OK"
    assert bob.read_line() == "INVITE alice Tea"
    assert carol.request("JOIN tea").reply.startswith("ERR not-invited")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS Tea alice bob"])
    bob.request("LEAVE tea")
    assert bob.request("JOIN tea").reply.startswith("ERR not-invited")


def test_only_members_lock_and_invite(wires):
    alice, bob, carol = wires
    assert bob.request("LOCK tea").reply.startswith("ERR not-in-room")
    assert bob.request("INVITE carol tea").reply.startswith("ERR not-in-room")
    assert alice.request("INVITE nobody tea").reply.startswith("ERR no-such-user")
    assert carol.request("JOIN tea").reply.startswith("ERR not-invited")


def test_the_lock_goes_with_the_room(wires):
    alice, bob, _ = wires
    alice.request("LEAVE tea")
    assert bob.request("JOIN tea").reply == "OK"


def test_open_rooms_stay_open(wires):
    alice, bob, _ = wires
    alice.request("JOIN coffee")
    assert alice.request("INVITE bob coffee").reply == "OK"
    assert bob.request("JOIN coffee").reply == "OK"
    assert bob.request("LEAVE coffee").reply == "OK"
    assert bob.request("JOIN coffee").reply == "OK"
