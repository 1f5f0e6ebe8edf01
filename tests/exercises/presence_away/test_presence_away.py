"""Exercise: AWAY: tell people who write to you that you are out."""

import pytest


@pytest.fixture
def wires(exercise, serve, connect):
    server = serve(exercise.AwayServer)
    wires = [connect(server) for _ in range(2)]
    for wire, name in zip(wires, ("alice", "bob")):
        wire.request(f"LOGIN {name}")
    wires[0].request("HELP")
    wires[1].request("HELP")
    return wires


def test_the_sender_is_told_and_the_message_arrives_all_the_same(wires):
    alice, bob = wires
    assert bob.request("AWAY at lunch").reply == "OK"
    assert alice.request("MSG bob hungry?").reply == "OK away: at lunch"
    assert bob.read_line() == "MSG alice hungry?"


def test_who_is_back_is_not_away(wires):
    alice, bob = wires
    bob.request("AWAY at lunch")
    assert bob.request("BACK").reply == "OK"
    assert alice.request("MSG bob hungry?").reply == "OK"


def test_who_is_away_may_speak(wires):
    alice, bob = wires
    bob.request("AWAY at lunch")
    assert bob.request("MSG alice mmh").reply == "OK"
    assert alice.read_line() == "MSG bob mmh"


def test_the_text_is_checked(wires):
    _, bob = wires
    assert bob.request("AWAY \x1b[2J").reply.startswith("ERR bad-text")
