"""Exercise: cut long lines short."""

import itertools

import pytest


def lines_of(buffer, chunks):
    found = []
    for chunk in chunks:
        buffer.feed(chunk)
        while (line := buffer.next_line()) is not None:
            found.append(line)
        assert buffer.pending <= buffer.max_line_bytes + 1
    return found


@pytest.mark.parametrize("stream", [b"abcd\r\nabcdefg\nab", b"abcde\r\n\r\nabcd\n", b"abcd\rx\r\nefg\n"])
def test_any_cut_gives_the_same_short_lines(exercise, stream):
    whole = [line.removesuffix(b"\r")[:4] for line in stream.split(b"\n")[:-1]]
    for cuts in itertools.product([False, True], repeat=len(stream) - 1):
        edges = [0, *(at for at, cut in enumerate(cuts, 1) if cut), len(stream)]
        chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]
        assert lines_of(exercise.TruncatingBuffer(4), chunks) == whole, f"cut into {chunks}"


def test_a_line_without_end_costs_the_limit(exercise):
    buffer = exercise.TruncatingBuffer()
    assert lines_of(buffer, [b"x" * 65536] * 100 + [b"\nHELP\n"]) == [b"x" * 1024, b"HELP"]
