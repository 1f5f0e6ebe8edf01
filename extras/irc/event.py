"""Events: what happened, or an answer, as data; bytes come last.

    Event("JOIN", "#tea", source="alice!al@host", user=alice)

One event may go to a thousand clients, and these differ in what they asked for: so it is kept as it is,
and a Wording makes the lines, once for all who get the same ones.

caps     the capabilities that a client has asked for
look     those of them that change what it gets
marks    tags that belong to one receiver's request: label, batch
"""

import itertools
import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from extras.irc.message import encode, format_message, format_tags

NONE: Mapping = MappingProxyType({})
# In front of the number in each id, so that none comes again after a restart: time and chance.
EPOCH = f"{int(time.time()):x}{os.urandom(2).hex()}"
MAX_LOOKS = 1000  # sets of capabilities that are remembered; clients have a dozen
next_number = itertools.count(1).__next__


class Event:
    """A message that has no bytes yet."""

    # What most events do not have; given by name.
    user = None  # the User who did it; None for the server
    tags: Mapping[str, str] = NONE  # what its sender gave (+typing)
    marks: Mapping[str, str] = NONE  # whoever gets the event gets these
    need = ""  # the capability without which nobody gets it
    instead: Mapping[str, tuple["Event", ...]] = NONE  # who has this capability gets these instead
    _id = ""
    _line: bytes | None = None

    def __init__(self, command: str, *params: str, text: str | None = None, source: str = "", **more):
        self.command, self.params, self.text, self.source = command, params, text, source
        self.time, self.number = time.time(), next_number()
        self.made: dict = {}  # look -> the line; the Wording's
        if more:
            self.__dict__.update(more)

    @property
    def id(self) -> str:
        """The message's id, which nobody else's message has.  IRCv3 message-ids."""
        return self._id or f"{EPOCH}-{self.number}"

    @id.setter
    def id(self, value: str) -> None:
        self._id = value

    @property
    def line(self) -> bytes:
        """The message without tags and without its delimiter."""
        if self._line is None:
            self._line = format_message(self.command, *self.params, text=self.text, source=self.source)
        return self._line

    def marked(self, **marks: str) -> "Event":
        """Return the same event with these tags more."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, marks={**self.marks, **marks}, made={})
        if self.instead:
            other.instead = {cap: tuple(event.marked(**marks) for event in events)
                             for cap, events in self.instead.items()}
        return other

    def forms(self, caps: frozenset[str]) -> tuple["Event", ...]:
        """Give what a client with these capabilities gets: nearly always the event itself."""
        for cap, events in self.instead.items():
            if cap in caps:
                return events
        return () if self.need and self.need not in caps else (self,)


class Answer(Event):
    """A numeric, or another line that the server has written for one client; its bytes are there."""

    command, params, text, source = "", (), None, ""

    def __init__(self, line: str):
        self.time, self.made = time.time(), {}
        self._line = encode(line)


class Wording:
    """Write events for clients with any capabilities."""

    def __init__(self, tags: Mapping[str, Callable[[Event], Mapping[str, str]]]):
        """Take, for each capability that puts tags in front of a message, the function that gives them."""
        self._tags = tags
        self._looks: dict[frozenset[str], tuple[str, ...]] = {}

    def lines(self, event: Event, caps: frozenset[str]) -> tuple[bytes, ...]:
        """Give the lines for a client with these capabilities; none if the event says nothing to it."""
        if event.need or event.instead:
            return tuple(self._dressed(form, caps) for form in event.forms(caps))
        return (self._dressed(event, caps),)

    def _dressed(self, event: Event, caps: frozenset[str]) -> bytes:
        if not caps and not event.marks:
            return event.line
        look = self._looks.get(caps)
        if look is None:
            if len(self._looks) >= MAX_LOOKS:
                self._looks.clear()  # somebody asks for one set after the other
            look = self._looks[caps] = tuple(cap for cap in self._tags if cap in caps)
        if look not in event.made:
            tags = dict(event.marks)
            for cap in look:
                tags |= self._tags[cap](event)
            front = format_tags(tags).encode("utf-8", "surrogateescape")
            event.made[look] = front + event.line
        return event.made[look]
