"""RENAME: a channel gets another name, and everybody in it knows."""

import pytest

from extras.ircv3 import rename
from tests.irc_wire import short

CAP = "draft/channel-rename"


def test_who_knows_rename_gets_one_and_the_others_leave_and_join(irc):
    alice = irc.client("alice", caps=CAP, channel="#tea")
    bob, carol = irc.client("bob", channel="#tea"), irc.client("carol", caps=f"{CAP} extended-join", channel="#tea")
    alice.ask("TOPIC #tea :at four", "MODE #tea +k x")
    bob.ask()
    carol.ask()
    assert alice.lines("RENAME #tea #coffee :stronger") == ["RENAME #tea #coffee stronger"]
    got = [line.split(" 1")[0] for line in bob.lines()]
    assert got == [
        "PART #tea stronger",
        "JOIN #coffee",
        "332 #coffee at four",
        "333 #coffee alice",
        "353 = #coffee @alice bob carol",
        "366 #coffee End of NAMES list",
    ]
    assert carol.lines() == ["RENAME #tea #coffee stronger"]
    assert bob.lines("PRIVMSG #coffee :hm") == [] and alice.lines() == ["PRIVMSG #coffee hm"]
    assert bob.codes("NAMES #tea", "PRIVMSG #tea :x") == ["366", "401"], "the old name is free"
    assert alice.lines("MODE #coffee")[0] == "324 #coffee +ntk x"
    assert irc.client("dave").codes("JOIN #coffee") == ["475"], "its key is the same"


def test_who_asks_without_the_capability_gets_the_fallback_too(irc):
    alice = irc.client("alice", channel="#tea")
    assert alice.codes("RENAME #tea #coffee") == ["PART", "JOIN", "353", "366"]


def test_only_the_case_may_change_and_then_nobody_leaves(irc):
    alice, bob = irc.client("alice", caps=CAP, channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    assert alice.lines("RENAME #tea #TEA") == ["RENAME #tea #TEA "]
    assert bob.lines() == [] and alice.lines("MODE #tea")[0] == "324 #TEA +nt"


def test_what_cannot_be_is_refused_and_changes_nothing(irc):
    alice = irc.client("alice", caps=CAP, channel="#tea")
    bob = irc.client("bob", channel="#tea,#other")
    alice.ask()
    assert bob.codes("RENAME #tea #x", "RENAME #none #x") == ["482", "403"]
    assert irc.client("carol").codes("RENAME #tea #x") == ["442"]
    assert [
        short(got)[:35]
        for got in alice.ask("RENAME #tea #OTHER", "RENAME #tea &tea", "RENAME #tea :a b", "RENAME #tea")
    ] == [
        "FAIL RENAME CHANNEL_NAME_IN_USE #te",
        "FAIL RENAME CANNOT_RENAME #tea &tea",
        "FAIL RENAME CANNOT_RENAME #tea * A ",
        "461 RENAME Not enough parameters",
    ]
    assert alice.lines("NAMES #tea")[0] == "353 = #tea @alice bob"


def test_a_channel_is_not_renamed_again_and_again(irc, monkeypatch):
    alice = irc.client("alice", caps=CAP, channel="#tea")
    alice.ask("RENAME #tea #a")
    assert [got.params[:2] for got in alice.ask("RENAME #a #b")] == [["RENAME", "CANNOT_RENAME"]]
    monkeypatch.setattr(rename, "PAUSE_S", 0.0)
    assert alice.codes("RENAME #a #b") == ["RENAME"]


def test_an_invitation_and_a_ban_hold_under_the_new_name(irc):
    alice, bob, carol = irc.client("alice", channel="#tea"), irc.client("bob"), irc.client("carol")
    alice.ask("MODE #tea +ib carol!*@*", "INVITE bob #tea", "RENAME #tea #coffee")
    assert bob.ask() and bob.codes("JOIN #coffee")[0] == "JOIN"
    assert carol.codes("JOIN #coffee") == ["473"]
    alice.ask("MODE #coffee -i")
    assert carol.codes("JOIN #coffee") == ["474"]


# --- who comes later ----------------------------------------------------------------------------


def renamed(irc, *lines):
    """Alice, in a channel that was #tea and is #coffee."""
    alice = irc.client("alice", caps=CAP, channel="#tea")
    alice.ask(*lines, "RENAME #tea #coffee")
    return alice


def joined(wire, line):
    """The channels that a JOIN brings one into."""
    return [message.params[0] for message in wire.ask(line) if message.command == "JOIN"]


def test_who_joins_the_old_name_is_told_the_new_one_or_brought_there_with_its_key(irc):
    renamed(irc, "MODE #tea +k leaf")
    bob, carol = irc.client("bob"), irc.client("carol", caps=CAP)
    assert bob.lines("JOIN #TEA") == [
        "470 #TEA #coffee The channel has been renamed",
        "475 #coffee Cannot join channel (+k)",
    ]
    assert joined(bob, "JOIN #x,#TEA,#y ,leaf") == ["#x", "#coffee", "#y"]
    assert carol.lines("JOIN #tea leaf") == ["FAIL JOIN CHANNEL_RENAMED #tea #coffee The channel has been renamed"]
    assert joined(carol, "JOIN #x,#tea,#coffee ,,leaf") == ["#x", "#coffee"]


def test_its_members_may_make_a_channel_of_the_old_name_and_then_there_is_that_one(irc):
    alice = renamed(irc)
    assert joined(alice, "JOIN #tea") == joined(irc.client("bob"), "JOIN #tea") == ["#tea"]


def test_the_newest_name_is_the_one_that_is_told_and_the_name_before_it_is_free(irc, monkeypatch):
    monkeypatch.setattr(rename, "PAUSE_S", 0.0)
    alice, bob = renamed(irc), irc.client("bob")
    alice.ask("RENAME #coffee #water")
    assert joined(bob, "JOIN #coffee,#tea") == ["#water", "#tea"]
    alice.ask("RENAME #water #coffee")
    assert joined(irc.client("carol"), "JOIN #coffee,#water") == ["#coffee"]


@pytest.mark.parametrize("line", ["MODE #coffee +s", "MODE #coffee +p", "PART #coffee"])
def test_nobody_is_brought_to_a_hidden_channel_or_to_one_that_has_ended(irc, line):
    renamed(irc).ask(line)
    assert joined(irc.client("bob"), "JOIN #tea") == ["#tea"]


def test_after_a_day_the_old_name_is_as_any_other(irc, monkeypatch):
    monkeypatch.setattr(rename, "FORWARD_S", 0.0)
    renamed(irc)
    assert joined(irc.client("bob"), "JOIN #tea") == ["#tea"]


def test_of_channels_that_have_ended_no_old_name_is_kept(irc):
    alice = renamed(irc)
    alice.ask("PART #coffee", "JOIN #a", "RENAME #a #b")
    assert list(irc.server.extensions[rename.Rename]._forwards) == ["#a"]
