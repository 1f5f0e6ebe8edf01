"""MODE: of channels and of users, and what each mode does."""

import re

import pytest

from extras.irc.bans import Entry, Lists
from extras.irc.more.modes import MAX_MASK_BYTES
from extras.irc.names import mask as mask_of
from extras.irc.state import User


def pair(irc):
    """An operator and a member of #tea, with nothing waiting for either."""
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    return alice, bob


def test_the_modes_of_a_channel_are_shown(irc):
    alice = irc.client("alice", channel="#tea")
    assert re.fullmatch("324 #tea [+]nt;329 #tea [0-9]+", ";".join(alice.lines("MODE #tea")))
    assert alice.lines("MODE #tea +ikl secret 5") == ["MODE #tea +ikl secret 5"]
    assert alice.lines("MODE #tea")[0] == "324 #tea +intkl secret 5"
    assert irc.client("bob").lines("MODE #tea")[0] == "324 #tea +intkl * 5", "the key is for members"
    assert alice.lines("MODE #tea -intkl whatever") == ["MODE #tea -intkl secret"]
    assert alice.lines("MODE #tea")[0] == "324 #tea +"


def test_changes_are_told_to_members_once_and_what_is_so_already_is_not(irc):
    alice, bob = pair(irc)
    assert alice.lines("MODE #tea +nm-t+v-i bob") == bob.lines() == ["MODE #tea +m-t+v bob"]
    assert alice.lines("MODE #tea +mv bob") == []


def test_errors(irc):
    alice, bob = pair(irc)
    irc.client("carol", channel="#other")
    assert bob.lines("MODE #tea +m-t+o bob") == ["482 #tea You're not channel operator"]
    assert alice.lines("MODE #tea +o carol") == ["441 carol #tea They aren't on that channel"]
    assert alice.lines("MODE #tea +o nobody") == ["401 nobody No such nick/channel"]
    assert alice.lines("MODE #none +o alice", "MODE #none") == ["403 #none No such channel"] * 2
    assert alice.lines("MODE #other +o carol") == ["482 #other You're not channel operator"]
    assert alice.lines("MODE #tea +z") == ["472 z is unknown mode char to me for #tea"]
    assert alice.lines("MODE #tea +o", "MODE #tea +k", "MODE #tea +l", "MODE") == ["461 MODE Not enough parameters"]
    assert alice.lines("MODE #tea +o bob") == bob.lines() == ["MODE #tea +o bob"]
    assert bob.lines("MODE #tea -o alice") == ["MODE #tea -o alice"]


@pytest.mark.parametrize("key", ["with spaces", "long" * 100, "", "a,b", ":x", "\x1b", "é"])
def test_a_bad_key_is_refused(irc, key):
    alice = irc.client("alice", channel="#tea")
    assert alice.lines(f"MODE #tea +k :{key}") == ["696 #tea k * Key is not well-formed"]


