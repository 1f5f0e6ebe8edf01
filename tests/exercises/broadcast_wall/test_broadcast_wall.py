"""Exercise: a newcomer gets the last ten ALL events."""


def log_in(connect, server, name):
    wire = connect(server)
    assert wire.request(f"LOGIN {name}") == (f"OK welcome, {name}", [])
    return wire, wire.request("HELP").events


def test_a_newcomer_hears_what_was_said_before(exercise, serve, connect):
    server = serve(exercise.WallServer)
    alice, heard = log_in(connect, server, "alice")
    assert heard == []
    assert alice.request("ALL  good morning").reply == "OK"
    assert alice.request("ALL").reply.startswith("ERR bad-arguments")
    assert alice.request("ALL \x07").reply.startswith("ERR bad-text")
    assert log_in(connect, server, "bob")[1] == ["ALL alice  good morning"]


def test_it_is_the_last_ten(exercise, serve, connect):
    server = serve(exercise.WallServer)
    alice, _ = log_in(connect, server, "alice")
    for n in range(25):
        alice.request(f"ALL {n}")
    alice.request("LOGOUT")
    assert log_in(connect, server, "bob")[1] == [f"ALL alice {n}" for n in range(15, 25)]


def test_who_could_not_log_in_hears_nothing(exercise, serve, connect):
    server = serve(exercise.WallServer)
    alice, _ = log_in(connect, server, "alice")
    alice.request("ALL hello")
    stranger = connect(server)
    assert stranger.request("LOGIN ALICE").reply.startswith("ERR name-taken")
    assert stranger.request("HELP").events == []
