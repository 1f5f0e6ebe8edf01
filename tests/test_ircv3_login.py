"""Accounts as others see them: notices, tags, bans, nicks, cloaks; and NickServ and REGISTER, which make them."""

import base64
import logging
import sqlite3
import sys
import threading
from contextlib import closing

import pytest

from extras.irc.more import passwords
from extras.ircv3.accounts import Account, key_of
from extras.ircv3.cloak import cloak
from extras.ircv3.database import Database
from extras.ircv3.drafts import DRAFT_S, MAX_DRAFTS, MAX_TRIES, Drafts
from extras.ircv3.login import MAX_FAILED
from extras.ircv3.storage import Storage
from tests.dialects import eventually
from tests.irc_wire import short
from tests.ircv3_accounts import client, login, register

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]
SQL = ["'; DROP TABLE account; --", "x'OR'1'='1", "%", "_"]


# What others see


def test_who_logs_in_is_announced_once_to_neighbours_and_monitors_who_asked(irc):
    register(irc, "alice")
    carol = irc.client("carol", "account-notify", channel="#tea")
    monitor = irc.client("dave", "account-notify extended-monitor")
    monitor.ask("MONITOR + bob")
    plain = irc.client("eve", channel="#tea")
    bob = irc.client("bob", "sasl account-notify", channel="#tea")
    bob.ask("JOIN #cake")
    for wire in (carol, plain, monitor):
        wire.ask()
    assert login(bob, "alice") == ["900", "903"]
    assert carol.lines() == monitor.lines() == ["ACCOUNT alice"]
    assert plain.lines() == []
    assert login(bob, "alice") == ["900", "903"]
    assert carol.lines() == [], "nothing has changed"


def test_the_account_is_a_tag_and_in_join_whois_and_who(irc):
    register(irc, "alice")
    carol = irc.client("carol", "account-tag extended-join message-tags", channel="#tea")
    client(irc, "al", "alice", channel="#tea").ask("PRIVMSG #tea :hi", "PRIVMSG carol :you", "PART #tea")
    got = carol.ask()
    assert short(got[0]) == "JOIN #tea alice Real al"
    assert {message.tags.get("account") for message in got} == {"alice"} and len(got) == 4
    assert "330 al alice is logged in as" in carol.lines("WHOIS al")
    assert carol.lines("WHO al %na", "WHO carol %na")[::2] == ["354 al alice", "354 carol 0"]


def test_a_ban_for_an_account_follows_it_under_any_nick(irc):
    register(irc, "alice")
    op = irc.client("op", channel="#tea")
    assert "MODE #tea +b a:ALICE" in op.lines("MODE #tea +b a:ALICE")
    wire = client(irc, "al", "alice")
    assert wire.codes("JOIN #tea") == ["474"]
    assert wire.codes("NICK other", "JOIN #tea") == ["NICK", "474"]
    assert irc.client("alicia").codes("JOIN #tea")[0] == "JOIN"
    op.ask("MODE #tea +e a:al*")
    assert wire.codes("JOIN #tea")[0] == "JOIN"


def test_a_channel_for_all_who_are_logged_in(irc):
    register(irc, "alice")
    irc.client("op", channel="#tea").ask("MODE #tea +iI a:*")
    assert irc.client("bob").codes("JOIN #tea") == ["473"]
    assert client(irc, "alice").codes("JOIN #tea")[0] == "JOIN"


@pytest.mark.parametrize("mask, kept", [("a:", "*!*@a:"), ("a", "a!*@*"), ("ab", "ab!*@*"), ("$a:b", "*!*@$a:b")])
def test_what_only_looks_like_such_a_ban_is_a_mask_as_ever(irc, mask, kept):
    op = irc.client("op", channel="#tea")
    assert op.lines(f"MODE #tea +b {mask}") == [f"MODE #tea +b {kept}"]


def test_the_server_names_its_extended_bans(irc):
    tokens = " ".join(short(message) for message in irc.client("alice").welcome if message.command == "005").split()
    assert "ACCOUNTEXTBAN=a" in tokens
    assert [token for token in tokens if token.startswith("EXTBAN=,") and "a" in token.partition(",")[2]]


# A nick that is an account's


