"""Exercise: tell the sender how many users get her message."""


def test_the_reply_says_how_many_others_hear_it(exercise, serve, connect):
    server = serve(exercise.CountServer)
    alice, bob, carol = (connect(server) for _ in range(3))
    assert alice.request("LOGIN alice").reply.startswith("OK")
    assert alice.request("ALL anybody?").reply == "OK 0"
    bob.request("LOGIN bob")
    assert alice.request("ALL anybody?").reply == "OK 1"
    carol.request("LOGIN carol")
    assert alice.request("ALL anybody?").reply == "OK 2"
    assert carol.read_line() == "ALL alice anybody?"


def test_a_bad_text_is_still_refused(exercise, serve, connect):
    alice = connect(serve(exercise.CountServer))
    alice.request("LOGIN alice")
    assert alice.request("ALL  ").reply.startswith("ERR bad-text")
