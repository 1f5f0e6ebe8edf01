"""The protocol as pure functions: lines in, requests out, and back.  No socket here.

PROTOCOL.md beside this file says it in words; this file says it in Python.

line     bytes, one message, its delimiter already taken off    b"MSG bob hello there"
verb     the first word, upper case                             "MSG"
shape    a verb's arguments by name                             "name text"
request  a parsed line                                          Request("MSG", ("bob", "hello there"))
reply    "OK …" or "ERR <code> …", exactly one a request        "ERR no-such-user …"
event    a line nobody asked for                                "MSG alice hello there"
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

# A verb maps to its shape: the words say how many arguments there are, and "text", always
# the last, takes the rest of the line with its spaces.  HELP lists the verbs from here.
VERBS = {"LOGIN": "name", "MSG": "name text", "LOGOUT": "", "HELP": ""}
BEFORE_LOGIN = {"LOGIN", "LOGOUT", "HELP"}  # all else needs a name first

# 20 is enough for a name and keeps a list of 40 of them within one line.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}")
# What Unicode calls Cc (0x00-0x1f, 0x7f and 0x80-0x9f) without the tab.  A pattern costs a
# tenth of a look at each character's category, and each message passes here.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Request(NamedTuple):
    """One line of a client, taken apart."""

    verb: str
    args: tuple[str, ...]


class ProtocolError(Exception):
    """The peer broke a rule of the protocol; `code` and `text` make the ERR reply."""

    def __init__(self, code: str, text: str):
        super().__init__(code, text)
        self.code = code
        self.text = text


def parse_line(line: bytes, verbs: Mapping[str, str] = VERBS, logged_in: bool = True) -> Request | None:
    """Return the request that `line` holds, or None for an empty line.

    Raises: ProtocolError with bad-encoding, unknown-command, not-logged-in or
    bad-arguments, looked for in this order.
    """
    if not line:
        return None
    verb, space, rest = decode(line).partition(" ")
    if verb.isascii():  # else an exotic letter might become the I of LOGIN
        verb = verb.upper()
    if verb not in verbs:
        raise ProtocolError("unknown-command", "HELP lists the commands")
    if not logged_in and verb not in BEFORE_LOGIN:
        raise ProtocolError("not-logged-in", "LOGIN <name> first")
    shape = verbs[verb].split()
    # One split for every shape: "name text" cuts once, and text keeps its spaces.
    words = rest.split(" ", len(shape) - 1 if "text" in shape else -1) if space else []
    if len(words) != len(shape):
        usage = " ".join([verb, *(f"<{word}>" for word in shape)])
        raise ProtocolError("bad-arguments", f"the form is: {usage}")
    return Request(verb, tuple(words))


def format_line(*words: str) -> bytes:
    """Return a line of these words; only the last may hold spaces.

    Raises: ValueError when the words would not come back as they are: our own mistake.
    """
    line = " ".join(words)
    # Only the last may bring spaces of its own; each of the others one, between two words.
    spaces = len(words) - 1 + words[-1].count(" ") if words else 0
    if not line or "" in words or line.count(" ") > spaces or "\n" in line or "\r" in line:
        raise ValueError(f"cannot be one line: {words!r}")
    return line.encode()


def decode(line: bytes) -> str:
    """Return the text of a whole line.

    Raises: ProtocolError bad-encoding.  To leave out what is broken would change what
    somebody said and tell nobody.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError("bad-encoding", f"byte {error.start + 1} is not UTF-8") from None


def check_name(name: str) -> str:
    """Return `name` if it may be one.  Raises: ProtocolError bad-name."""
    if not NAME.fullmatch(name):
        raise ProtocolError("bad-name", "a letter first, then letters, digits, _ or -, at most 20 in all")
    return name


def check_text(text: str) -> str:
    """Return `text` if it may be sent to people.  Raises: ProtocolError bad-text.

    A control character could drive the terminal of whoever reads it: clear it, recolour
    it, or type into it.
    """
    if not text.strip(" "):
        raise ProtocolError("bad-text", "there is nothing in it")
    if CONTROL.search(text):
        raise ProtocolError("bad-text", "no control characters but tab")
    return text
