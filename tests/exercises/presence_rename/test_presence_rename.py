"""Exercise: NICK: another name, without leaving."""

import pytest

from extras.broadcast.turns import TurnHandler
from tests.crowd import log_in
from tests.interleave import anew, explore
from tests.stage import Stage


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


def test_two_who_want_one_name_at_once_are_never_two_of_it(exercise):
    """All orders are tried in which their threads can run the lines of your file; one that breaks is shown."""

    def scene():
        stage = Stage(anew(exercise).RenameServer, "alice", "bob")

        def check(saw):
            assert sorted(map(str.lower, stage.registry.names())) in (["alice", "popular"], ["bob", "popular"])
            answers = [line.split()[0] for name in ("alice", "bob") for line in stage.heard(name)]
            assert sorted(answers) == ["ERR", "NICK", "OK"], "one gets the name, the other is told both"

        return {name: lambda name=name: stage.say(name, "NICK popular") for name in ("alice", "bob")}, check

    explore(scene, exercise, TurnHandler.answer_lines)
