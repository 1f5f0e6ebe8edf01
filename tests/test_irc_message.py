"""IRC's pure parts: messages, names, masks, mode strings, the table of numerics, passwords."""

import hashlib
import re
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extras.irc import replies
from extras.irc.message import (
    Message,
    cut,
    cut_text,
    fit,
    format_message,
    format_tags,
    parse_message,
)
from extras.irc.more import replies as more_replies
from extras.irc.more.modes import pack, signed
from extras.irc.more.passwords import Hasher, hash_password, is_password
from extras.irc.names import complete_mask, fits, fold, is_channel, is_nick
from extras.irc.replies import Numeric
from tests.dialects import DEADLINE_S, eventually
from tests.irc_wire import read_message

# --- messages -----------------------------------------------------------------------------------

FORMATTING = "\x01\x02\x03\x04\t\x0f\x11\x16\x1d\x1e\x1f"
HARMLESS = st.sampled_from(FORMATTING) | st.characters(blacklist_categories=["Cs", "Cc"])
WORD = st.text(HARMLESS.filter(lambda letter: letter != " "), min_size=1, max_size=12)
MIDDLE = WORD.filter(lambda word: word[0] != ":")
TEXT = st.text(HARMLESS, max_size=30)
KEY = st.from_regex(r"\+?([a-z]{1,5}/)?[a-z0-9-]{1,8}", fullmatch=True)
VALUE = st.text(HARMLESS | st.sampled_from("\r\n;\\"), max_size=12)


@given(
    tags=st.dictionaries(KEY, VALUE, max_size=4),
    source=st.just("") | MIDDLE,
    command=st.from_regex("[A-Z]{1,10}|[0-9]{3}", fullmatch=True),
    params=st.lists(MIDDLE, max_size=8),
    text=st.none() | TEXT,
)
def test_parse_and_format_undo_each_other_tags_included(tags, source, command, params, text):
    line = format_tags(tags).encode() + format_message(command, *params, source=source, text=text)
    message = Message(tags, source, command, params + ([] if text is None else [text]))
    assert b"\n" not in line and b"\r" not in line
    assert parse_message(line) == message


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"@", b"a=", b";", b" ", b":", b"\\", b"\0", b"\xe9", b"X"])).map(b"".join)
)
def test_any_bytes_give_a_message_or_none(data):
    message = parse_message(data)
    assert message is None or message.command


def without_controls(data):
    """Take control characters out, and what becomes one when another goes."""
    found = 1
    while found:
        data, found = re.subn(rb"[\0-\x1f\x7f]|\xc2[\x80-\x9f]", b"", data)
    return data


@given(st.binary(max_size=40).map(without_controls))
@example(without_controls(b"\xc2\x00\x80"))
def test_bytes_that_are_no_utf8_come_out_as_they_went_in(data):
    message = parse_message(b"PRIVMSG bob :" + data)
    assert format_message("PRIVMSG", "bob", text=message.params[1]) == b"PRIVMSG bob :" + data


@given(st.text(st.characters(max_codepoint=0xFF) | st.sampled_from("\u202e😃\udc9b"), max_size=30), st.booleans())
def test_no_control_character_comes_through_but_irc_s_own(text, utf8_only):
    line = b"PRIVMSG bob :" + re.sub("[\r\n]", "", text).encode("utf-8", "surrogateescape")
    ours = parse_message(line, utf8_only).params[1]
    assert not [letter for letter in ours if unicodedata.category(letter) == "Cc" and letter not in FORMATTING]
    assert [letter for letter in ours if letter in FORMATTING] == [letter for letter in text if letter in FORMATTING]
    assert not utf8_only or ours.encode("utf-8").decode() == ours


@pytest.mark.parametrize(
    "line, params",
    [
        ("CAP * LIST :", ["*", "LIST", ""]),
        ("CAP REQ :sasl message-tags foo", ["REQ", "sasl message-tags foo"]),
        (":dan!d@localhost PRIVMSG #chan Hey!", ["#chan", "Hey!"]),
        (":dan!d@localhost PRIVMSG #chan ::-)", ["#chan", ":-)"]),
        ("  NICK    bob  ", ["bob"]),
        ("USER  u  *  *  :User One  ", ["u", "*", "*", "User One  "]),
        ("x a:b :c :d", ["a:b", "c :d"]),
        ("x \ta", ["\ta"]),
        ("x " + " ".join("abcdefghijklmnopqr"), [*"abcdefghijklmn", "o p q r"]),  # the 15th takes the rest
    ],
)
def test_parameters_as_the_specifications_split_them(line, params):
    assert parse_message(line.encode()).params == params


@pytest.mark.parametrize("line", [b"", b"   ", b":source", b"@tag", b"@a=b :source "])
def test_a_line_without_a_command_is_none(line):
    assert parse_message(line) is None


