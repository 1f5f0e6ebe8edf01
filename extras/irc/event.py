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
from typing import TYPE_CHECKING, Any

from extras.irc.message import encode, format_message, format_tags
from extras.irc.state import Author

if TYPE_CHECKING:
    from extras.irc.client import Client

TagsOf = Callable[["Event"], Mapping[str, str]]  # what a capability puts in front of a message
NONE: Mapping[str, Any] = MappingProxyType({})
# In front of the number in each id, so that none comes again after a restart: time and chance.
EPOCH = f"{int(time.time()):x}{os.urandom(2).hex()}"
MAX_LOOKS = 1000  # sets of capabilities that are remembered; clients have a dozen
next_number = itertools.count(1).__next__


class Event:
    """A message that has no bytes yet."""

    # What most events do not have; given by name.
    tags: Mapping[str, str] = NONE  # what its sender gave (+typing)
    marks: Mapping[str, str] = NONE  # whoever gets the event gets these
    need = ""  # the capability without which nobody gets it
    instead: Mapping[str, tuple["Event", ...]] = NONE  # who has this capability gets these instead
    is_plain = True  # nothing of that: without capabilities, it is its line
    whole = b""  # its lines, if it is several
    _id = ""
    _dressed: dict[tuple[TagsOf, ...], bytes] | None = None  # look -> line; the Wording's
    line: bytes  # made when it is first wanted

    def __init__(
        self,
        command: str,
        *params: str,
        text: str | None = None,
        source: str = "",
        user: Author | None = None,
        **more: Any,
    ):
        self.command, self.params, self.text, self.source = command, params, text, source
        self.user = user  # who did it; None for the server
        self.time = time.time()
        if more:
            self.__dict__.update(more)
            self.is_plain = False

    def __getattr__(self, name: str) -> bytes:
        """Make `line`, the message without tags and without its delimiter, when it is first wanted."""
        if name != "line":
            raise AttributeError(name)
        self.line = format_message(self.command, *self.params, text=self.text, source=self.source)
        return self.line

    @property
    def id(self) -> str:
        """The message's id, which nobody else's message has.  IRCv3 message-ids."""
        # In one step: the thread that keeps messages may ask, too.
        return self._id or self.__dict__.setdefault("_id", f"{EPOCH}-{next_number()}")

    def marked(self, **marks: str) -> "Event":
        """Return the same event with these tags more."""
        other = object.__new__(type(self))
        marks = {**self.marks, **marks}
        more = {"_id": self.id, "marks": marks, "is_plain": False, "_dressed": None}
        other.__dict__.update(self.__dict__, **more)
        if self.instead:
            other.instead = {
                cap: tuple(event.marked(**marks) for event in events) for cap, events in self.instead.items()
            }
        return other

    def forms(self, caps: frozenset[str]) -> tuple["Event", ...]:
        """Give what a client with these capabilities gets: nearly always the event itself."""
        for cap, events in self.instead.items():
            if cap in caps:
                for event in events:  # it is the same thing that has happened
                    event._id, event.time = self.id, self.time
                return events
        return () if self.need and self.need not in caps else (self,)


class Said(Event):
    """What our user has just said to a target.  Nothing is said more often, so it is made faster."""

    def __init__(self, me: "Client", command: str, target: str, text: str | None):
        user = me.user
        self.command, self.params, self.text = command, (target,), text
        self.user, self.source, self.time = user, user.source, user.spoke_at
        if text is None:  # a TAGMSG is nothing but tags
            self.need, self.is_plain = "message-tags", False
        else:
            self.line = encode(f":{user.source} {command} {target} :{text}")
        if me.tags and "message-tags" in me.caps:
            self.tags = {key: value for key, value in me.tags.items() if key[0] == "+"}


class Answer(Event):
    """A numeric, or another line that the server has written for one client; its bytes are there."""

    command, params, text, source, user = "", (), None, "", None

    def __init__(self, line: str):
        self.time, self.line = time.time(), encode(line)


class Wording:
    """Write events for clients with any capabilities."""

    def __init__(self, tags: Mapping[str, TagsOf]):
        """Take, for each capability that puts tags in front of a message, the function that gives them."""
        self._tags = tags
        self._looks: dict[frozenset[str], tuple[TagsOf, ...]] = {}

    def lines(self, event: Event, caps: frozenset[str]) -> tuple[bytes, ...]:
        """Give the lines for a client with these capabilities; none if the event says nothing to it."""
        if event.is_plain:
            return (self._dress(event, caps) if caps else event.line,)
        return tuple([self._dress(form, caps) for form in event.forms(caps)])

    def _dress(self, event: Event, caps: frozenset[str]) -> bytes:
        """Put the tags in front of the line; remembered for all who get the same ones."""
        look = self._looks.get(caps)
        if look is None:
            if len(self._looks) >= MAX_LOOKS:
                self._looks.clear()  # somebody asks for one set after the other
            look = self._looks[caps] = tuple([tags for cap, tags in self._tags.items() if cap in caps])
        if not look and not event.marks:
            return event.line
        if event._dressed is None:
            event._dressed = {}
        if look not in event._dressed:
            tags = dict(event.marks)
            for tags_for in look:
                tags |= tags_for(event)
            front = format_tags(tags).encode("utf-8", "surrogateescape")
            event._dressed[look] = front + event.line
        return event._dressed[look]
