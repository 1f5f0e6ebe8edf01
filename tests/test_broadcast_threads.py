"""The thread cache: each job is done once and at once, and nobody waits for ever."""

import threading

import pytest

from extras.broadcast.server import BroadcastServer
from extras.broadcast.thread_cache import MAX_SPARES, ThreadCache
from tests.dialects import eventually
from tests.interleave import explore

DEADLINE_S = 20.0  # so that no test hangs; it decides nothing else


@pytest.fixture
def cache():
    """Return a ThreadCache that leaves no thread behind."""
    before = set(threading.enumerate())
    cache = ThreadCache()
    yield cache
    cache.end()
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


class Job:
    """A job that begins, and ends when it is told to."""

    def __init__(self, cache):
        self.thread = None
        self.may_end = threading.Event()
        self.began = threading.Event()
        cache.run(self.work)
        assert self.began.wait(DEADLINE_S)

    def work(self):
        self.thread = threading.current_thread()
        self.began.set()
        self.may_end.wait(DEADLINE_S)

    def end(self, cache):
        """End it, and wait until its thread is a spare one, or gone."""
        settled = cache._busy - 1
        self.may_end.set()
        eventually(lambda: cache._busy == settled, "its thread is done with it")


def test_a_thread_that_is_done_takes_the_next_job(cache):
    stays, first = Job(cache), Job(cache)
    first.end(cache)
    second = Job(cache)
    assert second.thread is first.thread and second.thread is not stays.thread
    second.end(cache)
    stays.end(cache)


def test_nobody_waits_for_a_thread_that_is_busy(cache):
    jobs = [Job(cache) for _ in range(20)]  # each has begun while all the calls before it still run
    assert len({job.thread for job in jobs}) == 20
    for job in jobs:
        job.end(cache)


def test_an_idle_server_has_no_spare_threads(cache):
    jobs = [Job(cache) for _ in range(10)]
    for job in jobs:
        job.end(cache)
    for job in jobs:
        job.thread.join(DEADLINE_S)
        assert not job.thread.is_alive()


def test_there_is_a_limit_to_spare_threads(cache):
    stays, *others = [Job(cache) for _ in range(MAX_SPARES + 11)]
    for job in others:
        job.end(cache)
    assert cache._spares == MAX_SPARES
    eventually(lambda: sum(job.thread.is_alive() for job in others) == MAX_SPARES, "the others end")
    stays.end(cache)


def test_after_the_end_no_thread_waits(cache):
    stays, first, second = (Job(cache) for _ in range(3))
    first.end(cache)
    cache.end()
    first.thread.join(DEADLINE_S)
    second.end(cache)
    second.thread.join(DEADLINE_S)
    assert not first.thread.is_alive() and not second.thread.is_alive()
    late = Job(cache)  # a client that was accepted in the last moment is served, and told goodbye
    late.end(cache)
    stays.end(cache)


def test_without_a_thread_the_caller_is_told_and_nothing_is_lost(cache, monkeypatch):
    stays = Job(cache)

    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            cache.run(print)
    assert cache._busy == 1
    stays.end(cache)


def test_each_job_is_done_once(cache):
    """Four threads hand over 1,000 jobs each, while other threads end and become spare."""
    done = []
    stays = Job(cache)

    def hand_over(number):
        for n in range(1000):
            cache.run(done.append, (number, n))

    givers = [threading.Thread(target=hand_over, args=(number,)) for number in range(4)]
    for thread in givers:
        thread.start()
    for thread in givers:
        thread.join(DEADLINE_S)
    eventually(lambda: cache._busy == 1, "all jobs are done")
    stays.end(cache)
    assert sorted(done) == [(number, n) for number in range(4) for n in range(1000)]
    with cache._lock:  # the last thread sends the spare ones home in the step in which it stops being busy
        assert (cache._busy, cache._spares) == (0, 0)


class PromisesUnlocked(ThreadCache):
    """WRONG ON PURPOSE: between the look at the spare threads and the promise, one of them may end."""

    def run(self, function, *args):
        self._busy += 1
        if self._spares:
            self._spares -= 1
            self._jobs.put((function, args))
        else:
            threading.Thread(target=self._live, args=(function, args), daemon=True).start()


def hand_over_at_once(cache_class):
    """Hand over three jobs in two threads, in all orders.  Raises: AssertionError, if one is not done, or one waits."""

    def scene():
        cache, done = cache_class(), []

        def give(*jobs):
            for job in jobs:
                cache.run(done.append, job)

        def check(saw):
            assert sorted(done) == [1, 2, 3], f"done are {sorted(done)}"
            assert (cache._busy, cache._spares) == (0, 0), "a thread waits for ever"

        return {"alice": lambda: give(1, 2), "bob": lambda: give(3)}, check

    return explore(scene, cache_class, ThreadCache, most=300)


def test_a_job_is_promised_under_the_lock():
    hand_over_at_once(ThreadCache)


def test_without_the_lock_a_job_is_promised_to_nobody_or_a_thread_waits_for_ever():
    with pytest.raises(AssertionError):
        hand_over_at_once(PromisesUnlocked)


def test_the_server_serves_one_client_after_the_other_in_one_thread(serve, connect):
    server = serve(BroadcastServer)
    stays = connect(server)
    stays.request("HELP")
    threads = set()
    for _ in range(5):
        wire = connect(server)
        wire.request("HELP")
        threads |= {thread for thread in threading.enumerate() if "_live" in thread.name}
        wire.close()
        eventually(lambda: server.threads._busy == 1, "its thread is done with it")
    assert len(threads) == 2
