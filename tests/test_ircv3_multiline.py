"""Messages of several lines: complete or not at all, one for those who know them, lines for the others."""

import pytest

from tests.irc_wire import short
from tests.ircv3_accounts import client, register
from tests.test_ircv3_chathistory import past

TAGS = "batch message-tags server-time echo-message labeled-response account-tag draft/chathistory"
CAPS = TAGS + " draft/multiline"
CONCAT = "draft/multiline-concat"
POEM = ["first line", "", "second ", (CONCAT, "goes on")]
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


def batch(target, parts, front="", command="PRIVMSG"):
    """Give the lines with which a client sends a message."""
    yield f"{front}BATCH +1 draft/multiline {target}"
    for part in parts:
        tag, text = part if isinstance(part, tuple) else ("", part)
        yield f"@batch=1{';' * bool(tag)}{tag} {command} {target} :{text}"
    yield "BATCH -1"


def bare(got):
    """Give messages without what differs between a live one and a later one: names of batches and labels."""
    return [
        (
            message.command,
            [param for param in message.params if param[:1] not in "+-"],
            message.source,
            {key: value for key, value in message.tags.items() if key not in ("batch", "label")},
        )
        for message in got
    ]


def inner(got):
    """Give what is in the batches of several lines, by what belongs to them."""
    start, *lines, end = got
    name = start.params[0][1:]
    assert (
        start.command == end.command == "BATCH"
        and end.params == ["-" + name]
        and {line.tags["batch"] for line in lines} == {name}
    )
    return start, lines


def test_who_knows_such_messages_gets_one_and_the_others_get_lines(irc):
    register(irc, "alice")
    alice = client(irc, "alice", caps=CAPS, channel="#tea")
    bob, tags, old = (
        irc.client("bob", CAPS, "#tea"),
        irc.client("tags", TAGS, "#tea"),
        irc.client("old", channel="#tea"),
    )
    for wire in alice, bob, tags:
        wire.ask()
    echo, (start, lines) = alice.ask(*batch("#tea", POEM, "@label=x;+draft/reply=7 ")), inner(bob.ask())
    assert (
        bare(inner(echo)[1]) == bare(lines)
        and echo[0].tags["label"] == "x"
        and not any("label" in got.tags for got in echo[1:])
    )
    assert start.params[1:] == ["draft/multiline", "#tea"] and start.nick == "alice"
    assert (start.tags["account"], start.tags["+draft/reply"], start.tags["msgid"]) == (
        "alice",
        "7",
        echo[0].tags["msgid"],
    )
    assert [line.text for line in lines] == ["first line", "", "second ", "goes on"]
    assert [CONCAT in line.tags for line in lines] == [False, False, False, True] and not any(
        "msgid" in line.tags for line in lines
    )
    first, second, third = tags.ask()
    assert first.tags["msgid"] == start.tags["msgid"] and not {"msgid", CONCAT} & (set(second.tags) | set(third.tags))
    assert {got.tags["time"] for got in (start, first, second, third)} == {start.tags["time"]} and third.tags[
        "account"
    ] == "alice"
    assert old.lines() == [f"PRIVMSG #tea {text}" for text in ("first line", "second ", "goes on")]


@pytest.mark.parametrize("target", ["#tea", "bob"])
@pytest.mark.parametrize("caps", [CAPS, TAGS])
def test_history_has_it_as_one_and_gives_it_both_ways_after_a_restart_too(target, caps, irc, tmp_path):
    irc.start(options={"db": str(tmp_path / "irc.db")})
    register(irc, "alice", "bob")
    alice, bob = client(irc, "alice", caps=CAPS, channel="#tea"), client(irc, "bob", caps=caps, channel="#tea")
    alice.ask(*batch(target, POEM, "@+draft/reply=7 "), f"PRIVMSG {target} :last")
    live = [message for message in bob.ask() if message.command in ("BATCH", "PRIVMSG")]
    for _ in range(2):
        there = target if target == "#tea" else "alice"
        assert bare(past(bob, there)) == bare(live)
        outer, *_ = got = bob.ask(f"CHATHISTORY LATEST {there} * 2")
        assert [message.text for message in got if message.command == "PRIVMSG"][-1] == "last", (
            "the limit counts messages"
        )
        if caps == CAPS:
            start, _lines = inner(got[1:-2])
            assert start.tags["batch"] == got[-3].tags["batch"] == outer.params[0][1:]
        irc.server.stop()
        irc.start(options={"db": str(tmp_path / "irc.db")})
        bob = client(irc, "bob", caps=caps, channel="#tea")


