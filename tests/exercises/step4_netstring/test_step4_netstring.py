"""Exercise: frame messages by their length."""

import itertools

import pytest

MESSAGES = [b"hello", b"", b"two\nlines", b"5:hello,", bytes(range(256)), b"x" * 1024]


def messages_of(buffer, chunks):
    found = []
    for chunk in chunks:
        buffer.feed(chunk)
        while (message := buffer.next_message()) is not None:
            found.append(message)
    return found


def test_a_frame_is_length_colon_bytes_comma(exercise):
    assert exercise.frame(b"hello") == b"5:hello,"
    assert exercise.frame(b"") == b"0:,"


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
def test_any_bytes_come_back_however_they_are_cut(exercise, size):
    stream = b"".join(map(exercise.frame, MESSAGES))
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert messages_of(exercise.NetstringBuffer(), chunks) == MESSAGES


def test_every_split_of_a_short_stream(exercise):
    stream = b"2:a,,0:,3:1:b,"
    for cuts in itertools.product([False, True], repeat=len(stream) - 1):
        edges = [0, *(at for at, cut in enumerate(cuts, 1) if cut), len(stream)]
        chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
        assert messages_of(exercise.NetstringBuffer(), chunks) == [b"a,", b"", b"1:b"], f"cut into {chunks}"


@pytest.mark.parametrize(
    "stream",
    [b"hello", b":", b"5;hello,", b"5:hello;", b"-1:x,", b" 5:hello,", b"05:hello,", b"1025:", b"9" * 5000],
    ids=lambda data: repr(data[:12]),
)
def test_nonsense_is_refused_at_once(exercise, stream):
    buffer = exercise.NetstringBuffer()
    with pytest.raises(exercise.BadFrame):
        messages_of(buffer, [stream])
