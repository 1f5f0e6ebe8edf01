"""Exercise: a tag for what the server's operators do."""

import pytest

from extras.ircv3.every import EXTENSIONS

NAME = "example.org/operator"


@pytest.fixture
def wires(exercise, irc):
    """carol, who has asked for the tag; alice, the operator; bob, who has not asked."""
    irc.start(extensions=(*EXTENSIONS, exercise.OperatorTag))
    carol, alice, bob = irc.client("carol", caps=NAME), irc.client("alice"), irc.client("bob")
    alice.ask("OPER root secret")
    for wire in (carol, alice, bob):
        wire.ask("JOIN #tea")
    return carol, alice, bob


def test_it_is_offered(irc, exercise):
    irc.start(extensions=(*EXTENSIONS, exercise.OperatorTag))
    assert any(NAME in got.text.split() for got in irc.wire().ask("CAP LS 302"))


def test_who_has_asked_sees_who_is_an_operator(wires):
    carol, alice, _bob = wires
    carol.ask()
    alice.ask("PRIVMSG #tea :stay calm", "TOPIC #tea :calm", "PRIVMSG carol :you too")
    assert [got.tags for got in carol.ask()] == [{NAME: ""}] * 3


def test_others_messages_have_no_tag(wires):
    carol, _alice, bob = wires
    carol.ask()
    bob.ask("PRIVMSG #tea :I am the operator")
    assert [got.tags for got in carol.ask()] == [{}]
    assert {NAME: ""} not in [got.tags for got in carol.ask("NAMES #tea", "PING x")]


def test_who_has_not_asked_sees_nothing(wires):
    _carol, alice, bob = wires
    bob.ask()
    alice.ask("PRIVMSG #tea :stay calm")
    assert [got.tags for got in bob.ask()] == [{}]


def test_an_operator_who_is_one_no_longer_has_no_tag(wires):
    carol, alice, _bob = wires
    alice.ask("MODE alice -o")
    carol.ask()
    alice.ask("PRIVMSG #tea :now what?")
    assert [got.tags for got in carol.ask()] == [{}]