def test_one_line_is_an_ordinary_message_and_an_answer_has_the_label(irc):
    alice, bob = irc.client("alice", CAPS.replace(" echo-message", "")), irc.client("bob", CAPS)
    got = alice.ask(*batch("bob", ["hi"], "@label=x "))
    assert [(message.command, message.tags["label"]) for message in got] == [("ACK", "x")]
    assert bob.lines() == ["PRIVMSG bob hi"]
    bob.ask("AWAY :tea")
    got = alice.ask(*batch("bob", ["a", "b"], "@label=y "))
    assert [(message.command, message.tags["label"]) for message in got] == [("301", "y")]
    got = alice.ask(*batch("#nowhere", ["a", "b"], "@label=z "))
    assert [(message.command, message.tags["label"]) for message in got] == [("401", "z")]


def test_an_operator_s_message_to_a_status_is_one_too(irc):
    alice, bob, carol = (
        irc.client("alice", CAPS, "#tea"),
        irc.client("bob", CAPS, "#tea"),
        irc.client("carol", CAPS, "#tea"),
    )
    alice.ask("MODE #tea +o bob", *batch("@#tea", ["a", "b"]))
    assert [line.text for line in inner([got for got in bob.ask() if got.command in ("BATCH", "PRIVMSG")])[1]] == [
        "a",
        "b",
    ]
    assert not any(got.command == "PRIVMSG" for got in carol.ask())


