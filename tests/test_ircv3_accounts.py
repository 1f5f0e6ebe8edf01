"""Accounts and SCRAM without a server: what is kept, who is let in, and what it costs to try."""

import base64
import hashlib
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extras.irc.more import passwords
from extras.ircv3 import scram
from extras.ircv3.accounts import MAX_FINGERPRINTS, MAX_PASSWORD_BYTES, AccountExists, Accounts, BadPassword
from extras.ircv3.database import Database, DatabaseError
from extras.ircv3.schema import MIGRATIONS
from extras.ircv3.scram import Exchange, Keys, ScramError, make_keys, prepare
from tests.sasl_client import ScramClient

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]

SQL = ["'; DROP TABLE account; --", "x' OR '1'='1", 'a" OR ""="', "%", "_", "a\\'b"]


@contextmanager
def store(path=None, *names):
    with closing(Database(path)) as database:
        accounts = Accounts(database)
        for name in names:
            accounts.add(accounts.make(name, "sesame", "", "here"))
        yield accounts


# Accounts


def test_an_account_is_there_after_a_restart_and_its_password_is_not_in_the_file(tmp_path):
    path = str(tmp_path / "irc.db")
    with store(path, "Alice"):
        pass
    with store(path) as accounts:
        assert accounts.name_of("aLICE") == "Alice"
        assert accounts.check("alice", "sesame", "here") == "Alice"
    for file in tmp_path.iterdir():
        assert b"sesame" not in file.read_bytes()


def test_a_wrong_password_a_wrong_name_and_bytes_that_are_no_text_are_refused():
    with store(None, "alice") as accounts:
        for name, password in [
            ("alice", "Sesame"),
            ("bob", "sesame"),
            ("alice", ""),
            ("alice", "\udcff"),
            ("\udcff", "sesame"),
        ]:
            assert accounts.check(name, password, "here") is None


def test_a_wrong_name_costs_the_same_work_as_a_wrong_password(monkeypatch):
    with store(None, "alice") as accounts:
        made, scrypt = [], hashlib.scrypt

        def noted(password, salt, **cost):
            made.append((len(salt), cost))
            return scrypt(password, salt=salt, **cost)

        monkeypatch.setattr(hashlib, "scrypt", noted)
        for name in ("alice", "nobody"):
            for password in ("wrong", "\x00"):
                accounts.check(name, password, "here")
        assert made == [(passwords.SALT_BYTES, passwords.COST)] * 4


