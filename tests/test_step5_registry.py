"""Step 5's registry: a name has one owner, however many claim it at the same time."""

import contextlib

import pytest

from step5_server.registry import NameTaken, Registry
from tests.interleave import explore


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


# Several threads at once, in all orders (see tests/interleave.py)


class Unlocked(Registry):
    """WRONG ON PURPOSE: its lock locks nothing."""

    def __init__(self):
        super().__init__()
        self.lock = contextlib.nullcontext()


def claim_at_once(registry_class):
    """Let two claim one name.  Raises: AssertionError, if in some order not just one of them gets it."""

    def scene():
        registry = registry_class()

        def check(saw):
            winners = [name for name, what in saw.items() if what is None]
            assert len(winners) == 1, "a name has one owner"
            assert registry.get("x") == winners[0]
            assert all(isinstance(what, (NameTaken, type(None))) for what in saw.values())

        return {who: lambda who=who: registry.claim("x", who) for who in ("alice", "bob")}, check

    return explore(scene, Registry)


def test_of_two_who_claim_a_name_at_once_one_gets_it():
    claim_at_once(Registry)


def test_without_the_lock_both_get_it():
    with pytest.raises(AssertionError, match="a name has one owner"):
        claim_at_once(Unlocked)


def leave_at_once(registry_class):
    """Let alice's own thread and the sweep free her name while bob takes it: if he has got it, he keeps it."""

    def scene():
        registry = registry_class()
        registry.claim("x", "alice")

        def check(saw):
            assert sorted([saw["alice"], saw["sweep"]], key=repr) == [False, True], "her name is freed once"
            assert registry.get("x") == ("bob" if saw["bob"] is None else None)

        return {
            "alice": lambda: registry.release("x", "alice"),
            "sweep": lambda: registry.release("x", "alice"),
            "bob": lambda: registry.claim("x", "bob"),
        }, check

    return explore(scene, Registry.release, Registry.claim)


def test_who_leaves_frees_her_own_name_only():
    leave_at_once(Registry)


def test_without_the_lock_the_name_of_another_is_freed_too():
    with pytest.raises(AssertionError):
        leave_at_once(Unlocked)


def test_whoever_holds_the_lock_makes_several_calls_one_step():
    def scene():
        registry = Registry()

        def two_steps():
            with registry.lock:
                registry.claim("alice", 1)
                return registry.names()

        def check(saw):
            assert saw["alice"] in (["alice"], ["bob", "alice"]), "somebody came in between"
            assert sorted(registry.names()) == ["alice", "bob"]

        return {"alice": two_steps, "bob": lambda: registry.claim("bob", 2)}, check

    explore(scene, Registry, scene)
