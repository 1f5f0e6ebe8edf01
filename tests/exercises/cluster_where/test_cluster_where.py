"""Exercise: WHERE bob: which server is he on?"""

import re

import pytest


@pytest.fixture
def users(cluster, connect):
    """alice on s1 and bob on s2, both logged in."""
    s1, s2 = cluster("WhereServer")
    alice, bob = connect(s1, "alice"), connect(s2, "bob")
    alice.ask("LOGIN alice", "OK ...")
    bob.ask("LOGIN bob", "OK ...", "USERS alice")
    assert alice.read_line() == "ONLINE bob"
    return alice, bob


def test_both_servers_know_where_everybody_is(users):
    for wire in users:
        assert re.fullmatch(r"OK s1-\w+", wire.request("WHERE alice").reply)
        assert re.fullmatch(r"OK s2-\w+", wire.request("WHERE BOB").reply)


def test_who_has_gone_is_nowhere(users):
    alice, bob = users
    bob.ask("LOGOUT", "OK ...")
    assert alice.read_line() == "OFFLINE bob"
    assert alice.request("WHERE bob").reply.startswith("ERR no-such-user")


def test_it_needs_a_login_and_a_name(users, cluster, connect):
    alice, _ = users
    assert alice.request("WHERE").reply.startswith("ERR bad-arguments")
