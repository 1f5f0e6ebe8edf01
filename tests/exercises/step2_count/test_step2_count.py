"""Exercise: let pump return how many bytes it copied."""

import io

import pytest


@pytest.mark.parametrize("data", [b"", b"hello\n", b"\xc3\xa9" * 100_000], ids=["nothing", "a line", "200 kB"])
def test_pump_returns_the_number_of_bytes(exercise, data):
    there = io.BytesIO()
    assert exercise.pump(io.BytesIO(data).read, there.write) == len(data)
    assert there.getvalue() == data


def test_chunks_of_any_size_are_added_up(exercise):
    chunks = iter([b"a", b"bc", b"def", b""])
    copied = []
    assert exercise.pump(lambda size: next(chunks), copied.append) == 6
    assert copied == [b"a", b"bc", b"def"]
