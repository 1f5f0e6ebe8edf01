"""Exercise: a mask, matched in a time that does not explode."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extras.irc.names import fits
from tests.verdict import patience


@pytest.mark.parametrize(
    "mask, name, fit",
    [
        ("bob!*@*", "bob!b@host", True),
        ("bob!*@*", "bobby!b@host", False),
        ("*!*@*.example", "a!b@c.example", True),
        ("b?b", "bob", True),
        ("b?b", "bb", False),
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**a", "a", True),
        ("a*", "a", True),
        ("*a", "ab", False),
        ("*ab", "aab", True),
        ("a*b*c", "abbcbc", True),
    ],
)
def test_a_mask_matches_the_whole_name(exercise, mask, name, fit):
    assert exercise.fits(mask, name) == fit


def test_it_says_what_the_servers_own_says(exercise):
    @given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
    def compare(mask, name):
        assert exercise.fits(mask, name) == fits(mask, name)

    compare()


@pytest.mark.parametrize(
    "mask", ["*a" * 40 + "b", "*?" * 40 + "b", "*" * 80 + "b"], ids=["letters", "any", "stars only"]
)
def test_forty_stars_take_no_longer_than_four(exercise, request, mask):
    """In a process of its own, which can be ended: with twice the time for each star it would run for ever."""
    name = "a" * 80
    program = f"from runpy import run_path; print(run_path({exercise.__file__!r})['fits']({mask!r}, {name!r}))"
    try:
        told = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=2 * patience(request.node),
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"{mask} is still being compared")
    assert told.stdout == "False\n"
