"""The hooks and fixtures of all tests: those of these modules, each named after the ones that it imports, and a few."""

import contextlib
import time
from types import SimpleNamespace

import hypothesis
import pytest

from step5_server import connection

pytest_plugins = [
    "tests.verdict",  # what becomes of a check
    "tests.flags",  # whose program is judged
    "tests.servers",  # that program, and clients for it
    "tests.certificates",
    "tests.tls_house",
    "tests.machine",
]

# On a busy machine an example may take long: that is not the fault of the program under test.
hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")

# pytest -m hypothesis --hypothesis-profile=long: takes longer than a learner wants to wait
hypothesis.settings.register_profile("long", max_examples=600, deadline=None)


@pytest.fixture
def clock(monkeypatch):
    """clock(module, sleep=function, ...): give that module a `time` of its own, and leave everybody else's alone."""

    def clock(module, **functions):
        monkeypatch.setattr(module, "time", SimpleNamespace(**(vars(time) | functions)))

    return clock


@pytest.fixture
def impatient(monkeypatch):
    """Let a flooder wait for who does not read, once, a tenth of a second and not a whole one."""
    monkeypatch.setattr(connection, "PATIENCE_S", 0.1)


# Both import all of IRC, for which each start of pytest would take a fifth longer: so not above.


@pytest.fixture
def irc():
    """Give a Network; its clients are closed before the server stops."""
    from tests.irc_wire import Network

    with contextlib.ExitStack() as stack:
        yield Network(stack)


@pytest.fixture
def cheap(monkeypatch):
    """Make hashes that take no time, for tests that are not about their strength."""
    from extras.irc.more import passwords
    from extras.ircv3.scram import make_keys

    monkeypatch.setitem(passwords.COST, "n", 2)
    monkeypatch.setattr(make_keys, "__defaults__", (None, 2))
