"""CHATHISTORY: a client asks for what was said.

    C: CHATHISTORY LATEST #tea * 50
    S: :irc.example.net BATCH +7 chathistory #tea
    S: @batch=7;msgid=…;time=… :alice!al@host PRIVMSG #tea :hello
    S: :irc.example.net BATCH -7

selector   a place among the messages: `msgid=…`, `timestamp=…`, or `*` for none
The database is asked without the world's lock.  So all that might have changed meanwhile is looked at
again: whether we may still read it, and whether a message has just been taken back.
Source: IRCv3 chathistory, batches/chathistory.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.names import CHANNEL_TYPES
from extras.ircv3 import messages
from extras.ircv3.database import DatabaseError, Function
from extras.ircv3.history import History, reader_key
from extras.ircv3.messages import HAPPENED, SAID, Buffer, Point, Row
from extras.ircv3.replay import as_word
from extras.ircv3.tags import server_time, time_of

if TYPE_CHECKING:
    from sqlite3 import Connection

MOST = 100  # messages of one answer: a few screens, and some 30 KB
FORMS = {"LATEST": 1, "BEFORE": 1, "AFTER": 1, "AROUND": 1, "BETWEEN": 2, "TARGETS": 2}  # how many selectors


class Refused(Exception):
    """A request that cannot be answered: the code of FAIL, what it is about, and words for a person."""


class ChatHistory(Extension):
    """draft/chathistory and draft/event-playback."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (
            Capability("draft/chathistory", "what was said before, when the client asks for it"),
            Capability("draft/event-playback", "who came and went before, too"),
        )
        self.commands = {"CHATHISTORY": command(self.chathistory)}

    def start(self) -> None:
        self.history = self.server.extensions[History]

    def tokens(self) -> Iterable[str]:
        return [f"CHATHISTORY={MOST}", "MSGREFTYPES=msgid,timestamp"]

    def chathistory(self, me: Client, form: str = "", *words: str) -> Iterator[None]:
        """Send messages of the past.  IRCv3 chathistory."""
        form = form.upper()
        try:
            if form not in FORMS:
                raise Refused("INVALID_PARAMS", as_word(form), "Unknown command")
            target = "" if form == "TARGETS" else words[0] if words else ""
            rest = words[1:] if target else words
            if len(rest) != FORMS[form] + 1:
                wrong = "Insufficient" if len(rest) <= FORMS[form] else "Too many"
                raise Refused("INVALID_PARAMS", form, f"{wrong} parameters")
            *selectors, most = rest
            limit = limit_of(form, most)
            if form == "TARGETS":
                one, other = (moment(form, selector) for selector in selectors)
                yield from self.send_targets(me, one, other, limit)
            else:
                yield from self.send_messages(me, form, target, selectors, limit)
        except Refused as why:
            code, *context, text = why.args
            me.standard("FAIL", "CHATHISTORY", code, *context, text=text)

    # --- messages -------------------------------------------------------------------------------

    def send_messages(self, me: Client, form: str, target: str, selectors: list[str], limit: int) -> Iterator[None]:
        """Answer all but TARGETS."""
        buffer, shown = self.allowed(me, form, target)
        for selector in selectors:
            check(form, target, selector)

        def find(db: "Connection") -> list[Row]:
            points = [point(db, form, target, buffer, selector) for selector in selectors]
            return QUERIES[form](db, buffer, limit, *points)

        rows = self.ask(me, form, target, find)
        again, _ = self.allowed(me, form, target)
        if again.life != buffer.life or again.reader != buffer.reader:
            raise Refused("INVALID_TARGET", form, as_word(target), "Messages could not be retrieved")
        with me.batch("chathistory", shown):
            yield from self.history.replay(me, target, rows)

    def allowed(self, me: Client, form: str, target: str) -> tuple[Buffer, str]:
        """Give what our user may read under this name, and the name as others write it."""
        events = "draft/event-playback" in me.caps
        buffer = self.history.buffer(me, target, (SAID, HAPPENED) if events else (SAID,))
        if buffer is None:
            raise Refused("INVALID_TARGET", form, as_word(target), "Messages could not be retrieved")
        channel = self.world.channel(target)
        return buffer, channel.name if channel else target  # a nick as the client writes it: it compares the two

    def ask(self, me: Client, form: str, target: str, find: Function) -> Any:
        """Ask the database, and let go of the lock meanwhile."""
        try:
            with me.unlocked():
                return self.history.read(find)
        except DatabaseError:
            text = "History is temporarily unavailable"
            raise Refused("MESSAGE_ERROR", form, *[as_word(target)] * bool(target), text) from None

    # --- targets --------------------------------------------------------------------------------

    def send_targets(self, me: Client, one: Point, other: Point, limit: int) -> Iterator[None]:
        """Tell in which channels there are messages, and with whom we have talked."""
        reader, since = reader_key(me.user), self.history.since
        channels = self.history.channels(me)
        found = self.ask(me, "TARGETS", "", lambda db: messages.targets(db, reader, channels, limit, one, other, since))
        with me.batch("draft/chathistory-targets"):
            for name, last in found:
                shown = name.decode("utf-8", "surrogateescape")
                if shown[0] in CHANNEL_TYPES and self.world.channel(shown) not in me.user.channels:
                    continue
                when = server_time((last + 0.5) / 1000)
                me.send(Event("CHATHISTORY", "TARGETS", shown, when, source=self.server.name))
                yield


def limit_of(form: str, text: str) -> int:
    """Take a number of messages; there is a greatest one."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise Refused("INVALID_PARAMS", form, as_word(text), "Invalid limit")
    return min(int(text), MOST)


def check(form: str, target: str, selector: str) -> None:
    """Refuse a selector that says nothing."""
    kind, _, value = selector.partition("=")
    if selector == "*" and form == "LATEST" or kind == "msgid" and value:
        return
    if kind != "timestamp":
        code = "INVALID_MSGREFTYPE" if value else "INVALID_PARAMS"
        raise Refused(
            code, form, *[as_word(target)] * bool(value), as_word(selector), "Unknown kind of message reference"
        )
    moment(form, selector)


def moment(form: str, selector: str) -> Point:
    """Take `timestamp=2026-11-28T12:00:00.000Z`."""
    kind, _, value = selector.partition("=")
    milliseconds = time_of(value) if kind == "timestamp" else None
    if milliseconds is None:
        raise Refused("INVALID_PARAMS", form, as_word(selector), "Invalid timestamp")
    return Point(milliseconds)


def point(db: "Connection", form: str, target: str, buffer: Buffer, selector: str) -> Point | None:
    """Give the place that a selector names; None for `*`."""
    if selector == "*":
        return None
    kind, _, value = selector.partition("=")
    if kind == "timestamp":
        return moment(form, selector)
    found = messages.point_of(db, buffer, value)
    if found is None:
        raise Refused("MESSAGE_ERROR", form, as_word(target), as_word(value), "There is no such message here")
    return found


QUERIES: dict[str, Callable[..., list[Row]]] = {
    "LATEST": lambda db, buffer, limit, point: messages.latest(db, buffer, limit, after=point),
    "BEFORE": lambda db, buffer, limit, point: messages.latest(db, buffer, limit, before=point),
    "AFTER": lambda db, buffer, limit, point: messages.earliest(db, buffer, limit, after=point),
    "AROUND": messages.around,
    "BETWEEN": messages.between,
}
