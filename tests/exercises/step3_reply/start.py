"""Exercise: what a client makes of a line from the server."""

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
    """Return what `line` says."""
    # TODO: tell replies from events, and OK from ERR
    return Reply(True, "", line.decode())
