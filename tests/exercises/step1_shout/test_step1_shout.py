"""Exercise: an echo server that shouts."""


def test_letters_come_back_as_capitals(exercise, serve, connect):
    wire = connect(serve(exercise.ShoutServer))
    wire.send(b"hello, world 1\n")
    assert wire.read_line() == "HELLO, WORLD 1"


def test_bytes_that_are_no_letters_stay_as_they_are(exercise, serve, connect):
    wire = connect(serve(exercise.ShoutServer))
    every_byte = bytes(range(256))
    wire.send(every_byte)
    wire.send_eof()
    assert wire.expect_eof() == every_byte.upper()
