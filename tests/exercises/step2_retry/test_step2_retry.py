"""Exercise: connect to a server that may not run yet."""

import socket

import pytest

from step2_client.client import CannotConnect


@pytest.fixture
def sleeping_server():
    """A socket that has its port and does not listen yet: whoever calls is refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def test_a_server_that_runs_is_reached_without_a_pause(exercise, sleeping_server):
    sleeping_server.listen()
    pauses = []
    exercise.connect_patiently(*sleeping_server.getsockname(), 3, pauses.append).close()
    assert pauses == []


def test_it_is_reached_as_soon_as_it_listens(exercise, sleeping_server):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            sleeping_server.listen()

    exercise.connect_patiently(*sleeping_server.getsockname(), 9, pause).close()
    assert pauses == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("tries", [1, 4])
def test_after_the_last_try_it_gives_up_at_once(exercise, sleeping_server, tries):
    pauses = []
    with pytest.raises(CannotConnect):
        exercise.connect_patiently(*sleeping_server.getsockname(), tries, pauses.append)
    assert len(pauses) == tries - 1