def test_a_nick_of_an_account_is_for_its_owner(irc):
    register(irc, "Alice")
    wire = irc.wire()
    assert wire.codes("NICK ALICE", "USER u 0 * :r")[-1] == "433"
    assert wire.codes("NICK bob")[0] == "001"
    assert wire.codes("NICK alice")[-1] == "433"
    wire.ask("CAP REQ sasl")
    assert login(wire, "alice") == ["900", "903"]
    assert wire.codes("NICK alice") == ["NICK"]


def test_two_who_want_one_nick_while_its_owner_logs_in(irc):
    """The owner gets it, whoever is faster."""
    register(irc, "alice")
    thief = irc.wire()
    assert thief.codes("NICK alice", "USER u 0 * :r")[-1] == "433"
    assert "001" in [message.command for message in client(irc, "alice").welcome]


def test_nobody_registers_the_nick_of_somebody_who_is_here(irc):
    irc.client("root")
    wire = irc.wire()
    assert wire.lines("NICK bob", "REGISTER root * sesame")[0].startswith("FAIL REGISTER ACCOUNT_EXISTS root")
    assert irc.client("carol").lines("REGISTER root * sesame")[0].startswith("FAIL REGISTER ACCOUNT_EXISTS root")


# REGISTER


@pytest.mark.parametrize(
    "line, code",
    [
        ("REGISTER * * sesame", "NEED_NICK"),
        ("REGISTER #tea * sesame", "BAD_ACCOUNT_NAME"),
        ("REGISTER nickserv * sesame", "BAD_ACCOUNT_NAME"),
        ("REGISTER carol nonsense sesame", "INVALID_EMAIL"),
        ("REGISTER carol a@b,c@d sesame", "INVALID_EMAIL"),
        ("REGISTER carol * :two words", "UNACCEPTABLE_PASSWORD"),
        ("REGISTER carol * " + "x" * 301, "UNACCEPTABLE_PASSWORD"),
        ("REGISTER ALICE * sesame", "ACCOUNT_EXISTS"),
        ("VERIFY carol 123", "INVALID_CODE"),
    ],
)
def test_why_there_is_no_account(irc, line, code):
    register(irc, "alice")
    assert irc.wire().lines(line)[0].split()[:3] == ["FAIL", line.split()[0], code]


@pytest.mark.parametrize(
    "options, password, code",
    [
        ({"register": "off"}, "", "TEMPORARILY_UNAVAILABLE"),
        ({"register": "connected"}, "", "COMPLETE_CONNECTION_REQUIRED"),
        ({}, "pot", "COMPLETE_CONNECTION_REQUIRED"),
    ],
)
def test_who_may_register_is_up_to_the_server(irc, options, password, code):
    irc.start(options=options | {"password": password})
    wire = irc.wire()
    offered = " ".join(message.text for message in wire.ask("CAP LS 302"))
    assert " draft/account-registration=custom-account-name " in f" {offered} ", "and not before-connect"
    assert wire.lines("NICK alice", "REGISTER * * sesame")[0].split()[2] == code


def test_who_is_logged_in_makes_no_second_account(irc):
    register(irc, "alice")
    assert client(irc, "alice").lines("REGISTER bob * sesame", "VERIFY bob 1") == [
        "FAIL REGISTER ALREADY_AUTHENTICATED bob You are logged in as alice",
        "FAIL VERIFY ALREADY_AUTHENTICATED bob You are logged in as alice",
    ]


def test_one_address_makes_a_bounded_number_of_accounts(irc):
    irc.start(options={"register_limit": 2})
    register(irc, "one", "two")
    assert (
        irc.wire()
        .lines("REGISTER three * sesame")[0]
        .startswith("FAIL REGISTER TEMPORARILY_UNAVAILABLE three Too many")
    )


MAILER = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"]


