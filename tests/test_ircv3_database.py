"""The database: what is written is there, what fails says so, and nobody waits for the disk."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from queue import Full

import pytest

from extras.irc.extension import CannotStart
from extras.ircv3 import database
from extras.ircv3.database import Database, DatabaseError
from tests.chapter import ROOT

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes

TABLE = "CREATE TABLE word (text TEXT UNIQUE)"
FILL = 2_000_000  # bytes: more than a database of few pages can take


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "irc.db")


def opened(path, *migrations, **settings):
    return closing(Database(path, migrations=migrations or [TABLE], **settings))


def add(text):
    return lambda connection: connection.execute("INSERT INTO word VALUES (?)", (text,))


def words(connection):
    return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY rowid")]


def held(db):
    """Hold the database's thread until the event is set, so that what is written meanwhile is one batch."""
    free, holds = threading.Event(), threading.Event()
    db.write(lambda connection: (holds.set(), free.wait(20)))
    assert holds.wait(20)
    return free


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_read_sees_what_was_written_before(kind, path):
    with opened(path if kind == "file" else None) as db:
        for number in range(100):
            db.write(add(str(number)))
        assert db.read(words) == [str(number) for number in range(100)]


def test_what_was_queued_is_there_after_close_and_a_restart(path):
    with opened(path) as db:
        for number in range(500):
            db.write(add(str(number)))
    with opened(path) as db:
        assert len(db.read(words)) == 500


def test_a_future_is_done_after_the_commit(path):
    with opened(path) as db, closing(sqlite3.connect(path)) as other:
        db.write(add("tea")).result(20)
        assert words(other) == ["tea"]


def test_a_batch_is_one_transaction(path):
    with opened(path) as db, closing(sqlite3.connect(path, check_same_thread=False)) as other:
        seen = []
        free = held(db)
        db.write(add("one"))
        db.write(lambda connection: seen.append(words(other)))
        free.set()
        db.write(lambda connection: None).result(20)
        assert seen == [[]]


def test_a_write_does_not_wait_for_the_disk_and_is_refused_beyond_the_bound(path):
    with opened(path, max_waiting=3) as db:
        free = held(db)
        for number in range(3):
            db.write(add(str(number)))
        with pytest.raises(Full):
            db.write(add("too many"))
        free.set()
        assert len(db.read(words)) == 3


def test_a_write_that_fails_undoes_itself_alone(path):
    def half(connection):
        add("half")(connection)
        raise KeyError("my own")

    with opened(path) as db:
        free = held(db)
        first, failing, twice, last = db.write(add("tea")), db.write(half), db.write(add("tea")), db.write(add("milk"))
        free.set()
        assert isinstance(failing.exception(20), KeyError)
        assert isinstance(twice.exception(20), DatabaseError)
        first.result(20), last.result(20)
        assert db.read(words) == ["tea", "milk"]


def test_a_full_disk_is_reported_and_the_next_write_tries_again(path, caplog):
    def room(pages):
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    with opened(path) as db:
        db.write(room(10)).result(20)
        for _ in range(3):
            with pytest.raises(DatabaseError, match="full"):
                db.write(add("x" * FILL)).result(20)
        assert [record.message for record in caplog.records if "full" in record.message] == [
            "database: database or disk is full: nothing is kept until it works again"
        ]
        with caplog.at_level(logging.WARNING):
            db.write(room(100_000)).result(20)
            db.write(add("x" * FILL)).result(20)
        assert caplog.messages[-1] == "database: works again"


def test_a_locked_database_is_reported_and_the_next_write_tries_again(path):
    with opened(path, busy_timeout_s=0) as db, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked"):
            db.write(add("tea")).result(20)
        assert db.read(words) == []  # reading goes on
        other.execute("COMMIT")
        db.write(add("milk")).result(20)
        assert db.read(words) == ["milk"]


