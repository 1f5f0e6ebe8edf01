"""SASL: the ways to log in, the ways not to, and what happens meanwhile."""

import base64
import sqlite3
import threading
from contextlib import closing

import pytest

from extras.irc.more import passwords
from extras.ircv3 import database
from extras.ircv3.login import MAX_FAILED
from extras.ircv3.sasl import MAX_LETTERS
from tests.irc_wire import short
from tests.ircv3_accounts import client, codes, login, register
from tests.sasl_client import plain

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]
MECHANISMS = ["PLAIN", "SCRAM-SHA-256"]


@pytest.fixture
def alices(irc):
    """A network that has alice's account."""
    register(irc, "alice", "bob")
    return irc


def asking(network, nick="alice_"):
    """A client in the middle of its registration, with the capability."""
    wire = network.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl", f"NICK {nick}", "USER u 0 * :r")
    return wire


def sent(message):
    return "AUTHENTICATE " + base64.b64encode(message).decode()


def test_the_capability_names_the_mechanisms(irc):
    wire = irc.wire()
    offered = {word for message in wire.ask("CAP LS 302") for word in message.text.split()}
    assert "sasl=PLAIN,SCRAM-SHA-256" in offered
    assert "sasl" in irc.wire().ask("CAP LS")[0].text.split()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_who_knows_the_password_is_logged_in_before_the_welcome(alices, mechanism):
    wire = asking(alices)
    assert login(wire, "ALICE", mechanism=mechanism) == ["900", "903"]
    assert wire.codes("NICK alice", "CAP END")[0] == "001"
    assert "330 alice alice is logged in as" in wire.lines("WHOIS alice")


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("name, password", [("alice", "millet"), ("nobody", "sesame")])
def test_who_does_not_is_not_and_may_try_again_and_go_on_without(alices, mechanism, name, password):
    wire = asking(alices)
    assert login(wire, name, password, mechanism) == ["904"]
    assert login(wire, "alice", mechanism=mechanism) == ["900", "903"]
    other = asking(alices, "carol")
    login(other, name, password, mechanism)
    assert other.codes("CAP END")[0] == "001"
    assert "330" not in other.codes("WHOIS carol")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_nobody_may_act_as_somebody_else(alices, mechanism):
    wire = asking(alices)
    assert login(wire, "alice", mechanism=mechanism, authzid="bob") == ["904"]
    assert login(wire, "alice", mechanism=mechanism, authzid="Alice") == ["900", "903"]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"alice",
        b"\0alice",
        b"\0\0sesame",
        b"\0alice\0",
        b"\0alice\0sesame\0",
        b"\0alice\0sesa\xff",
        b"\0" * 9,
        b"\0' OR 1=1 --\0x",
        b"\0alice\0' OR '1'='1",
    ],
)
def test_a_message_that_is_none_of_plain_is_refused(alices, message):
    wire = asking(alices)
    assert codes(wire, "AUTHENTICATE PLAIN", sent(message) if message else "AUTHENTICATE +") == ["904"]
    assert login(wire, "alice") == ["900", "903"]