def test_an_account_with_a_mail_address_waits_for_the_code(irc, tmp_path):
    mail = tmp_path / "mail"
    irc.start(options={"register_mail": [*MAILER, str(mail)]})
    wire = irc.wire()
    assert "email-required" in " ".join(message.text for message in wire.ask("CAP LS 302"))
    assert wire.lines("REGISTER alice * sesame")[0].split()[2] == "INVALID_EMAIL"
    assert wire.lines("REGISTER alice al@example.org sesame") == [
        "REGISTER VERIFICATION_REQUIRED alice A code was sent to al@example.org"
    ]
    wire.ask("CAP REQ sasl")
    assert login(wire, "alice") == ["904"], "it is no account yet"
    code = mail.read_text().split()[-1]
    assert mail.read_text().startswith("To: al@example.org\n") and len(code) == 8
    assert wire.lines("VERIFY alice 1", f"VERIFY alice {code}") == [
        "FAIL VERIFY INVALID_CODE alice This is not the code",
        "VERIFY SUCCESS alice Account created; it is in memory, and ends with the server",
        "900 *!*@127.0.0.1 alice You are now logged in as alice",
    ]


@pytest.mark.parametrize("mailer", [["/nowhere/sendmail"], [sys.executable, "-c", "exit(1)"]])
def test_where_no_mail_can_be_sent_there_is_no_account_and_the_name_is_free(irc, mailer):
    irc.start(options={"register_mail": mailer})
    for _ in range(2):
        assert (
            irc.wire()
            .lines("REGISTER alice al@example.org sesame")[0]
            .startswith("FAIL REGISTER TEMPORARILY_UNAVAILABLE alice No mail")
        )


def draft(name):
    return Account(key_of(name), name, "", None, "")


def test_a_code_cannot_be_guessed_and_does_not_last():
    drafts = Drafts()
    code = drafts.add(draft("alice"), now=0)
    assert not drafts.add(draft("Alice"), now=1), "the name is taken as long as its code counts"
    assert drafts.confirmed("ALICE", code, now=1) and not drafts.confirmed("alice", code, now=DRAFT_S)
    for _ in range(MAX_TRIES):
        assert not drafts.confirmed("alice", "\udcff", now=1)
    assert not drafts.confirmed("alice", code, now=1)
    assert drafts.add(draft("alice"), now=2)


def test_drafts_are_bounded_and_old_ones_make_room():
    drafts = Drafts()
    assert all(drafts.add(draft(str(number)), now=0) for number in range(MAX_DRAFTS))
    assert not drafts.add(draft("late"), now=1) and drafts.add(draft("late"), now=DRAFT_S)


# NickServ


def said(wire, *lines):
    return [message.text for message in wire.ask(*lines) if message.command == "NOTICE" and message.nick == "NickServ"]


def test_nickserv_registers_identifies_and_explains(irc):
    alice = irc.client("alice")
    assert said(alice, "PRIVMSG NickServ :REGISTER sesame") == [
        "Account created",
        "(But it is in memory, and ends with the server.)",
    ]
    assert said(irc.client("bob"), "NS IDENTIFY alice millet", "NICKSERV :identify alice sesame") == [
        "Incorrect password for alice.",
        "You are now identified for alice.",
    ]
    assert len(said(alice, "NS HELP")) == 8 and said(alice, "NS NONSENSE", "NS") == said(alice, "NS ?", "NS HELP")
    assert said(alice, "NS IDENTIFY", "NS GHOST a b c")[0].startswith("So it is written: IDENTIFY")


def test_a_service_does_not_answer_to_who_is_typing(irc):
    alice = irc.client("alice", "message-tags")
    assert alice.ask("@+typing=active TAGMSG NickServ", "@+typing=active TAGMSG *playback") == []


def test_identify_with_a_password_alone_means_ones_nick(irc):
    irc.client("alice").ask("NS REGISTER sesame")
    bob = irc.client("bob")
    assert said(bob, "NS IDENTIFY sesame") == ["Incorrect password for bob."]


def test_ghost_ends_a_dead_connection_and_regain_takes_its_nick(irc):
    register(irc, "alice")
    for order, nick in [("GHOST", "other"), ("REGAIN", "alice")]:
        dead, wire = client(irc, "alice"), irc.client("other")
        assert said(wire, f"NS {order} alice") == ["You are not the owner of alice: GHOST alice <password>"]
        assert said(wire, f"NS {order} alice millet") == ["Incorrect password for alice."]
        assert said(wire, f"NS {order} alice sesame") == ["alice has been ghosted: killed."]
        assert [message.command for message in dead.goodbye()] == ["ERROR"]
        assert short(wire.ask("PING x")[0]).startswith("PONG") and nick in wire.lines("WHOIS " + nick)[0]
        wire.send("QUIT")
        wire.goodbye()


