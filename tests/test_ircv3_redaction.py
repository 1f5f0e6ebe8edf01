"""Redaction: who may take back what, and that nobody gets it afterwards, whatever happens meanwhile."""

import sqlite3
from contextlib import closing

import pytest

from extras.ircv3 import redaction
from extras.ircv3.database import Database
from extras.ircv3.history import History
from extras.ircv3.storage import Storage
from tests.irc_wire import short
from tests.ircv3_accounts import client, register
from tests.test_ircv3_chathistory import say, texts

CAPS = "batch message-tags server-time echo-message labeled-response draft/chathistory draft/message-redaction"
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


def id_of(wire, target, word):
    return next(message.tags["msgid"] for message in say(wire, target, word) if message.command == "PRIVMSG")


def meanwhile(irc, what):
    """Do something while the database reads, after it has read."""
    history = irc.server.extensions[History]
    read = history.read

    def and_meanwhile(function):
        rows = read(function)
        history.read = read
        what()
        return rows

    history.read = and_meanwhile


def test_an_author_takes_back_its_words_and_history_forgets_them(irc):
    irc.client("op", channel="#tea")
    alice, bob, old = (
        irc.client("alice", CAPS, "#tea"),
        irc.client("bob", CAPS, "#tea"),
        irc.client("old", channel="#tea"),
    )
    name = id_of(alice, "#tea", "oops")
    for wire in alice, bob, old:
        wire.ask()
    assert alice.lines(f"REDACT #TEA {name} :wrong window") == [f"REDACT #tea {name} wrong window"]
    (got,) = bob.ask()
    assert (got.nick, short(got)) == ("alice", f"REDACT #tea {name} wrong window")
    assert old.ask() == []
    assert texts(bob, "#tea") == []
    assert alice.lines(f"REDACT #tea {name}")[0].startswith(f"FAIL REDACT UNKNOWN_MSGID #tea {name} ")
    assert b"oops" not in irc.server.extensions[Storage].database.read(
        lambda db: b"".join(line for (line,) in db.execute("SELECT line FROM message"))
    )


def test_an_operator_of_the_channel_takes_back_what_others_said_and_nobody_else_does(irc):
    op, alice, bob = irc.client("op", CAPS, "#tea"), irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    outside = irc.client("outside", CAPS)
    name = id_of(alice, "#tea", "spam")
    bob.ask()
    assert bob.lines(f"REDACT #tea {name}")[0].startswith(f"FAIL REDACT REDACT_FORBIDDEN #tea {name} ")
    assert outside.lines(f"REDACT #tea {name}")[0].startswith("FAIL REDACT INVALID_TARGET #tea ")
    assert outside.lines(f"REDACT alice {name}")[0].startswith(f"FAIL REDACT UNKNOWN_MSGID alice {name} ")
    op.ask()
    assert op.lines(f"REDACT #tea {name}") == [f"REDACT #tea {name}"]


def test_only_its_author_takes_back_a_private_message_for_both_ends(irc):
    register(irc, "alice", "bob")
    alice, bob, eve = client(irc, "alice", caps=CAPS), client(irc, "bob", caps=CAPS), irc.client("eve", CAPS)
    name = id_of(alice, "bob", "secret")
    bob.ask()
    assert bob.lines(f"REDACT alice {name}")[0].startswith("FAIL REDACT REDACT_FORBIDDEN ")
    assert eve.lines(f"REDACT alice {name}")[0].startswith("FAIL REDACT UNKNOWN_MSGID ")
    assert alice.lines(f"REDACT bob {name}") == bob.lines() == [f"REDACT bob {name}"]
    assert texts(alice, "bob") == texts(bob, "alice") == []


def test_a_client_that_does_not_know_redaction_has_no_such_command(irc):
    alice = irc.client("alice", CAPS.replace("draft/message-redaction", ""), "#tea")
    assert alice.codes(f"REDACT #tea {id_of(alice, '#tea', 'x')}") == ["421"]


