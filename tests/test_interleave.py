"""The scheduler: it finds the order that breaks wrong code, shows it, and accuses no code that is right."""

import itertools
import queue
import sys
import threading
import time
from threading import Lock as BroughtLock

import pytest

from tests import interleave
from tests.interleave import explore


def both(cls, method="take", *, other=None, wanted=(1, 2)):
    """Return a scene in which alice and bob call a method of one new object, and see what is wanted."""

    def scene():
        it = cls()

        def check(saw):
            assert sorted(saw.values(), key=repr) == list(wanted), f"they must see {wanted}"

        return {"alice": getattr(it, method), "bob": getattr(it, other or method)}, check

    return scene


def told(scene, *watched):
    """Return what is told about a scene in which something breaks."""
    with pytest.raises(AssertionError) as caught:
        explore(scene, *watched)
    return str(caught.value)


# Wrong code


class Counter:
    def __init__(self):
        self.n = 0

    def take(self):
        self.n += 1
        return self.n

    def take_in_one_line(self):
        n = self.n = self.n + 1
        return n

    def add(self):
        self.n += 1


def test_it_finds_an_update_that_is_lost_between_two_lines():
    assert "they must see (1, 2)" in told(both(Counter), Counter)


def test_it_finds_an_update_that_is_lost_inside_of_one_line():
    told(both(Counter, "take_in_one_line"), Counter)

    def scene():
        counter = Counter()

        def check(saw):
            assert counter.n == 2, "two added one"

        return {"alice": counter.add, "bob": counter.add}, check

    assert "(goes on)" in told(scene, Counter)


class Names:
    """Who claims a name gets True, if nobody has it."""

    def __init__(self):
        self.owners = {}

    def take(self):
        if "x" in self.owners:
            return False
        self.owners["x"] = True
        return True

    def take_in_one_line(self):
        return self.owners.update(x=True) is None if "x" not in self.owners else False


@pytest.mark.parametrize("method", ["take", "take_in_one_line"])
def test_it_finds_a_look_that_is_old_when_it_counts(method):
    told(both(Names, method, wanted=(False, True)), Names)


class TwoLocks:
    def __init__(self):
        self.first, self.second = threading.Lock(), threading.RLock()

    def one_way(self):
        with self.first:
            with self.second:
                return 1

    def other_way(self):
        with self.second:
            with self.first:
                return 2


def test_it_finds_two_who_wait_for_each_other():
    text = told(both(TwoLocks, "one_way", other="other_way"), TwoLocks)
    assert "deadlock: alice and bob wait for ever" in text
    assert text.count("(waits)") == 2


class Bell:
    """Who waits for the bell looks before she has the condition, and may miss it."""

    def __init__(self):
        self.rung, self.condition = False, threading.Condition()

    def wait(self):
        if not self.rung:
            with self.condition:
                self.condition.wait()
        return 1

    def wait_rightly(self):
        with self.condition:
            while not self.rung:
                self.condition.wait()
        return 1

    def ring(self):
        with self.condition:
            self.rung = True
            self.condition.notify_all()
        return 2


def test_it_finds_a_bell_that_is_missed():
    assert "deadlock: alice wait" in told(both(Bell, "wait", other="ring"), Bell)
    assert explore(both(Bell, "wait_rightly", other="ring"), Bell) > 10


def test_it_finds_what_takes_two_switches_at_the_right_places():
    """Bob has to come and go in between: with one switch only, nothing shows."""

    class Money:
        def __init__(self):
            self.mine, self.yours = 1, 0

        def give(self):
            self.mine -= 1
            self.yours += 1
            return 1

        def count(self):
            total = self.mine
            total += self.yours
            return total

    assert explore(both(Money, "give", other="count", wanted=(1, 1)), Money, switches=0) == 2
    assert "give" not in told(both(Money, "give", other="count", wanted=(1, 1)), Money)


def test_it_finds_it_between_three():
    def scene():
        counter = Counter()

        def check(saw):
            assert sorted(saw.values()) == [1, 2, 3]

        return dict.fromkeys(["alice", "bob", "carol"], counter.take), check

    assert "carol" in told(scene, Counter)


def test_it_finds_it_in_a_thread_that_the_code_starts():
    class Starter(Counter):
        def take(self):
            helper = threading.Thread(target=self.add, name="helper")
            helper.start()
            self.add()
            helper.join()
            return self.n

    def scene():
        starter = Starter()

        def check(saw):
            assert saw["alice"] == 2, "two added one"

        return {"alice": starter.take}, check

    assert "helper" in told(scene, Starter, Counter)