def test_tag_values_are_escaped_as_message_tags_says():
    assert parse_message(rb"@a=1\:2\s3\\4\r\n;b;c=;+d/e=\x\ PING").tags == {
        "a": "1;2 3\\4\r\n",
        "b": "",
        "c": "",
        "+d/e": "x",
    }
    assert parse_message(b"@a=\xff;b=1;\xe9=2;c=\xc3\xa9 PRIVMSG bob :\xff") == (
        {"b": "1", "c": "é"},
        "",
        "PRIVMSG",
        ["bob", "\udcff"],
    ), "a tag that is no UTF-8 is left out, the message is not"
    assert format_tags({"a": "1;2 3\\", "b": ""}) == r"@a=1\:2\s3\\;b" + " "


@pytest.mark.parametrize(
    "params, text",
    [
        (["a b", "c"], None),
        ([":a", "b"], None),
        (["", "b"], None),
        (["a"], "b\nQUIT"),
        (["a\rb"], None),
        ([], "\0"),
    ],
)
def test_what_no_line_can_carry_is_our_fault(params, text):
    with pytest.raises(ValueError):
        format_message("PRIVMSG", *params, text=text)


@given(st.text(st.sampled_from("aé€😃\udce9"), max_size=12), st.integers(4, 30))
def test_a_cut_never_goes_through_a_letter(text, limit):
    data = text.encode("utf-8", "surrogateescape")
    short = cut(data, limit)
    assert data.startswith(short) and len(short) <= limit
    assert len(short) > limit - 4 or short == data
    if "\udce9" not in text:
        short.decode()
    assert cut_text(text, limit).encode("utf-8", "surrogateescape") == short


def test_a_long_message_is_cut_to_512_bytes_with_its_end():
    line = format_message("PRIVMSG", "#tea", text="x" * 600, source="a!b@c")
    assert len(line) == 510 and line.endswith(b"x")


def test_the_two_limits_are_counted_apart():
    tags = b"@+a=" + b"x" * 4091 + b" "
    assert len(tags) == 4096
    for line, fitting in [
        (b"x" * 510, b"x" * 510),
        (b"x" * 511, b"x" * 510),
        (b"x" * 509 + "é".encode(), b"x" * 509),
        (tags + b"y" * 510, tags + b"y" * 510),
        (tags + b"y" * 511, tags + b"y" * 510),
        (b"@" + tags + b"PING", None),
        (b"@" + b"x" * 4096, None),
    ]:
        assert fit(line) == fitting


# --- names and masks ------------------------------------------------------------------------------


def test_case_is_that_of_rfc1459():
    assert fold("#F]|oo{~") == fold("#f}\\OO[^")
    assert fold("É") != fold("é")


@pytest.mark.parametrize(
    "nick, good",
    [
        ("bob", True),
        ("[b]^{}|`_\\-9", True),
        ("9b", False),
        ("-b", False),
        ("*", False),
        ("b b", False),
        ("bé", False),
        ("b\x1b", False),
        ("a" * 30, True),
        ("a" * 31, False),
        ("", False),
    ],
)
def test_nicks(nick, good):
    assert is_nick(nick) is good


@pytest.mark.parametrize(
    "name, good",
    [
        ("#tea", True),
        ("&tea", True),
        ("#", True),
        ("#é:!*@", True),
        ("tea", False),
        ("#a b", False),
        ("#a,b", False),
        ("#\x07", False),
        ("#\x1b[2J", False),
        ("#\x9b2J", False),
        ("#\udc9b2J", False),  # the same, from who does not speak UTF-8
        ("#caf\udce9", True),
        ("#a\u202eb", False),  # shows what follows from right to left
        ("#a\u2066b", False),
        ("#a\u2028b", False),  # a line break, to some
        ("#te\u200ba", False),  # looks like #tea
        ("#a\ufffdb", False),  # was a control character, or no UTF-8
        ("#می\u200cخواهم", True),
        ("#👩\u200d💻", True),
        ("#" + "a" * 49, True),
        ("#" + "a" * 50, False),
        ("", False),
    ],
)
def test_channel_names(name, good):
    assert is_channel(name) is good


def reference(pattern: str, text: str) -> bool:
    """Match by trying everything."""
    if pattern[:2] in ("\\*", "\\?"):
        return text[:1] == pattern[1] and reference(pattern[2:], text[1:])
    if pattern[:1] == "*":
        return reference(pattern[1:], text) or bool(text) and reference(pattern, text[1:])
    if not pattern or not text:
        return pattern == text
    return pattern[0] in ("?", text[0]) and reference(pattern[1:], text[1:])


@given(st.text(st.sampled_from("ab*?\\\n."), max_size=8), st.text(st.sampled_from("ab*?\n."), max_size=8))
def test_masks_agree_with_a_reference(pattern, text):
    # fold() makes "|" of a backslash that escapes nothing.
    assert fits(pattern, text) == reference(re.sub(r"\\(?![*?])", "|", pattern), text)


