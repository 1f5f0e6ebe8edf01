"""The messages of the past: each query gives what three lines over a Python list give."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extras.ircv3 import messages
from extras.ircv3.messages import HAPPENED, REDACTED, SAID, Buffer, Point, Row
from extras.ircv3.schema import MIGRATIONS

# Python 3.14 refuses what 3.12 warns of: a numbered parameter (?1) that comes in a sequence.
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("error::DeprecationWarning")]

TEA = Buffer(b"", b"#tea")


def database():
    db = sqlite3.connect(":memory:", isolation_level=None)
    for script in MIGRATIONS:
        db.executescript(script)
    return closing(db)


def row(time, name, reader=b"", target=b"#tea", life=0, kind=SAID, line=b"x"):
    return Row(time, str(name), reader, target, target, b"alice", life, kind, line)


# Few moments, so that many messages share one; and other targets, kinds and lives between them.
some_rows = st.lists(
    st.builds(
        row,
        st.integers(1, 6),
        st.just(""),
        st.sampled_from([b"", b"", b"", b"bob"]),
        st.sampled_from([b"#tea", b"#tea", b"#milk"]),
        st.sampled_from([0, 0, 7, 8]),
        st.sampled_from([SAID, SAID, HAPPENED]),
    ),
    max_size=25,
).map(lambda rows: [each._replace(id=f"m{number}") for number, each in enumerate(rows)])


class Model:
    """All messages that a buffer shows, in order, and where a point is among them."""

    def __init__(self, rows, buffer):
        self.all = sorted((each.time, number, each) for number, each in enumerate(rows, 1))
        self.seen = [
            (time, number, each)
            for time, number, each in self.all
            if (each.reader, each.target) == buffer[:2]
            and each.kind in buffer.kinds
            and each.life in (0, buffer.life)
            and each.time >= buffer.since
        ]

    def before(self, point):
        return [each for time, number, each in self.seen if (time, number) < (point.time, point.first)]

    def after(self, point):
        return [each for time, number, each in self.seen if (time, number) > (point.time, point.last)]


@given(some_rows, st.data())
def test_each_query_gives_what_a_list_gives(rows, data):
    buffer = Buffer(
        data.draw(st.sampled_from([b"", b"bob"])),
        data.draw(st.sampled_from([b"#tea", b"#milk"])),
        data.draw(st.sampled_from([0, 7])),
        data.draw(st.integers(0, 3)),
        data.draw(st.sampled_from([(SAID,), (SAID, HAPPENED)])),
    )
    model, limit = Model(rows, buffer), data.draw(st.integers(1, 10))
    moments = st.integers(0, 7).map(Point)
    theirs = [
        Point(time, number, number) for time, number, each in model.all if (each.reader, each.target) == buffer[:2]
    ]
    points = st.one_of(moments, st.sampled_from(theirs)) if theirs else moments
    one, other = data.draw(points), data.draw(points)
    with database() as db:
        messages.add(db, rows)
        assert messages.latest(db, buffer, limit) == [each for _, _, each in model.seen][-limit:]
        assert messages.latest(db, buffer, limit, before=one) == model.before(one)[-limit:]
        assert messages.latest(db, buffer, limit, after=one) == model.after(one)[-limit:]
        assert messages.earliest(db, buffer, limit, after=one) == model.after(one)[:limit]
        before = model.before(one)
        about = before[len(before) - min(limit // 2, len(before)) :]
        about += [each for _, _, each in model.seen if each not in before][: limit - len(about)]
        assert messages.around(db, buffer, limit, one) == about
        inside = [each for each in model.after(min(one, other)) if each in model.before(max(one, other))]
        assert messages.between(db, buffer, limit, one, other) == (inside[:limit] if one <= other else inside[-limit:])
        for time, number, each in model.all:
            mine = (each.reader, each.target) == buffer[:2]
            assert messages.point_of(db, buffer, each.id) == (Point(time, number, number) if mine else None)
            visible = mine and each.life in (0, buffer.life) and each.time >= buffer.since
            assert messages.find(db, buffer, each.id) == (each if visible else None)


@given(some_rows, st.integers(0, 7), st.integers(1, 5), st.integers(1, 20))
@example([], 0, 1, 1)
def test_what_is_too_old_and_what_is_too_much_is_deleted(rows, since, most_of_target, most):
    rows = sorted(rows, key=lambda each: each.time)  # a clock that goes forward
    with database() as db:
        messages.add(db, rows)
        messages.trim(db, since, {each[2:4] for each in rows}, most_of_target, most)
        kept = [each for each in rows if each.time >= since][-most:]
        kept = [
            each
            for place, each in enumerate(kept)
            if sum(later[2:4] == each[2:4] for later in kept[place:]) <= most_of_target
        ]
        assert [name for (name,) in db.execute("SELECT id FROM message ORDER BY number")] == [each.id for each in kept]


def test_a_clock_that_was_set_back_deletes_nothing_that_is_young():
    with database() as db:
        messages.add(db, [row(9, "future"), row(1, "old"), row(5, "young")])
        messages.trim(db, 5, [], 100, 100)
        assert [each.id for each in messages.latest(db, TEA, 9)] == ["old", "young", "future"]
        assert [each.id for each in messages.latest(db, TEA._replace(since=5), 9)] == ["young", "future"]


@given(some_rows, st.integers(0, 7), st.integers(0, 7), st.integers(1, 3))
def test_targets_have_their_last_message_between_two_moments(rows, one, other, limit):
    with database() as db:
        messages.add(db, rows)
        found = messages.targets(db, b"bob", [TEA], limit, Point(one), Point(other), 0)
        lasts = {}
        for each in rows:
            if each.kind == SAID and each.life == 0 and (each.reader == b"bob" or each[2:4] == TEA[:2]):
                lasts[each[2:4]] = max(each.time, lasts.get(each[2:4], 0))
        wanted = sorted(
            (time, target) for (_, target), time in lasts.items() if min(one, other) < time < max(one, other)
        )
        wanted = wanted[:limit] if one <= other else wanted[-limit:]
        assert found == [(target, time) for time, target in wanted]


def test_however_many_one_has_talked_with_they_are_asked_for_at_once():
    with database() as db:
        statements = []
        for count in (1, 50):
            messages.add(db, [row(1, f"{count} {number}", b"bob", b"%d" % number) for number in range(count)])
            db.set_trace_callback(statements.append)
            assert len(messages.targets(db, b"bob", [], 100, Point(0), Point(9), 0)) == count
            db.set_trace_callback(None)
        assert len(statements) == 2


@pytest.mark.parametrize("count", [1, messages.ROWS - 1, messages.ROWS, 2 * messages.ROWS + 1])
def test_any_number_of_messages_is_kept_in_order(count):
    rows = [row(1, name) for name in range(count)]
    with database() as db:
        messages.add(db, rows)
        assert messages.earliest(db, TEA, 1000) == rows


def test_a_redacted_message_is_gone_for_all_its_readers_and_keeps_its_place():
    with database() as db:
        messages.add(db, [row(1, "a"), row(2, "b"), row(2, "b", b"bob", b"alice"), row(3, "c")])
        messages.redact(db, "b")
        assert [each.id for each in messages.latest(db, TEA, 9)] == ["a", "c"]
        assert messages.latest(db, Buffer(b"bob", b"alice"), 9) == []
        assert messages.find(db, TEA, "b") is None
        assert [each.id for each in messages.earliest(db, TEA, 9, after=messages.point_of(db, TEA, "b"))] == ["c"]
        assert db.execute("SELECT DISTINCT line FROM message WHERE kind = ?", (REDACTED,)).fetchall() == [(b"",)]


def test_what_a_guest_could_read_is_forgotten_and_all_else_stays():
    with database() as db:
        messages.add(db, [row(1, "a", reader) for reader in (b"", b"alice", b"*1", b"*2", b"~x")])
        messages.forget_reader(db, b"*1")
        assert [each for (each,) in db.execute("SELECT reader FROM message ORDER BY number")] == [
            b"",
            b"alice",
            b"*2",
            b"~x",
        ]
        messages.forget_guests(db)
        assert [each for (each,) in db.execute("SELECT reader FROM message ORDER BY number")] == [b"", b"alice", b"~x"]


def test_a_renamed_channel_takes_its_messages_along():
    with database() as db:
        messages.add(db, [row(1, "a"), row(2, "private", b"bob")])
        messages.rename(db, b"#tea", b"#milk", b"#Milk")
        assert [each.shown for each in messages.latest(db, Buffer(b"", b"#milk"), 9)] == [b"#Milk"]
        assert messages.latest(db, TEA, 9) == []


def test_no_query_walks_through_all_messages():
    with database() as db:
        queries = []
        db.set_trace_callback(queries.append)
        messages.latest(db, TEA, 5)
        messages.point_of(db, TEA, "a")
        messages.find(db, TEA, "a")
        messages.partners(db, b"bob")
        messages.targets(db, b"bob", [TEA], 5, Point(0), Point(9), 0)
        db.set_trace_callback(None)
        steps = [step for query in queries for *_, step in db.execute("EXPLAIN QUERY PLAN " + query)]
        assert len(steps) > 4 and not [step for step in steps if step.startswith("SCAN message")], steps
