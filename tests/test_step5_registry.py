"""Step 5's registry: a name has one owner, however many claim it at the same time."""

import threading
import time

import pytest

from step5_server.registry import NameTaken, Registry

DEADLINE_S = 20.0  # so that no test hangs; it decides nothing else


@pytest.fixture
def registry():
    return Registry()


def test_a_name_has_one_owner_in_whatever_case(registry):
    registry.claim("Alice", "first")
    with pytest.raises(NameTaken):
        registry.claim("aLICE", "second")
    assert registry.get("ALICE") == "first"
    assert registry.names() == ["Alice"]


def test_a_released_name_is_free(registry):
    registry.claim("alice", "first")
    assert registry.release("ALICE", "first")
    assert registry.get("alice") is None
    registry.claim("alice", "second")


def test_nobody_releases_the_name_of_another(registry):
    registry.claim("alice", "first")
    registry.release("alice", "first")
    registry.claim("alice", "second")
    assert not registry.release("alice", "first")
    assert registry.get("alice") == "second"


def test_names_and_members_come_in_order_of_arrival_and_are_copies(registry):
    for name in ("carol", "alice", "bob"):
        registry.claim(name, name.upper())
    assert registry.names() == ["carol", "alice", "bob"]
    assert registry.members() == ["CAROL", "ALICE", "BOB"]
    registry.names().clear()
    registry.members().clear()
    assert len(registry.names()) == len(registry.members()) == 3


def test_whoever_holds_the_lock_makes_several_calls_one_step(registry):
    done = threading.Event()

    def claim():
        registry.claim("bob", 1)
        done.set()

    with registry.lock:
        registry.claim("alice", 1)
        other = threading.Thread(target=claim)
        other.start()
        assert not done.wait(0.01)  # this ends in any case; if the registry is wrong, it is set
        assert registry.names() == ["alice"]
    other.join(DEADLINE_S)
    assert registry.names() == ["alice", "bob"]


class YieldingRegistry(Registry):
    """Lets another thread run between the look and the claim, where the race would be."""

    @staticmethod
    def key(name):
        time.sleep(0)  # releases the GIL; waits for nothing
        return Registry.key(name)


def test_of_many_who_claim_a_name_at_once_one_gets_it():
    """Fails without the lock: two look before either sets."""
    registry = YieldingRegistry()
    claimers, rounds = 8, 100
    together = threading.Barrier(claimers, timeout=DEADLINE_S)
    winners = []

    def claim(number):
        for n in range(rounds):
            together.wait()
            try:
                registry.claim(f"name{n}", number)
                winners.append(n)  # a list's append is atomic
            except NameTaken:
                pass

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(claimers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert sorted(winners) == list(range(rounds))
