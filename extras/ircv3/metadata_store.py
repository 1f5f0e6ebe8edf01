"""What METADATA keeps: the keys of users and channels.

values   one target's keys; those of an account are the same ones for all users who are logged in to it
owner    the folded name of that account; "" for what ends with its user, or its channel

All are in memory; those of accounts are also in the database, and are read once, at the start.  Those of
a channel with a founder are kept with it: see founders.py.
"""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from extras.irc.names import fold
from extras.irc.state import Channel, User
from extras.ircv3.database import Database

MAX_KEYS = 20  # of one target: with MAX_VALUE_BYTES, 6 kB that a stranger can make us keep


class Values(dict[str, str]):
    """One target's keys."""

    owner = ""


class Store:
    """All values.  Thread: holds the world's lock."""

    def __init__(self, database: Database):
        self._database = database
        self._values: WeakKeyDictionary[User | Channel, Values] = WeakKeyDictionary()
        self._accounts: dict[str, Values] = {}
        for account, key, value in database.read(lambda db: db.execute("SELECT * FROM metadata").fetchall()):
            self._account(account)[key] = value

    def _account(self, owner: str) -> Values:
        values = self._accounts.setdefault(owner, Values())
        values.owner = owner
        return values

    def of(self, where: User | Channel) -> Values:
        """Give all that is set there."""
        return self._values.setdefault(where, Values())

    def sharers(self, where: User | Channel) -> list[User | Channel]:
        """Give all targets with these values: there is another one only if two users have one account."""
        values = self.of(where)
        return [one for one, its in self._values.items() if its is values] if values.owner else [where]

    def log_in(self, user: User) -> Iterable[str]:
        """Let a user have its account's values, and give it those that were set before; tell which it has now.

        Values of another account stay there.
        """
        before, values = self.of(user), self._account(fold(user.account))
        self._values[user] = values
        for key, value in before.items() if not before.owner else ():
            if key in values or len(values) < MAX_KEYS:
                self.change(values, key, value)
        return list(values)

    def change(self, values: Values, key: str, value: str | None) -> None:
        """Set a key, or, without a value, take it away.  Blocks: never: the database writes it later."""
        row = {"account": values.owner, "key": key, "value": value}
        if value is None:
            values.pop(key, None)
            statement = "DELETE FROM metadata WHERE account = :account AND key = :key"
        else:
            values[key] = value
            statement = "INSERT OR REPLACE INTO metadata VALUES (:account, :key, :value)"
        if values.owner:
            self._database.later(lambda db: db.execute(statement, row))