@pytest.mark.parametrize(
    "lines, answer",
    [
        (batch("#tea", ["", ""]), "MULTILINE_INVALID"),
        (batch("#tea", []), "MULTILINE_INVALID"),
        (batch("#tea", ["a", (CONCAT, "")]), "MULTILINE_INVALID"),
        (batch("#tea", ["a"] * 40), "MULTILINE_MAX_LINES 32"),
        (batch("#tea", ["x" * 400] * 11), "MULTILINE_MAX_BYTES 4096"),
        (batch("#tea", ["a"], command="TAGMSG"), "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline #tea", "@batch=1 PRIVMSG bob :a", "BATCH -1"], "MULTILINE_INVALID_TARGET #tea bob"),
        (
            ["BATCH +1 draft/multiline #tea", "@batch=1 PRIVMSG #tea :a", "@batch=1 NOTICE #tea :b", "BATCH -1"],
            "MULTILINE_INVALID",
        ),
        (["BATCH +1 draft/multiline #tea", "@batch=2 PRIVMSG #tea :a", "BATCH -1"], "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline #tea", "@batch=1 BATCH +2 draft/multiline #tea", "BATCH -1"], "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline #tea", "@batch=1 PRIVMSG #tea :a", "BATCH -2"], "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline"], "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline #tea,bob"], "MULTILINE_INVALID"),
        (["BATCH -1"], "MULTILINE_INVALID"),
        (["@batch=1 PRIVMSG #tea :a"], "MULTILINE_INVALID"),
        (["BATCH +1 netsplit #tea"], "UNKNOWN_TYPE 1 netsplit"),
        (["BATCH +a'b draft/multiline #tea"], "INVALID_REFTAG a'b"),
        (["BATCH 1 draft/multiline #tea"], "INVALID_REFTAG *"),
    ],
)
def test_what_cannot_be_a_message_is_refused_once_and_nothing_of_it_is_delivered(lines, answer, irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    alice.ask()
    first, *lines = lines
    front = "" if first[0] == "@" else "@label=x "
    (got,) = alice.ask(front + first, *lines)
    assert [got.command, *got.params[:-1]] == ["FAIL", "BATCH", *answer.split()] and bool(front) == (
        "label" in got.tags
    )
    assert bob.ask() == []
    assert len(alice.ask(*batch("#tea", ["a", "b"]))) == len(bob.ask()) == 4, "and the next one is fine"


def test_the_limits_are_told_and_what_just_fits_is_delivered(irc):
    wire = irc.wire()
    offers = " ".join(message.text for message in wire.ask("CAP LS 302")).split()
    assert "draft/multiline=max-bytes=4096,max-lines=32" in offers
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    for parts in ["a"] * 32, ["x" * 400] * 10 + [(CONCAT, "x" * 87)]:
        alice.ask(*batch("#tea", parts))
        assert len(bob.ask()) == len(parts) + 2


def test_a_client_that_goes_in_the_middle_of_a_message_has_said_nothing(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    alice.ask(*list(batch("#tea", POEM))[:-1])
    alice.send("QUIT")
    alice.goodbye()
    assert [message.command for message in bob.ask()] == ["QUIT"] and past(bob, "#tea") == []


def test_others_speak_and_the_server_answers_while_a_message_is_open(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    alice.ask(*list(batch("#tea", POEM))[:-1])
    bob.ask("PRIVMSG #tea :meanwhile")
    assert [message.text for message in alice.ask("PRIVMSG bob :apart") if message.command == "PRIVMSG"] == [
        "meanwhile",
        "apart",
    ]
    alice.ask("BATCH -1")
    assert [message.text for message in bob.ask() if message.command == "PRIVMSG"][-4:] == [
        "first line",
        "",
        "second ",
        "goes on",
    ]


@pytest.mark.parametrize(
    "lines, labels",
    [
        (["@label=a BATCH +1 draft/multiline #tea", "@label=b BATCH +2 draft/multiline #tea"], "ab"),
        (
            ["@label=a BATCH +1 draft/multiline #tea", "@batch=1 JOIN #x", "@label=b BATCH +2 draft/multiline #tea"],
            "ab",
        ),
        (["@label=a BATCH +1 draft/multiline #tea", "@label=b BATCH +2 draft/multiline"], "ab"),
        (["@label=a;batch=1 PRIVMSG #tea :one"], "a"),
        (["@label=a;batch PRIVMSG"], "a"),
    ],
)
def test_each_batch_that_fails_has_a_fail_with_its_label(lines, labels, irc):
    alice = irc.client("alice", f"{CAPS} labeled-response", "#tea")
    got = alice.ask(*lines)
    assert {message.command for message in got} == {"FAIL"} and [message.tags["label"] for message in got] == list(
        labels
    )


@pytest.mark.parametrize("cap", ["batch", "draft/multiline", "labeled-response"])
def test_a_message_that_has_begun_is_delivered_whatever_its_client_gives_back_meanwhile(cap, irc):
    alice, bob = irc.client("alice", f"{CAPS} labeled-response", "#tea"), irc.client("bob", channel="#tea")
    alice.ask("@label=x BATCH +1 draft/multiline #tea", "@batch=1 PRIVMSG #tea :one", f"CAP REQ -{cap}")
    got = alice.ask("@batch=1 PRIVMSG #tea :two", "BATCH -1")
    assert "x" in [message.tags.get("label") for message in got]
    assert bob.lines() == ["PRIVMSG #tea one", "PRIVMSG #tea two"]


def test_a_client_that_does_not_know_such_messages_has_no_such_command(irc):
    alice = irc.client("alice", TAGS, "#tea")
    assert alice.codes("BATCH +1 draft/multiline #tea") == ["421"]
    assert [short(got) for got in alice.ask("@batch=1 PRIVMSG #tea :hi")] == ["PRIVMSG #tea hi"]


def test_who_may_not_speak_may_not_speak_in_several_lines(irc):
    irc.client("op", channel="#tea").ask("MODE #tea +mC")
    alice = irc.client("alice", CAPS, "#tea")
    assert [got.command for got in alice.ask(*batch("#tea", POEM))] == ["404"]


def test_it_is_taken_back_as_a_whole(irc):
    alice = irc.client("alice", CAPS + " draft/message-redaction", "#tea")
    start, *_ = alice.ask(*batch("#tea", POEM))
    assert alice.codes(f"REDACT #tea {start.tags['msgid']}") == ["REDACT"] and past(alice, "#tea") == []
