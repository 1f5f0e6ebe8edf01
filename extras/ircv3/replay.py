"""A message of the past as an event: it goes to a client as it went when it was said, with its time and id."""

from typing import NamedTuple

from extras.irc.event import Event
from extras.irc.message import parse_message
from extras.ircv3.messages import Row


class Author(NamedTuple):
    """What was known of a user when it spoke."""

    account: str
    modes: frozenset[str]


def event_of(row: Row) -> Event:
    """Give the event of a message."""
    return line_event(row, row.line)


def line_event(row: Row, line: bytes, **more) -> Event:
    """Give the event of one line of a message, with the very bytes that were sent then."""
    tags, source, command, params = parse_message(line)
    if line[:1] == b"@":
        line = line.partition(b" ")[2]
    author = Author(tags.pop("account", ""), frozenset("B" if "bot" in tags else ""))
    tags.pop("bot", None)
    return Event(
        command, *params, source=source, user=author, tags=tags, line=line, _id=row.id,
        time=(row.time + 0.5) / 1000,  # half a millisecond more: no rounding makes one less of it
        need="message-tags" if command == "TAGMSG" else "", **more,
    )


def as_word(text: str) -> str:
    """Give a client's words back as one parameter."""
    return text.replace(" ", "_").lstrip(":")[:100] or "*"
