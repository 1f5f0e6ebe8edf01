"""Exercise: a message to a user who is not here is kept, and delivered at her next login."""

import threading

import pytest


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


def test_none_is_lost_while_she_comes_and_goes(login):
    """Whatever the moment: in her mailbox, or in her hands, once and in order."""
    alice, received, over = login("alice"), [], threading.Event()

    def come_and_go():
        while not over.is_set():
            received.extend(login("bob").request("LOGOUT").events)

    bob = threading.Thread(target=come_and_go)
    bob.start()
    kept = [n for n in range(500) if alice.request(f"MSG bob {n}").reply.startswith("OK")]
    over.set()
    bob.join()
    received.extend(login("bob").request("HELP").events)
    assert received == [f"MSG alice {n}" for n in kept]
