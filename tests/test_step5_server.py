"""Step 5's server: the whole protocol, many users, nobody waits for anybody."""

import pytest

from step5_server.server import ChatServer


@pytest.fixture
def login(serve, connect):
    """Log users in on one server: login("alice") -> Wire."""
    server = serve(ChatServer)

    def login(name):
        wire = connect(server)
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
        return wire

    login.server = server
    return login


def test_a_message_reaches_its_user_and_no_one_else(login):
    alice, bob, carol = login("alice"), login("bob"), login("carol")
    assert alice.request("MSG bob  hello  there ") == ("OK", [])
    assert bob.read_line() == "MSG alice  hello  there "
    assert carol.request("HELP").events == []


@pytest.mark.parametrize(
    "line, code",
    [
        ("FOO", "unknown-command"),
        ("MSG", "bad-arguments"),
        ("MSG bob", "bad-arguments"),
        ("LOGOUT now", "bad-arguments"),
        ("MSG nobody hi", "no-such-user"),
        ("MSG alice \x1b[2J", "bad-text"),
        ("MSG alice   ", "bad-text"),
        (b"MSG alice \xff\n", "bad-encoding"),
        ("LOGIN bob", "already-logged-in"),
        ("x" * 1025, "line-too-long"),
    ],
)
def test_each_mistake_gets_its_code_and_the_connection_goes_on(login, line, code):
    alice = login("alice")
    assert alice.request(line).reply.split()[:2] == ["ERR", code]
    assert alice.request("HELP").reply.startswith("OK")


def test_ten_thousand_pipelined_requests_get_their_replies_in_order(login):
    alice = login("alice")
    bob = login("bob")
    alice.send(b"".join(b"MSG bob %d\nNOPE\n" % n for n in range(5000)))
    for n in range(5000):
        assert alice.read_line() == "OK"
        assert alice.read_line().startswith("ERR unknown-command")
    assert [bob.read_line() for _ in range(5000)] == [f"MSG alice {n}" for n in range(5000)]


def test_a_user_who_does_not_read_delays_nobody(serve, connect):
    server = serve(ChatServer, max_pending_bytes=100_000)
    alice, mallory, bob = (connect(server) for _ in range(3))
    for wire, name in ((alice, "alice"), (mallory, "mallory"), (bob, "bob")):
        wire.request(f"LOGIN {name}")
    count = 0
    while alice.request("MSG mallory " + "x" * 1000).reply == "OK":
        count += 1
    assert alice.request("MSG bob hello").reply == "OK"
    assert bob.read_line().startswith("MSG alice hello")
    assert count * 1000 < 20_000_000


def test_stop_delivers_all_that_was_acknowledged(serve, connect):
    server = serve(ChatServer)
    alice, bob = connect(server), connect(server)
    alice.request("LOGIN alice")
    bob.request("LOGIN bob")
    for n in range(100):
        assert alice.request(f"MSG bob {n}").reply == "OK"
    server.stop()
    lines = bob.expect_eof().decode().splitlines()
    assert lines[:-1] == [f"MSG alice {n}" for n in range(100)]
    assert lines[-1].startswith("ERR shutting-down")
    assert alice.expect_eof().startswith(b"ERR shutting-down")


def test_too_many_clients_are_refused_politely_and_a_place_gets_free(serve, connect):
    server = serve(ChatServer, max_clients=1)
    alice = connect(server)
    assert alice.request("LOGIN alice").reply.startswith("OK")
    bob = connect(server)
    assert bob.expect_eof().startswith(b"ERR server-full")
    alice.request("LOGOUT")
    carol = connect(server)
    assert carol.request("LOGIN alice").reply.startswith("OK")


def test_whoever_does_not_log_in_is_sent_away(serve, connect):
    server = serve(ChatServer, login_timeout_s=0.1)
    alice = connect(server)
    assert alice.expect_eof().startswith(b"ERR login-timeout")
