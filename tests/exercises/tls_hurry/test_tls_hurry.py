"""Exercise: less time for the handshake than for the login."""

import pytest


@pytest.fixture
def server(exercise, house, monkeypatch):
    monkeypatch.setattr(exercise.HurryServer, "handshake_timeout_s", 0.1)
    return house(exercise.HurryServer)


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01"])
def test_who_does_not_shake_hands_is_sent_away(server, dial, hello):
    silent = dial(server, "silent", tls=False)
    silent.send(hello)
    silent.expect_end()


def test_who_has_shaken_hands_and_who_needs_not_may_take_their_time(server, dial, connect):
    alice, bob = dial(server, "alice"), connect(server, "bob")
    for wire in alice, bob:
        wire.fence()
    dial(server, "silent", tls=False).expect_end()  # so the time is over
    for wire in alice, bob:
        wire.ask(f"LOGIN {wire.name}", "OK ...")
