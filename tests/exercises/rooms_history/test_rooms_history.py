"""Exercise: a user who joins a room gets its last five lines."""

import pytest

from tests.crowd import log_in


@pytest.fixture
def wires(exercise, serve, connect):
    return log_in(connect, serve(exercise.HistoryServer), "alice", "bob")


def test_who_joins_hears_the_last_five(wires):
    alice, bob = wires
    alice.request("JOIN Tea")
    for n in range(8):
        alice.request(f"SAY tea {n}")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS Tea alice bob"])
    assert bob.request("HELP").events == [f"SAY Tea alice {n}" for n in range(3, 8)]


def test_each_room_has_its_own(wires):
    alice, bob = wires
    for room in ("tea", "coffee"):
        alice.request(f"JOIN {room}")
        alice.request(f"SAY {room} about {room}")
    bob.request("JOIN coffee")
    assert bob.request("HELP").events == ["SAY coffee alice about coffee"]


def test_what_was_refused_is_not_repeated(wires):
    alice, bob = wires
    alice.request("JOIN tea")
    assert alice.request("SAY tea \x07").reply.startswith("ERR bad-text")
    assert bob.request("SAY tea hello").reply.startswith("ERR not-in-room")
    alice.request("SAY tea hello")
    bob.request("JOIN tea")
    assert bob.request("HELP").events == ["SAY tea alice hello"]


def test_it_goes_with_the_room(wires):
    alice, bob = wires
    alice.request("JOIN tea")
    alice.request("SAY tea hello")
    alice.request("LEAVE tea")
    bob.request("JOIN tea")
    assert bob.request("HELP").events == []