def test_a_key_opens(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob")
    alice.ask("MODE #tea +k beer")
    assert bob.lines("JOIN #tea", "JOIN #tea bees") == ["475 #tea Cannot join channel (+k)"] * 2
    assert bob.codes("JOIN #tea beer")[0] == "JOIN"


@pytest.mark.parametrize("limit", ["0", "-1", "abc", ""])
def test_a_bad_limit_is_refused(irc, limit):
    alice = irc.client("alice", channel="#tea")
    assert alice.lines(f"MODE #tea +l :{limit}") == [f"696 #tea l {limit or '*'} Limit is a number from 1"]


def test_a_limit_holds(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob")
    assert alice.lines("MODE #tea +l 01") == ["MODE #tea +l 1"]
    assert bob.lines("JOIN #tea") == ["471 #tea Cannot join channel (+l)"]
    assert alice.lines("MODE #tea +l 2") == ["MODE #tea +l 2"]
    assert bob.codes("JOIN #tea")[0] == "JOIN"
    assert alice.lines("MODE #tea -l") == ["JOIN #tea", "MODE #tea -l"]


def test_bans_exceptions_and_invitation_masks(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("Bob")
    assert alice.lines("MODE #tea +b BOB") == ["MODE #tea +b BOB!*@*"]
    assert bob.codes("JOIN #tea") == ["474"]
    assert alice.lines("MODE #tea +e *!bob@127.*") == ["MODE #tea +e *!bob@127.*"]
    assert bob.codes("JOIN #tea", "PART #tea")[0] == "JOIN"
    assert alice.lines("MODE #tea -e+i-b *!bob@127.* bob!*@*")[-1] == "MODE #tea -e+i-b *!bob@127.* BOB!*@*"
    assert bob.codes("JOIN #tea") == ["473"]
    alice.ask("MODE #tea +I bob!*@*")
    assert bob.codes("JOIN #tea")[0] == "JOIN"
    alice.ask("MODE #tea +b x", "MODE #tea +e y")
    for letter, item, end, mask in (("b", 367, 368, "x!*@*"), ("e", 348, 349, "y!*@*"), ("I", 346, 347, "bob!*@*")):
        for ask in (f"MODE #tea {letter}", f"MODE #tea +{letter}"):
            assert re.fullmatch(
                rf"{item} #tea {re.escape(mask)} alice [0-9]+;{end} #tea .*", ";".join(alice.lines(ask))
            )


def test_a_mask_cannot_break_its_message(irc):
    alice = irc.client("alice", channel="#tea")
    assert alice.lines("MODE #tea +b ::a!b@c d") == ["MODE #tea +b a!b@c"]
    assert alice.codes("MODE #tea +b :") == ["367", "368"], "no mask is a question, not a ban on everyone"


def test_a_list_has_a_limit(irc):
    alice = irc.client("alice", channel="#tea")
    alice.ask(*(f"MODE #tea +b m{n}" for n in range(100)))
    assert alice.lines("MODE #tea +b more") == ["478 #tea b Channel list is full"]
    assert alice.lines("MODE #tea -b m7", "MODE #tea +b more")[-1] == "MODE #tea +b more!*@*"


def test_all_lists_of_a_channel_have_one_limit(irc):
    alice = irc.client("alice", channel="#tea")
    alice.ask(*(f"MODE #tea +beI b{n} e{n} i{n}" for n in range(33)), "MODE #tea +b last")
    assert alice.lines("MODE #tea +I more") == ["478 #tea I Channel list is full"]


@pytest.mark.parametrize("mask", ["x" * 107, "é"], ids=["long", "not ASCII"])
def test_a_mask_that_fits_nobody_is_refused(irc, mask):
    """One of 484 bytes was taken once, and fitted no line that showed it."""
    alice = irc.client("alice", channel="#tea")
    for letter in "beI":
        (got,) = alice.ask(f"MODE #tea +{letter} {mask}")
        assert (got.command, got.params[1:4]) == ("696", ["#tea", letter, "*"])
    assert not len(irc.server.registry.channel("#tea").lists)


def test_the_longest_mask_is_shown_whole_and_can_be_taken_off(irc):
    irc.start(name="x" * 60 + ".net")
    alice = irc.client("a" * 30, channel="#" + "c" * 49)
    mask = "n" * 36 + "!" + "u" * 36 + "@" + "h" * 36
    assert len(mask) == MAX_MASK_BYTES
    channel = "#" + "c" * 49
    assert alice.lines(f"MODE {channel} +b {mask}") == [f"MODE {channel} +b {mask}"]
    assert alice.ask(f"MODE {channel} b")[0].params[2] == mask
    assert alice.lines(f"MODE {channel} -b {mask}") == [f"MODE {channel} -b {mask}"]


def test_a_list_is_looked_up_once_for_a_user_until_it_changes():
    asked = []
    lists = Lists(lambda letter, text, user: asked.append(text))
    bob = User(None, "here")
    bob.call("bob")
    for mask in ("x", "y", "z"):
        lists.add("I", mask, Entry(mask, "alice", 0.0))
    assert not any(lists.match("I", bob) for _ in range(50))
    assert asked == ["x", "y", "z"]
    lists.add("I", mask_of("bob!*"), Entry("bob!*", "alice", 0.0))
    assert lists.match("I", bob)


def test_what_is_asked_twice_in_one_mode_is_answered_once(irc):
    """490 letters would be 25 MB of bans."""
    alice = irc.client("alice", channel="#tea")
    alice.ask("MODE #tea +bb x y")
    assert alice.codes("MODE #tea " + "b" * 400) == ["367", "367", "368"]
    assert alice.codes("MODE #tea +eeeIIIbbb") == ["349", "347", "367", "367", "368"]
    assert alice.codes("MODE #tea " + "xyz" * 100) == ["472", "472", "472"]


def test_many_masks_are_told_in_messages_of_512_bytes(irc):
    alice, bob = pair(irc)
    masks = [f"{'m' * 30}{n}!{'u' * 30}@h" for n in range(6)]
    got = alice.ask(f"MODE #tea +bbbbbb {' '.join(masks)}")
    assert [mask for m in got for mask in m.params[2:]] == masks
    assert [m.params[1] for m in bob.ask()] == [m.params[1] for m in got]


def test_the_banned_may_stay_but_not_speak(irc):
    alice, bob = pair(irc)
    assert bob.codes("PRIVMSG #tea :one") == []
    alice.ask("MODE #tea +b bob")
    assert bob.codes("PRIVMSG #tea :two") == ["MODE", "404"]
    assert bob.codes("NICK rob", "PRIVMSG #tea :three") == ["NICK"]
    assert alice.lines("MODE #tea +v rob") == ["NICK rob", "PRIVMSG #tea three", "MODE #tea +v rob"]


def test_moderated(irc):
    alice, bob = pair(irc)
    alice.ask("MODE #tea +m")
    assert bob.lines("PRIVMSG #tea :hi", "NOTICE #tea :hi")[1:] == ["404 #tea Cannot send to channel"]
    assert alice.lines("MODE #tea +v bob") == ["MODE #tea +v bob"]
    assert bob.codes("PRIVMSG #tea :hi") == ["MODE"]
    assert alice.lines() == ["PRIVMSG #tea hi"]


def test_no_external_messages(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob")
    assert bob.lines("PRIVMSG #tea :hi") == ["404 #tea Cannot send to channel"]
    alice.ask("MODE #tea -n")
    assert bob.lines("PRIVMSG #tea :hi") == [] and alice.lines() == ["PRIVMSG #tea hi"]


def test_no_ctcp_but_actions(irc):
    alice, bob = pair(irc)
    alice.ask("MODE #tea +C")
    bob.ask()
    assert bob.lines("PRIVMSG #tea :\x01ACTION hi\x01", "PRIVMSG #tea :\x01PING 1\x01") == [
        "404 #tea Cannot send to channel"
    ]
    assert alice.lines() == ["PRIVMSG #tea \x01ACTION hi\x01"]


def test_statuses_are_shown_highest_first(irc):
    alice, bob = irc.client("alice", caps="multi-prefix", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask("MODE #tea +vh alice alice")
    assert alice.lines("NAMES #tea")[0] == "353 = #tea @%+alice bob"
    assert bob.lines("NAMES #tea")[1] == "353 = #tea @alice bob"
    assert [m.params[6] for m in alice.ask("WHO #tea") if m.command == "352"] == ["H@%+", "H"]


def test_user_modes(irc):
    alice = irc.client("alice")
    irc.client("bob")
    assert alice.lines("MODE alice", "MODE alice +iw-i+oB", "MODE ALICE") == ["221 +", "MODE alice +iw-i+B", "221 +Bw"]
    assert alice.lines("MODE alice +wz") == ["501 Unknown MODE flag"]
    assert alice.lines("MODE alice -sz", "MODE alice +i-xw") == ["MODE alice +i-w"], "what is off stays off"
    assert alice.lines("MODE bob +i", "MODE nobody +i") == [
        "502 Cannot change mode for other users",
        "401 nobody No such nick/channel",
    ]
    assert alice.lines("OPER root secret") == ["381 You are now an IRC operator", "MODE alice +o"]
    assert alice.lines("MODE alice -o", "MODE alice +o") == ["MODE alice -o"]
