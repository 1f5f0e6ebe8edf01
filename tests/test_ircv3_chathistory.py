"""History: what was said can be read later, by those who may, and by nobody else."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from extras.irc.handler import IrcHandler
from extras.ircv3 import database, history, messages
from extras.ircv3.database import GATHER_S, Database
from extras.ircv3.history import PAUSE_S, History, life_of
from extras.ircv3.schema import MIGRATIONS
from extras.ircv3.storage import Storage
from tests.chapter import ROOT
from tests.irc_wire import IrcWire, short
from tests.ircv3_accounts import client, login, register
from tests.test_ircv3_database import held

CAPS = "batch message-tags server-time echo-message labeled-response account-tag draft/chathistory"
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "irc.db")


def past(wire, target, form="LATEST", selectors="*", limit=50):
    """Return what CHATHISTORY gives, without its batch."""
    wire.ask()
    start, *got, end = wire.ask(f"CHATHISTORY {form} {target} {selectors} {limit}")
    assert start.command == end.command == "BATCH" and start.params[1:] == ["chathistory", target], (start, end)
    inside = {message.params[0][1:] for message in (start, *got) if message.command == "BATCH"}
    assert {message.tags["batch"] for message in got} <= inside and end.params == ["-" + start.params[0][1:]]
    return got


def texts(wire, target, *more):
    return [message.text for message in past(wire, target, *more)]


def say(wire, target, *words):
    """Say some words; return the echoes."""
    return wire.ask(*(f"PRIVMSG {target} :{word}" for word in words))


def same(live, later):
    """Compare messages: what was sent then, and what is sent now."""

    def bare(message):
        return message._replace(
            tags={key: value for key, value in message.tags.items() if key not in ("batch", "label")}
        )

    assert [bare(message) for message in live] == [bare(message) for message in later]


def test_a_member_reads_what_was_said_before_it_came_and_nobody_else_does(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS)
    said = say(alice, "#tea", "one", "two", "three")
    assert short(bob.ask("CHATHISTORY LATEST #tea * 5")[0]).startswith("FAIL CHATHISTORY INVALID_TARGET LATEST #tea ")
    bob.ask("JOIN #TEA")
    same(said, past(bob, "#tea"))
    same(said[1:], past(bob, "#tea", "LATEST", "*", 2))
    bob.ask("PART #tea")
    assert bob.codes("CHATHISTORY LATEST #tea * 5") == ["FAIL"]


def test_each_form_goes_by_id_and_by_time(irc):
    alice = irc.client("alice", CAPS, "#tea")
    said = [message.tags["msgid"] for word in "abcdef" for message in say(alice, "#tea", word)]
    for form, selectors, limit, expected in [
        ("LATEST", f"msgid={said[3]}", 9, "ef"),
        ("BEFORE", f"msgid={said[3]}", 2, "bc"),
        ("AFTER", f"msgid={said[1]}", 2, "cd"),
        ("AROUND", f"msgid={said[2]}", 3, "bcd"),
        ("BETWEEN", f"msgid={said[0]} msgid={said[4]}", 2, "bc"),
        ("BETWEEN", f"msgid={said[4]} msgid={said[0]}", 2, "cd"),
        ("BEFORE", "timestamp=2999-01-01T00:00:00.000Z", 2, "ef"),
        ("AFTER", "timestamp=1999-01-01T00:00:00.000Z", 2, "ab"),
        ("BETWEEN", "timestamp=2999-01-01T00:00:00.000Z timestamp=1999-01-01T00:00:00.000Z", 3, "def"),
    ]:
        assert "".join(texts(alice, "#tea", form, selectors, limit)) == expected, (form, selectors)


@pytest.mark.parametrize(
    "request_, answer",
    [
        ("", "INVALID_PARAMS *"),
        (":a b", "INVALID_PARAMS A_B"),
        ("::", "INVALID_PARAMS *"),
        ("SOON #tea * 5", "INVALID_PARAMS SOON"),
        ("LATEST #tea *", "INVALID_PARAMS LATEST"),
        ("LATEST", "INVALID_PARAMS LATEST"),
        ("LATEST #tea * 5 6", "INVALID_PARAMS LATEST"),
        ("LATEST #tea * 0", "INVALID_PARAMS LATEST 0"),
        ("LATEST #tea * -1", "INVALID_PARAMS LATEST -1"),
        ("LATEST #tea * ²", "INVALID_PARAMS LATEST ²"),
        ("BEFORE #tea * 5", "INVALID_PARAMS BEFORE *"),
        (
            "BEFORE #tea timestamp=2026-02-30T00:00:00.000Z 5",
            "INVALID_PARAMS BEFORE timestamp=2026-02-30T00:00:00.000Z",
        ),
        ("BEFORE #tea timestamp=yesterday 5", "INVALID_PARAMS BEFORE timestamp=yesterday"),
        ("BEFORE #tea msgid= 5", "INVALID_PARAMS BEFORE msgid="),
        ("BEFORE #tea number=7 5", "INVALID_MSGREFTYPE BEFORE #tea number=7"),
        ("BEFORE #tea msgid=nobodys 5", "MESSAGE_ERROR BEFORE #tea nobodys"),
        ("LATEST #milk * 5", "INVALID_TARGET LATEST #milk"),
        ("LATEST b@d * 5", "INVALID_TARGET LATEST b@d"),
        ("LATEST :x y", "INVALID_PARAMS LATEST"),
        ("TARGETS msgid=a msgid=b 5", "INVALID_PARAMS TARGETS msgid=a"),
        ("TARGETS timestamp=2026-01-01T00:00:00.000Z 5", "INVALID_PARAMS TARGETS"),
        ("LATEST #tea' * 5", "INVALID_TARGET LATEST #tea'"),
        ("LATEST x'or'1'='1 * 5", "INVALID_TARGET LATEST x'or'1'='1"),
        ("BEFORE #tea msgid=x'OR'1'='1 5", "MESSAGE_ERROR BEFORE #tea x'OR'1'='1"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_its_code(request_, answer, irc):
    alice = irc.client("alice", CAPS, "#tea")
    got = alice.ask(f"@label=x CHATHISTORY {request_}")
    assert [message.command for message in got] == ["FAIL"] and got[0].tags["label"] == "x"
    assert got[0].params[:-1] == ["CHATHISTORY", *answer.split()]


@pytest.mark.parametrize("request_", ["CHATHISTORY LATEST #tea msgid=\udcff 5", "REDACT #tea \udcff"])
def test_an_id_that_is_no_text_is_nobody_s_where_bytes_are_carried(request_, irc):
    irc.start(utf8_only=False)
    alice = irc.client("alice", CAPS + " draft/message-redaction", "#tea")
    assert alice.codes(request_) == ["FAIL"]


def test_the_welcome_says_how_much_one_may_ask_for(irc):
    alice = irc.client("alice", CAPS, "#tea")
    tokens = [token for message in alice.welcome if message.command == "005" for token in message.params]
    assert "CHATHISTORY=100" in tokens and "MSGREFTYPES=msgid,timestamp" in tokens
    for _ in range(3):
        say(alice, "#tea", *map(str, range(50)))
    assert len(texts(alice, "#tea", "LATEST", "*", 999)) == 100


def test_a_label_is_on_the_batch_and_without_batches_messages_come_bare(irc):
    alice, old = irc.client("alice", CAPS, "#tea"), irc.client("old", "draft/chathistory", "#tea")
    say(alice, "#tea", "one", "two")
    start, *_ = alice.ask("@label=x CHATHISTORY LATEST #tea * 5")
    assert start.command == "BATCH" and start.tags["label"] == "x"
    old.ask()
    assert old.lines("CHATHISTORY LATEST #tea * 5") == ["PRIVMSG #tea one", "PRIVMSG #tea two"]


def test_events_come_back_only_for_those_who_ask_for_them(irc):
    alice = irc.client("alice", CAPS + " draft/event-playback", "#tea")
    bob = irc.client("bob", CAPS + " extended-join", "#tea")
    bob.ask(
        "PRIVMSG #tea :hi",
        "@+x=y TAGMSG #tea",
        "@+typing=active TAGMSG #tea",
        "NICK rob",
        "PART #tea :bye",
        "JOIN #tea",
    )
    bob.send("QUIT :gone")
    bob.goodbye()
    live = alice.ask("TOPIC #tea :leaves", "MODE #tea +m", "KICK #tea alice :myself", "JOIN #tea")
    live = [message for message in live if message.command.isalpha() and "+typing" not in message.tags]
    assert [
        message.command for message in live
    ] == "JOIN PRIVMSG TAGMSG NICK PART JOIN QUIT TOPIC MODE KICK JOIN".split()
    same(live, past(alice, "#tea")[1:])
    carol = irc.client("carol", CAPS, "#tea")
    assert [message.command for message in past(carol, "#tea")] == ["PRIVMSG"]


def test_a_join_comes_back_with_its_account_and_real_name_for_those_who_ask_for_that(irc):
    register(irc, "bob")
    readers = [
        irc.client(nick, f"{CAPS} draft/event-playback {caps}", "#tea")
        for nick, caps in (("alice", "extended-join"), ("carol", ""))
    ]
    for reader in readers:
        reader.ask()
    bob = client(irc, "bob", channel="#tea")
    bob.ask("SETNAME :Somebody else")
    for reader, params in zip(readers, (["#tea", "bob", "Real bob"], ["#tea"])):
        live = reader.ask()
        assert [message.params for message in live] == [params]
        same(live, past(reader, "#tea")[2:])


def test_id_time_account_and_tags_are_the_same_live_and_after_a_restart(irc, path):
    irc.start(options={"db": path})
    register(irc, "alice")
    alice = client(irc, "alice", caps=CAPS, channel="#tea")
    alice.ask("MODE alice +B")
    said = alice.ask(
        "@+draft/reply=7 PRIVMSG #tea :one",
        "NOTICE #tea :two",
        "PRIVMSG #tea :\x01ACTION waves\x01",
        "PRIVMSG #tea :ünï",
    )
    assert (
        said[0].tags["account"] == "alice"
        and said[0].tags["+draft/reply"] == "7"
        and "bot" in said[0].tags
        and len({m.tags["msgid"] for m in said}) == 4
    )
    irc.server.stop()
    irc.start(options={"db": path})
    bob = irc.client("bob", CAPS, "#tea")
    same(said, past(bob, "#tea"))
    assert say(bob, "#tea", "new")[0].tags["msgid"] not in {m.tags["msgid"] for m in said}
    assert texts(bob, "#tea")[-2:] == ["ünï", "new"]


def test_private_messages_are_for_their_two_ends_also_after_a_restart(irc, path):
    irc.start(options={"db": path})
    register(irc, "alice", "bob", "eve")
    alice, bob = client(irc, "alice", caps=CAPS), client(irc, "bob", caps=CAPS)
    said = [
        message for one, other in ((alice, "bob"), (bob, "alice")) for message in say(one, other, "hi", "there")[-2:]
    ]
    irc.server.stop()
    irc.start(options={"db": path})
    alice, bob, eve = (client(irc, name, caps=CAPS) for name in ("alice", "bob", "eve"))
    same(said, past(alice, "bob"))
    same(said, past(bob, "ALICE"))
    for target in ("alice", "bob", "eve", "'; DROP TABLE message; --"[1:2]):
        assert eve.ask(f"CHATHISTORY LATEST {target} * 5")[1:-1] == []


def test_a_guest_reads_until_it_leaves_and_whoever_has_its_nick_next_reads_nothing(irc):
    register(irc, "alice")
    alice, guest = client(irc, "alice", caps=CAPS), irc.client("guest", CAPS)
    say(alice, "guest", "secret")
    say(guest, "alice", "yours")
    assert texts(guest, "alice") == texts(alice, "guest") == ["secret", "yours"]
    guest.ask("NICK other")
    assert texts(guest, "alice") == ["secret", "yours"]  # its own, whatever its nick
    guest.send("QUIT")
    guest.goodbye()
    thief = irc.client("guest", CAPS)
    assert texts(thief, "alice") == [] and texts(alice, "guest") == ["secret", "yours"]
    register(irc, "another")
    base = irc.server.extensions[Storage].database
    assert base.read(lambda db: db.execute("SELECT DISTINCT reader FROM message WHERE reader <> x''").fetchall()) == [
        (b"alice",)
    ]


@pytest.mark.parametrize("renamed", ["alice", "bob"])
def test_a_private_message_is_kept_though_one_of_the_two_has_another_nick_a_moment_later(renamed, irc):
    wires = {nick: irc.client(nick, CAPS) for nick in ("alice", "bob")}
    wires["alice"].ask("PRIVMSG bob :hi")
    wires[renamed].ask("NICK other")
    assert texts(wires["alice"], "bob") == texts(wires["bob"], "alice") == ["hi"]


@pytest.mark.parametrize("logs_in", [True, False])
@pytest.mark.parametrize("is_written", [True, False])
def test_what_a_guest_could_read_is_not_kept_when_it_has_left(is_written, logs_in, irc):
    register(irc, "bob")
    alice, guest = irc.client("alice", CAPS), irc.client("guest", f"{CAPS} sasl")
    guest.ask("PRIVMSG alice :hi")
    if is_written:
        texts(alice, "guest")
    if logs_in:
        login(guest, "bob")
    guest.send("QUIT")
    guest.goodbye()
    assert texts(alice, "guest") == ["hi"]
    readers = irc.server.extensions[History].read(lambda db: db.execute("SELECT shown FROM message").fetchall())
    assert readers == [(b"guest",)] and len(irc.server.extensions[History]._guests) == 1, "alice's own copy"


def test_one_who_logs_in_later_does_not_own_what_was_said_to_the_guest(irc):
    register(irc, "alice")
    bob, guest = irc.client("bob", CAPS), irc.client("guest", CAPS)
    say(bob, "guest", "to a guest")
    guest.ask("NS IDENTIFY alice sesame")
    say(bob, "guest", "to alice")
    assert texts(guest, "bob") == ["to alice"]
    assert texts(bob, "guest") == ["to alice"]  # a nick is the account that has it


def test_a_message_to_oneself_is_there_once(irc):
    alice = irc.client("alice", CAPS)
    say(alice, "alice", "note")
    assert texts(alice, "alice") == ["note"]


def test_what_was_said_to_many_by_a_mask_or_a_status_is_no_private_message(irc):
    alice = irc.client("alice", CAPS, "#tea")
    bob = irc.client("bob", CAPS, "#tea")
    alice.ask("OPER root secret", "MODE #tea +o bob", "PRIVMSG @#tea :ops", "PRIVMSG $*.test :all", "NOTICE bob :you")
    assert texts(bob, "alice") == ["you"] and texts(bob, "#tea") == []


def test_in_an_ephemeral_channel_nothing_is_kept(irc):
    alice = irc.client("alice", CAPS, "#tea")
    say(alice, "#tea", "one")
    alice.ask("MODE #tea +E")
    say(alice, "#tea", "two")
    alice.ask("MODE #tea -E")
    say(alice, "#tea", "three")
    assert texts(alice, "#tea") == ["one", "three"]


def test_history_goes_with_a_channel_that_is_renamed(irc):
    alice = irc.client("alice", CAPS + " draft/channel-rename", "#tea")
    say(alice, "#tea", "one")
    texts(alice, "#tea")
    say(alice, "#tea", "two")
    alice.ask("RENAME #tea #Milk")
    say(alice, "#milk", "three")
    alice.ask("JOIN #tea")
    assert texts(alice, "#Milk") == ["one", "two", "three"] and texts(alice, "#tea") == []


def test_a_rename_comes_back_for_those_who_know_it(irc):
    alice = irc.client("alice", CAPS + " draft/event-playback draft/channel-rename", "#tea")
    bob = irc.client("bob", CAPS + " draft/event-playback", "#tea")
    carol = irc.client("carol", CAPS + " draft/channel-rename", "#tea")
    alice.ask()
    live = alice.ask("RENAME #tea #Milk :stronger", "PRIVMSG #milk :one")
    assert all(message.tags["msgid"] for message in live)
    same(live, past(alice, "#Milk")[3:])
    assert [message.command for message in past(bob, "#Milk")] == ["JOIN", "JOIN", "JOIN", "PRIVMSG"]
    assert texts(carol, "#Milk") == ["one"]


def test_what_is_said_in_a_new_channel_of_the_old_name_does_not_go_with_the_renamed_one(irc, path):
    irc.start(options={"db": path})
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    say(alice, "#tea", "one")
    free = held(irc.server.extensions[Storage].database)
    irc.server.extensions[History]._database.later(irc.server.extensions[History]._write)  # as the carrier does
    say(alice, "#tea", "two")
    alice.ask("RENAME #tea #coffee", "JOIN #tea")
    say(alice, "#tea", "three")
    free.set()
    assert texts(bob, "#coffee") == ["one", "two"] and texts(alice, "#tea") == ["three"]


def test_who_does_not_know_rename_is_told_how_far_it_has_read(irc):
    alice, bob = irc.client("alice", "draft/channel-rename", "#tea"), irc.client("bob", "draft/read-marker", "#tea")
    alice.ask("RENAME #tea #milk")
    assert [message.command for message in bob.ask()] == ["PART", "JOIN", "MARKREAD", "353", "366"]


@pytest.mark.parametrize("mode", ["+i", "+s", "+p", "+k door"])
def test_what_was_said_behind_closed_doors_ends_with_the_channel(mode, irc):
    alice = irc.client("alice", CAPS, "#tea")
    say(alice, "#tea", "open")
    alice.ask(f"MODE #tea {mode}")
    say(alice, "#tea", "closed")
    assert texts(alice, "#tea") == ["open", "closed"]
    channel = irc.server.registry.channel("#tea")
    alice.ask("PART #tea")
    eve = irc.client("eve", CAPS, "#tea")
    assert life_of(irc.server.registry.channel("#tea")) > life_of(channel)
    assert texts(eve, "#tea") == ["open"]


def test_one_who_is_kicked_while_the_database_reads_gets_nothing(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    say(alice, "#tea", "secret")
    ours = irc.server.extensions[History]
    read = ours.read

    def kicked_meanwhile(function):
        rows = read(function)
        alice.ask("KICK #tea bob")
        return rows

    ours.read = kicked_meanwhile
    bob.ask()
    got = bob.ask("CHATHISTORY LATEST #tea * 5")
    assert [message.command for message in got] == ["KICK", "FAIL"] and got[1].params[1] == "INVALID_TARGET"


@pytest.mark.parametrize("request_", ["CHATHISTORY LATEST #tea * 9", "ZNC *playback PLAY *", "ZNC *playback PLAY #tea"])
def test_one_who_is_kicked_while_it_has_too_much_to_read_gets_no_more(request_, irc, monkeypatch):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    say(alice, "#tea", "one", "two", "three")
    bob.ask()
    pause, pauses = IrcHandler.pause, []

    def and_kick(me):  # as if it waited for bob to read
        pause(me)
        if me.user.nick == "bob":
            pauses.append(me)
            if len(pauses) == 1:
                with me.unlocked():
                    alice.ask("KICK #tea bob")

    monkeypatch.setattr(IrcHandler, "pause", and_kick)
    assert [message.text for message in bob.ask(request_) if message.command in ("PRIVMSG", "KICK")] == ["one", "alice"]


def test_targets_are_one_s_channels_and_partners_in_the_order_of_their_last_message(irc):
    register(irc, "alice", "bob")
    alice, carol = client(irc, "alice", caps=CAPS, channel="#tea"), irc.client("carol", CAPS, "#milk")
    client(irc, "bob")
    first = say(alice, "#tea", "one")[0]
    say(carol, "#milk", "not for alice")
    say(carol, "bob", "nor this")
    second = next(m for m in say(alice, "bob", "two") if m.command == "PRIVMSG")
    everything = "timestamp=1999-01-01T00:00:00.000Z timestamp=2999-01-01T00:00:00.000Z"
    start, *got, end = alice.ask(f"CHATHISTORY TARGETS {everything} 10")
    assert start.params[1:] == ["draft/chathistory-targets"] and end.params == ["-" + start.params[0][1:]]
    assert [message.params for message in got] == [
        ["TARGETS", "#tea", first.tags["time"]],
        ["TARGETS", "bob", second.tags["time"]],
    ]
    alice.ask("PART #tea")
    assert [message.params[1] for message in alice.ask(f"CHATHISTORY TARGETS {everything} 10")[1:-1]] == ["bob"]


def test_old_messages_are_not_shown_and_are_deleted(irc, path, monkeypatch):
    irc.start(options={"db": path, "history_days": 7.0, "history_messages": 2000})
    alice = irc.client("alice", CAPS, "#tea")
    say(alice, "#tea", "one")
    assert texts(alice, "#tea") == ["one"]
    base = irc.server.extensions[Storage].database
    base.write(lambda db: db.execute("UPDATE message SET time = time - 7 * 86400 * 1000")).result(20)
    assert texts(alice, "#tea") == []
    for start in range(0, 3000, 500):
        alice.ask(*(f"PRIVMSG #tea :{number}" for number in range(start, start + 500)))
    texts(alice, "#tea")
    kept = [
        text
        for (text,) in base.read(
            lambda db: db.execute("SELECT line FROM message WHERE kind = 1 ORDER BY number").fetchall()
        )
    ]
    assert len(kept) <= 2000 + 1000 and kept[-1].endswith(b":2999") and b":one" not in kept[0]


# --- a disk that does not do what it should ---------------------------------------------------


def test_chat_goes_on_with_a_full_disk_and_one_line_in_the_log_says_so(irc, path, caplog):
    irc.start(options={"db": path})
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    base = irc.server.extensions[Storage].database
    base.write(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone()).result(20)
    for number in range(200):
        say(alice, "#tea", "x" * 300)
    assert len(bob.ask()) == 200
    texts(alice, "#tea")
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1 and "full" in caplog.text
    base.write(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone()).result(20)
    say(alice, "#tea", "again")
    assert texts(alice, "#tea")[-2:] == ["x" * 300, "again"]  # and what waited was not lost


def test_what_is_said_while_the_file_is_locked_is_there_afterwards(irc, path):
    irc.start(options={"db": path})
    alice = irc.client("alice", CAPS, "#tea")
    texts(alice, "#tea")
    irc.server.extensions[Storage].database.write(lambda db: db.execute("PRAGMA busy_timeout = 0")).result(20)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        say(alice, "#tea", "one", "two")
        assert texts(alice, "#tea") == []
        other.execute("COMMIT")
    assert texts(alice, "#tea") == ["one", "two"]


def test_who_reads_does_not_wait_for_a_crowd_to_be_silent(irc, monkeypatch):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", channel="#tea")
    say(alice, "#tea", "before")
    add, writes = messages.add, []

    def while_others_speak(db, rows):
        add(db, rows)
        writes.append(len(rows))
        if len(writes) < 50:
            bob.ask("PRIVMSG #tea :more")

    with monkeypatch.context() as patch:
        patch.setattr(messages, "add", while_others_speak)
        got = alice.ask("CHATHISTORY LATEST #tea * 9")
    assert [message.text for message in got if "batch" in message.tags] == ["before"] and len(writes) == 1


def test_a_database_that_is_gone_is_one_fail_and_no_more(irc):
    alice, bob = irc.client("alice", CAPS, "#tea"), irc.client("bob", CAPS, "#tea")
    irc.server.extensions[Storage].database.close()
    say(alice, "#tea", "one")
    assert [message.text for message in bob.ask()] == ["one"]
    got = alice.lines("CHATHISTORY LATEST #tea * 5")
    assert got == ["FAIL CHATHISTORY MESSAGE_ERROR LATEST #tea History is temporarily unavailable"]


@pytest.mark.parametrize(
    "column, line",
    [
        ("message.line", "PRIVMSG #tea {}"),
        ("read_marker.target", "MARKREAD {} timestamp=2020-01-01T00:00:00.000Z"),
        ("metadata.value", "METADATA * SET url {}"),
        ("channel.state", "METADATA #own SET url {}"),
        ("channel.state", "TOPIC #own {}"),
    ],
)
def test_what_was_said_or_set_is_on_disk_within_the_time_that_the_chapter_gives_to_kill_9(irc, path, column, line):
    assert PAUSE_S + GATHER_S < 0.15 and "some 0.2 seconds" in history.__doc__
    irc.start(options={"db": path})
    register(irc, "alice")
    alice, waits = client(irc, "alice", channel="#tea,#own"), []
    alice.ask("CS REGISTER #own")
    query = f"SELECT 1 FROM {column.partition('.')[0]} WHERE instr(CAST({column} AS BLOB), ?)"
    with closing(sqlite3.connect(path)) as db:
        while not waits or min(waits) > 0.2 and len(waits) < 50:  # a busy machine may take longer, but not each time
            word, began = f"word{len(waits)}", time.monotonic()
            alice.ask(line.format(word))
            while not db.execute(query, (word.encode(),)).fetchone():  # nobody reads it: it goes there by itself
                alice.ask()
                assert time.monotonic() < began + 20
            waits.append(time.monotonic() - began)
    assert min(waits) <= 0.2


def test_a_disk_that_stands_still_does_not_hold_up_the_server_s_end(irc, path, monkeypatch, caplog):
    monkeypatch.setattr(database, "CLOSE_S", 0.01)
    irc.start(options={"db": path})
    alice, free = irc.client("alice", channel="#tea"), threading.Event()
    try:
        irc.server.extensions[Storage].database.write(lambda db: free.wait(20))
        alice.ask("PRIVMSG #tea :one")
        alice.close()
        irc.server.stop()
        assert "the disk stands still" in caplog.text
    finally:
        free.set()


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_what_history_has_shown_survives_kill_9_of_the_rest_the_end_is_lost_and_what_was_taken_back(path):
    command = [sys.executable, "extras/irc/server.py", "--port", "0", "--db", path, "--no-pin", "--flood", "off"]
    kept = []
    for run in range(3):
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                port = int(re.search(r":(\d+)", process.stdout.readline())[1])
                with IrcWire(("127.0.0.1", port)) as alice:
                    alice.ask(
                        f"CAP REQ :{CAPS} draft/message-redaction",
                        "NICK alice",
                        "USER a 0 * :A",
                        "CAP END",
                        "JOIN #tea",
                    )
                    kept.append(texts(alice, "#tea", "LATEST", "*", 100))
                    if run == 0:
                        say(alice, "#tea", *map(str, range(20)))
                        assert len(texts(alice, "#tea")) == 20
                        say(alice, "#tea", *map(str, range(20, 40)))
                    if run == 1:
                        (slip,) = say(alice, "#tea", "slip")
                        assert alice.codes(f"REDACT #tea {slip.tags['msgid']}") == ["REDACT"]
            finally:
                process.send_signal(signal.SIGKILL)
    assert kept[1] == [str(number) for number in range(len(kept[1]))] and 20 <= len(kept[1]) <= 40
    assert kept[2] == kept[1]


def test_a_database_of_an_older_version_gets_history_and_keeps_its_accounts(irc, path):
    Database(path, migrations=MIGRATIONS[:1]).close()
    irc.start(options={"db": path})
    register(irc, "alice")
    say(client(irc, "alice", caps=CAPS, channel="#tea"), "#tea", "one")
    irc.server.stop()
    irc.start(options={"db": path})
    assert texts(client(irc, "alice", caps=CAPS, channel="#tea"), "#tea") == ["one"]
