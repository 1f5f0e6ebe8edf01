"""Exercise: what a client reads from a line of the server."""

import pytest


@pytest.mark.parametrize(
    "line, text", [(b"OK", ""), (b"OK welcome, alice", "welcome, alice"), ("OK grüße".encode(), "grüße")]
)
def test_ok_is_a_reply(exercise, line, text):
    assert exercise.parse_reply(line) == exercise.Reply(True, "", text)


@pytest.mark.parametrize(
    "line, code, text",
    [
        (b"ERR no-such-user nobody has that name", "no-such-user", "nobody has that name"),
        (b"ERR bad-text", "bad-text", ""),
    ],
)
def test_err_is_a_reply_with_a_code(exercise, line, code, text):
    assert exercise.parse_reply(line) == exercise.Reply(False, code, text)


@pytest.mark.parametrize(
    "line, verb, rest",
    [
        (b"MSG alice hello there", "MSG", "alice hello there"),
        (b"MSG alice  OK", "MSG", "alice  OK"),
        (b"OKAY then", "OKAY", "then"),
        (b"ONLINE bob", "ONLINE", "bob"),
        (b"PING", "PING", ""),
    ],
)
def test_anything_else_is_an_event(exercise, line, verb, rest):
    assert exercise.parse_reply(line) == exercise.Event(verb, rest)
