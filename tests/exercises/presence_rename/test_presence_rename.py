"""Exercise: NICK: another name, without leaving."""

import pytest

from tests.crowd import eager_threads, log_in


@pytest.fixture
def server(exercise, serve):
    return serve(exercise.RenameServer)


def test_the_others_are_told_and_the_new_name_works(server, connect):
    alice, bob = log_in(connect, server, "alice", "bob")
    assert bob.request("NICK robert") == ("OK", [])
    assert alice.read_line() == "NICK bob robert"
    assert alice.request("MSG robert hello").reply == "OK"
    assert bob.read_line() == "MSG alice hello"
    assert alice.request("MSG bob hello").reply.startswith("ERR no-such-user")
    bob.request("MSG alice hello")
    assert alice.read_line() == "MSG robert hello"


def test_the_old_name_is_free_and_the_new_one_is_taken(server, connect):
    _, bob = log_in(connect, server, "alice", "bob")
    assert bob.request("NICK ALICE").reply.startswith("ERR name-taken")
    assert bob.request("NICK 1st").reply.startswith("ERR bad-name")
    assert bob.request("NICK robert").reply == "OK"
    assert connect(server).request("LOGIN robert").reply.startswith("ERR name-taken")
    assert connect(server).request("LOGIN bob").reply.startswith("OK")


def test_a_name_may_change_its_capitals(server, connect):
    alice, bob = log_in(connect, server, "alice", "bob")
    assert bob.request("NICK Bob").reply == "OK"
    assert alice.request("WHO").events[0] == "NICK bob Bob"


def test_it_is_the_new_name_that_goes_offline(server, connect):
    alice, bob = log_in(connect, server, "alice", "bob")
    bob.request("NICK robert")
    bob.close()
    assert [alice.read_line() for _ in range(2)] == ["NICK bob robert", "OFFLINE robert"]


def test_eight_who_want_one_name_are_never_two_of_it(server, connect):
    wires = log_in(connect, server, *(f"user{n}" for n in range(8)))
    with eager_threads():
        for n, wire in enumerate(wires):
            wire.send(f"NICK popular\nWHO\nNICK user{n}\n".encode() * 20)
        for wire in wires:
            replies = 0
            while replies < 60:
                line = wire.read_line()
                replies += line.split()[0] in ("OK", "ERR")
                if line.startswith("USERS"):
                    names = line.split()[1:]
                    assert len(names) == len(set(names)) == 8
