"""Accounts: names with a password, kept in the database.

key       a name in the form that is the same for all its spellings
secret    the scrypt hash of a password, for those who send it to us (PLAIN, NickServ)
keys      what SCRAM needs instead of the password
SIMPLIFIED: who steals the database guesses against the keys, which are cheaper to try than the secret.

Everything here that asks the database or computes a hash takes time: never call it under a lock.  Only
name_of() may be called anywhere.
"""

import base64
import hmac
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from extras.irc.more.passwords import PREFIX, hash_password, hasher, is_password
from extras.irc.names import fold
from extras.ircv3.database import Database
from extras.ircv3.scram import ROUNDS, SALT_BYTES, Keys, make_keys, prepare

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_PASSWORD_BYTES = 300  # a message to NickServ has room for it
MAX_FINGERPRINTS = 10  # of one account: more devices than anybody has
# A hash that no password has: salt and digest are chance.
NOBODYS = PREFIX + base64.b64encode(os.urandom(80)).decode()


class AccountExists(Exception):
    """The name is somebody's."""


class BadPassword(Exception):
    """Nobody may have this password."""


class Account(NamedTuple):
    """An account, ready to be written."""

    key: str
    name: str
    secret: str
    keys: Keys
    email: str


class Accounts:
    """All accounts.  Thread: any.  Raises: DatabaseError, as do all methods but name_of()."""

    def __init__(self, database: Database):
        self._database = database
        # Of those on disk; each NICK is looked up here, under the world's lock.
        self._names: dict[str, str] = dict(
            database.read(lambda db: db.execute("SELECT key, name FROM account").fetchall())
        )
        # So that a name that nobody has always gets the same salt.
        self._salting_key: bytes = database.write(salting_key).result()

    def name_of(self, name: str) -> str | None:
        """Give the name of the account as its owner writes it; None if there is no such account."""
        return self._names.get(key_of(name))

    def make(self, name: str, password: str, email: str, host: str) -> Account:
        """Compute what is kept of a new account.  Blocks: until it is the turn of `host`.  Raises: BadPassword."""
        try:
            prepared = prepare(password)
        except ValueError as error:
            raise BadPassword(str(error)) from None
        if " " in password or len(password.encode()) > MAX_PASSWORD_BYTES:
            raise BadPassword(f"with a space, or longer than {MAX_PASSWORD_BYTES} bytes")
        secret, keys = hasher.run(lambda: (hash_password(prepared), make_keys(prepared)), host)
        return Account(key_of(name), name, secret, keys, email)

    def add(self, account: Account) -> None:
        """Keep a new account.  Blocks: until it is on disk.  Raises: AccountExists."""
        row = (account.key, account.name, account.secret, *account.keys, account.email, time.time())

        def insert(db: "Connection") -> None:
            if db.execute("INSERT OR IGNORE INTO account VALUES (?,?,?,?,?,?,?,?,?)", row).rowcount == 0:
                raise AccountExists(account.name)

        self._database.write(insert).result()
        self._names[account.key] = account.name

    def change_password(self, account: Account) -> None:
        """Keep what make() has made of a new password.  Blocks: until it is on disk."""
        row = (account.secret, *account.keys, account.key)
        self._database.write(
            lambda db: db.execute(
                "UPDATE account SET secret = ?, salt = ?, rounds = ?, stored = ?, server = ? WHERE key = ?", row
            )
        ).result()

    def check(self, name: str, password: str, host: str) -> str | None:
        """Give the account's name if the password is right, else None.

        A wrong name takes as long as a wrong password.  Blocks: for a hash, and until it is the
        turn of `host`.
        """
        row = self._find("SELECT name, secret FROM account WHERE key = ?", key_of(name))
        shown, secret = row or (None, NOBODYS)
        try:
            password = prepare(password)
        except ValueError:
            pass  # NOTE: no account has such a password; and that takes as long as any other
        return shown if is_password(password, secret, host) else None

    def keys(self, name: str) -> tuple[str | None, Keys]:
        """Give the account's name and its keys for SCRAM; for a name that nobody has, keys that never fit."""
        key = key_of(name)
        row = self._find("SELECT name, salt, rounds, stored, server FROM account WHERE key = ?", key)
        if row:
            return row[0], Keys(*row[1:])
        salt = hmac.digest(self._salting_key, key.encode(), "sha256")[:SALT_BYTES]
        return None, Keys(salt, ROUNDS, os.urandom(32), os.urandom(32))

    # --- certificates ---------------------------------------------------------------------------

    def by_fingerprint(self, fingerprint: str) -> str | None:
        """Give the name of the account to which a client's certificate belongs."""
        row = self._find("SELECT name FROM account JOIN fingerprint ON account = key WHERE value = ?", fingerprint)
        return row[0] if row else None

    def fingerprints(self, name: str) -> list[str]:
        """Give those of an account."""
        query = "SELECT value FROM fingerprint WHERE account = ? ORDER BY rowid"
        rows = self._database.read(lambda db: db.execute(query, (key_of(name),)).fetchall())
        return [value for (value,) in rows]

    def add_fingerprint(self, name: str, fingerprint: str) -> bool:
        """Let a certificate log in; tell whether that was done: no certificate has two accounts."""

        def insert(db: "Connection") -> int:
            (count,) = db.execute("SELECT count(*) FROM fingerprint WHERE account = ?", (key_of(name),)).fetchone()
            if count >= MAX_FINGERPRINTS:
                return 0
            row = fingerprint, key_of(name)
            return db.execute("INSERT OR IGNORE INTO fingerprint VALUES (?, ?)", row).rowcount

        rows: int = self._database.write(insert).result()
        return rows == 1

    def remove_fingerprint(self, name: str, fingerprint: str) -> bool:
        """Let a certificate log in no more; tell whether it did before."""
        statement, row = "DELETE FROM fingerprint WHERE value = ? AND account = ?", (fingerprint, key_of(name))
        rows: int = self._database.write(lambda db: db.execute(statement, row).rowcount).result()
        return rows == 1

    def _find(self, query: str, value: str) -> Any:
        return self._database.read(lambda db: db.execute(query, (value,)).fetchone())


def key_of(name: str) -> str:
    """Give the key of a name; also for bytes that are no text, which no account's name has."""
    return fold(name).encode(errors="replace").decode()


def salting_key(db: "Connection") -> bytes:
    """Give the secret from which salts for unknown names are made; the first time, make it."""
    db.execute("INSERT OR IGNORE INTO setting VALUES ('salting_key', ?)", (os.urandom(32),))
    (key,) = db.execute("SELECT value FROM setting WHERE name = 'salting_key'").fetchone()
    return bytes(key)