@pytest.mark.parametrize("order", ["GHOST", "REGAIN"])
def test_a_bot_without_sasl_that_was_refused_its_nick_gets_it_by_its_password(irc, order):
    register(irc, "alice")
    bot = irc.wire()
    assert "433" in bot.codes("NICK alice", "USER al 0 * :r")
    bot.ask("NICK alice_")
    bot.nick = "alice_"
    assert short(bot.ask(f"NS {order} alice millet")[0]).endswith("Incorrect password for alice.")
    got = bot.lines(f"NS {order} alice sesame")
    assert "NICK alice" in got and got[0].startswith("900")
    assert "330 alice alice is logged in as" in bot.lines("WHOIS alice")


def test_an_owner_who_has_lost_her_nick_by_a_race_gets_it_back_without_a_password(irc):
    register(irc, "alice")
    dead = client(irc, "alice")
    again = irc.client("alice_", "sasl")
    login(again, "alice")
    assert said(again, "NS GHOST alice_", "NS GHOST alice_ x") != []
    assert "NICK alice" in again.lines("NS REGAIN alice")
    assert dead.goodbye()
    assert said(again, "NS REGAIN alice") == ["That is you."]
    again.ask("NICK alice_")
    assert said(again, "NS GHOST alice") == ["Nobody has the nick alice."]
    assert again.lines("NS REGAIN alice") == ["NOTICE alice_ Nobody has the nick alice.", "NICK alice"]


def test_a_password_is_changed_by_who_knows_the_old_one(irc):
    register(irc, "alice")
    wire = client(irc, "alice")
    assert said(wire, "NS PASSWD millet new", "NS PASSWD sesame " + "x" * 301, "NS PASSWD sesame new") == [
        "Incorrect password for alice.",
        "Not this password: with a space, or longer than 300 bytes.",
        "Password changed.",
    ]
    wire.send("QUIT")
    wire.goodbye()
    client(irc, "alice", password="new")


def test_certificates_are_added_listed_and_removed(irc):
    register(irc, "alice", "bob")
    wire, value = client(irc, "alice"), "ab" * 32
    assert said(
        wire, "NS CERT LIST", f"NS CERT ADD {value.upper()}", "NS CERT LIST", f"NS CERT DEL {value}", "NS CERT LIST"
    ) == ["None.", "Done.", value, "Done.", "None."]
    assert said(wire, "NS CERT ADD xyz")[0].startswith("CERT ADD, and 64")
    assert said(irc.client("carol"), "NS CERT LIST") == ["Log in first."]


def test_an_operator_makes_accounts_for_others_where_nobody_may_register(irc):
    irc.start(options={"register": "off"})
    root = irc.client("root")
    assert said(root, "NS REGISTER sesame") == ["This server makes no accounts."]
    assert said(root, "NS SAREGISTER alice sesame") == ["You are no operator of this server."]
    root.ask("OPER root secret")
    assert said(root, "NS SAREGISTER alice sesame", "NS SAREGISTER Alice sesame", "NS SAREGISTER #tea x") == [
        "Account created: alice",
        "This account exists, or somebody uses the nick.",
        "An account's name must be one that can be a nick.",
    ]
    client(irc, "alice")


def test_guessing_with_nickserv_ends_the_connection_too(irc):
    register(irc, "alice")
    wire = irc.client("bob")
    wire.send("\r\n".join(["NS IDENTIFY alice x"] * MAX_FAILED))
    assert wire.goodbye()[-1].text == "Closing Link: 127.0.0.1 (Too many wrong passwords)"


def test_nobody_is_called_nickserv(irc):
    assert irc.client("bob").codes("NICK NickServ") == ["433"]


