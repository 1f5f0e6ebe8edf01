"""Messages of the past, in the database: kept, found, taken back, and deleted when they are too old.

Functions for Database.write() and read(); all that they are given is data.

buffer    what a client shows in one window: a channel, or the talk of two people
reader    who may read it: b"" for the members of the channel, else one of the two.  A private message
          is there twice, once for each of them, so that neither needs to be looked up for the other
target    the channel, or the other one of the two
time      milliseconds: what clients are told
number    our own, in the order of arrival; it decides between two messages of one millisecond
point     a place among the messages: just before or just after one, or a moment
life      when the channel began in which a message was said; 0 if anybody could have heard it
line      the message as it was on the wire, its tags in front; several lines if it has some

Source: IRCv3 chathistory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlite3 import Connection

REDACTED, SAID, HAPPENED = 0, 1, 2  # kinds: what is left of a message; PRIVMSG and NOTICE; all else
LAST = 2**63 - 1  # SQLite's greatest integer
COLUMNS = "time, id, reader, target, shown, author, life, kind, line"
# Rows of one statement: Python lets go of the interpreter's lock once for each statement, and must
# then wait for it while the server is busy.  Older SQLites take 999 values, nine a row.
ROWS = 100
INSERT = f"INSERT INTO message ({COLUMNS}) VALUES "
ONE = "(?,?,?,?,?,?,?,?,?)"
PARTNERS = (
    "WITH RECURSIVE found(target) AS ("
    " SELECT min(target) FROM message WHERE reader = :reader UNION ALL"
    " SELECT (SELECT min(target) FROM message WHERE reader = :reader AND target > found.target)"
    " FROM found WHERE target IS NOT NULL)"
)


class Row(NamedTuple):
    """A message, as it is kept."""

    time: int
    id: str
    reader: bytes
    target: bytes
    shown: bytes
    author: bytes
    life: int
    kind: int
    line: bytes


class Buffer(NamedTuple):
    """What one reader may see of one target."""

    reader: bytes
    target: bytes
    life: int = 0  # of the channel now: what was said in an earlier one behind closed doors stays there
    since: int = 0  # the time of the oldest message that is not too old
    kinds: tuple[int, ...] = (SAID,)


class Point(NamedTuple):
    """Where a message is, or a moment, which may be that of several: the first and the last of their numbers."""

    time: int
    first: int = 0
    last: int = LAST


def add(db: Connection, rows: Sequence[Row]) -> None:
    """Keep messages."""
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        if len(some) == ROWS:
            db.execute(INSERT + ",".join([ONE] * ROWS), [value for row in some for value in row])
        else:
            db.executemany(INSERT + ONE, some)


def latest(
    db: Connection, buffer: Buffer, limit: int, after: Point | None = None, before: Point | None = None
) -> list[Row]:
    """Give the last messages between two points, in their order."""
    return _select(db, buffer, limit, after, before, "DESC")[::-1]


def earliest(
    db: Connection, buffer: Buffer, limit: int, after: Point | None = None, before: Point | None = None
) -> list[Row]:
    """Give the first messages between two points, in their order."""
    return _select(db, buffer, limit, after, before, "ASC")


def around(db: Connection, buffer: Buffer, limit: int, point: Point) -> list[Row]:
    """Give what is before a point and, from the point on, what is behind it."""
    before = latest(db, buffer, limit // 2, before=point)
    return before + earliest(db, buffer, limit - len(before), after=Point(point.time, last=point.first - 1))


def between(db: Connection, buffer: Buffer, limit: int, one: Point, other: Point) -> list[Row]:
    """Give those between two points that are nearest to the first; either may be the earlier one."""
    if one <= other:
        return earliest(db, buffer, limit, one, other)
    return latest(db, buffer, limit, other, one)


def _select(
    db: Connection, buffer: Buffer, limit: int, after: Point | None, before: Point | None, order: str
) -> list[Row]:
    low = max((after.time, after.last) if after else (0, 0), (buffer.since, -1))
    high = (before.time, before.first) if before else (LAST, LAST)
    rows = db.execute(
        f"SELECT {COLUMNS} FROM message WHERE reader = ? AND target = ?"
        " AND (time, number) > (?, ?) AND (time, number) < (?, ?)"
        f" AND kind IN ({','.join('?' * len(buffer.kinds))}) AND life IN (0, ?)"
        f" ORDER BY time {order}, number {order} LIMIT ?",
        (buffer.reader, buffer.target, *low, *high, *buffer.kinds, buffer.life, limit),
    )
    return [Row(*row) for row in rows]


def point_of(db: Connection, buffer: Buffer, message_id: str) -> Point | None:
    """Give the place of a message; of one that was redacted, too: a client may go on from there."""
    row = db.execute(
        "SELECT time, number, number FROM message WHERE id = ? AND reader = ? AND target = ?",
        (as_text(message_id), buffer.reader, buffer.target),
    ).fetchone()
    return row and Point(*row)


def find(db: Connection, buffer: Buffer, message_id: str) -> Row | None:
    """Give one message."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM message WHERE id = ? AND reader = ? AND target = ? AND time >= ?"
        " AND kind <> ? AND life IN (0, ?)",
        (as_text(message_id), buffer.reader, buffer.target, buffer.since, REDACTED, buffer.life),
    ).fetchone()
    return row and Row(*row)


