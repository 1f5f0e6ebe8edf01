"""METADATA: keys of users and channels, who hears of them, and what is kept."""

from queue import Full

import pytest

from extras.ircv3 import metadata, metadata_news
from extras.ircv3.metadata_store import MAX_KEYS
from extras.ircv3.storage import Storage
from tests.irc_wire import short
from tests.ircv3_accounts import client, login, register

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes

CAPS = "draft/metadata-3 batch"


def plain(got):
    """Return the lines without their batches, without our own nick."""
    return [short(message) for message in got if message.command != "BATCH"]


@pytest.fixture
def two(irc):
    """alice and bob in #tea; bob has subscribed to `avatar` and `url`."""
    alice, bob = (irc.client(nick, caps=CAPS, channel="#tea") for nick in ("alice", "bob"))
    assert plain(bob.ask("METADATA * SUB avatar url")) == ["770 avatar url", "774 #tea"]
    alice.ask()
    return alice, bob


def test_a_key_is_set_shown_changed_and_taken_away(two):
    alice, bob = two
    assert plain(alice.ask("METADATA * SET avatar :a picture")) == ["761 alice avatar * a picture"]
    assert plain(bob.ask("METADATA alice GET avatar name")) == [
        "761 alice avatar * a picture",
        "761 alice avatar * a picture",
        "766 alice name key not set",
    ]
    assert plain(alice.ask("METADATA alice SET avatar :", "METADATA * LIST")) == ["761 alice avatar * "] * 2
    assert plain(alice.ask("METADATA * SET avatar", "METADATA * SET avatar")) == [
        "766 alice avatar key not set",
        "FAIL METADATA KEY_NOT_SET alice avatar It is not set",
    ]
    assert plain(bob.ask()) == ["761 alice avatar * ", "766 alice avatar key not set"]


def test_only_subscribers_nearby_hear_of_a_change(two, irc):
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


def test_a_channels_keys_are_its_operators_and_come_with_the_join(two, irc):
    alice, bob = two
    assert plain(bob.ask("METADATA #tea SET url x", "METADATA #tea CLEAR")) == [
        "FAIL METADATA KEY_NO_PERMISSION #tea url You may not set that",
        "FAIL METADATA KEY_NO_PERMISSION #tea * You may not clear that",
    ]
    alice.ask("METADATA #tea SET url http://tea.example", "METADATA * SET avatar x")
    bob.ask("PART #tea")
    got = bob.ask("JOIN #tea")
    assert plain(got)[-2:] == ["761 #tea url * http://tea.example", "761 alice avatar * x"]
    assert next(message.params[1:] for message in got if message.command == "BATCH") == ["metadata", "#tea"]
    assert plain(bob.ask("METADATA #tea SYNC")) == ["761 #tea url * http://tea.example", "761 alice avatar * x"]
    alice.ask("MODE #tea +i")
    eve = irc.client("eve", caps=CAPS)
    assert {
        message.params[1] for message in eve.ask("METADATA #tea LIST", "METADATA #tea GET url", "METADATA #tea SYNC")
    } == {"KEY_NO_PERMISSION"}
    assert plain(alice.ask("METADATA #tea CLEAR"))[-1] == "766 #tea url key not set"


def test_who_joins_is_seen_by_those_who_are_there(two, irc):
    _, bob = two
    carol = irc.client("carol", caps=CAPS)
    carol.ask("METADATA * SET avatar c", "JOIN #tea")
    assert plain(bob.ask()) == ["JOIN #tea", "761 carol avatar * c"]


def test_a_channel_of_which_there_is_much_to_tell_is_asked_for_later(two, irc, monkeypatch):
    monkeypatch.setattr(metadata_news, "MAX_AT_ONCE", 2)
    alice, bob = two
    carol = irc.client("carol", caps=CAPS)
    alice.ask("METADATA * SET avatar x", "METADATA #tea SET avatar y")
    carol.ask("METADATA * SUB avatar")
    assert plain(carol.ask("JOIN #tea"))[-1] == "761 alice avatar * x"
    bob.ask("METADATA * SET avatar z")
    assert plain(carol.ask("PART #tea", "JOIN #tea"))[-1] == "774 #tea"
    assert sorted(plain(carol.ask("METADATA #tea SYNC"))) == [
        "761 #tea avatar * y",
        "761 alice avatar * x",
        "761 bob avatar * z",
    ]


