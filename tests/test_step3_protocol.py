"""Step 3: the protocol as pure functions, and the naive server that takes one recv for one line."""

import re
import socket
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step3_protocol.naive_server import NaiveServer
from step3_protocol.protocol import (
    CONTROL, VERBS, ProtocolError, Request, check_name, check_text, format_line, parse_line)
from step3_protocol.session import Session

NAMES = st.text(string.ascii_letters + string.digits + "_-", max_size=19).map("a".__add__)
TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs"))).filter(lambda text: text.strip(" "))


def code_of(function, *args):
    """Return the code of the ProtocolError that a call raises."""
    with pytest.raises(ProtocolError) as caught:
        function(*args)
    assert caught.value.text, "a person gets a text with it"
    return caught.value.code


# Parsing

@pytest.mark.parametrize("line, request_", [
    (b"HELP", Request("HELP", ())),
    (b"help", Request("HELP", ())),
    (b"LoGiN alice", Request("LOGIN", ("alice",))),
    (b"MSG bob hello", Request("MSG", ("bob", "hello"))),
    (b"MSG bob hello there, bob", Request("MSG", ("bob", "hello there, bob"))),
    (b"MSG bob   three  spaces ", Request("MSG", ("bob", "  three  spaces "))),
    ("MSG bob grüße 🌍".encode(), Request("MSG", ("bob", "grüße 🌍"))),
])
def test_a_good_line_is_a_request(line, request_):
    assert parse_line(line) == request_


def test_an_empty_line_is_nothing():
    assert parse_line(b"") is None


@pytest.mark.parametrize("line, code", [
    (b"DANCE", "unknown-command"), (b" HELP", "unknown-command"), (b" ", "unknown-command"),
    (b"HELP\tme", "unknown-command"), ("LOGıN alice".encode(), "unknown-command"),
    (b"LOGIN", "bad-arguments"), (b"LOGIN alice smith", "bad-arguments"), (b"LOGIN  alice", "bad-arguments"),
    (b"MSG", "bad-arguments"), (b"MSG bob", "bad-arguments"),
    (b"HELP me", "bad-arguments"), (b"LOGOUT ", "bad-arguments"),
    (b"\xff", "bad-encoding"), (b"MSG bob \xc3", "bad-encoding"), (b"MSG bob \xed\xa0\x80", "bad-encoding"),
])
def test_a_bad_line_is_a_code_and_a_text(line, code):
    assert code_of(parse_line, line) == code


@pytest.mark.parametrize("line, code", [
    (b"MSG bob hello", "not-logged-in"), (b"MSG", "not-logged-in"), (b"DANCE", "unknown-command")])
def test_before_login_only_three_verbs_are_allowed(line, code):
    assert code_of(parse_line, line, VERBS, False) == code
    for allowed in (b"LOGIN alice", b"HELP", b"LOGOUT"):
        assert parse_line(allowed, VERBS, False)


def test_the_table_of_verbs_drives_the_parser():
    verbs = {"SAY": "room text", "WHO": ""}
    assert parse_line(b"say tea  more tea", verbs) == Request("SAY", ("tea", " more tea"))
    assert code_of(parse_line, b"HELP", verbs) == "unknown-command"


@given(st.binary())
def test_any_bytes_are_a_request_or_nothing_or_a_protocol_error(line):
    try:
        request = parse_line(line)
    except ProtocolError as error:
        assert re.fullmatch("[a-z]+(-[a-z]+)*", error.code)
    else:
        assert (request is None) == (line == b"")


@given(NAMES, TEXTS)
def test_parsing_undoes_formatting(name, text):
    assert parse_line(format_line("MSG", name, text)) == Request("MSG", (name, text))


# Formatting: what cannot be said is our own mistake, never half a line on the wire

@pytest.mark.parametrize("words", [
    (), ("",), ("MSG", "", "text"), ("MSG", "bob smith", "text"), ("MSG", "bob", "two\nlines"),
    ("MSG", "bob", "return\r"), ("OK", "bob\n")])
