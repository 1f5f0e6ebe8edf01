"""Channels that belong to accounts."""

import json
import sqlite3
import sys
import threading
import time
from contextlib import closing

import pytest

from extras.ircv3 import database, founders
from extras.ircv3.storage import Storage
from tests.ircv3_accounts import client, register
from tests.wire import DEADLINE_S

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


@pytest.fixture
def people(irc):
    """A network with the accounts of alice and bob."""
    register(irc, "alice", "bob")
    return irc


def orders(wire, *lines):
    """What ChanServ answers."""
    return [
        message.text
        for message in wire.ask(*(f"PRIVMSG ChanServ :{line}" for line in lines))
        if message.command == "NOTICE"
    ]


def founded(irc, name="#tea"):
    """Alice, who has founded a channel and is in it."""
    alice = client(irc, "alice", channel=name)
    assert orders(alice, f"REGISTER {name}") == [f"{name} is yours."]
    return alice


def leave(wire):
    wire.send("QUIT")
    wire.goodbye()


def test_an_operator_of_a_channel_founds_it_and_is_its_owner(people):
    alice = client(people, "alice", channel="#tea")
    bob = client(people, "bob", channel="#tea")
    alice.ask()
    assert alice.lines("PRIVMSG chanserv :Register #TEA") == ["MODE #tea +q alice", "NOTICE alice #tea is yours."]
    assert bob.lines() == ["MODE #tea +q alice"]
    assert bob.lines("NAMES #tea")[0] == "353 = #tea ~alice bob"
    assert orders(bob, "INFO #tea", "INFO #rice") == ["#tea belongs to alice.", "#rice is nobody's."]


def test_a_channel_with_a_founder_is_as_it_was_when_all_have_left(people):
    alice = founded(people)
    alice.ask("TOPIC #tea :green", "MODE #tea +mkl-t leaf 9", "MODE #tea +bI eve!*@* bob!*@*")
    before = alice.lines("MODE #tea", "MODE #tea b", "MODE #tea I", "TOPIC #tea")
    leave(alice)
    assert people.client("carol").codes("JOIN #tea") == ["475"]
    alice = client(people, "alice")
    assert alice.codes("JOIN #tea") == ["JOIN", "MODE", "332", "333", "353", "366"]
    assert alice.lines("MODE #tea", "MODE #tea b", "MODE #tea I", "TOPIC #tea") == before


def test_nobody_gets_a_status_for_being_the_first_in_it(people):
    leave(founded(people))
    bob = client(people, "bob")
    assert bob.lines("JOIN #tea") == ["JOIN #tea", "353 = #tea bob", "366 #tea End of NAMES list"]
    alice = client(people, "alice")
    assert alice.lines("JOIN #tea")[:3] == ["JOIN #tea", "MODE #tea +q alice", "353 = #tea bob ~alice"]
    assert bob.lines() == ["JOIN #tea", "MODE #tea +q alice"]


@pytest.mark.parametrize("modes", ["+i", "+k leaf", "+l 1", "+b *!*@*"])
def test_the_founder_can_always_enter(people, modes):
    alice = founded(people)
    client(people, "bob", channel="#tea")
    alice.ask(f"MODE #tea {modes}", "PART #tea")
    assert alice.codes("JOIN #tea")[0] == "JOIN"
    assert people.client("carol").codes("JOIN #tea")[0] in ("471", "473", "474", "475")


def test_who_logs_in_inside_becomes_the_owner(people):
    leave(founded(people))
    wire = people.client("alicia", channel="#tea")
    assert "MODE #tea +q alicia" in wire.lines("PRIVMSG NickServ :IDENTIFY alice sesame")


def test_an_operator_cannot_take_the_owners_rights_or_throw_it_out_or_rename_its_channel(people):
    alice = founded(people)
    bob = client(people, "bob", channel="#tea")
    alice.ask("MODE #tea +o bob")
    assert bob.codes("MODE #tea -q alice", "MODE #tea +q bob", "KICK #tea alice", "RENAME #tea #rice")[1:] == [
        "482",
        "482",
        "482",
        "482",
    ]
    assert alice.lines("MODE #tea +q bob", "KICK #tea bob :out")[-2:] == ["MODE #tea +q bob", "KICK #tea bob out"]


