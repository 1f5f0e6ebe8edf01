"""Exercise: TOPIC: what a room is about."""

import pytest

from tests.crowd import log_in


@pytest.fixture
def wires(exercise, serve, connect):
    return log_in(connect, serve(exercise.TopicServer), "alice", "bob", "carol")


def test_the_members_are_told(wires):
    alice, bob, carol = wires
    for wire in (alice, bob):
        wire.request("JOIN Tea")
    assert alice.request("TOPIC tea which  kinds").reply == "OK"
    assert bob.read_line() == "TOPIC Tea alice which  kinds"
    assert carol.request("HELP").events == []


def test_who_joins_later_is_told_after_her_ok(wires):
    alice, bob, _ = wires
    alice.request("JOIN tea")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS tea alice bob"])
    assert bob.request("HELP").events == []  # there is no topic yet
    bob.request("LEAVE tea")
    alice.request("TOPIC tea which kinds")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS tea alice bob"])
    assert bob.request("HELP").events == ["TOPIC tea alice which kinds"]


def test_it_goes_with_the_room(wires):
    alice, bob, _ = wires
    alice.request("JOIN tea")
    alice.request("TOPIC tea which kinds")
    alice.request("LEAVE tea")
    bob.request("JOIN tea")
    assert bob.request("HELP").events == []


def test_only_members_set_it_and_it_is_a_text(wires):
    alice, bob, _ = wires
    alice.request("JOIN tea")
    assert bob.request("TOPIC tea mine").reply.startswith("ERR not-in-room")
    assert alice.request("TOPIC tea \x1b[2J").reply.startswith("ERR bad-text")
    bob.request("JOIN tea")
    assert bob.request("HELP").events == []
