"""Exercise: names for those who come by TLS only."""


def test_with_tls_all_is_as_ever(exercise, house, dial):
    alice = dial(house(exercise.SecureServer), "alice")
    alice.ask("LOGIN alice", "OK ...")
    alice.ask("MSG alice hi", "MSG alice hi", "OK")
    alice.ask("LOGIN again", "ERR already-logged-in ...")


def test_without_tls_there_is_no_name_and_the_connection_goes_on(exercise, house, dial, connect):
    server = house(exercise.SecureServer)
    bob = connect(server, "bob")
    bob.ask("LOGIN bob", "ERR unavailable ...")
    bob.ask("MSG bob hi", "ERR not-logged-in ...")
    bob.fence()
    alice = dial(server, "alice")
    alice.ask("LOGIN bob", "OK ...")