@pytest.mark.parametrize(
    "order, answer",
    [
        ("REGISTER #rice", "Join #rice, and be its operator."),
        ("UNREGISTER #tea", "#tea is not yours."),
        ("TRANSFER #tea bob", "#tea is not yours."),
        ("REGISTER", "So it is written: REGISTER <channel>"),
        ("REGISTER #tea", "Join #tea, and be its operator."),
        ("NONSENSE", "I know HELP, and what it tells."),
        ("REGISTER #none", "Join #none, and be its operator."),
        ("UNREGISTER ", "So it is written: UNREGISTER"),
        ("REGISTER '); DROP TABLE channel; --", "So it is written: REGISTER"),
    ],
)
def test_what_cannot_be_done_is_said(people, order, answer):
    alice = founded(people)
    alice.ask("JOIN #rice")
    bob = client(people, "bob", channel="#tea")
    bob.ask("JOIN #rice")
    assert orders(bob, order)[0].startswith(answer)
    carol = people.client("carol", channel="#own")
    assert orders(carol, "REGISTER #own") == ["Log in first."]
    assert orders(client(people, "alice_", account="alice"), "REGISTER #tea")[0].startswith("Join #tea")
    assert "REGISTER <channel>" in " ".join(orders(bob, "HELP"))


def test_nobody_can_be_called_like_the_service(people):
    assert people.client("carol").codes("NICK chanserv") == ["433"]


def test_a_channel_that_is_given_back_ends_when_it_is_empty(people):
    alice = founded(people)
    assert alice.lines("CS UNREGISTER #tea") == ["MODE #tea -q alice", "NOTICE alice #tea is nobody's now."]
    bob = client(people, "bob", channel="#tea")
    assert bob.lines("NAMES #tea")[0] == "353 = #tea @alice bob"
    alice.ask("PART #tea"), bob.ask("PART #tea")
    assert "#tea" not in people.server.registry.channels
    assert bob.lines("JOIN #tea")[1] == "353 = #tea @bob"


def test_an_operator_of_the_server_can_give_an_empty_channel_back(people):
    leave(founded(people))
    bob = client(people, "bob")
    assert orders(bob, "UNREGISTER #tea") == ["#tea is not yours."]
    bob.ask("OPER root secret")
    assert orders(bob, "UNREGISTER #tea") == ["#tea is nobody's now."]
    assert "#tea" not in people.server.registry.channels


def test_a_channel_can_be_given_to_a_member(people):
    alice = founded(people)
    people.client("carol", channel="#tea")
    assert orders(alice, "TRANSFER #tea bob", "TRANSFER #tea carol") == [
        "bob must be there, and have logged in.",
        "carol must be there, and have logged in.",
    ]
    bob = client(people, "bob", channel="#tea")
    alice.ask()
    assert alice.lines("CS TRANSFER #tea bob") == ["MODE #tea -q+q alice bob", "NOTICE alice #tea belongs to bob now."]
    alice.ask("PART #tea")
    assert alice.codes("JOIN #tea") == ["JOIN", "353", "366"]
    assert orders(bob, "INFO #tea") == ["#tea belongs to bob."]


def test_channels_of_an_account_and_of_all_are_bounded(people, monkeypatch):
    monkeypatch.setattr(founders, "MAX_OF_ACCOUNT", 2)
    alice = founded(people)
    alice.ask("JOIN #rice,#salt")
    assert orders(alice, "REGISTER #rice", "REGISTER #salt") == [
        "#rice is yours.",
        "That would be more than 2 channels.",
    ]
    bob = client(people, "bob", channel="#own")
    bob.ask("JOIN #tea")
    monkeypatch.setattr(founders, "MAX_CHANNELS", 2)
    assert orders(bob, "REGISTER #own") == ["There are too many channels that belong to somebody."]
    orders(alice, "UNREGISTER #rice")
    assert orders(bob, "REGISTER #own") == ["#own is yours."]


