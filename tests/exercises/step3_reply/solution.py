"""Solution: what a client reads from a line of the server."""

from typing import NamedTuple


class Reply(NamedTuple):
    """The answer to a request."""

    ok: bool
    code: str  # of an ERR; "" for OK
    text: str  # for a person; may be ""


class Event(NamedTuple):
    """A line that nobody asked for."""

    verb: str
    rest: str  # all after the verb and one space; may be ""


def parse_reply(line: bytes) -> Reply | Event:
    """Return the Reply or the Event that `line` is."""
    verb, _, rest = line.decode().partition(" ")
    if verb == "OK":
        return Reply(True, "", rest)
    if verb == "ERR":
        code, _, text = rest.partition(" ")
        return Reply(False, code, text)
    return Event(verb, rest)  # unknown verbs too: a later server may know more than we do
