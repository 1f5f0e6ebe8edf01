"""METADATA: keys of users and channels, who hears of them, and what is kept."""

import pytest

from extras.ircv3 import metadata
from tests.irc_wire import irc, short  # noqa: F401

CAPS = "draft/metadata-3 batch"


def plain(got):
    """Return the lines without their batches, without our own nick."""
    return [short(message) for message in got if message.command != "BATCH"]


@pytest.fixture
def two(irc):  # noqa: F811
    """alice and bob in #tea; bob has subscribed to `avatar` and `url`."""
    alice, bob = (irc.client(nick, caps=CAPS, channel="#tea") for nick in ("alice", "bob"))
    assert plain(bob.ask("METADATA * SUB avatar url")) == ["770 avatar url", "774 #tea"]
    alice.ask()
    return alice, bob


def test_a_key_is_set_shown_changed_and_taken_away(two):
    alice, bob = two
    assert plain(alice.ask("METADATA * SET avatar :a picture")) == ["761 alice avatar * a picture"]
    assert plain(bob.ask("METADATA alice GET avatar name")) == [
        "761 alice avatar * a picture", "761 alice avatar * a picture", "766 alice name key not set"]
    assert plain(alice.ask("METADATA alice SET avatar :", "METADATA * LIST")) == ["761 alice avatar * "] * 2
    assert plain(alice.ask("METADATA * SET avatar", "METADATA * SET avatar")) == [
        "766 alice avatar key not set", "FAIL METADATA KEY_NOT_SET alice avatar It is not set"]
    assert plain(bob.ask()) == ["761 alice avatar * ", "766 alice avatar key not set"]


def test_only_subscribers_nearby_hear_of_a_change(two, irc):  # noqa: F811
    alice, bob = two
    afar, deaf = irc.client("afar", caps=CAPS), irc.client("deaf", caps="batch", channel="#tea")
    afar.ask("METADATA * SUB avatar")
    alice.ask("METADATA * SET avatar x", "METADATA * SET name y")
    assert plain(bob.ask())[1:] == ["761 alice avatar * x"]
    assert plain(afar.ask()) == [] and plain(deaf.ask()) == []
    afar.ask("MONITOR + alice")
    alice.ask("METADATA * SET avatar z")
    assert plain(afar.ask()) == ["761 alice avatar * z"]
    bob.ask("METADATA * UNSUB avatar")
    alice.ask("METADATA * SET avatar w")
    assert plain(bob.ask()) == []


def test_a_channels_keys_are_its_operators_and_come_with_the_join(two, irc):  # noqa: F811
    alice, bob = two
    assert plain(bob.ask("METADATA #tea SET url x", "METADATA #tea CLEAR")) == [
        "FAIL METADATA KEY_NO_PERMISSION #tea url You may not set that",
        "FAIL METADATA KEY_NO_PERMISSION #tea * You may not clear that"]
    alice.ask("METADATA #tea SET url http://tea.example", "METADATA * SET avatar x")
    bob.ask("PART #tea")
    got = bob.ask("JOIN #tea")
    assert plain(got)[-2:] == ["761 #tea url * http://tea.example", "761 alice avatar * x"]
    assert [message.params[1:] for message in got if message.command == "BATCH"][0] == ["metadata", "#tea"]
    assert plain(bob.ask("METADATA #tea SYNC")) == ["761 #tea url * http://tea.example", "761 alice avatar * x"]
    alice.ask("MODE #tea +i")
    eve = irc.client("eve", caps=CAPS)
    assert {message.params[1] for message in eve.ask("METADATA #tea LIST", "METADATA #tea GET url", "METADATA #tea SYNC")
            } == {"KEY_NO_PERMISSION"}
    assert plain(alice.ask("METADATA #tea CLEAR"))[-1] == "766 #tea url key not set"


def test_who_joins_is_seen_by_those_who_are_there(two, irc):  # noqa: F811
    _, bob = two
    carol = irc.client("carol", caps=CAPS)
    carol.ask("METADATA * SET avatar c", "JOIN #tea")
    assert plain(bob.ask()) == ["JOIN #tea", "761 carol avatar * c"]


def test_a_large_channel_is_asked_for_later(two, irc, monkeypatch):  # noqa: F811
    monkeypatch.setattr(metadata, "MAX_AT_ONCE", 2)
    carol = irc.client("carol", caps=CAPS)
    carol.ask("METADATA * SUB avatar")
    assert plain(carol.ask("JOIN #tea"))[-1] == "774 #tea"