def test_a_channel_without_members_is_not_listed_and_a_hidden_one_not_told_of(people):
    alice = founded(people)
    alice.ask("MODE #tea +s", "PART #tea")
    carol = people.client("carol")
    assert carol.codes("LIST") == ["321", "323"]
    assert orders(carol, "INFO #tea") == ["#tea is nobody's."]


def test_a_channel_that_was_given_back_while_it_was_empty_is_not_released_again(people, monkeypatch):
    leave(founded(people))
    root = people.client("root")
    root.ask("OPER root secret")
    assert orders(root, "UNREGISTER #tea") == ["#tea is nobody's now."]
    monkeypatch.setattr(founders, "DAY_S", -1)
    assert joined(people.client("dave")) == joined(people.client("carol")) == ["JOIN"]


def joined(wire):
    return wire.codes("JOIN #tea")[:1]


def test_a_channel_that_nobody_enters_for_too_long_is_nobodys_and_one_with_members_stays(people, monkeypatch):
    alice = founded(people)
    alice.ask("JOIN #rice")
    orders(alice, "REGISTER #rice")
    alice.ask("PART #rice", "PART #tea")
    client(people, "bob", channel="#tea")  # and so it is not empty any more
    monkeypatch.setattr(founders, "DAY_S", -1)
    carol = people.client("carol")
    assert orders(carol, "INFO #tea", "INFO #rice") == ["#tea belongs to alice.", "#rice is nobody's."]
    assert carol.lines("JOIN #rice")[1] == "353 = #rice @carol"


# --- on disk ------------------------------------------------------------------------------------


def restart(irc, path):
    if irc.server:
        irc.server.stop()
    irc.start(options={"db": path})


def states_in(db):
    return [json.loads(state) for (state,) in db.execute("SELECT state FROM channel ORDER BY number")]


def test_it_is_all_there_after_a_restart(irc, tmp_path):
    path = str(tmp_path / "irc.db")
    restart(irc, path)
    register(irc, "alice", "bob")
    alice = founded(irc)
    bob = client(irc, "bob", channel="#tea")
    bob.ask("JOIN #gone")
    orders(bob, "REGISTER #gone", "UNREGISTER #gone")
    alice.ask("TOPIC #tea :green", "MODE #tea +skl leaf 9", "MODE #tea +beI eve!*@* $a:bob i!*@*", "RENAME #tea #Chai")
    before = alice.lines("MODE #chai", "MODE #chai b", "MODE #chai e", "MODE #chai I", "TOPIC #chai")
    assert len(before) == 10
    restart(irc, path)
    assert irc.client("carol").codes("JOIN #chai") == ["475"]
    alice = client(irc, "alice")
    assert alice.lines("JOIN #chai")[:2] == ["JOIN #Chai", "MODE #Chai +q alice"]
    assert alice.lines("MODE #chai", "MODE #chai b", "MODE #chai e", "MODE #chai I", "TOPIC #chai") == before
    assert set(irc.server.registry.channels) == {"#chai"}
    assert orders(alice, "UNREGISTER #chai") == ["#Chai is nobody's now."]
    restart(irc, path)
    assert not irc.server.registry.channels


def test_its_metadata_is_there_while_it_is_empty_and_after_a_restart(irc, tmp_path):
    path = str(tmp_path / "irc.db")
    restart(irc, path)
    register(irc, "alice")
    alice = founded(irc)
    alice.ask("METADATA #tea SET url http://tea.example", "METADATA #tea SET avatar x", "METADATA #tea SET avatar")
    leave(alice)
    assert irc.client("carol").lines("METADATA #tea LIST") == ["761 #tea url * http://tea.example"]
    restart(irc, path)
    alice = client(irc, "alice", channel="#tea")
    assert alice.lines("METADATA #tea LIST") == ["761 #tea url * http://tea.example"]
    alice.ask("METADATA #tea CLEAR", "PART #tea")
    restart(irc, path)
    assert irc.client("carol").lines("METADATA #tea LIST") == []


