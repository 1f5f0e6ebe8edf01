"""What survives a restart: one SQLite file, and one thread that alone works with it.

write    a function of the connection; many of them share one transaction, a *batch*
future   its result, there once the batch is on disk: until then, nobody must be told that it is
read     a function too; it sees all that was written before it

No disk is waited for under the world's lock: a command that holds it queues a write and goes on.

What `kill -9` may lose: writes whose future is not done, which are those of the last GATHER_S and of
the batch that is just being written.  What is done survives a power failure as well.

Source: sqlite.org/wal.html, sqlite.org/pragma.html (busy_timeout, synchronous, user_version).
"""

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Full
from typing import TYPE_CHECKING, Any, NamedTuple

from extras.irc.extension import CannotStart
from extras.ircv3.schema import MIGRATIONS
from step1_echo.serving import log

if TYPE_CHECKING:
    from sqlite3 import Connection

try:
    import sqlite3
except ImportError:  # a Python may be built without it
    sqlite3 = None  # type: ignore[assignment]  # nothing here is used then: see HAS_SQLITE
HAS_SQLITE = sqlite3 is not None

MAX_WAITING = 20_000  # writes: some 20 MB, and many seconds of messages for a disk that stands still
GATHER_S = 0.02  # one fsync for all that happens meanwhile; nobody notices that it is later
CLOSE_S = 10.0  # then we give up on a disk that stands still: the server must end some time
BUSY_TIMEOUT_S = 2.0  # longer than a backup holds the file, shorter than a person waits for a login
LOG_AGAIN_S = 60.0  # how seldom to say that the disk is full
Function = Callable[["Connection"], Any]  # what is done with the database; in a `write`, all of it or nothing
NO_SQLITE = "this Python was built without sqlite3, which accounts and history need"


class DatabaseError(CannotStart):
    """The database cannot do it now: the disk is full, the file is locked, or no database at all.

    Before there are clients, that is the end.
    """


class Task(NamedTuple):
    """A function that waits for its turn."""

    function: Function
    answer: Future[Any]
    is_read: bool