# What must not happen


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_parameter_is_text(irc, text):
    register(irc, "alice")
    wire = irc.client("bob", "sasl")
    word = text.replace(" ", "")
    wire.ask(
        f"REGISTER {word} {word} {word}",
        f"VERIFY {word} {word}",
        f"NS IDENTIFY {word} {word}",
        f"NS GHOST {word} {word}",
        f"NS CERT ADD {word}",
        f"WHOIS {word}",
        f"NICK {word}",
    )
    assert login(wire, text, text) == ["904"]
    assert login(wire, "alice") == ["900", "903"]


def test_no_password_is_in_the_log_or_in_an_answer(irc, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "Xyzzy1234"
    wire = irc.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl")
    answers = wire.lines(
        "PASS " + secret, "NICK alice", "USER u 0 * :r", f"REGISTER * * {secret}", f"REGISTER * * {secret}", "CAP END"
    )
    login(wire, "alice", secret), login(wire, "alice", secret + "!")
    answers += wire.lines(
        f"NS IDENTIFY {secret}",
        f"NS IDENTIFY {secret} {secret}",
        f"PRIVMSG NickServ :REGISTER {secret}",
        f"NICKSERV GHOST x {secret}",
        f"NS {secret}",
        f"PASSWD {secret}",
        f"OPER root {secret}",
        f"OPER {secret} root",
        f"NS PASSWD {secret} {secret}2",
        f"VERIFY alice {secret}",
    )
    answers = [line for line in answers if "Incorrect password for" not in line]  # the name, which was the secret here
    wire.send(f"QUIT :NS IDENTIFY {secret}")
    wire.goodbye()
    irc.server.stop()
    assert secret not in caplog.text and base64_of(secret) not in caplog.text
    assert not [line for line in answers if secret in line]
    assert "alice" in caplog.text, "the log is on"


def base64_of(secret):
    return base64.b64encode(f"\0alice\0{secret}".encode()).decode()


def test_a_locked_database_refuses_accounts_and_the_chat_goes_on(irc, tmp_path, monkeypatch):
    path = str(tmp_path / "irc.db")
    defaults = Database.__init__.__kwdefaults__
    monkeypatch.setattr(Database.__init__, "__kwdefaults__", defaults | {"busy_timeout_s": 0})
    irc.start(options={"db": path})
    register(irc, "alice")
    wire = irc.client("bob", "sasl", channel="#tea")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert wire.lines("REGISTER * * sesame")[0].startswith("FAIL REGISTER TEMPORARILY_UNAVAILABLE *")
        assert said(wire, "NS REGISTER sesame") == ["Accounts are temporarily unavailable: try again later."]
        assert wire.codes("TOPIC #tea :tea") == ["TOPIC"]
        assert login(wire, "alice") == ["900", "903"], "reading goes on"
        other.execute("COMMIT")
    register(irc, "carol")


def test_a_full_disk_refuses_accounts_and_says_so_once_in_the_log(irc, caplog):
    irc.start()
    database = irc.server.extensions[Storage].database

    def pages(number):
        return database.write(lambda db: db.execute(f"PRAGMA max_page_count = {number}").fetchone()).result(20)

    def row(size):
        filler = "INSERT INTO account VALUES (random(), '', '', '', 1, '', '', ?, 1)"
        return database.write(lambda db: db.execute(filler, ("x" * size,))).exception(20)

    pages(1)  # SQLite makes it as many as there are
    for size in (1000, 100, 10):
        while not row(size):
            pass
    wire = irc.client("alice", channel="#tea")
    for _ in range(3):
        assert wire.lines("REGISTER * * sesame")[0].startswith("FAIL REGISTER TEMPORARILY_UNAVAILABLE *")
    assert wire.codes("TOPIC #tea :tea") == ["TOPIC"]
    assert caplog.text.count("nothing is kept until it works again") == 1
    pages(100_000)
    assert wire.codes("REGISTER * * sesame") == ["REGISTER", "900"]


def test_a_flood_of_logins_freezes_nobody(irc, monkeypatch):
    register(irc, "alice")
    hash_it, open_gate, began = passwords.hash_password, threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(
        passwords, "hash_password", lambda *args: (began.release(), open_gate.wait(20), hash_it(*args))[-1]
    )
    before = threading.active_count()
    wires = []
    for number in range(20):
        wires.append(irc.wire())
        wires[-1].send("CAP REQ sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE AGFsaWNlAG1pbGxldA==")
    assert began.acquire(timeout=20)
    other = irc.client("carol", channel="#tea")
    assert other.codes("TOPIC #tea :tea") == ["TOPIC"]
    assert not began.acquire(blocking=False), "one hash at a time"
    assert threading.active_count() <= before + len(wires) + 2
    open_gate.set()
    for wire in wires:
        assert wire.read_until("904")


def test_of_a_flood_from_one_address_only_so_many_wait_and_the_others_are_told(irc, monkeypatch):
    secret = passwords.hash_password("pot")
    irc.start(options={"password": secret, "oper": [("root", secret)]})
    member = irc.wire()
    assert "001" in member.codes("PASS pot", "NICK carol", "USER u 0 * :r")
    monkeypatch.setattr(passwords, "MAX_OF_HOST", 2)
    hash_it, open_gate, began = passwords.hash_password, threading.Event(), threading.Event()
    monkeypatch.setattr(passwords, "hash_password", lambda *args: (began.set(), open_gate.wait(20), hash_it(*args))[-1])
    waiting = [irc.wire() for _ in range(3)]
    attempt = "CAP REQ sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE AGFsaWNlAG1pbGxldA=="
    waiting[0].send(attempt)
    assert began.wait(20)
    for wire in waiting[1:]:
        wire.send(attempt)
    eventually(lambda: len(passwords.hasher._waiting.get("127.0.0.1", ())) == 2, "two wait")
    wire = irc.wire()
    got = wire.lines(*attempt.split("\r\n"))
    assert got[-2].startswith("FAIL AUTHENTICATE TEMPORARILY_UNAVAILABLE ") and got[-1].startswith("904 ")
    assert said(member, "NS IDENTIFY alice x", "NS REGISTER sesame") == [
        "Accounts are temporarily unavailable: try again later.",
        "Too many passwords come from your address: try again later.",
    ]
    assert member.lines("OPER root wrong") == [
        "NOTICE carol Too many passwords come from your address: try again later"
    ]
    wire = irc.wire()
    wire.send("PASS wrong\r\nNICK dave\r\nUSER u 0 * :r")
    assert (
        wire.goodbye()[-1].text
        == "Closing Link: 127.0.0.1 (Too many passwords come from your address: try again later)"
    )
    open_gate.set()
    for wire in waiting:
        assert wire.read_until("904")


# Cloaks


def test_a_cloak_is_the_same_for_one_address_and_one_key_and_tells_neither():
    assert cloak("key", "192.0.2.7") == cloak("key", "192.0.2.7") != cloak("other", "192.0.2.7")
    near, far = cloak("key", "192.0.2.8"), cloak("key", "192.0.3.7")
    assert cloak("key", "192.0.2.7").partition(".")[2] == near.partition(".")[2] != far.partition(".")[2]
    assert cloak("key", "2001:db8::1") == cloak("key", "2001:db8::2") != cloak("key", "2001:db8:0:1::1")
    assert cloak("key", "0::1").endswith(".ip") and cloak("key", "nonsense").endswith(".ip")


def test_nobody_sees_a_cloaked_address_but_its_owner_and_operators(irc):
    irc.start(options={"cloak": "key"})
    register(irc, "alice")
    alice, bob = irc.client("al", "sasl", channel="#tea"), irc.client("bob", "chghost", channel="#tea")
    alice.ask("PRIVMSG bob :hi", "TOPIC #tea :tea")
    login(alice, "alice")
    seen = (
        bob.lines("WHOIS al", "WHO al", "WHO al %nhi", "USERHOST al", "WHO 127.*", "MODE #tea b", "WHOWAS al")
        + bob.lines()
    )
    assert not [line for line in seen if "127.0.0.1" in line]
    assert [line for line in alice.lines("WHOIS al") if "127.0.0.1" in line]
    bob.ask("OPER root secret")
    assert [line for line in bob.lines("WHOIS al") if "127.0.0.1" in line]


def test_who_logs_in_changes_her_cloak_and_who_does_not_know_chghost_sees_her_return(irc):
    irc.start(options={"cloak": "key"})
    register(irc, "alice")
    old, new = cloak("key", "127.0.0.1"), "user/alice"
    alice = irc.client("al", "sasl chghost", channel="#tea")
    alice.ask("JOIN #cake")
    knows, not_yet = irc.client("bob", "chghost", channel="#tea"), irc.client("carol", "extended-join", channel="#tea")
    for wire in (alice, knows, not_yet):
        wire.ask("JOIN #cake")
        wire.ask()
    knows.ask(), not_yet.ask()
    login(alice, "alice")
    got = knows.ask()
    assert [(message.source, short(message)) for message in got] == [(f"al!al@{old}", f"CHGHOST al {new}")]
    got = not_yet.ask()
    assert [(message.source, short(message)) for message in got] == [
        (f"al!al@{old}", "QUIT Changing host"),
        (f"al!al@{new}", "JOIN #tea alice Real al"),
        ("irc.test", "MODE #tea +o al"),
        (f"al!al@{new}", "JOIN #cake alice Real al"),
        ("irc.test", "MODE #cake +o al"),
    ]


def test_ones_own_client_sees_chghost_and_no_return(irc):
    irc.start(options={"cloak": "key"})
    register(irc, "alice")
    for caps, expected in [("chghost", ["CHGHOST"]), ("", [])]:
        wire = irc.client("al", f"sasl {caps}", channel="#tea")
        wire.send("AUTHENTICATE PLAIN\r\nAUTHENTICATE AGFsaWNlAHNlc2FtZQ==")
        assert [
            message.command
            for message in wire.ask()
            if not message.command.isdigit() and message.command != "AUTHENTICATE"
        ] == expected
        wire.send("QUIT")
        wire.goodbye()


def test_a_ban_for_a_cloak_holds_after_a_login_too(irc):
    irc.start(options={"cloak": "key"})
    register(irc, "alice")
    root = irc.client("op", channel="#tea")
    network = cloak("key", "127.0.0.1").partition(".")[2]
    root.ask(f"MODE #tea +b *!*@*.{network}")
    wire = client(irc, "alice")
    assert "311 alice alice user/alice * Real alice" in wire.lines("WHOIS alice")
    assert wire.codes("JOIN #tea") == ["474"]
    root.ask(f"MODE #tea -b *!*@*.{network}", "MODE #tea +b *!*@user/alice")
    assert wire.codes("JOIN #tea") == ["474"] and irc.client("bob").codes("JOIN #tea")[0] == "JOIN"


# For those who are logged in only


def test_a_channel_may_hear_only_those_who_are_logged_in_or_have_a_voice(irc):
    register(irc, "alice")
    op, bob = irc.client("op", channel="#tea"), irc.client("bob", channel="#tea")
    alice = client(irc, "alice", channel="#tea")
    assert "MODE #tea +M" in op.lines("MODE #tea +M")
    assert bob.codes("PRIVMSG #tea :hi")[-1] == "404"
    alice.ask("PRIVMSG #tea :hi")
    heard = op.lines("MODE #tea +v bob")
    bob.ask("PRIVMSG #tea :voice")
    assert [line for line in heard + op.lines() if line.startswith("PRIVMSG")] == [
        "PRIVMSG #tea hi",
        "PRIVMSG #tea voice",
    ]


def test_a_user_may_hear_only_those_who_are_logged_in_or_accepted(irc):
    register(irc, "alice", "carol")
    alice, bob, carol = client(irc, "alice"), irc.client("bob"), client(irc, "carol")
    heard = alice.lines("MODE alice +R")
    assert bob.codes("PRIVMSG alice :hi", "NOTICE alice :hi") == ["477"]
    carol.ask("PRIVMSG alice :carol")
    heard += alice.lines("ACCEPT bob")
    bob.ask("PRIVMSG alice :accepted")
    heard += alice.lines("ACCEPT -bob")
    assert bob.codes("PRIVMSG alice :hi") == ["477"]
    heard += alice.lines("PRIVMSG bob :answer me")
    bob.ask("PRIVMSG alice :answer")
    assert heard + alice.lines() == ["MODE alice +R"] + [
        f"PRIVMSG alice {text}" for text in ("carol", "accepted", "answer")
    ]
    assert alice.codes("ACCEPT nobody") == ["401"]