def test_two_who_register_one_name_at_once_get_one_account():
    with store() as accounts:
        drafts = [accounts.make(name, name, "", "here") for name in ("alice", "Alice", "ALICE")]
        start, refused = threading.Barrier(3), []

        def register(draft):
            start.wait(20)
            try:
                accounts.add(draft)
            except AccountExists:
                refused.append(draft.name)

        threads = [threading.Thread(target=register, args=[draft]) for draft in drafts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        kept = accounts.name_of("alice")
        assert sorted([*refused, kept]) == ["ALICE", "Alice", "alice"]
        assert accounts.check("alice", kept, "here") == kept


@pytest.mark.parametrize("password", ["", "two words", "x" * (MAX_PASSWORD_BYTES + 1), "bell\x07", "\ud800"])
def test_some_passwords_nobody_may_have(password):
    with store() as accounts, pytest.raises(BadPassword):
        accounts.make("alice", password, "", "here")


def test_one_password_is_the_same_however_a_keyboard_makes_it():
    with store() as accounts:
        accounts.add(accounts.make("alice", "caf\u00e9" + "\u2460", "", "here"))
        assert accounts.check("alice", "cafe\u0301" + "1", "here") == "alice"


def test_a_new_password_replaces_the_old_one():
    with store(None, "alice") as accounts:
        accounts.check("alice", "sesame", "here")
        accounts.change_password(accounts.make("alice", "new", "", "here"))
        assert accounts.check("alice", "new", "here") and not accounts.check("alice", "sesame", "here")


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_parameter_is_text(text):
    with store(None, "alice") as accounts:
        assert accounts.check(text, "sesame", "here") is None
        assert accounts.by_fingerprint(text) is None
        assert accounts.keys(text)[0] is None
        assert accounts.add_fingerprint("alice", text) and accounts.fingerprints("alice") == [text]
        accounts.add(accounts.make(text, text.replace(" ", ""), text, "here"))
        assert accounts.check(text, text.replace(" ", ""), "here") == text
        assert accounts.check("alice", "sesame", "here") == "alice"


def test_a_certificate_belongs_to_one_account_and_an_account_has_a_bounded_number():
    with store(None, "alice", "bob") as accounts:
        assert accounts.add_fingerprint("Alice", "aa")
        assert not accounts.add_fingerprint("bob", "aa")
        assert accounts.by_fingerprint("aa") == "alice" and accounts.by_fingerprint("bb") is None
        assert not accounts.remove_fingerprint("bob", "aa")
        assert accounts.remove_fingerprint("alice", "aa") and not accounts.by_fingerprint("aa")
        assert [accounts.add_fingerprint("bob", str(n)) for n in range(MAX_FINGERPRINTS + 1)].count(
            True
        ) == MAX_FINGERPRINTS


def test_an_account_that_could_not_be_written_is_not_there(tmp_path):
    path = str(tmp_path / "irc.db")
    with (
        closing(Database(path, busy_timeout_s=0)) as database,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        accounts = Accounts(database)
        draft = accounts.make("alice", "sesame", "", "here")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError):
            accounts.add(draft)
        assert accounts.name_of("alice") is None
        other.execute("COMMIT")
        accounts.add(draft)
        assert accounts.name_of("alice") == "alice"


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_accounts_come_along_from_a_database_of_any_version_before(tmp_path, version):
    path = str(tmp_path / "irc.db")
    with closing(Database(path, migrations=MIGRATIONS[:version])) as database:
        accounts = Accounts(database)
        accounts.add(accounts.make("alice", "sesame", "", "here"))
        accounts.add_fingerprint("alice", "aa")
    with store(path) as accounts:
        assert accounts.check("alice", "sesame", "here") == accounts.by_fingerprint("aa") == "alice"


# SCRAM


def test_the_example_of_the_standard():
    """RFC 7677 section 3."""
    keys = make_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    exchange = Exchange(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert exchange.name == "user"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    challenge = exchange.challenge(keys, nonce.removeprefix("rOprNGfwEbeRWgbNEkqO"))
    assert challenge == f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
    final = f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
    assert exchange.verify(final) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_examples_of_prepared_strings():
    """RFC 4013 section 3."""
    assert [prepare(text) for text in ("I\u00adX", "user", "USER", "\u00aa", "\u2168")] == [
        "IX",
        "user",
        "USER",
        "a",
        "IX",
    ]
    with pytest.raises(ValueError):
        prepare("\u0007")


@pytest.mark.parametrize("name", ["alice", "a,b", "a=b", "=2C", "\u00e9"])
def test_a_client_with_the_password_is_let_in_and_one_without_is_not(name):
    keys = make_keys("sesame")
    for password, is_right in [("sesame", True), ("millet", False)]:
        client = ScramClient(name, password)
        exchange = Exchange(client.first())
        assert exchange.name == name
        final = client.final(exchange.challenge(keys))
        if is_right:
            client.check(exchange.verify(final))
        else:
            with pytest.raises(ScramError):
                exchange.verify(final)


def test_each_login_has_another_nonce_and_an_old_proof_is_worth_nothing():
    keys, client = make_keys("sesame"), ScramClient("alice", "sesame")
    first = Exchange(client.first())
    final = client.final(first.challenge(keys))
    first.verify(final)
    again = Exchange(client.first())
    again.challenge(keys)
    with pytest.raises(ScramError):
        again.verify(final)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,n=,r=x",
        b"n,,n=a,r=",
        b"p=tls-unique,,n=a,r=x",
        b"n,,m=ext,n=a,r=x",
        b"n,,n=a=b,r=x",
        b"n,,r=x,n=a",
        b"n,,n=\xff,r=x",
        b"n,,n=a,r=\xc3\xa9",
        b"x,,n=a,r=x",
        b"n,b,n=a,r=x",
    ],
)
def test_a_first_message_that_is_none_is_refused(message):
    with pytest.raises(ScramError):
        Exchange(message)


@pytest.mark.parametrize(
    "final",
    [
        "",
        "c=biws,r={nonce}",
        "c=eSws,r={nonce},p=QUJD",
        "c=biws,r=other,p=QUJD",
        "c=biws,r={nonce},p=QUJD",
        "c=biws,r={nonce},p=!",
        "c=biws,r={nonce},p=",
        "c=biws,r={nonce},p=\u00e9",
    ],
)
def test_a_final_message_that_is_none_is_refused(final):
    exchange = Exchange(b"n,,n=alice,r=abc")
    nonce = exchange.challenge(make_keys("sesame"), "XYZ").decode().split(",")[0][2:]
    with pytest.raises(ScramError):
        exchange.verify(final.format(nonce=nonce).encode())


@given(st.binary(), st.binary())
def test_any_bytes_are_refused_with_a_scram_error(first, final):
    with pytest.raises(ScramError):
        Exchange(first).verify(final)
    exchange = Exchange(b"y,a=alice,n=alice,r=abc" + b",x=" * bool(first))
    exchange.challenge(Keys(b"salt", 1, b"s" * 32, b"k" * 32))
    with pytest.raises(ScramError):
        exchange.verify(final)


def test_an_unknown_name_gets_the_same_salt_each_time_also_after_a_restart(tmp_path):
    path = str(tmp_path / "irc.db")
    told = []
    for _ in range(2):
        with store(path) as accounts:
            told += [accounts.keys(name) for name in ("nobody", "NOBODY", "other")]
    salts = [keys.salt for _, keys in told]
    assert salts[0] == salts[1] == salts[3] == salts[4] != salts[2] == salts[5]
    assert {len(salt) for salt in salts} == {scram.SALT_BYTES} and {name for name, _ in told} == {None}
    client = ScramClient("nobody", "sesame")
    exchange = Exchange(client.first())
    with pytest.raises(ScramError):
        exchange.verify(client.final(exchange.challenge(told[0][1])))