def test_a_channel_that_was_written_by_an_older_server_is_there(irc, tmp_path):
    path = str(tmp_path / "irc.db")
    restart(irc, path)
    register(irc, "alice")
    founded(irc)
    irc.server.stop()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        (state,) = states_in(other)
        del state["metadata"], state["left_at"]
        other.execute("UPDATE channel SET state = ?", (json.dumps(state),))
    restart(irc, path)
    assert client(irc, "alice").lines("JOIN #tea", "METADATA #tea LIST")[:2] == ["JOIN #tea", "MODE #tea +q alice"]


def test_what_cannot_be_written_is_not_done_and_said(irc, tmp_path, monkeypatch):
    path = str(tmp_path / "irc.db")
    monkeypatch.setitem(database.Database.__init__.__kwdefaults__, "busy_timeout_s", 0.01)
    restart(irc, path)
    register(irc, "alice", "bob")
    alice = founded(irc)
    alice.ask("JOIN #rice")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        away = "Channels are temporarily unavailable: try again later."
        assert orders(alice, "REGISTER #rice", "UNREGISTER #tea") == [away, away]
        assert alice.lines("NAMES #rice", "NAMES #tea")[::2] == ["353 = #rice @alice", "353 = #tea ~alice"]
    assert orders(alice, "REGISTER #rice", "UNREGISTER #tea") == ["#rice is yours.", "#tea is nobody's now."]


def test_how_long_nobody_was_in_it_counts_over_a_restart(irc, tmp_path, clock):
    path = str(tmp_path / "irc.db")
    restart(irc, path)
    register(irc, "alice")
    alice = founded(irc)
    alice.ask("JOIN #rice")
    orders(alice, "REGISTER #rice")
    for line, are_empty in (("PART #tea,#rice", [True, True]), ("JOIN #tea", [False, True])):
        alice.ask(line)  # and if we are killed now, this is what is known
        states = irc.server.extensions[Storage].database.read(states_in)
        assert [bool(state["left_at"]) for state in states] == are_empty
    clock(founders, time=lambda: time.time() + founders.DAYS * founders.DAY_S / 2)
    alice.ask("PART #tea")
    restart(irc, path)
    clock(founders, time=lambda: time.time() + founders.DAYS * founders.DAY_S)
    assert orders(irc.client("carol"), "INFO #tea", "INFO #rice") == ["#tea belongs to alice.", "#rice is nobody's."]
    restart(irc, path)
    assert set(irc.server.registry.channels) == {"#tea"}


# --- races --------------------------------------------------------------------------------------


def test_of_many_who_want_a_channel_at_once_one_gets_it(people):
    names = ["alice", "bob"]
    wires = [client(people, name, channel="#tea") for name in names]
    wires[0].ask("MODE #tea +o bob")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            answers = race(*(lambda wire=wire: orders(wire, "REGISTER #tea") for wire in wires))
            assert sorted(map(str, answers)) == ["['#tea belongs to somebody already.']", "['#tea is yours.']"]
            winner = wires[answers.index(["#tea is yours."])]
            channel = people.server.registry.channels["#tea"]
            assert channel.founder == winner.nick
            assert [user.nick for user, letters in channel.members.items() if "q" in letters] == [winner.nick]
            assert orders(winner, "UNREGISTER #tea") == ["#tea is nobody's now."]
    finally:
        sys.setswitchinterval(before)


def race(*actions):
    """Run these at the same moment, each in a thread of its own; return what they return."""
    gate, results = threading.Barrier(len(actions)), [None] * len(actions)

    def run(number, action):
        gate.wait(DEADLINE_S)
        results[number] = action()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    return results