def as_text(message_id: str) -> str:
    """Give an id as SQLite takes it; also for bytes that are no text, which no message's id has."""
    return message_id.encode(errors="replace").decode()


def redact(db: Connection, message_id: str) -> None:
    """Forget what a message said, for all its readers; its place stays."""
    db.execute("UPDATE message SET kind = ?, line = x'' WHERE id = ?", (REDACTED, message_id))


def targets(
    db: Connection, reader: bytes, channels: Iterable[Buffer], limit: int, one: Point, other: Point, since: int
) -> list[tuple[bytes, int]]:
    """Give those with whom a reader has talked, and of these channels those where somebody has.

    Each with the time of its last message, if that is between the points; in the order of these times.
    """
    lasts = [(row[0].time, row[0].shown) for buffer in channels if (row := latest(db, buffer, 1))]
    # Of those with whom one has talked there may be thousands: a statement for each would take too long.
    lasts += db.execute(
        f"{PARTNERS} SELECT time, shown FROM found JOIN message ON number = (SELECT number FROM message"
        " WHERE reader = :reader AND target = found.target AND kind = :kind AND time >= :since AND life = 0"
        " ORDER BY time DESC, number DESC LIMIT 1)",
        {"reader": reader, "kind": SAID, "since": since},
    ).fetchall()
    low, high = min(one, other), max(one, other)
    found = sorted((time, shown) for time, shown in lasts if low.time < time < high.time)
    some = found[:limit] if one <= other else found[-limit:]
    return [(shown, time) for time, shown in some]


def windows(db: Connection, reader: bytes, channels: Iterable[Buffer], since: int) -> list[Buffer]:
    """Give all that a reader may see: these channels, and each talk that it has had."""
    return [*channels, *(Buffer(reader, target, since=since) for target in partners(db, reader))]


def partners(db: Connection, reader: bytes) -> list[bytes]:
    """Give the targets of a reader.  It jumps from one to the next: the messages are not looked at."""
    rows = db.execute(f"{PARTNERS} SELECT target FROM found WHERE target IS NOT NULL", {"reader": reader})
    return [target for (target,) in rows]


def trim(db: Connection, since: int, touched: Iterable[tuple[bytes, bytes]], most_of_target: int, most: int) -> None:
    """Delete what is too old, and what is too much: of the targets that have got messages, and of all."""
    # The oldest have the lowest numbers, but for a clock that was set back: so we need not look at all.
    (first,) = db.execute(
        "SELECT coalesce((SELECT number FROM message WHERE time >= ? ORDER BY number LIMIT 1), ?)", (since, LAST)
    ).fetchone()
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM message").fetchone()
    db.execute("DELETE FROM message WHERE number < ?", (max(first, last - most + 1),))
    for reader, target in touched:
        db.execute(
            "DELETE FROM message WHERE reader = :reader AND target = :target AND (time, number) <="
            " (SELECT time, number FROM message WHERE reader = :reader AND target = :target"
            "  ORDER BY time DESC, number DESC LIMIT 1 OFFSET :most)",
            {"reader": reader, "target": target, "most": most_of_target},
        )


def forget_reader(db: Connection, reader: bytes) -> None:
    """Delete what one reader alone could read: nobody will have its name again."""
    db.execute("DELETE FROM message WHERE reader = ?", (reader,))


def forget_guests(db: Connection) -> None:
    """Delete what was kept for users without an account: the server has ended, and so have they."""
    db.execute("DELETE FROM message WHERE reader >= ? AND reader < ?", (b"*", b"+"))


def rename(db: Connection, old: bytes, new: bytes, shown: bytes) -> None:
    """Let a channel's messages go with it to its new name."""
    db.execute("UPDATE message SET target = ?, shown = ? WHERE reader = x'' AND target = ?", (new, shown, old))
