"""Exercise: close a connection that has sent nothing for a while."""

import select

import pytest


@pytest.fixture
def login(exercise, serve, connect):
    server = serve(exercise.IdleServer, idle_timeout_s=1.0)

    def login(name):
        wire = connect(server)
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
        return wire

    return login


def until_told(wire, talker, says):
    """Let the talker talk until the other one is told something."""
    for _ in range(150):
        talker.send(says)
        if select.select([wire.sock], [], [], 0.02)[0]:
            return
    pytest.fail("she was let sit there for three seconds, and the limit was one")


def test_who_is_idle_is_sent_away_and_who_talks_is_not(login):
    alice, bob = login("alice"), login("bob")
    until_told(alice, bob, "MSG bob I talk to myself")
    assert alice.expect_eof().startswith(b"ERR idle")
    assert bob.request("HELP").reply.startswith("OK")
    login("alice")  # her name is free


def test_an_empty_line_is_a_sign_of_life(login):
    alice, bob = login("alice"), login("bob")
    until_told(alice, bob, b"\n")
    assert bob.request("HELP").reply.startswith("OK")