def test_masks_fold_case():
    assert fits("B[b!*@*.ORG", "b{B!x@irc.org")


def test_no_mask_takes_long():
    """If each star doubled the time, this would never end."""
    assert not fits("*a" * 200 + "b", "a" * 500)
    assert not fits("*?a" * 120 + "b", "a" * 500)


@pytest.mark.parametrize(
    "given, full",
    [
        ("bob", "bob!*@*"),
        ("bob!x", "bob!x@*"),
        ("x@y", "*!x@y"),
        ("*.org", "*!*@*.org"),
        ("a!b@c", "a!b@c"),
        ("!@", "*!*@*"),
        ("1::2", "*!*@1::2"),
    ],
)
def test_bans_are_completed(given, full):
    assert complete_mask(given) == full


# --- modes, numerics, passwords -------------------------------------------------------------------


def test_each_letter_has_the_last_sign_before_it():
    assert list(signed("o+a-bc+-d")) == [("+", "o"), ("+", "a"), ("-", "b"), ("-", "c"), ("-", "d")]


CHANGES = st.lists(
    st.tuples(st.sampled_from("+-"), st.sampled_from("obnt"), st.sampled_from(["", "bob", "é" * 20])),
    max_size=20,
)


@given(CHANGES)
def test_packed_changes_are_the_same_changes_and_fit(changes):
    unpacked = []
    for words, params in pack(changes, 60):
        assert len(" ".join([words, *params]).encode()) <= 60
        params = iter(params)
        unpacked += [(sign, letter) for sign, letter in signed(words)]
    assert unpacked == [(sign, letter) for sign, letter, _ in changes]


NUMERICS = {value for table in (replies, more_replies) for value in vars(table).values() if isinstance(value, Numeric)}


def test_every_numeric_has_a_number_of_its_own_and_a_source():
    assert len({numeric.code for numeric in NUMERICS}) == len(NUMERICS) > 100
    assert all(re.fullmatch("[0-9]{3}", numeric.code) and numeric.source for numeric in NUMERICS)


def test_every_numeric_can_be_written():
    for numeric in NUMERICS:
        line = numeric.line("irc.test", "bob", tuple(f"v{n}" for n in range(len(numeric.names))))
        assert read_message(line).params[0] == "bob" and "%" not in line


def test_what_cannot_stand_in_the_middle_is_a_star():
    for value in ("", "a b", ":a"):
        assert replies.ERR_NOSUCHNICK.line("s", "bob", (value,)) == ":s 401 bob * :No such nick/channel"


def test_a_password_or_its_hash_is_recognised():
    for secret in ("tea", hash_password("tea")):
        assert is_password("tea", secret) and not is_password("coffee", secret)
    assert hash_password("tea") != hash_password("tea"), "no salt"
    assert not is_password("tea", "scrypt:nonsense")


def test_hosts_take_turns_for_a_hash_and_one_is_reckoned_at_a_time():
    hasher, order, threads = Hasher(), [], []
    may_go = threading.Event()

    def hash_it(password):
        order.append(password)
        may_go.wait(DEADLINE_S)
        return password.upper()

    answers = {}
    for name in ("a1", "a2", "a3", "b1"):
        ask = lambda name=name: answers.setdefault(name, hasher.run(lambda: hash_it(name), name[0]))
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        eventually(lambda: sum(map(len, hasher._waiting.values())) + len(order) == len(threads), f"{name} waits")
    assert order == ["a1"]
    may_go.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert order == ["a1", "a2", "b1", "a3"]
    assert answers == {name: name.upper() for name in order}
    assert not hasher._waiting and not hasher._is_working


def test_who_knows_the_password_waits_for_no_hash_after_the_first(monkeypatch):
    secret, reckoned, scrypt = hash_password("tea"), [], hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda password, **how: reckoned.append(password) or scrypt(password, **how))
    assert not is_password("coffee", secret)
    assert is_password("tea", secret) and is_password("tea", secret)
    assert len(reckoned) == 2
    assert not is_password("coffee", secret), "a wrong one is as dear as ever"
    assert len(reckoned) == 3


def test_the_subcommand_makes_a_hash():
    server = Path(__file__).resolve().parents[1] / "extras/irc/server.py"
    done = subprocess.run(
        [sys.executable, server, "hash-password"], input="tea\n", capture_output=True, text=True, timeout=60
    )
    assert is_password("tea", done.stdout.strip()) and done.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_hash_that_cannot_be_written_is_a_clear_error():
    server = Path(__file__).resolve().parents[1] / "extras/irc/server.py"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, server, "hash-password"],
            input="tea\n",
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "cannot write to <stdout> any more: No space left on device\n")