def test_what_was_set_before_the_registration_counts(irc):  # noqa: F811
    wire = irc.wire()
    wire.ask("CAP LS 302", f"CAP REQ :{CAPS}")
    assert plain(wire.ask("METADATA * SET name :A B", "METADATA bob GET x")) == [
        "761 * name * A B", "FAIL METADATA INVALID_TARGET bob There is no such user or channel"]
    wire.send("NICK alice\r\nUSER a 0 * :A\r\nCAP END")
    codes = [short(message) for message in wire.read_until("376")]
    assert "761 alice name * A B" in codes
    assert plain(irc.client("bob", caps=CAPS).ask("WHOIS alice")).count("760 alice name * A B") == 1


@pytest.mark.parametrize("line, code", [
    ("METADATA nobody LIST", "INVALID_TARGET"), ("METADATA * NONSENSE", "SUBCOMMAND_INVALID"),
    ("METADATA * SET Name x", "KEY_INVALID"), ("METADATA * SET", "KEY_INVALID"), ("METADATA * GET $", "KEY_INVALID"),
    ("METADATA * SUB :", "KEY_INVALID"), ("METADATA * SET a :" + "x" * 301, "INVALID_VALUE"),
    ("METADATA bob SET a x", "KEY_NO_PERMISSION"), ("METADATA * SET a' OR '1'='1 x", "KEY_INVALID"),
])
def test_what_is_wrong_is_refused_in_one_line(irc, line, code):  # noqa: F811
    irc.client("bob")
    alice = irc.client("alice", caps=CAPS)
    (got,) = [message for message in alice.ask(line) if message.command == "FAIL"]
    assert got.params[:2] == ["METADATA", code]


def test_a_value_that_is_not_utf8_is_refused(irc):  # noqa: F811
    alice = irc.client("alice", caps=CAPS)
    alice.send(b"METADATA * SET a :\xc3<-\r\n")
    assert [message.params[:2] for message in alice.ask()] == [["METADATA", "INVALID_UTF8"]]


def test_what_one_can_set_and_subscribe_to_is_bounded(irc):  # noqa: F811
    alice = irc.client("alice", caps=CAPS)
    got = alice.ask(*(f"METADATA * SET k{n} x" for n in range(metadata.MAX_KEYS + 1)))
    assert [message.command for message in got] == ["761"] * metadata.MAX_KEYS + ["FAIL"]
    for n in range(0, metadata.MAX_SUBSCRIPTIONS + 10, 10):
        got = alice.ask("METADATA * SUB " + " ".join(f"s{n + i}" for i in range(10)))
    assert [short(message) for message in got][0].startswith(f"FAIL METADATA TOO_MANY_SUBS s{metadata.MAX_SUBSCRIPTIONS} ")
    assert sum(len(message.params) - 1 for message in alice.ask("METADATA * SUBS") if message.command == "772") == metadata.MAX_SUBSCRIPTIONS


def test_who_is_gone_leaves_nothing_behind(irc):  # noqa: F811
    alice = irc.client("alice", caps=CAPS)
    alice.ask("METADATA * SET a x", "METADATA * SUB a")
    here = irc.server.extensions[metadata.Metadata]
    assert here.subscribers and len(here.values)
    alice.send("QUIT")
    alice.goodbye()
    irc.client("bob").ask()
    assert not here.subscribers and irc.client("alice", caps=CAPS).codes("METADATA * LIST") == ["BATCH", "BATCH"]


def test_an_accounts_metadata_survives_a_restart(irc, tmp_path):  # noqa: F811
    path = str(tmp_path / "irc.db")
    irc.start(options={"db": path})
    alice = irc.client("alice", caps=CAPS)
    alice.ask("METADATA * SET url x", "METADATA * SET name y")
    assert "900" in alice.codes("PRIVMSG NickServ :REGISTER secret-tea")
    alice.ask("METADATA * SET name z", "METADATA * SET url")
    irc.server.stop()
    irc.start(options={"db": path})
    alice = irc.client("al", caps=CAPS)
    assert "900" in alice.codes("PRIVMSG NickServ :IDENTIFY alice secret-tea")
    assert plain(alice.ask("METADATA * LIST")) == ["761 al name * z"]