def test_what_would_not_come_back_is_refused(words):
    with pytest.raises(ValueError):
        format_line(*words)


# Names and texts

@pytest.mark.parametrize("name", ["a", "Z", "alice", "A-1_b", "a" * 20])
def test_a_good_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", [
    "", "1a", "_a", "-a", "a" * 21, "al ice", "al.ice", "ålice", "alicé", "а", "alice\n", "alice\x00", "ａlice"])
def test_a_bad_name(name):
    assert code_of(check_name, name) == "bad-name"


@pytest.mark.parametrize("text", ["hello", " x ", "tab\there", "grüße", "🌍", "\u00a0", "a" * 1024])
def test_a_good_text(text):
    assert check_text(text) == text


@pytest.mark.parametrize("text", [
    "", " ", "   ", "\x00", "bell\x07", "\x1b[2J", "delete\x7f", "c1\x9b31m", "half\rline", "a\x85b"])
def test_a_bad_text(text):
    assert code_of(check_text, text) == "bad-text"


def test_a_text_has_no_character_that_unicode_calls_control_but_the_tab():
    for char in map(chr, range(0x110000)):
        control = unicodedata.category(char) == "Cc" and char != "\t"
        assert bool(CONTROL.search(char)) == control, hex(ord(char))


# A session: exactly one reply for each line

def converse(*lines):
    session = Session()
    return [session.answer(line) for line in lines]


def codes(answers):
    return [b" ".join(lines[-1].split(b" ")[:2] if lines[-1].startswith(b"ERR") else lines[-1].split(b" ")[:1])
            for lines in answers]


def test_a_session_from_login_to_logout():
    session = Session()
    answers = [session.answer(line) for line in (b"LOGIN alice", b"LOGIN bob", b"MSG Alice hi", b"MSG bob hi")]
    assert codes(answers) == [b"OK", b"ERR already-logged-in", b"OK", b"ERR no-such-user"]
    assert answers[2][0] == b"MSG alice hi"
    assert not session.over
    assert codes([session.answer(b"LOGOUT")]) == [b"OK"]
    assert session.over


def test_help_names_every_verb():
    [[reply]] = converse(b"HELP")
    assert set(reply.decode().split()) >= set(VERBS)


@given(st.lists(st.one_of(st.binary(), st.sampled_from([
    b"", b"HELP", b"LOGIN alice", b"LOGIN 1", b"MSG alice hi", b"MSG alice \x07", b"MSG bob", b"LOGOUT"]))))
def test_every_line_but_an_empty_one_gets_exactly_one_reply(lines):
    session = Session()
    for line in lines:
        verbs = [answer.split(b" ")[0] for answer in session.answer(line)]
        replies = [verb for verb in verbs if verb in (b"OK", b"ERR")]
        assert len(replies) == (line != b"")
        assert not replies or verbs[-1] == replies[0], "an event stands before the reply"


# The naive server: wrong on purpose

def test_the_naive_server_talks_to_whoever_sends_a_line_at_a_time(serve, connect):
    alice = connect(serve(NaiveServer))
    assert alice.request("LOGIN alice").reply.startswith("OK")
    assert alice.request("MSG alice hi") == ("OK", ["MSG alice hi"])
    assert alice.request("LOGOUT").reply.startswith("OK")
    assert alice.expect_eof() == b""


def test_the_naive_server_takes_two_lines_in_one_chunk_for_one(serve, connect):
    alice = connect(serve(NaiveServer))
    alice.send(b"LOGIN alice\nHELP\n")
    alice.sock.shutdown(socket.SHUT_WR)
    replies = alice.expect_eof().splitlines()
    assert len(replies) == 1 and replies[0].startswith(b"ERR bad-name")


def test_the_naive_server_takes_one_line_in_two_chunks_for_two(serve, connect):
    alice = connect(serve(NaiveServer))
    assert alice.request(b"LOGIN al").reply == "OK welcome, al"       # and her name was to be alice
    assert alice.request(b"ice\n").reply.startswith("ERR unknown-command")
