"""Exercise: a server that reads everything and answers nothing."""


def test_all_is_read_and_nothing_comes_back(exercise, serve, connect):
    server = serve(exercise.DiscardServer)
    # The second is more than the kernel would hold for a server that does not read.
    for data in (b"is anybody there?\n", bytes(20_000_000)):
        wire = connect(server)
        wire.send(data)
        wire.send_eof()
        assert wire.expect_eof() == b""
