"""Step 3: the protocol as pure functions, and the naive server that treats one recv as one line."""

import re
import socket
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step3_protocol import protocol as ours
from step3_protocol.naive_server import NaiveServer
from step3_protocol.protocol import CONTROL, VERBS
from step3_protocol.session import Session
from tests.lesson import LINES, REQUESTS, Lesson, Raised, rule
from tests.yours import under_test

protocol = under_test("step3", ours)  # our module, or the one that --python names

NAMES = st.text(string.ascii_letters + string.digits + "_-", max_size=19).map("a".__add__)
TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs"))).filter(lambda text: text.strip(" "))


class Code(str):
    """The code of a ProtocolError."""

    def __repr__(self):
        return f"ProtocolError with the code {self}"


class Call:
    """A call of a function under test."""

    def __init__(self, name, *args):
        self.name, self.args = name, args

    def lines(self):
        return [f"what was called\n    {self.name}({', '.join(map(repr, self.args))})"]

    def result(self):
        """Return what it returns, the Code of its ProtocolError, or the name of another error."""
        try:
            return getattr(protocol, self.name)(*self.args)
        except ValueError:
            return "ValueError"
        except Exception as error:  # noqa: BLE001 (whatever a learner's function raises)
            if type(error).__name__ == "ProtocolError":
                return Code(error.code)
            return Raised(error)


def expect(wanted, name, *args):
    """Compare the result of a call with what is wanted."""
    call = Call(name, *args)
    got = call.result()
    if got != wanted or isinstance(wanted, Code) != isinstance(got, Code):
        raise broken(repr(wanted), got, call)


def broken(wanted, got, call):
    """Return the lesson of a call with another result than the one wanted."""
    error = got.error if isinstance(got, Raised) else None
    return Lesson(wanted, str(got) if error else repr(got), call, error=error)


# Parsing


@rule(
    "a good line becomes its verb and its arguments, a text with its spaces",
    LINES,
    hint="The verb ends at the first space, and may be in upper or lower case. If the last argument is a text, it "
    "is all the rest of the line.",
)
@pytest.mark.parametrize(
    "line, request_",
    [
        (b"HELP", ("HELP", ())),
        (b"MSG bob hello", ("MSG", ("bob", "hello"))),
        (b"MSG bob hello there, bob", ("MSG", ("bob", "hello there, bob"))),
        (b"help", ("HELP", ())),
        (b"LoGiN alice", ("LOGIN", ("alice",))),
        (b"MSG bob   three  spaces ", ("MSG", ("bob", "  three  spaces "))),
        ("MSG bob grüße 🌍".encode(), ("MSG", ("bob", "grüße 🌍"))),
    ],
)
def test_a_good_line_is_a_request(line, request_):
    expect(request_, "parse_line", line)


@rule("an empty line is no request", LINES, hint="Return None for it, before you look for a verb.")
def test_an_empty_line_is_nothing():
    expect(None, "parse_line", b"")


@rule(
    "a bad line gets the code of what is wrong with it",
    REQUESTS,
    hint="First decode, then look the verb up, then compare the number of arguments with what the verb takes.",
)
@pytest.mark.parametrize(
    "line, code",
    [
        (b"DANCE", "unknown-command"),
        (b" HELP", "unknown-command"),
        (b" ", "unknown-command"),
        (b"HELP\tme", "unknown-command"),
        ("LOGıN alice".encode(), "unknown-command"),
        (b"LOGIN", "bad-arguments"),
        (b"LOGIN alice smith", "bad-arguments"),
        (b"LOGIN  alice", "bad-arguments"),
        (b"MSG", "bad-arguments"),
        (b"MSG bob", "bad-arguments"),
        (b"HELP me", "bad-arguments"),
        (b"LOGOUT ", "bad-arguments"),
        (b"\xff", "bad-encoding"),
        (b"MSG bob \xc3", "bad-encoding"),
        (b"MSG bob \xed\xa0\x80", "bad-encoding"),
    ],
)
def test_a_bad_line_is_a_code_and_a_text(line, code):
    expect(Code(code), "parse_line", line)


@rule(
    "before login only LOGIN, LOGOUT and HELP are allowed",
    REQUESTS,
    hint="The third argument, logged_in, says whether she has logged in. A verb that is not allowed yet gets "
    "not-logged-in.",
)
@pytest.mark.parametrize(
    "line, code", [(b"MSG bob hello", "not-logged-in"), (b"MSG", "not-logged-in"), (b"DANCE", "unknown-command")]
)
def test_before_login_only_three_verbs_are_allowed(line, code):
    expect(Code(code), "parse_line", line, VERBS, False)
    for allowed, request in (
        (b"LOGIN alice", ("LOGIN", ("alice",))),
        (b"HELP", ("HELP", ())),
        (b"LOGOUT", ("LOGOUT", ())),
    ):
        expect(request, "parse_line", allowed, VERBS, False)


