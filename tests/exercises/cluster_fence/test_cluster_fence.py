"""Exercise: a lease, and a fence against who comes back after it."""

import threading

import pytest

HOUR_MS = 3_600_000


@pytest.fixture
def lease(redis, exercise):
    return exercise.Lease(redis)


def run_out(redis, exercise):
    """Let the lease end, as its time does."""
    assert redis.delete(exercise.LEASE) == 1


def test_one_at_a_time_has_it(lease):
    assert lease.acquire("alice", HOUR_MS) is not None
    assert lease.acquire("bob", HOUR_MS) is None


def test_it_ends_by_itself(lease, redis, exercise):
    lease.acquire("alice", HOUR_MS)
    assert 0 < redis.pttl(exercise.LEASE) <= HOUR_MS


def test_each_token_is_higher_than_all_before(lease, redis, exercise):
    tokens = []
    for owner in ("alice", "bob", "alice", "carol"):
        tokens.append(lease.acquire(owner, HOUR_MS))
        run_out(redis, exercise)
    assert tokens == sorted(set(tokens))


def test_who_has_it_writes(lease, redis, exercise):
    token = lease.acquire("alice", HOUR_MS)
    assert lease.write(token, "by alice") is True
    assert lease.write(token, "by alice again") is True
    assert redis.get(exercise.DATA) == "by alice again"


def test_who_comes_back_too_late_is_refused(lease, redis, exercise):
    old = lease.acquire("alice", HOUR_MS)
    run_out(redis, exercise)
    new = lease.acquire("bob", HOUR_MS)
    assert lease.write(old, "by alice") is False  # even before bob has written something
    assert lease.write(new, "by bob") is True
    assert lease.write(old, "by alice") is False
    assert redis.get(exercise.DATA) == "by bob"


def test_nobody_writes_between_the_look_and_the_write(lease, redis, exercise):
    """Two commands would let another one come in between: the write must be one command, a script."""
    token = lease.acquire("alice", HOUR_MS)
    lease.write(token, "warm up")
    before = redis.info("commandstats")
    lease.write(token, "by alice")
    after = redis.info("commandstats")
    scripts = [
        after[name]["calls"] - before.get(name, {"calls": 0})["calls"]
        for name in after
        if "eval" in name or "exec" in name
    ]
    assert sum(scripts) == 1


def test_of_many_who_want_it_at_once_one_gets_it(lease):
    got, begin = [], threading.Barrier(8)

    def want(owner):
        begin.wait()
        got.append(lease.acquire(owner, HOUR_MS))

    threads = [threading.Thread(target=want, args=(f"user{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([token for token in got if token is not None]) == 1
