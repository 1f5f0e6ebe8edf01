"""Exercise: MOOD: how one feels, for those who want to know."""

import pytest

from extras.ircv3.every import EXTENSIONS

NAME = "example.org/mood"


@pytest.fixture
def network(exercise, irc):
    irc.start(extensions=(*EXTENSIONS, exercise.Mood))
    return irc


@pytest.fixture
def wires(network):
    """alice and bob, who want to know, and carol, who has not asked; all in #tea and #milk."""
    wires = [network.client("alice", NAME), network.client("bob", NAME), network.client("carol")]
    for wire in wires:
        wire.ask("JOIN #tea,#milk")
    for wire in wires:
        wire.ask()
    return wires


def test_who_wants_to_know_is_told_once(wires):
    alice, bob, carol = wires
    assert [(got.nick, got.command, got.params) for got in bob.ask("MOOD :so happy")] == [("bob", "MOOD", ["so happy"])]
    assert [(got.source, got.params) for got in alice.ask()] == [("bob!bob@127.0.0.1", ["so happy"])]
    assert carol.ask() == []


def test_who_has_not_asked_may_have_a_mood(wires):
    alice, _, carol = wires
    assert carol.ask("MOOD :grumpy") == []
    assert [got.nick for got in alice.ask()] == ["carol"]


def test_who_is_elsewhere_is_not_told(wires, network):
    dave = network.client("dave", NAME)
    wires[1].ask("MOOD :so happy")
    assert dave.ask() == []


def test_who_comes_later_is_told_after_the_replies_to_the_join(wires, network):
    _alice, bob, _carol = wires
    bob.ask("MOOD :so happy")
    dave = network.client("dave", NAME)
    got = dave.ask("JOIN #tea")
    assert [one.command for one in got] == ["JOIN", "353", "366", "MOOD"]
    assert (got[-1].nick, got[-1].params) == ("bob", ["so happy"])
    assert network.client("erin").codes("JOIN #tea") == ["JOIN", "353", "366"]


def test_the_others_are_told_the_newcomers_mood(wires, network):
    alice, _, carol = wires
    dave = network.client("dave", NAME)
    assert [got.nick for got in dave.ask("MOOD :shy")] == ["dave"]
    assert dave.codes("JOIN #tea") == ["JOIN", "353", "366"]
    assert alice.lines() == ["JOIN #tea", "MOOD shy"]
    assert carol.lines() == ["JOIN #tea"]


def test_an_empty_mood_takes_it_back(wires, network):
    alice, bob, _ = wires
    bob.ask("MOOD :so happy")
    assert bob.lines("MOOD :") == ["MOOD "]
    assert alice.lines() == ["MOOD so happy", "MOOD "]
    assert "MOOD" not in network.client("dave", NAME).codes("JOIN #tea")
    bob.ask()
    assert bob.lines("MOOD") == ["MOOD "]  # twice does no harm


def test_a_mood_is_not_the_next_users_of_this_nick(wires, network):
    _, bob, _carol = wires
    bob.ask("MOOD :so happy")
    bob.send("QUIT")
    bob.goodbye()
    network.client("bob", NAME).ask("JOIN #tea")
    assert "MOOD" not in network.client("dave", NAME).codes("JOIN #tea")


def test_it_goes_with_the_user_who_takes_another_nick(wires, network):
    _, bob, _ = wires
    bob.ask("MOOD :so happy", "NICK robert")
    assert network.client("dave", NAME).ask("JOIN #tea")[-1].nick == "robert"


def test_a_long_mood_still_fits_a_line(wires):
    alice, bob, _ = wires
    bob.ask("MOOD :" + "x" * 480)
    assert 100 < len(alice.ask()[0].text) < 480
