"""Labels: what answers a request carries the request's label, so that a client knows what it belongs to.

No event becomes an ACK, one gets the label, more become a batch.
Source: IRCv3 labeled-response, batch.
"""

from collections.abc import Mapping

from extras.irc.client import Client
from extras.irc.event import Event, next_number
from extras.irc.extension import Capability, Extension


class Labels(Extension):
    """labeled-response and batch."""

    capabilities = (
        Capability("batch", "several messages that belong together"),
        Capability("labeled-response", "what answers a request carries the request's label"),
    )

    def response(self, me: Client, tags: Mapping[str, str]) -> "LabelledResponse | None":
        """Collect the answer to a request that has a label."""
        if "label" in tags and "labeled-response" in me.caps:
            return LabelledResponse(me, tags["label"])
        return None


class LabelledResponse:
    """The answer to one request.

    Its first event waits until we know whether there is a second one; the others do not wait.  A client
    that has not asked for batches gets several events as they are.
    """

    def __init__(self, me: Client, label: str):
        self._me, self._label = me, label
        self._batches = "batch" in me.caps
        self._first: Event | None = None
        self._number = ""  # of our batch
        self._is_many = False
        self._is_one_batch = False  # the answer is a batch by itself: its start has the label

    def add(self, event: Event) -> None:
        """Take an event of the answer; send what can be sent now."""
        if self._is_one_batch:
            self._me.put(event)
        elif self._is_many:
            self._me.put(self._within(event))
        elif self._first is not None:
            self._begin()
            self._me.put(self._within(self._first))
            self._me.put(self._within(event))
        elif event.command == "BATCH":
            self._is_one_batch = True
            self._me.put(event.marked(label=self._label))
        else:
            self._first = event

    def end(self) -> None:
        """Send what ends the answer, or is the whole answer."""
        name = self._me.server.name
        if self._is_many:
            if self._batches:
                self._me.put(Event("BATCH", "-" + self._number, source=name))
        elif not self._is_one_batch:
            event = self._first or Event("ACK", source=name)
            self._me.put(event.marked(label=self._label))

    def _begin(self) -> None:
        """There is more than one event."""
        self._is_many = True
        if self._batches:
            self._number = str(next_number())
            start = Event("BATCH", "+" + self._number, "labeled-response", source=self._me.server.name)
            self._me.put(start.marked(label=self._label))

    def _within(self, event: Event) -> Event:
        """Mark an event as one of our batch, unless it is in another one that is."""
        if not self._batches or "batch" in event.marks:
            return event
        return event.marked(batch=self._number)
