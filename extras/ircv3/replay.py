"""A message of the past as an event: it goes to a client as it went when it was said, with its time and id."""

from typing import Any

from extras.irc.event import Event
from extras.irc.message import parse_message
from extras.irc.state import Author
from extras.ircv3.many_lines import CONCAT, ManyLines, Part
from extras.ircv3.messages import Row

NEEDS = {"TAGMSG": "message-tags", "RENAME": "draft/channel-rename"}  # who does not know these gets none


def event_of(row: Row) -> Event:
    """Give the event of a message, with the very bytes that were sent then."""
    first, *others = row.line.split(b"\n")
    message = parse_message(first)
    assert message is not None  # it is one that we have written
    tags, source, command, params = message
    if first[:1] == b"@":
        first = first.partition(b" ")[2]
    author = Author(tags.pop("account", ""), "B" if "bot" in tags else "", signed_on=0.0)
    tags.pop("bot", None)
    # Half a millisecond more: no rounding makes one less of it.
    time = (row.time + 0.5) / 1000
    more: dict[str, Any] = {"source": source, "user": author, "tags": tags, "_id": row.id, "time": time}
    if others:
        parts = [Part(params[-1])]
        for part in map(parse_message, others):
            assert part is not None  # as above
            parts.append(Part(part.params[-1], CONCAT in part.tags))
        return ManyLines(command, params[0], parts, **more)
    if command == "JOIN" and len(params) > 1:
        more["instead"] = {"extended-join": (Event(command, *params, line=first, **more),)}
        return Event(command, params[0], **more)
    return Event(command, *params, line=first, need=NEEDS.get(command, ""), **more)


def as_word(text: str) -> str:
    """Give a client's words back as one parameter."""
    return text.replace(" ", "_").lstrip(":")[:100] or "*"