@pytest.mark.parametrize(
    "lines, code",
    [
        (["AUTHENTICATE PLAIN", "AUTHENTICATE !!!"], ["904"]),
        (["AUTHENTICATE PLAIN", "AUTHENTICATE *"], ["906"]),
        (["AUTHENTICATE *"], ["906"]),
        (["AUTHENTICATE NOTHING"], ["908", "904"]),
        (["AUTHENTICATE EXTERNAL"], ["908", "904"]),
        (["AUTHENTICATE PLAIN", "AUTHENTICATE " + "A" * 401], ["905"]),
        (["AUTHENTICATE PLAIN", *["AUTHENTICATE " + "A" * 400] * (MAX_LETTERS // 400 + 1)], ["904"]),
        (["AUTHENTICATE"], ["461"]),
    ],
)
def test_an_attempt_ends_with_its_numeric_and_the_next_one_begins_anew(alices, lines, code):
    wire = asking(alices)
    assert codes(wire, *lines) == code
    assert login(wire, "alice") == ["900", "903"]


@pytest.mark.parametrize("length", [200, 290, 300])
def test_a_long_message_comes_in_pieces(irc, length):
    register(irc, "alice", password="x" * length)
    assert login(asking(irc), "alice", "x" * length) == ["900", "903"]


def test_a_message_that_fills_its_piece_ends_with_an_empty_one(irc):
    password = "x" * (300 - len("\0alice\0"))
    register(irc, "alice", password=password)
    wire = asking(irc)
    assert codes(wire, "AUTHENTICATE PLAIN", sent(plain("alice", password))) == []
    assert codes(wire, "AUTHENTICATE +") == ["900", "903"]


def test_without_the_capability_there_is_no_login(alices):
    wire = alices.wire()
    wire.ask("NICK alice_")
    assert codes(wire, "AUTHENTICATE PLAIN") == ["908", "904"]


def test_who_ends_the_registration_in_the_middle_goes_on_without_an_account(alices):
    wire = asking(alices, "carol")
    wire.ask("AUTHENTICATE PLAIN")
    assert wire.codes("CAP END")[:2] == ["906", "001"]


def test_a_user_logs_in_later_and_as_somebody_else(alices):
    wire = alices.client("carol", "sasl")
    assert login(wire, "alice") == login(wire, "bob") == ["900", "903"]
    assert "330 carol bob is logged in as" in wire.lines("WHOIS carol")
    assert login(wire, "alice", "wrong") == ["904"]
    assert "330 carol bob is logged in as" in wire.lines("WHOIS carol"), "a wrong password changes nothing"


def test_guessing_ends_the_connection(alices):
    wire = asking(alices)
    for _ in range(MAX_FAILED - 1):
        assert login(wire, "alice", "wrong") == ["904"]
    wire.send("AUTHENTICATE PLAIN\r\n" + sent(plain("alice", "wrong")))
    assert [short(message) for message in wire.goodbye()][1:] == [
        "904 SASL authentication failed",
        "ERROR Closing Link: 127.0.0.1 (Too many wrong passwords)",
    ]


def test_several_may_log_in_to_one_account_at_once(alices):
    wires = [asking(alices, nick) for nick in ("one", "two", "three")]
    told = []
    threads = [threading.Thread(target=lambda wire=wire: told.append(login(wire, "alice"))) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert told == [["900", "903"]] * 3
    for wire in wires:
        wire.ask("CAP END")
    assert [line.split()[-1] for line in wires[0].lines("WHO alice,one %na")] != []


def test_a_login_that_has_begun_ends_before_the_servers_password_is_checked(irc):
    irc.start(options={"password": "tea"})
    wire = irc.wire()
    wire.ask("CAP REQ sasl", "AUTHENTICATE PLAIN", "PASS bad", "NICK alice", "USER a 0 * :x")
    wire.send("CAP END")
    assert [message.command for message in wire.goodbye()] == ["906", "464", "ERROR"]


class Gate:
    """Stands in for the hash: it waits until it is opened."""

    def __init__(self, monkeypatch):
        self.entered, self.open = threading.Event(), threading.Event()
        hash_it = passwords.hash_password
        monkeypatch.setattr(
            passwords, "hash_password", lambda *args: (self.entered.set(), self.open.wait(20), hash_it(*args))[-1]
        )


def test_a_slow_hash_holds_nobody_else(alices, monkeypatch):
    wire, other = asking(alices), alices.client("carol", channel="#tea")
    gate = Gate(monkeypatch)
    wire.send("AUTHENTICATE PLAIN\r\n" + sent(plain("alice", "wrong")))
    assert gate.entered.wait(20)
    assert other.codes("TOPIC #tea :tea") == ["TOPIC"]
    gate.open.set()
    assert wire.read_until("904")


def test_a_login_of_somebody_who_was_thrown_off_meanwhile_harms_nothing(alices, monkeypatch):
    root, wire = alices.client("root"), alices.client("carol", "sasl")
    root.ask("OPER root secret")
    gate = Gate(monkeypatch)
    wire.send("AUTHENTICATE PLAIN\r\n" + sent(plain("alice", "sesame")))
    assert gate.entered.wait(20)
    root.ask("KILL carol :go")
    gate.open.set()
    assert "900" not in [message.command for message in wire.goodbye()]
    assert root.codes("WHOIS carol")[0] == "401"
    assert login(asking(alices), "alice") == ["900", "903"]


def test_a_client_that_has_gone_meanwhile_harms_nothing(alices, monkeypatch):
    wire = asking(alices)
    gate = Gate(monkeypatch)
    wire.send("AUTHENTICATE PLAIN\r\n" + sent(plain("alice", "sesame")))
    assert gate.entered.wait(20)
    wire.close()
    gate.open.set()
    assert login(asking(alices), "alice") == ["900", "903"]


def test_a_database_that_is_gone_says_so_and_the_chat_goes_on(alices, monkeypatch):
    wire = asking(alices, "carol")

    def fail(*args):
        raise database.DatabaseError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(database.Database, "read", fail)
        got = wire.lines("AUTHENTICATE PLAIN", sent(plain("alice", "sesame")))
        assert got[1].startswith("FAIL AUTHENTICATE TEMPORARILY_UNAVAILABLE") and got[2].startswith("904")
    assert wire.codes("CAP END")[0] == "001"
    assert login(wire, "alice") == ["900", "903"]


def test_accounts_are_there_after_a_restart_with_db(irc, tmp_path):
    path = str(tmp_path / "irc.db")
    for is_new in (True, False):
        irc.start(options={"db": path})
        if is_new:
            register(irc, "alice")
        for mechanism in MECHANISMS:
            assert login(asking(irc), "alice", mechanism=mechanism) == ["900", "903"]
        irc.server.stop()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM account").fetchall() == [("alice",)]


def test_no_client_changes_the_account_of_others_that_share_its_user(irc):
    irc.start(options={"always_on": "opt-in"})
    register(irc, "alice", "bob")
    one, two = client(irc, "alice"), client(irc, "alice")
    assert login(two, "bob") == ["907"] and login(two, "alice") == ["900", "903"]
    assert "330 alice alice is logged in as" in one.lines("WHOIS alice")
    two.send("QUIT")
    two.goodbye()
    assert login(one, "bob") == ["900", "903"]
