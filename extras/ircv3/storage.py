"""The database of a server, and its accounts: other extensions take them from here.

Without --db, both are in memory: all works, and is forgotten when the server stops.
"""

import argparse

from extras.irc.extension import CannotStart, Extension
from extras.ircv3.accounts import Accounts
from extras.ircv3.database import HAS_SQLITE, NO_SQLITE, Database, DatabaseError
from step1_echo.serving import log


class Storage(Extension):
    """Opens the database before the first client, and closes it after the last."""

    database: Database
    accounts: Accounts

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--db",
            metavar="FILE",
            help="keep accounts and history in this SQLite file (default: in memory, until the server stops)",
        )

    def start(self) -> None:
        if not HAS_SQLITE and self.options.db is None:
            log.warning("%s: there are none", NO_SQLITE)
            return
        try:
            self.database = Database(self.options.db)
        except DatabaseError as error:
            raise CannotStart(f"--db: {error}") from None
        try:
            self.accounts = Accounts(self.database)
        except DatabaseError:
            self.database.close()  # who has not started is not stopped
            raise
        if self.options.db is None:
            log.info("accounts and history are in memory: --db FILE keeps them")

    def stop(self) -> None:
        if HAS_SQLITE:
            self.database.close()