def test_a_lock_that_is_held_briefly_is_waited_for(path):
    with (
        opened(path, busy_timeout_s=20) as db,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        tea = db.write(add("tea"))
        other.execute("COMMIT")
        tea.result(20)


def test_a_read_that_fails_says_so_and_the_next_one_works(path):
    with opened(path) as db:
        with pytest.raises(DatabaseError, match="no such table"):
            db.read(lambda connection: connection.execute("SELECT * FROM missing"))
        assert db.read(words) == []


def test_after_close_all_is_refused_and_a_second_close_does_no_harm(path):
    with opened(path) as db:
        db.close()
        with pytest.raises(DatabaseError):
            db.read(words)
        with pytest.raises(DatabaseError):
            db.write(add("tea")).result(0)


def test_an_older_database_is_brought_up_to_date(path):
    with opened(path, TABLE) as db:
        db.write(add("tea"))
    with opened(path, TABLE, "ALTER TABLE word ADD COLUMN n INT DEFAULT 7", "UPDATE word SET n = n + 1") as db:
        assert db.read(lambda connection: connection.execute("SELECT * FROM word").fetchall()) == [("tea", 8)]
        assert db.read(lambda connection: connection.execute("PRAGMA user_version").fetchone()) == (3,)


def test_a_migration_that_fails_changes_nothing(path):
    with opened(path, TABLE) as db:
        db.write(add("tea"))
    with pytest.raises(DatabaseError, match="no such table"):
        Database(path, migrations=[TABLE, "DELETE FROM word", "DROP TABLE missing"])
    with opened(path, TABLE) as db:
        assert db.read(words) == ["tea"]


def test_a_database_of_a_newer_server_is_refused(path):
    opened(path, TABLE, "CREATE TABLE more (n)").__exit__()
    with pytest.raises(DatabaseError, match=f"^{path}: .*version 2.*knows version 1"):
        Database(path, migrations=[TABLE])


@pytest.mark.parametrize("content", ["not a database" * 100, None])
def test_a_file_that_is_no_database_of_ours_is_refused(content, path):
    if content:
        with open(path, "w", encoding="ascii") as file:
            file.write(content)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (n)")
    with pytest.raises(DatabaseError, match=f"^{path}: "):
        Database(path, migrations=[TABLE])


def test_a_folder_that_is_not_there_and_a_python_without_sqlite_are_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(DatabaseError, match="No such file"):
        Database(str(tmp_path / "no" / "irc.db"))
    monkeypatch.setattr(database, "sqlite3", None)
    with pytest.raises(DatabaseError, match="without sqlite3"):
        Database(None)


@pytest.mark.parametrize("table", ["account", "setting", "always", "read_marker", "metadata", "channel"])
def test_a_database_that_is_damaged_is_one_sentence_when_the_server_starts(table, path, irc):
    Database(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"DROP TABLE {table}")
    before = threading.active_count()
    with pytest.raises(CannotStart, match=f"{path}: no such table: {table}"):
        irc.start(options={"db": path, "always_on": "opt-in"})
    assert threading.active_count() == before


def test_a_file_may_be_called_like_a_database_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened(":memory:") as db:
        db.write(add("tea"))
    with opened(":memory:") as db:
        assert db.read(words) == ["tea"]


@pytest.mark.skipif(os.name != "posix", reason="no such permissions")
def test_others_on_this_machine_cannot_read_the_file(path):
    with opened(path) as db:
        db.write(add("tea")).result(20)
        for name in (path, path + "-wal"):
            assert os.stat(name).st_mode & 0o077 == 0


WRITER = f"""
import sys
from extras.ircv3.database import Database
db = Database(sys.argv[1], migrations=[{TABLE!r}])
for number in range(10**9):
    db.write(lambda connection, n=str(number): connection.execute("INSERT INTO word VALUES (?)", (n,))).result()
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_what_was_reported_as_done_survives_kill_9(path):
    with subprocess.Popen([sys.executable, "-c", WRITER, path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        reported = 3 + len(process.stdout.readlines())
    with opened(path) as db:
        kept = db.read(words)
    assert kept[:reported] == [str(number) for number in range(reported)] and len(kept) <= reported + 1
