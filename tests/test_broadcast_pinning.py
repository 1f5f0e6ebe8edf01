"""Pinning: one core for a server, another one for the next, and none where it would not help."""

import os
import subprocess
import sys
import threading
import uuid

import pytest

from extras.broadcast import pinning

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pinning needs Linux")


@pytest.fixture
def label():
    """A name that no server outside this test claims cores with."""
    return f"test-{uuid.uuid4()}"


def in_a_thread(function, *args):
    """Call it in a thread of its own, since pinning holds for the thread that does it."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    thread.start()
    thread.join()
    return results[0]


def pin_and_look(label):
    """Pin; return the claim, and the cores of a thread that is started then."""
    claim = pinning.pin_to_one_core(label)
    return claim, in_a_thread(os.sched_getaffinity, 0)


@linux
def test_two_servers_take_two_cores_and_a_third_none(label, monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)  # whichever Python runs the test
    all_cores = os.sched_getaffinity(0)
    if len(all_cores) < 2:
        pytest.skip("there is only one core")
    pinned = [in_a_thread(pin_and_look, label) for _ in all_cores]
    try:
        assert sorted(cores.pop() for _, cores in pinned) == sorted(all_cores)
        claim, cores = in_a_thread(pin_and_look, label)
        assert claim is None and cores == all_cores
    finally:
        for claim, _ in pinned:
            claim.close()


@linux
def test_a_core_is_free_again_when_its_server_is_gone(label):
    for _ in range(2):
        claim = pinning.claim_name(label)
        assert claim and pinning.claim_name(label) is None
        claim.close()


@linux
def test_nothing_is_pinned_without_a_gil(label, monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    claim, cores = in_a_thread(pin_and_look, label)
    assert claim is None and cores == os.sched_getaffinity(0)


@linux
@pytest.mark.parametrize(
    "program, flags",
    [
        ("extras/broadcast/server.py", ["--no-pin"]),
        ("step5_server/server.py", []),
        ("step5_server/server.py", ["--pin"]),  # it was its flag once
        ("step5_server/server.py", ["--no-pin"]),
    ],
    ids=str,
)
def test_a_server_that_is_not_pinned_has_all_cores(program, flags):
    server = subprocess.Popen(
        [sys.executable, program, "--port", "0", *flags],
        stdout=subprocess.PIPE,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    try:
        assert b"listening" in server.stdout.readline()
        assert os.sched_getaffinity(server.pid) == os.sched_getaffinity(0)
    finally:
        server.terminate()
        server.communicate(timeout=10)
