"""A pulled cable: the server notices that the peer at the other end has gone.

This needs two machines and a cable: network namespaces, for which one must be root on Linux.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

CABLE = Path(__file__).with_name("cable.py")
DEAD_AFTER_S = 4  # the shortest time of which the server can take a quarter


def test_who_is_beyond_a_pulled_cable_is_seen_to_be_gone(namespaces):
    """Also if something is on its way to her: then the kernel sends no keepalive probes."""
    run = subprocess.run(
        ["unshare", "--net", sys.executable, CABLE, str(DEAD_AFTER_S)],
        capture_output=True,
        text=True,
    )
    assert sorted(run.stdout.splitlines()) == ["bob is gone", "carol is gone"], run.stderr