class Database:
    """A database, in a file or in memory (`path` is None).  Raises: DatabaseError, which names the file."""

    def __init__(
        self,
        path: str | None,
        *,
        migrations: Sequence[str] = MIGRATIONS,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        max_waiting: int = MAX_WAITING,
    ):
        self.path = path
        self._max_waiting = max_waiting
        self._bell = threading.Condition()  # guards the two below
        self._tasks: deque[Task] = deque()
        self._is_closed = False
        self._is_failing, self._next_log = False, 0.0  # the thread's own: what the log knows
        self._connection = connect(path, migrations, busy_timeout_s)
        self._thread = threading.Thread(target=self._work, name="database", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._connection.close()
            raise DatabaseError(f"no thread for the database: {error}") from None

    def write(self, function: Function) -> Future[Any]:
        """Let `function(connection)` run in the next transaction; what it raises undoes it alone.

        The future has its result when that is committed, or the error.  Who adds a callback: it
        runs in the database's thread.  Blocks: never.  Raises: Full.  Thread: any.
        """
        return self._put(function, is_read=False)

    def later(self, function: Function) -> Future[Any] | None:
        """Write as write() does, for somebody who does not wait; give None if too much waits for the disk.

        The log is told of a mistake in the function, as it is of the disk's faults.  Blocks: never.
        """
        try:
            future = self.write(function)
        except Full:
            return None
        future.add_done_callback(tell_log)
        return future

    def read(self, function: Function) -> Any:
        """Return `function(connection)`, which sees all that was written before.

        Blocks: until the disk has answered: never call it under a lock.  Raises: DatabaseError.
        """
        return self._put(function, is_read=True).result()

    def close(self) -> None:
        """Commit what was queued, and close.  Twice does no harm.  Blocks: until it is done, or for CLOSE_S."""
        with self._bell:
            self._is_closed = True
            self._bell.notify()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            log.warning("database: the disk stands still: what it has not taken is lost")

    def _put(self, function: Function, is_read: bool) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # from here on, nobody can cancel it
        with self._bell:
            if self._is_closed:
                answer.set_exception(DatabaseError("the database is closed"))
            elif len(self._tasks) >= self._max_waiting and not is_read:
                raise Full
            else:
                self._tasks.append(Task(function, answer, is_read))
                if is_read or len(self._tasks) == 1:
                    self._bell.notify()
        return answer

    # --- the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        """Do what is queued, in its order, until close()."""
        while tasks := self._next():
            for is_read, group in itertools.groupby(tasks, lambda task: task.is_read):
                (self._read_each if is_read else self._commit)(list(group))
        self._connection.close()

    def _next(self) -> list[Task]:
        """Wait for tasks, and a little for more of them, unless somebody waits for an answer."""
        with self._bell:
            self._bell.wait_for(lambda: self._tasks or self._is_closed)
            self._bell.wait_for(lambda: self._is_closed or any(task.is_read for task in self._tasks), GATHER_S)
            tasks = list(self._tasks)
            self._tasks.clear()
            return tasks

    def _read_each(self, tasks: list[Task]) -> None:
        for task in tasks:
            try:
                task.answer.set_result(task.function(self._connection))
            except Exception as error:  # noqa: BLE001  whatever it is, only who asked is told
                task.answer.set_exception(told(error, self.path))

    def _commit(self, tasks: list[Task]) -> None:
        """Run these writes in one transaction; each is a step of its own in it."""
        results: list[tuple[object, Exception | None]] = []
        failure: Exception | None = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for task in tasks:
                results.append(self._step(task.function))
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  whatever it is, who asked is told, below
            failure = error
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._tell_log(failure or next(filter(is_disk, (error for _, error in results)), None))
        results += [(None, failure)] * (len(tasks) - len(results))  # of those that were not run
        for task, (result, undone) in zip(tasks, results):
            if fault := failure or undone:
                task.answer.set_exception(told(fault, self.path))
            else:
                task.answer.set_result(result)

    def _step(self, function: Function) -> tuple[object, Exception | None]:
        """Run one write: its result, or the error that has undone it."""
        self._connection.execute("SAVEPOINT step")
        result, error = None, None
        try:
            result = function(self._connection)
        except Exception as why:
            if not self._connection.in_transaction:
                raise  # the disk is full: SQLite has undone the whole batch
            error = why
            self._connection.execute("ROLLBACK TO step")
        self._connection.execute("RELEASE step")
        return result, error

    def _tell_log(self, failure: Exception | None) -> None:
        """Say that nothing is kept, and that it is kept again; not too often, where both alternate."""
        now = time.monotonic()
        if failure and now >= self._next_log:
            log.warning("database: %s: nothing is kept until it works again", failure)
            self._is_failing, self._next_log = True, now + LOG_AGAIN_S
        elif self._is_failing and not failure:
            log.warning("database: works again")
            self._is_failing = False


def tell_log(future: Future[Any]) -> None:
    """Tell the log of a mistake of ours; of the disk's faults, the thread tells it."""
    error = future.exception()
    if error and not isinstance(error, DatabaseError):
        log.error("database: %r", error, exc_info=error)


def told(error: Exception, path: str | None) -> Exception:
    """Give the error in our words; one that is not SQLite's is the function's own."""
    if not isinstance(error, sqlite3.Error):
        return error
    return DatabaseError(f"{path or 'a database in memory'}: {error}")


def is_disk(error: Exception | None) -> bool:
    """Return whether it is the disk's or the file's fault, not that of what was asked."""
    return isinstance(error, sqlite3.OperationalError)


def connect(path: str | None, migrations: Sequence[str], busy_timeout_s: float) -> "Connection":
    """Open a database that has all tables.  Raises: DatabaseError."""
    if sqlite3 is None:
        raise DatabaseError(NO_SQLITE)
    connection = None
    try:
        if path is not None:
            # Hashes and private messages: nobody else on this machine may read the file.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # Transactions are begun and ended by us, in one thread, which is not the one that opens it.
        connection = sqlite3.connect(
            # With its folder, or a file called :memory: would be none.
            ":memory:" if path is None else os.path.abspath(path),
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, migrations)
    except (OSError, sqlite3.Error, DatabaseError) as error:
        if connection:
            connection.close()
        why = error.strerror if isinstance(error, OSError) else error
        raise DatabaseError(f"{path or 'a database in memory'}: {why}") from None
    return connection


def migrate(connection: "Connection", migrations: Sequence[str]) -> None:
    """Bring an older database up to date, in one step.  Raises: DatabaseError for one that is newer."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise DatabaseError(
            f"its tables are of version {version}, and this server knows version {len(migrations)}:"
            " it belongs to a newer server"
        )
    if version == 0 and connection.execute("SELECT * FROM sqlite_master").fetchone():
        raise DatabaseError("it belongs to another program")
    if version < len(migrations):
        scripts = ";".join(migrations[version:])
        connection.executescript(f"BEGIN IMMEDIATE; {scripts}; PRAGMA user_version = {len(migrations)}; COMMIT")
