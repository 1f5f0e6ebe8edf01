"""Exercise: what a client reads from a line of the server."""

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
    # TODO: tell replies from events, and OK from ERR
    return Reply(True, "", line.decode())