def test_one_s_own_words_can_be_taken_back_for_a_day(irc, monkeypatch):
    irc.client("op", channel="#tea")
    alice = irc.client("alice", CAPS, "#tea")
    name = id_of(alice, "#tea", "x")
    monkeypatch.setattr(redaction, "WINDOW_S", -1)
    assert alice.lines(f"REDACT #tea {name}")[0].startswith(f"FAIL REDACT REDACT_WINDOW_EXPIRED #tea {name} -1 ")


@pytest.mark.parametrize("words", ["x", "x'OR'1'='1", ":a b"])
def test_an_id_that_is_nobody_s_is_refused(words, irc):
    alice = irc.client("alice", CAPS + " draft/event-playback", "#tea")
    say(alice, "#tea", "one")
    assert alice.lines(f"REDACT #tea {words}")[0].startswith("FAIL REDACT UNKNOWN_MSGID #tea ")
    join = next(message for message in alice.ask("CHATHISTORY LATEST #tea * 9") if message.command == "JOIN")
    assert alice.lines(f"REDACT #tea {join.tags['msgid']}")[0].startswith("FAIL REDACT UNKNOWN_MSGID #tea ")


def test_a_message_that_is_taken_back_while_somebody_reads_it_is_not_sent(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    name = id_of(alice, "#tea", "oops")
    bob.ask()
    meanwhile(irc, lambda: alice.ask(f"REDACT #tea {name}"))
    got = [short(message) for message in bob.ask("CHATHISTORY LATEST #tea * 9") if message.command != "BATCH"]
    assert got == [f"REDACT #tea {name}"]


def test_two_who_take_back_one_message_at_once_tell_it_once(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    alice.ask("MODE #tea +o bob")
    name = id_of(alice, "#tea", "oops")
    bob.ask()
    meanwhile(irc, lambda: bob.ask(f"REDACT #tea {name}"))
    got = alice.lines(f"REDACT #tea {name}")
    assert got[0] == f"REDACT #tea {name}" and got[1].startswith("FAIL REDACT UNKNOWN_MSGID") and len(got) == 2


@pytest.mark.parametrize("loses, code", [("MODE #tea -o bob", "REDACT_FORBIDDEN"), ("KICK #tea bob", "INVALID_TARGET")])
def test_one_who_loses_its_rights_meanwhile_takes_nothing_back(loses, code, irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    alice.ask("MODE #tea +o bob")
    name = id_of(alice, "#tea", "stays")
    bob.ask()
    meanwhile(irc, lambda: alice.ask(loses))
    assert bob.lines(f"REDACT #tea {name}")[-1].split()[2] == code
    assert texts(alice, "#tea") == ["stays"]


def test_one_may_ask_for_what_came_after_a_message_that_was_taken_back(irc):
    alice = irc.client("alice", CAPS, "#tea")
    name = id_of(alice, "#tea", "one")
    say(alice, "#tea", "two")
    alice.ask(f"REDACT #tea {name}")
    assert texts(alice, "#tea", "AFTER", f"msgid={name}") == ["two"]


def test_what_cannot_be_written_is_not_taken_back_and_one_is_told(irc, tmp_path, monkeypatch):
    path, defaults = str(tmp_path / "irc.db"), Database.__init__.__kwdefaults__
    monkeypatch.setattr(Database.__init__, "__kwdefaults__", defaults | {"busy_timeout_s": 0})
    irc.start(options={"db": path})
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    name = id_of(alice, "#tea", "oops")
    assert texts(bob, "#tea") == ["oops"]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert (
            alice.lines(f"REDACT #tea {name}")[-1]
            == f"FAIL REDACT INTERNAL_ERROR #tea {name} History is temporarily unavailable"
        )
        assert texts(bob, "#tea") == ["oops"]
        other.execute("COMMIT")
        assert alice.lines(f"REDACT #tea {name}") == [f"REDACT #tea {name}"]
        assert b"oops" not in b"".join(line for (line,) in other.execute("SELECT line FROM message"))


def test_without_a_database_nothing_is_taken_back_and_one_is_told(irc):
    alice = irc.client("alice", CAPS, "#tea")
    name = id_of(alice, "#tea", "one")
    irc.server.extensions[Storage].database.close()
    assert alice.lines(f"REDACT #tea {name}") == [
        f"FAIL REDACT INTERNAL_ERROR #tea {name} History is temporarily unavailable"
    ]