@rule(
    "the table of verbs says which verbs there are, and which arguments they take",
    REQUESTS,
    hint="Look the verb up in the second argument, and find its arguments there: others may pass another table.",
)
def test_the_table_of_verbs_drives_the_parser():
    verbs = {"SAY": "room text", "WHO": "", "INVITE": "name room"}
    expect(("SAY", ("tea", " more tea")), "parse_line", b"say tea  more tea", verbs)
    expect(("INVITE", ("bob", "tea")), "parse_line", b"INVITE bob tea", verbs)
    expect(Code("bad-arguments"), "parse_line", b"INVITE bob tea at five", verbs)
    expect(Code("unknown-command"), "parse_line", b"HELP", verbs)


@rule(
    "any bytes are a request, nothing, or a ProtocolError with a code",
    REQUESTS,
    hint="A bad line is the peer's mistake, not yours: parse_line() may raise nothing but ProtocolError.",
)
@given(st.binary())
def test_any_bytes_are_a_request_or_nothing_or_a_protocol_error(line):
    call = Call("parse_line", line)
    got = call.result()
    good = re.fullmatch("[a-z]+(-[a-z]+)*", got) if isinstance(got, Code) else got is None or isinstance(got, tuple)
    if not good or (got is None) != (line == b""):
        raise broken("a Request, a ProtocolError, or None for an empty line", got, call)


# Names and texts

name_rule = rule(
    "a name is a letter, then letters, digits, _ or -, at most 20 in all",
    REQUESTS,
    hint="ASCII letters only: str.isalpha() is true for many other letters, and $ in a pattern also "
    "matches before a newline.",
)
text_rule = rule(
    "a text has a character that is no space, and no control character but tab",
    REQUESTS,
    hint="Control characters are 0x00 to 0x1f, 0x7f, and 0x80 to 0x9f; a tab is allowed.",
)


@name_rule
@pytest.mark.parametrize("name", ["a", "Z", "alice", "A-1_b", "a" * 20])
def test_a_good_name(name):
    expect(name, "check_name", name)


@name_rule
@pytest.mark.parametrize(
    "name",
    ["", "1a", "_a", "-a", "a" * 21, "al ice", "al.ice", "ålice", "alicé", "а", "alice\n", "alice\x00", "ａlice"],
)
def test_a_bad_name(name):
    expect(Code("bad-name"), "check_name", name)


@text_rule
@pytest.mark.parametrize("text", ["hello", " x ", "tab\there", "grüße", "🌍", "\u00a0", "a" * 1024])
def test_a_good_text(text):
    expect(text, "check_text", text)


@text_rule
@pytest.mark.parametrize(
    "text", ["", " ", "   ", "\x00", "bell\x07", "\x1b[2J", "delete\x7f", "c1\x9b31m", "half\rline", "a\x85b"]
)
def test_a_bad_text(text):
    expect(Code("bad-text"), "check_text", text)


# Formatting: words that make no line are our own mistake, and nothing is sent


@rule("parsing undoes formatting", LINES, hint="Put one space between the words, and nothing else anywhere.")
@given(NAMES, TEXTS)
def test_parsing_undoes_formatting(name, text):
    call = Call("format_line", "MSG", name, text)
    line = call.result()
    if not isinstance(line, bytes):
        raise broken("a line, as bytes", line, call)
    expect(("MSG", (name, text)), "parse_line", line)


@rule(
    "words that parsing would not give back unchanged are refused with ValueError",
    LINES,
    hint="Only the last word may contain a space, none may be empty, and a line end inside would turn one line "
    "into two.",
)
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("MSG", "", "text"),
        ("MSG", "bob smith", "text"),
        ("MSG", "bob", "two\nlines"),
        ("MSG", "bob", "return\r"),
        ("OK", "bob\n"),
    ],
)
def test_what_would_not_come_back_is_refused(words):
    expect("ValueError", "format_line", *words)


def test_an_error_tells_a_person_what_is_wrong():
    with pytest.raises(ours.ProtocolError) as caught:
        ours.check_name("1st")
    assert "a letter first" in caught.value.text


def test_a_text_has_no_character_that_unicode_calls_control_but_the_tab():
    for char in map(chr, range(0x110000)):
        control = unicodedata.category(char) == "Cc" and char != "\t"
        assert bool(CONTROL.search(char)) == control, hex(ord(char))


# A session: exactly one reply for each line


def converse(*lines):
    session = Session()
    return [session.answer(line) for line in lines]


def codes(answers):
    return [
        b" ".join(lines[-1].split(b" ")[:2] if lines[-1].startswith(b"ERR") else lines[-1].split(b" ")[:1])
        for lines in answers
    ]


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


@given(
    st.lists(
        st.one_of(
            st.binary(),
            st.sampled_from(
                [b"", b"HELP", b"LOGIN alice", b"LOGIN 1", b"MSG alice hi", b"MSG alice \x07", b"MSG bob", b"LOGOUT"]
            ),
        )
    )
)
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
    assert alice.request(b"LOGIN al").reply == "OK welcome, al"  # and her name should be alice
    assert alice.request(b"ice\n").reply.startswith("ERR unknown-command")
