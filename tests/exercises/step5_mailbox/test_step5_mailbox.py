"""Exercise: a message to a user who is not here is kept, and delivered at her next login."""

import pytest

from step5_server.handler import LineHandler
from tests.interleave import anew, explore
from tests.stage import Stage


@pytest.fixture
def server(exercise, serve):
    return serve(exercise.MailServer)


@pytest.fixture
def login(server, connect):
    def login(name):
        wire = connect(server)
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
        return wire

    return login


def test_what_was_kept_comes_after_the_ok_and_in_order(login):
    alice = login("alice")
    for n in range(10):
        assert alice.request(f"MSG bob {n}").reply == "OK kept"
    bob = login("bob")  # the OK came first, or this would have failed
    assert bob.request("HELP").events == [f"MSG alice {n}" for n in range(10)]


def test_it_comes_once(login):
    login("alice").request("MSG bob hi")
    bob = login("bob")
    assert bob.request("LOGOUT").events == ["MSG alice hi"]
    assert login("bob").request("HELP").events == []


def test_a_name_in_another_case_is_the_same(login):
    login("alice").request("MSG BOB hi")
    assert login("bob").request("HELP").events == ["MSG alice hi"]


def test_a_mailbox_has_a_bound(login):
    alice = login("alice")
    for n in range(10):
        alice.request(f"MSG bob {n}")
    assert alice.request("MSG bob one more").reply.startswith("ERR mailbox-full")
    assert login("bob").request("HELP").events == [f"MSG alice {n}" for n in range(10)]


def test_mistakes_are_mistakes_still(login):
    alice = login("alice")
    assert alice.request("MSG b:b hi").reply.startswith("ERR bad-name")
    assert alice.request("MSG bob \x07").reply.startswith("ERR bad-text")
    assert login("bob").request("HELP").events == []


def test_who_is_here_gets_it_at_once(login):
    alice, bob = login("alice"), login("bob")
    assert alice.request("MSG bob hi").reply == "OK"
    assert bob.read_line() == "MSG alice hi"


def test_none_is_lost_while_she_comes_and_goes(exercise):
    """Whatever the moment: in her mailbox, or in her hands, once and in order; all orders of the two threads are tried."""

    def scene():
        stage = Stage(anew(exercise).MailServer, "alice")

        def check(saw):
            assert saw == {"alice": None, "bob": None}
            stage.leave("bob")
            stage.say("later", "LOGIN bob")
            came = [line for name in ("bob", "later") for line in stage.heard(name) if line.startswith("MSG")]
            assert came == ["MSG alice 1", "MSG alice 2"]

        return {
            "alice": lambda: stage.say("alice", "MSG bob 1", "MSG bob 2"),
            "bob": lambda: stage.say("bob", "LOGIN bob"),
        }, check

    explore(scene, exercise, LineHandler.answer_lines)
