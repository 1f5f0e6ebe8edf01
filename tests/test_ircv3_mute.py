"""Mutes: bans that let somebody in, and do not let her speak."""

import pytest

from tests.ircv3_accounts import client, register

REFUSED = ["404 #tea Cannot send to channel"]


@pytest.fixture
def op(irc):
    return irc.client("op", channel="#tea")


def test_who_is_muted_may_join_and_not_speak(irc, op):
    assert op.lines("MODE #tea +b m:bob") == ["MODE #tea +b m:bob!*@*"]
    bob, carol = irc.client("bob"), irc.client("carol", channel="#tea")
    assert bob.codes("JOIN #tea")[0] == "JOIN"
    assert bob.lines("PRIVMSG #tea :hi", "NOTICE #tea :hi") == REFUSED
    carol.ask("PRIVMSG #tea :hi")
    assert [line for line in op.lines() if "PRIVMSG" in line] == ["PRIVMSG #tea hi"]
    assert any(line.startswith("367 #tea m:bob!*@* op") for line in bob.lines("MODE #tea +b"))


def test_another_case_takes_a_mute_away(irc, op):
    op.ask("MODE #tea +b m:BOB!*@*")
    bob = irc.client("Bob", channel="#tea")
    assert bob.lines("PRIVMSG #tea :hi") == REFUSED
    assert op.lines("MODE #tea -b m:bob!*@*")[-1] == "MODE #tea -b m:BOB!*@*"
    assert bob.lines("PRIVMSG #tea :hi") == ["MODE #tea -b m:BOB!*@*"]


@pytest.mark.parametrize("mode", ["+v bob", "+e m:*!*@*", "+e bob!*@*", "+h bob"])
def test_a_voice_and_an_exception_are_stronger(irc, op, mode):
    op.ask("MODE #tea +b m:*!*@*")
    bob = irc.client("bob", channel="#tea")
    assert bob.lines("PRIVMSG #tea :hi") == REFUSED
    op.ask(f"MODE #tea {mode}")
    bob.ask()
    assert bob.lines("PRIVMSG #tea :hi") == []


def test_an_exception_from_mutes_is_none_from_bans(irc, op):
    op.ask("MODE #tea +bbe bob m:bob m:bob")
    assert irc.client("bob").codes("JOIN #tea") == ["474"]


def test_a_mute_is_no_invitation(irc, op):
    op.ask("MODE #tea +iI m:bob")
    assert irc.client("bob").codes("JOIN #tea") == ["473"]


def test_a_new_nick_is_looked_at_again(irc, op):
    op.ask("MODE #tea +b m:eve")
    bob = irc.client("bob", channel="#tea")
    assert bob.lines("PRIVMSG #tea :hi") == []
    assert bob.lines("NICK eve", "PRIVMSG #tea :hi")[1:] == REFUSED


def test_an_account_is_muted_under_any_nick(irc, op, cheap):
    register(irc, "alice")
    assert op.lines("MODE #tea +b m:a:alice") == ["MODE #tea +b m:a:alice"]
    al = client(irc, "al", "alice", channel="#tea")
    assert al.lines("PRIVMSG #tea :hi") == REFUSED
    assert irc.client("alicia", channel="#tea").lines("PRIVMSG #tea :hi") == []


@pytest.mark.parametrize("mask, kept", [("m:", "*!*@m:"), ("m:m:bob", "*!*@m:m:bob"), ("M:bob", "*!*@M:bob")])
def test_what_only_looks_like_a_mute_is_a_mask_as_ever(op, mask, kept):
    assert op.lines(f"MODE #tea +b {mask}") == [f"MODE #tea +b {kept}"]


def test_one_token_names_all_extended_bans(irc):
    tokens = [token for message in irc.client("alice").welcome if message.command == "005" for token in message.params]
    assert [token for token in tokens if token.startswith("EXTBAN")] == ["EXTBAN=,am"]
