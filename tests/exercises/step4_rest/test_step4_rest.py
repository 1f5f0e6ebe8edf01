"""Exercise: at EOF, say what was dropped."""

import pytest

from step4_framing.framing import LineTooLong


def test_half_a_line_is_the_rest(exercise):
    buffer = exercise.RestBuffer()
    buffer.feed(b"HELP\nLOGOU")
    assert buffer.next_line() == b"HELP"
    assert buffer.next_line() is None
    assert buffer.rest() == b"LOGOU"


def test_after_a_whole_line_there_is_none(exercise):
    buffer = exercise.RestBuffer()
    assert buffer.rest() == b""
    buffer.feed(b"HELP\n")
    assert buffer.next_line() == b"HELP"
    assert buffer.rest() == b""


def test_of_a_line_too_long_there_is_none(exercise):
    buffer = exercise.RestBuffer(4)
    buffer.feed(b"too long")
    with pytest.raises(LineTooLong):
        buffer.next_line()
    buffer.feed(b"er")
    assert buffer.rest() == b""


def test_the_buffer_can_be_used_again(exercise):
    buffer = exercise.RestBuffer()
    buffer.feed(b"half a line")
    assert buffer.next_line() is None
    assert buffer.rest() == b"half a line"
    buffer.feed(b"a\nb\n")
    assert [buffer.next_line(), buffer.next_line(), buffer.next_line()] == [b"a", b"b", None]
