"""Exercise: SEEN: was somebody here, and is she still here?"""

import pytest

from tests.crowd import Walkon


@pytest.fixture
def server(exercise, serve):
    return serve(exercise.SeenServer)


@pytest.fixture
def alice(server, connect):
    wire = connect(server)
    wire.request("LOGIN alice")
    return wire


def test_online_gone_and_never_seen(server, alice, connect):
    assert alice.request("SEEN bob").reply.startswith("ERR never-seen")
    bob = connect(server)
    bob.request("LOGIN Bob")
    assert alice.request("SEEN bob").reply == "OK online"
    bob.close()
    assert alice.read_line() == "OFFLINE Bob"
    assert alice.request("SEEN BOB").reply == "OK gone"


def test_who_is_back_is_online(server, alice, connect):
    for _ in range(2):
        bob = connect(server)
        bob.request("LOGIN bob")
        assert alice.request("SEEN bob").reply == "OK online"
        bob.close()
        assert alice.read_line() == "OFFLINE bob"


def test_a_name_that_was_refused_was_not_here(server, alice, connect):
    stranger = connect(server)
    assert stranger.request("LOGIN 1st").reply.startswith("ERR bad-name")
    assert alice.request("SEEN 1st").reply.startswith("ERR never-seen")


def test_memory_has_a_limit(server, alice, connect):
    first = connect(server)
    first.request("LOGIN first")
    first.close()
    for n in range(1500):
        member = Walkon(f"user{n}")
        server.registry.claim(member.name, member)
        server.registry.release(member.name, member)
    assert alice.request("SEEN user1499").reply == "OK gone"
    assert alice.request("SEEN first").reply.startswith("ERR never-seen")
