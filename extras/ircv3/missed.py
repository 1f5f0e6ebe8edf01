"""What was said while a user had no session: the first one that comes gets it, before all that is new.

catch    what is said while a client is told the old: it is not a session yet, and gets that behind it
end      where among the messages a user's last session ended

A client with draft/chathistory asks for itself, and gets none of it (the specification wants that).
One with `batch` gets a batch for each channel and each person, others get plain messages.
Nothing comes twice, unless a connection broke: then we do not know what it still read; see last_read()
in always.py.  Of what is more than MOST, the newest comes.
Source: IRCv3 batches/chathistory.
"""

from collections import deque
from collections.abc import Generator
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.names import CHANNEL_TYPES
from extras.irc.state import Channel, User
from extras.ircv3 import messages
from extras.ircv3.always import CLEAN, Always
from extras.ircv3.database import DatabaseError
from extras.ircv3.history import History, life_of, reader_key
from extras.ircv3.messages import Point, Row
from extras.ircv3.replay import event_of

if TYPE_CHECKING:
    from sqlite3 import Connection

MOST = 5000  # messages: more than anybody reads, and 2 MB
MOST_OF_EACH = 500  # of one channel or person: a busy channel must not hide the others
MAX_CAUGHT = 10_000  # events for a client that does not read what it missed: then it is too slow


class Catch(NamedTuple):
    """What a client is not told yet."""

    user: User
    events: deque[Event]


class Missed(Extension):
    """Brings what was missed, for always.py."""

    is_wanted = staticmethod(Always.is_wanted)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._last: Event | None = None  # of all
        self._ends: dict[User, str] = {}  # the id of the last event before a user's last session ended
        self._catches: dict[Client, Catch] = {}

    def start(self) -> None:
        self.history = self.server.extensions[History]
        self.always = self.server.extensions[Always]

    def observe(self, event: Event, place: Channel | User) -> None:
        self._last = event
        for me, (user, events) in self._catches.items() if self._catches else ():
            if place is user or place in user.channels or event.user is user:
                if not events or events[-1] is not event:  # it is seen once for each channel
                    events.append(event)
                if len(events) > MAX_CAUGHT:
                    me.close_link("Too slow")

    def keeps(self, me: Client, user: User) -> bool:
        # Messages of one millisecond cannot be told apart by their time; but if a client has said that
        # it ends, it has read all.
        self._ends[user] = self._last.id if self._last and me.end_reason in CLEAN else ""
        return False

    def gone(self, me: Client) -> None:
        self._catches.pop(me, None)

    def registered(self, me: Client) -> None:
        self._ends.pop(me.user, None)

    def left(self, user: User) -> None:
        self._ends.pop(user, None)

    def catches_up(self, me: Client, user: User) -> Generator[None] | None:
        since = self.always.absent.get(self.always.keys.get(user, ""))
        if since is None:
            return None
        catch = self._catches[me] = Catch(user, deque())
        return self.catch_up(me, catch, since)

    def catch_up(self, me: Client, catch: Catch, since: float) -> Generator[None]:
        """Send what was missed, then what was said meanwhile; end when there is no more."""
        told = set()
        try:
            rows = [] if "draft/chathistory" in me.caps else self.read(me, since)
            for shown, some in groupby(rows, lambda row: row.shown):
                name = shown.decode("utf-8", "surrogateescape")
                if not self.may_read(me, name):
                    continue
                with me.batch("chathistory", name):
                    for row in some:
                        told.add(row.id)
                        if row.id not in self.history.redacted and self.may_read(me, name, row.life):
                            me.send(event_of(row))
                        yield
            while catch.events:
                event = catch.events.popleft()
                if event.id not in told and event.id not in self.history.redacted:
                    me.send(event)
                yield
        finally:
            self.gone(me)

    def may_read(self, me: Client, name: str, life: int = 0) -> bool:
        """Look once more whether our user may read what was said here: the lock was free meanwhile."""
        if name[0] not in CHANNEL_TYPES:
            return True
        channel = self.world.channel(name)
        return channel in me.user.channels and life in (0, life_of(channel))

    def read(self, me: Client, since: float) -> list[Row]:
        """Give what others have said to our user and in its channels; let go of the lock meanwhile."""
        reader, oldest = reader_key(me.user), self.history.since
        end, moment = self._ends.get(me.user, ""), int(since * 1000)
        channels = self.history.channels(me)

        def find(db: "Connection") -> list[Row]:
            (number,) = db.execute(
                "SELECT max(number) FROM message WHERE id = ? AND time = ?", (end, moment)
            ).fetchone()
            after = Point(moment, last=number or 0)
            buffers = messages.windows(db, reader, channels, oldest)
            most = min(MOST_OF_EACH, MOST // (len(buffers) or 1))
            rows = [row for buffer in buffers for row in messages.latest(db, buffer, most, after)]
            return [row for row in rows if row.author != reader]

        try:
            with me.unlocked():
                rows: list[Row] = self.history.read(find)
        except DatabaseError:
            me.notice("What you have missed is temporarily unavailable")
            return []
        return rows