# Code that is right


class Right:
    """Counters that are right, each in its own way."""

    def __init__(self):
        self.n, self.lock, self.brought, self.again = 0, threading.Lock(), BroughtLock(), threading.RLock()
        self.numbers, self.token, self.tokens = itertools.count(1), queue.SimpleQueue(), queue.Queue(1)
        self.token.put(1)
        self.tokens.put(1)
        self.free, self.turn = threading.Event(), threading.Semaphore()
        self.free.set()

    def with_a_lock(self):
        with self.lock:
            self.n += 1
            return self.n

    def with_a_lock_brought_by_name(self):
        with self.brought:
            self.n += 1
            return self.n

    def with_a_lock_taken_twice(self):
        with self.again:
            self.n += 1
            with self.again:
                return self.n

    def with_a_lock_that_it_waits_a_minute_for(self):
        if self.lock.acquire(timeout=60):
            self.n += 1
            n = self.n
            self.lock.release()
            return n

    def with_a_semaphore(self):
        with self.turn:
            self.n += 1
            return self.n

    def with_count(self):
        return next(self.numbers)

    def with_a_queue(self):
        n = self.token.get()
        self.token.put(n + 1)
        return n

    def with_a_bounded_queue(self):
        n = self.tokens.get(timeout=60)
        self.tokens.put(n + 1)
        return n

    def with_a_lock_held_while_it_sleeps(self):
        with self.lock:
            self.n += 1
            time.sleep(60)
            return self.n

    def asking_again_and_again(self):
        while not self.lock.acquire(False):
            pass
        try:
            self.n += 1
            return self.n
        finally:
            self.lock.release()

    def with_a_thread_that_adds(self):
        helper = threading.Thread(target=self.with_a_lock)
        with self.again:
            helper.start()
            helper.join()
            return self.n


@pytest.mark.parametrize("method", [name for name in vars(Right) if name.startswith("with")])
def test_it_accuses_no_counter_that_is_right(method):
    assert explore(both(Right, method), Right) > 3


def test_it_does_not_accuse_who_asks_again_and_again():
    explore(both(Right, "asking_again_and_again"), Right, switches=1)


def test_locks_in_one_order_are_no_deadlock():
    explore(both(TwoLocks, "one_way", wanted=(1, 1)), TwoLocks)


def test_who_waits_for_some_time_goes_on_when_nobody_else_can():
    class Patient:
        def __init__(self):
            self.came = threading.Event()

        def wait(self):
            began = time.monotonic()
            came = self.came.wait(3600)
            return came, time.monotonic() - began >= 3600

    explore(both(Patient, "wait", wanted=[(False, True)] * 2), Patient)


# What it tells, and leaves


def test_the_picture_shows_who_ran_which_line_and_what_each_saw():
    at = Counter.take.__code__.co_firstlineno
    one, two = f"test_interleave.py:{at + 1}  self.n += 1", f"test_interleave.py:{at + 2}  return self.n"
    other = " " * len(two)
    assert told(both(Counter), Counter).splitlines()[-8:] == [
        f"    {'alice':{len(two)}}  bob",
        f"    {one}",
        f"    {other}  {one}",
        f"    {other}  {two}",
        f"    {two}",
        f"    {'-> 2':{len(two)}}  -> 2",
        "",
        "    (order 4)",
    ]


def test_what_an_actor_raises_is_what_it_saw():
    class Failing:
        def take(self):
            raise ValueError("no")

    assert "-> ValueError('no')" in told(both(Failing), Failing)


def test_it_says_the_same_each_time():
    assert len({told(both(Counter), Counter) for _ in range(20)}) == 1
    assert len({explore(both(Right, "with_a_bounded_queue"), Right) for _ in range(3)}) == 1


def test_it_leaves_nothing_behind():
    def now():
        replaced = threading.Lock, threading.RLock, time.sleep, time.monotonic, queue.SimpleQueue, BroughtLock
        return threading.enumerate(), *replaced

    before = now()
    told(both(TwoLocks, "one_way", other="other_way"), TwoLocks)
    explore(both(Right, "with_a_lock_brought_by_name"), Right)
    assert now() == before
    assert sys.gettrace() is None or sys.gettrace().__module__ != "tests.interleave"


def test_a_loop_without_end_is_told(monkeypatch):
    monkeypatch.setattr(interleave, "MOST_POINTS", 1000)

    class Endless:
        def take(self):
            while True:
                pass

    assert "there is no end to it" in told(both(Endless), Endless)
