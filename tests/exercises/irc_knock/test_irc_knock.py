"""Exercise: KNOCK: ask to be let into a channel by invitation."""

import pytest

from extras.ircv3.every import EXTENSIONS

DELIVERED = "711 #Tea Your KNOCK has been delivered."


@pytest.fixture
def wires(exercise, irc):
    """alice, the operator of #Tea; carol, a member; bob, who is outside."""
    irc.start(extensions=(*EXTENSIONS, exercise.Knock))
    wires = irc.client("alice", channel="#Tea"), irc.client("carol", channel="#Tea"), irc.client("bob")
    wires[0].ask("MODE #Tea +i")
    wires[1].ask()
    return wires


def test_the_operators_are_told_and_nobody_else(wires):
    alice, carol, bob = wires
    assert bob.lines("KNOCK #tea :it is cold") == [DELIVERED]
    assert alice.lines() == ["710 #Tea bob!bob@127.0.0.1 it is cold"]
    assert carol.lines() == []


def test_each_operator_reads_it_under_her_own_nick(wires):
    alice, carol, bob = wires
    alice.ask("MODE #Tea +o carol")
    carol.ask()
    bob.ask("KNOCK #tea")
    assert [wire.ask()[0].params[0] for wire in (alice, carol)] == ["alice", "carol"]


def test_who_knocks_at_an_open_door_or_from_inside_is_told_so(wires):
    alice, carol, bob = wires
    assert carol.codes("KNOCK #tea") == ["714"]
    alice.ask("MODE #Tea -i")
    assert bob.codes("KNOCK #tea") == ["713"]
    assert bob.codes("KNOCK") == ["461"]
    assert "710" not in alice.codes()


def test_a_hidden_channel_is_not_there(wires):
    alice, _, bob = wires
    alice.ask("MODE #Tea +s")
    assert bob.lines("KNOCK #tea") == bob.lines("KNOCK #tea") == ["403 #tea No such channel"]
    assert bob.codes("KNOCK #none") == ["403"]
    assert alice.codes("KNOCK #tea") == ["714"]  # she knows that it is there


def test_who_is_banned_is_not_heard(wires):
    alice, _, bob = wires
    alice.ask("MODE #Tea +b bob")
    assert bob.codes("KNOCK #tea") == ["404"]
    assert alice.codes() == []


def test_one_knock_a_minute_is_enough(wires, exercise, monkeypatch):
    alice, _, bob = wires
    assert bob.codes("KNOCK #tea", "KNOCK #TEA") == ["711", "712"]
    assert alice.codes() == ["710"]
    monkeypatch.setattr(exercise, "KNOCK_EVERY_S", 0.0)
    assert bob.codes("KNOCK #tea") == ["711"]


def test_what_was_knocked_at_ends_with_the_channel(wires):
    alice, carol, bob = wires
    bob.ask("KNOCK #tea")
    carol.ask("PART #tea")
    alice.ask("PART #tea", "JOIN #Tea", "MODE #Tea +i")
    assert bob.lines("KNOCK #tea") == [DELIVERED]


def test_a_long_text_still_fits_a_line(wires):
    alice, _, bob = wires
    bob.ask("KNOCK #tea :" + "x" * 490)
    (got,) = alice.ask()  # the reader of the tests refuses a line that is too long
    assert 100 < len(got.text) < 490 and set(got.text) == {"x"}