def test_what_was_set_before_the_registration_counts(irc):
    wire = irc.wire()
    wire.ask("CAP LS 302", f"CAP REQ :{CAPS}")
    assert plain(wire.ask("METADATA * SET name :A B", "METADATA bob GET x")) == [
        "761 * name * A B",
        "FAIL METADATA INVALID_TARGET bob There is no such user or channel",
    ]
    wire.send("NICK alice\r\nUSER a 0 * :A\r\nCAP END")
    codes = [short(message) for message in wire.read_until("376")]
    assert "761 alice name * A B" in codes
    assert plain(irc.client("bob", caps=CAPS).ask("WHOIS alice")).count("760 alice name * A B") == 1


@pytest.mark.parametrize(
    "line, code",
    [
        ("METADATA nobody LIST", "INVALID_TARGET"),
        ("METADATA * NONSENSE", "SUBCOMMAND_INVALID"),
        ("METADATA * SET Name x", "KEY_INVALID"),
        ("METADATA * SET", "KEY_INVALID"),
        ("METADATA * GET $", "KEY_INVALID"),
        ("METADATA * SUB :", "KEY_INVALID"),
        ("METADATA * SET a :" + "x" * 301, "INVALID_VALUE"),
        ("METADATA bob SET a x", "KEY_NO_PERMISSION"),
        ("METADATA * SET a' OR '1'='1 x", "KEY_INVALID"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(irc, line, code):
    irc.client("bob")
    alice = irc.client("alice", caps=CAPS)
    (got,) = [message for message in alice.ask(line) if message.command == "FAIL"]
    assert got.params[:2] == ["METADATA", code]


def test_a_value_that_is_not_utf8_is_refused(irc):
    alice = irc.client("alice", caps=CAPS)
    alice.send(b"METADATA * SET a :\xc3<-\r\n")
    assert [message.params[:2] for message in alice.ask()] == [["METADATA", "INVALID_UTF8"]]


def test_its_refusal_has_the_label_of_the_request(irc):
    wire = irc.client("alice", "draft/metadata-3 labeled-response")
    wire.send(b"@label=x METADATA * SET url :caf\xe9\r\n")
    assert [(message.tags["label"], *message.params[:2]) for message in wire.ask()] == [
        ("x", "METADATA", "INVALID_UTF8")
    ]


def test_what_one_can_set_and_subscribe_to_is_bounded(irc):
    alice = irc.client("alice", caps=CAPS)
    got = alice.ask(*(f"METADATA * SET k{n} x" for n in range(MAX_KEYS + 1)))
    assert [message.command for message in got] == ["761"] * MAX_KEYS + ["FAIL"]
    for n in range(0, metadata_news.MAX_SUBSCRIPTIONS + 10, 10):
        got = alice.ask("METADATA * SUB " + " ".join(f"s{n + i}" for i in range(10)))
    assert short(got[0]).startswith(f"FAIL METADATA TOO_MANY_SUBS s{metadata_news.MAX_SUBSCRIPTIONS} ")
    assert (
        sum(len(message.params) - 1 for message in alice.ask("METADATA * SUBS") if message.command == "772")
        == metadata_news.MAX_SUBSCRIPTIONS
    )


def test_who_is_gone_leaves_nothing_behind(irc):
    alice = irc.client("alice", caps=CAPS)
    alice.ask("METADATA * SET a x", "METADATA * SUB a")
    here = irc.server.extensions[metadata.Metadata]
    assert here.subscribers
    alice.send("QUIT")
    alice.goodbye()
    irc.client("bob").ask()
    assert not here.subscribers
    assert irc.client("alice", caps=CAPS).codes("METADATA * LIST") == ["BATCH", "BATCH"]


def test_an_accounts_metadata_survives_a_restart(irc, tmp_path):
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


def test_whoever_watches_a_nick_hears_what_it_has_now_and_when_it_comes(irc):
    alice, bob = irc.client("alice", caps=CAPS), irc.client("bob", caps=CAPS)
    alice.ask("METADATA * SET avatar x", "METADATA * SET url y")
    bob.ask("METADATA * SUB avatar")
    assert plain(bob.ask("MONITOR + alice,carol")) == ["730 alice!alice@127.0.0.1", "731 carol", "761 alice avatar * x"]
    carol = irc.wire()
    carol.ask("CAP LS 302", f"CAP REQ :{CAPS}", "METADATA * SET avatar z")
    carol.send("NICK carol\r\nUSER carol 0 * :C\r\nCAP END")
    carol.read_until("376")
    assert plain(bob.ask()) == ["730 carol!carol@127.0.0.1", "761 carol avatar * z"]


def test_who_changes_too_much_is_told_to_wait(irc, monkeypatch):
    monkeypatch.setattr(metadata, "CHANGES", 3)
    alice = irc.client("alice", caps=CAPS)
    *done, refused = plain(alice.ask(*["METADATA * SET a x"] * 4))
    assert len(done) == 3 and refused.startswith("FAIL METADATA RATE_LIMITED alice a ")
    assert 0 < int(refused.split()[5]) <= metadata.CHANGES_S
    assert plain(alice.ask("METADATA * CLEAR"))[0].startswith("FAIL METADATA RATE_LIMITED alice * ")
    assert plain(alice.ask("METADATA * GET a")) == ["761 alice a * x"]
    monkeypatch.setattr(metadata, "CHANGES_S", 0.0)
    assert plain(alice.ask("METADATA * SET a y")) == ["761 alice a * y"]


@pytest.mark.parametrize(
    "mode, code",
    [
        ("+s", "INVALID_TARGET"),
        ("+p", "INVALID_TARGET"),
        ("+i", "KEY_NO_PERMISSION"),
        ("+k x", "KEY_NO_PERMISSION"),
        ("+b eve", "KEY_NO_PERMISSION"),
    ],
)
def test_who_cannot_enter_a_channel_does_not_see_its_keys(irc, mode, code):
    irc.client("alice", caps=CAPS, channel="#tea").ask("METADATA #tea SET url x", f"MODE #tea {mode}")
    (got,) = irc.client("eve", caps=CAPS).ask("METADATA #tea LIST")
    assert got.params[:2] == ["METADATA", code]


def test_what_is_no_key_does_not_make_an_answer_too_long(irc):
    (got,) = irc.client("alice", caps=CAPS).ask("METADATA * SET " + "K" * 460)
    assert got.params[:2] == ["METADATA", "KEY_INVALID"] and got.text.endswith("_./-")


# --- accounts ---------------------------------------------------------------------------------------


def test_two_users_of_one_account_have_the_same_keys(irc, cheap):
    register(irc, "alice")
    al, ally = (client(irc, nick, "alice", caps=CAPS) for nick in ("al", "ally"))
    watcher = irc.client("watcher", caps=CAPS)
    watcher.ask("METADATA * SUB url", "MONITOR + al,ally")
    al.ask("METADATA * SET url x")
    assert plain(ally.ask("METADATA * LIST")) == ["761 ally url * x"]
    ally.ask("METADATA * SET url")
    assert plain(al.ask("METADATA * LIST")) == []
    assert sorted(plain(watcher.ask())) == [
        "761 al url * x",
        "761 ally url * x",
        "766 al url key not set",
        "766 ally url key not set",
    ]


def test_one_account_s_keys_do_not_become_another_one_s(irc, cheap):
    register(irc, "alice", "bob")
    al = client(irc, "al", "alice", caps=CAPS)
    al.ask("METADATA * SET url x")
    assert login(al, "bob") == ["900", "903"]
    assert plain(al.ask("METADATA * LIST")) == []
    al.ask("METADATA * SET name y")
    assert plain(client(irc, "ally", "alice", caps=CAPS).ask("METADATA * LIST")) == ["761 ally url * x"]


def test_who_logs_in_shows_the_account_s_keys_to_who_is_there(irc, cheap):
    register(irc, "alice")
    client(irc, "ally", "alice", caps=CAPS).ask("METADATA * SET url x")
    bob = irc.client("bob", caps=CAPS, channel="#tea")
    bob.ask("METADATA * SUB url name")
    al = irc.client("al", caps=f"{CAPS} sasl", channel="#tea")
    al.ask("METADATA * SET name y")
    bob.ask()
    assert login(al, "alice") == ["900", "903"]
    assert sorted(plain(bob.ask())) == ["761 al name * y", "761 al url * x"]


@pytest.mark.parametrize("which", [0, 1])
def test_whichever_session_joins_its_user_s_keys_are_told_once(irc, cheap, which):
    irc.start(options={"always_on": "opt-out"})
    register(irc, "alice")
    bob = irc.client("bob", caps=CAPS, channel="#tea")
    bob.ask("METADATA * SUB url")
    sessions = [client(irc, "alice", caps=CAPS) for _ in range(2)]
    sessions[0].ask("METADATA * SET url x")
    sessions[which].ask("JOIN #tea")
    assert plain(bob.ask()) == ["JOIN #tea", "761 alice url * x"]


def test_keys_are_set_where_the_database_takes_no_more(irc, tmp_path, monkeypatch, cheap):
    irc.start(options={"db": str(tmp_path / "irc.db")})
    register(irc, "alice")
    al = client(irc, "al", "alice", caps=CAPS)

    def full(*_):
        raise Full

    monkeypatch.setattr(irc.server.extensions[Storage].database, "write", full)
    assert plain(al.ask("METADATA * SET url x", "METADATA * GET url")) == ["761 al url * x"] * 2
