"""Exercise: CYCLE: out of a channel, and in again."""

import pytest

from extras.ircv3.every import EXTENSIONS


@pytest.fixture
def alice(exercise, irc):
    irc.start(extensions=(*EXTENSIONS, exercise.Cycle))
    return irc.client("alice", channel="#tea")


def test_all_see_her_leave_and_come_back(alice, irc):
    bob = irc.client("bob", channel="#tea")
    alice.ask()
    assert [line for line in alice.lines("CYCLE #tea") if line.split()[0] in ("PART", "JOIN", "353")] == [
        "PART #tea",
        "JOIN #tea",
        "353 = #tea bob alice",
    ]
    assert bob.lines() == ["PART #tea", "JOIN #tea"]


def test_it_takes_several_channels(alice, irc):
    bob = irc.client("bob", channel="#tea")
    alice.ask("JOIN #milk")
    bob.ask("JOIN #milk")
    alice.ask("CYCLE #tea,#milk")
    assert bob.lines() == ["PART #tea", "JOIN #tea", "PART #milk", "JOIN #milk"]


def test_who_is_not_there_stays_outside(alice, irc):
    bob = irc.client("bob")
    assert bob.lines("CYCLE #tea") == ["442 #tea You're not on that channel"]
    assert bob.codes("CYCLE #none") == ["403"]
    assert bob.codes("CYCLE") == ["461"]
    assert alice.lines() == []


def test_who_is_alone_is_the_operator_again(alice):
    assert "353 = #tea @alice" in alice.lines("CYCLE #tea")


def test_a_channel_by_invitation_does_not_let_her_in_again(alice, irc):
    irc.client("bob", channel="#tea")
    alice.ask("MODE #tea +i")
    assert alice.codes("CYCLE #tea") == ["PART", "473"]
