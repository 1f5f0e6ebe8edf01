"""A message of several lines, as an event.

part    one line of it, and whether it goes on with the line before it (`draft/multiline-concat`)
batch   how those get it who know such messages: all parts between BATCH + and BATCH -
others get the parts one by one, but for blank ones; only the first has the message's id
Source: IRCv3 multiline ("Fallback", "Message ids").
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from extras.irc.event import Event, next_number
from extras.irc.message import format_message

CAP = "draft/multiline"
CONCAT = "draft/multiline-concat"


class Part(NamedTuple):
    """One line."""

    text: str
    goes_on: bool = False


class Rest(Event):
    """A line of a message whose id another line has."""

    id = ""


class ManyLines(Event):
    """A message of several lines."""

    def __init__(self, command: str, target: str, parts: Sequence[Part], **more: Any):
        text = "".join(("" if part.goes_on or not number else "\n") + part.text for number, part in enumerate(parts))
        super().__init__(command, target, text=text, **more)
        self.parts = parts
        self.instead = {CAP: ()}  # so that we are asked for our forms
        self.is_plain = False

    @property
    def whole(self) -> bytes:  # type: ignore[override]  # nobody sets it
        """All lines, as history keeps them."""
        return b"\n".join(
            f"@{CONCAT} ".encode() * part.goes_on
            + format_message(self.command, *self.params, text=part.text, source=self.source)
            for part in self.parts
        )

    def forms(self, caps: frozenset[str]) -> tuple[Event, ...]:
        return self.batch() if {CAP, "batch"} <= caps else self.fallback()

    def batch(self) -> tuple[Event, ...]:
        """Give the parts in a batch; what belongs to the message is on its first line."""
        name, outer = str(next_number()), {key: self.marks[key] for key in self.marks if key == "batch"}
        start = self.line_of(
            Event, "BATCH", "+" + name, CAP, *self.params, marks=self.marks, user=self.user, tags=self.tags, _id=self.id
        )
        lines = [
            self.line_of(
                Rest,
                self.command,
                *self.params,
                text=part.text,
                marks={"batch": name} | ({CONCAT: ""} if part.goes_on else {}),
            )
            for part in self.parts
        ]
        return start, *lines, self.line_of(Event, "BATCH", "-" + name, marks=outer)

    def fallback(self) -> tuple[Event, ...]:
        """Give the parts that are not blank as messages."""
        lines: list[Event] = []
        marks = self.marks
        for part in self.parts:
            if part.text:
                kind, more = (Rest, {}) if lines else (Event, {"_id": self.id})
                lines.append(
                    self.line_of(
                        kind,
                        self.command,
                        *self.params,
                        text=part.text,
                        marks=marks,
                        user=self.user,
                        tags=self.tags,
                        **more,
                    )
                )
                marks = {key: value for key, value in marks.items() if key != "label"}
        return tuple(lines)

    def line_of(self, kind: type[Event], *words: str, **more: Any) -> Event:
        """Give one line of the message: it has its source and its time."""
        return kind(*words, source=self.source, time=self.time, **more)
