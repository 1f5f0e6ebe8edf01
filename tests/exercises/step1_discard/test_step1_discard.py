"""Exercise: a server that reads everything and answers nothing."""


def test_nothing_comes_back(exercise, serve, connect):
    wire = connect(serve(exercise.DiscardServer))
    wire.send(b"is anybody there?\n")
    wire.send_eof()
    assert wire.expect_eof() == b""


def test_all_of_it_is_read(exercise, serve, connect):
    wire = connect(serve(exercise.DiscardServer))
    wire.send(bytes(20_000_000))  # more than the kernel would hold for a server that does not read
    wire.send_eof()
    assert wire.expect_eof() == b""
