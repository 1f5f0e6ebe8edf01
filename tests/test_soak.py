"""A few seconds of the soak test for each server; `python tests/soak.py --minutes 10` is the whole test."""

import sys

import pytest

from tests.dialects import DIALECTS
from tests.soak import soak

pytestmark = pytest.mark.long


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors and threads in /proc")
@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_every_message_is_accounted_for_and_nothing_is_left_behind(dialect):
    said = []
    assert not soak(dialect, seconds=2.5, seed=1, say=said.append), "\n".join(said)
