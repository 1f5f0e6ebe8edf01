"""A message of the past as an event: it goes to a client as it went when it was said, with its time and id."""

from typing import NamedTuple

from extras.irc.event import Event
from extras.irc.message import parse_message
from extras.ircv3.many_lines import CONCAT, ManyLines, Part
from extras.ircv3.messages import Row

NEEDS = {"TAGMSG": "message-tags", "RENAME": "draft/channel-rename"}  # who does not know these gets none


class Author(NamedTuple):
    """What was known of a user when it spoke."""

    account: str
    modes: frozenset[str]


def event_of(row: Row) -> Event:
    """Give the event of a message, with the very bytes that were sent then."""
    first, *others = row.line.split(b"\n")
    tags, source, command, params = parse_message(first)
    if first[:1] == b"@":
        first = first.partition(b" ")[2]
    author = Author(tags.pop("account", ""), frozenset("B" if "bot" in tags else ""))
    tags.pop("bot", None)
    # Half a millisecond more: no rounding makes one less of it.
    more = {"source": source, "user": author, "tags": tags, "_id": row.id, "time": (row.time + 0.5) / 1000}
    if others:
        parts = [Part(params[-1])]
        for line in others:
            concat, _, _, params = parse_message(line)
            parts.append(Part(params[-1], CONCAT in concat))
        return ManyLines(command, params[0], parts, **more)
    if command == "JOIN" and len(params) > 1:
        more["instead"] = {"extended-join": (Event(command, *params, line=first, **more),)}
        return Event(command, params[0], **more)
    return Event(command, *params, line=first, need=NEEDS.get(command, ""), **more)


def as_word(text: str) -> str:
    """Give a client's words back as one parameter."""
    return text.replace(" ", "_").lstrip(":")[:100] or "*"
