"""Exercise: QUIET and LOUD: for users who do not want to get ALL."""

import pytest


@pytest.fixture
def server(exercise, serve):
    return serve(exercise.QuietServer)


@pytest.fixture
def wires(server, connect):
    wires = [connect(server) for _ in range(3)]
    for wire, name in zip(wires, ("alice", "bob", "carol")):
        wire.request(f"LOGIN {name}")
    return wires


def test_who_is_quiet_hears_nothing_and_the_others_do(wires):
    alice, bob, carol = wires
    assert bob.request("QUIET").reply == "OK"
    assert alice.request("ALL hello").reply == "OK"
    assert carol.read_line() == "ALL alice hello"
    assert bob.request("HELP").events == []


def test_who_is_loud_again_hears_each_once(wires):
    alice, bob, _ = wires
    for verb in ("QUIET", "QUIET", "LOUD", "LOUD"):
        assert bob.request(verb).reply == "OK"
    alice.request("ALL hello")
    assert bob.request("HELP").events == ["ALL alice hello"]


def test_who_is_quiet_may_speak_and_gets_private_messages(wires):
    alice, bob, _ = wires
    bob.request("QUIET")
    assert bob.request("ALL hello").reply == "OK"
    assert alice.read_line() == "ALL bob hello"
    alice.request("MSG bob psst")
    assert bob.read_line() == "MSG alice psst"


def test_who_leaves_while_quiet_leaves_nothing_behind(wires, server, connect):
    alice, bob, _ = wires
    bob.request("QUIET")
    bob.request("LOGOUT")
    again = connect(server)
    again.request("LOGIN bob")
    alice.request("ALL welcome back")
    assert again.read_line() == "ALL alice welcome back"


def test_it_needs_a_login(server, connect):
    assert connect(server).request("QUIET").reply.startswith("ERR not-logged-in")
