"""Exercise: BACK <text>: answer the user who wrote to you last."""

import pytest


@pytest.fixture
def login(exercise, serve, connect):
    server = serve(exercise.BackServer)

    def login(name):
        wire = connect(server)
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
        return wire

    return login


def test_back_answers_the_last_who_wrote(login):
    alice, bob, carol = login("alice"), login("bob"), login("carol")
    alice.request("MSG bob from alice")
    carol.request("MSG bob from carol")
    answer = bob.request("BACK  hi  there")
    assert answer.reply == "OK"
    assert carol.read_line() == "MSG bob  hi  there"
    assert alice.request("HELP").events == []


def test_an_answer_can_be_answered(login):
    alice, bob = login("alice"), login("bob")
    alice.request("MSG bob one")
    assert bob.request("BACK two").reply == "OK"
    assert alice.request("BACK three").events == ["MSG bob two"]
    assert bob.read_line() == "MSG alice three"


def test_nobody_has_written(login):
    assert login("alice").request("BACK hello").reply.startswith("ERR no-such-user")


def test_who_wrote_has_left(login):
    alice, bob = login("alice"), login("bob")
    alice.request("MSG bob hi")
    alice.request("LOGOUT")
    assert bob.request("BACK hi").reply.startswith("ERR no-such-user")


def test_a_message_that_failed_is_nobodys_last(login):
    alice, bob, carol = login("alice"), login("bob"), login("carol")
    alice.request("MSG bob hi")
    carol.request("MSG bob \x07")
    assert bob.request("BACK hi").reply == "OK"
    assert alice.read_line() == "MSG bob hi"


def test_it_needs_a_text(login):
    assert login("alice").request("BACK").reply.startswith("ERR bad-arguments")
