"""Exercise: who joins a room gets the last five things said there, from the log."""

import pytest

from tests.crowd import log_in


@pytest.fixture
def users(cluster, connect):
    """alice on s1 and bob on s2, both logged in."""
    s1, s2 = cluster("HistoryServer")
    (alice,), (bob,) = log_in(connect, s1, "alice"), log_in(connect, s2, "bob")
    assert alice.read_line() == "ONLINE bob"
    return alice, bob


def test_who_joins_hears_the_last_five_from_another_server(users):
    alice, bob = users
    alice.request("JOIN tea")
    for n in range(8):
        alice.request(f"SAY tea {n}")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS tea alice bob"])
    assert bob.request("HELP").events == [f"SAY tea alice {n}" for n in range(3, 8)]
    assert alice.request("HELP").events == ["JOINED tea bob"]


def test_nothing_has_been_said_yet(users):
    alice, bob = users
    alice.request("JOIN tea")
    assert bob.request("JOIN tea") == ("OK", ["MEMBERS tea alice bob"])
    assert bob.request("HELP").events == []


def test_who_does_not_get_in_gets_no_history(users):
    alice, _bob = users
    alice.request("JOIN tea")
    alice.request("SAY tea hello")
    assert alice.request("JOIN tea").reply.startswith("ERR already-joined")
    assert alice.request("HELP").events == []


def test_what_is_said_at_the_same_time_comes_once(users):
    """Alice answers as soon as bob has come in, perhaps before he has his history."""
    alice, bob = users
    for n in range(20):
        alice.request(f"JOIN tea{n}")
        alice.request(f"SAY tea{n} before")
        bob.send(f"JOIN tea{n}")
        assert alice.read_line() == f"JOINED tea{n} bob"
        alice.request(f"SAY tea{n} after")
        heard = [bob.read_line() for _ in range(4)]
        assert heard[:2] == [f"MEMBERS tea{n} alice bob", "OK"]
        assert sorted(heard[2:]) == [f"SAY tea{n} alice after", f"SAY tea{n} alice before"]
    assert bob.request("HELP").events == []
