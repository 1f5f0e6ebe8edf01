"""History: what is said is kept, so that who was away can read it.

Each event is noted under the world's lock, which costs next to nothing; ten times a second, the
database's thread makes rows of what was noted, and writes them all at once.  So `kill -9` loses what
was said in the last PAUSE_S, and in the GATHER_S and the commit of database.py: some 0.2 seconds, if
the disk is well.  What somebody has read from history is on disk.
In a database in memory nothing has to be there before somebody reads, so nothing is written before.

guest   a user without an account: what it may read ends with it, as nobody can prove to be the same
flag E  ephemeral: nothing that is said in the channel is kept

Who may read: the members of a channel all that was said there, also before they came.  What was said
in a channel that not everybody could enter (modes i, k, s, p) can be read no more when that channel
has ended: others may make one of the same name.  A private message is for its two ends: for their
accounts, and for a guest until it leaves; Ergo does the same.
The other servers have a mode H for channels whose history one *can* see; ours is the opposite, so it
has another letter.
"""

import argparse
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from queue import Full
from typing import TYPE_CHECKING, Any

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import CannotStart, Extension
from extras.irc.message import format_tags
from extras.irc.names import CHANNEL_TYPES, fold, is_nick
from extras.irc.state import Author, Channel, User
from extras.ircv3 import messages
from extras.ircv3.database import Database, DatabaseError, Function
from extras.ircv3.messages import HAPPENED, SAID, Buffer, Row
from extras.ircv3.replay import event_of
from extras.ircv3.storage import Storage
from step1_echo.serving import log
from step5_server.line_server import positive

if TYPE_CHECKING:
    from sqlite3 import Connection

DAYS = 7.0  # a holiday; and a person's words should not be kept for ever just because nobody minds
MOST_OF_TARGET = 10_000  # messages of one channel: some days of a busy one
MOST = 1_000_000, 100_000  # of all, in a file and in memory: 300 MB and 40 MB
# Events that wait: for a file, 20 MB, the seconds of a mad crowd; in memory, where the newest wait until
# somebody reads, 2 MB, which a server that nobody asks for history has to have.
MAX_NOTED = 20_000, 2_000
PAUSE_S = 0.1  # between two writes: nobody notices what is lost in it, and a disk can do that
# Rows of one write.  More would keep the processor from those who chat for more than a few milliseconds;
# so 4,000 messages a second are the most that we can keep, and a burst of MAX_NOTED.
BATCH = 500
TRIM_EVERY = 1000  # new rows before the old ones are looked for
MAX_REDACTED = 1000  # ids that we remember while somebody may be reading the messages

KINDS = dict.fromkeys(("PRIVMSG", "NOTICE"), SAID) | dict.fromkeys(
    ("TAGMSG", "JOIN", "PART", "QUIT", "KICK", "NICK", "MODE", "TOPIC", "RENAME"), HAPPENED
)
TO_ONE = {"PRIVMSG", "NOTICE", "TAGMSG"}
EPHEMERAL = "E"
SPECIAL = frozenset("ikps" + EPHEMERAL)
TYPING = {"+typing", "+draft/typing"}  # who types now is of no interest later
# An event that waits, its place, and the account of who did it; then the channel's life, or the receiver's account.
Noted = tuple[Event, Channel | User, str | None, Any]


class History(Extension):
    """Keeps messages, and reads them."""

    channel_flags = EPHEMERAL

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--history-days",
            type=positive(float),
            default=DAYS,
            metavar="DAYS",
            help="how long messages are kept (default %(default)g)",
        )
        flags.add_argument(
            "--history-messages",
            type=positive(int),
            default=MOST_OF_TARGET,
            metavar="N",
            help="how many are kept of one channel, or of one talk (default %(default)s)",
        )

    def start(self) -> None:
        self._database: Database = self.server.extensions[Storage].database
        self._is_lazy = self._database.path is None
        self._most = MOST[self._is_lazy]
        # The newest stay: without limit, it would grow as long as the disk does not answer.
        self._noted: deque[Noted] = deque(maxlen=MAX_NOTED[self._is_lazy])
        self._note = self._noted.append
        self._is_asked = self._is_lazy  # whether the carrier knows that there is something to write
        self._bell, self._stops = threading.Event(), threading.Event()
        self._carrier = threading.Thread(target=self._carry, name="history", daemon=True)
        self._renames: deque[tuple[bytes, bytes, bytes]] = deque()  # of channels: before, now, and as people write it
        self._rows: list[Row] = []  # the writer's: not on disk yet
        self._since_trim: list[Row] = []
        self._is_behind = False
        self._guests: set[bytes] = set()  # who has read or written privately
        self.redacted: dict[str, None] = {}  # ids, the oldest first; the world's lock guards it
        self._database.later(messages.forget_guests)
        if not self._is_lazy:
            try:
                self._carrier.start()
            except RuntimeError as error:
                raise CannotStart(f"no thread for history: {error}") from None

    def stop(self) -> None:
        self._is_asked = True
        self._stops.set()
        self._bell.set()
        if not self._is_lazy:
            self._carrier.join()
        self._database.later(self._write_all)

    def observe(self, event: Event, place: Channel | User) -> None:
        """Note an event.  It runs for each message: all that can wait is the writer's work."""
        user = event.user
        state: Any
        if type(place) is User:
            state = place.account
        elif place.key or not SPECIAL.isdisjoint(place.flags):
            if EPHEMERAL in place.flags:
                return
            state = life_of(place)
        else:
            state = 0
        # Accounts and modes are noted now: later there may be others.
        self._note((event, place, user.account if user else None, state))
        if not self._is_asked:
            self._ask()

    def left(self, user: User) -> None:
        # Without an account: it may have logged in meanwhile.
        if self._guests and (key := reader_key(user, account="")) in self._guests:
            self._guests.discard(key)
            self._database.later(lambda db: messages.forget_reader(db, key))

    def renamed(self, channel: Channel, old: str) -> None:
        """Let a channel's history go with it.  What is not written yet will be under its new name anyway."""
        self._renames.append((raw(fold(old)), raw(fold(channel.name)), raw(channel.name)))
        self._database.later(self._rename)

    # --- reading --------------------------------------------------------------------------------

    def read(self, function: Function) -> Any:
        """Return `function(connection)`, which sees all that was said before.

        Blocks: until the disk has answered: never call it under the lock.  Raises: DatabaseError.
        """
        self._database.later(self._write_all)
        return self._database.read(function)

    def buffer(self, me: Client, name: str, kinds: tuple[int, ...] = (SAID, HAPPENED)) -> Buffer | None:
        """Give what our user may read under a name; None if that is nothing."""
        since = self.since
        if channel := self.world.channel(name):
            if channel not in me.user.channels:
                return None
            return Buffer(b"", raw(fold(channel.name)), life_of(channel), since, kinds)
        if not is_nick(name):
            return None
        user = self.world.user(name)
        target = (user.account or user.nick) if user else name
        return Buffer(reader_key(me.user), raw(fold(target)), 0, since, kinds)

    def channels(self, me: Client) -> list[Buffer]:
        """Give what was said in each channel in which our user is."""
        return [one for channel in me.user.channels if (one := self.buffer(me, channel.name, (SAID,)))]

    def replay(self, me: Client, name: str, rows: Iterable[Row]) -> Iterator[None]:
        """Send what was said under a name: nothing that is taken back meanwhile, and no more when our user
        has left the channel, or was thrown out while it had too much to read."""
        channel = self.world.channel(name)  # now: it may be renamed meanwhile
        for row in rows:
            if name[0] in CHANNEL_TYPES and channel not in me.user.channels:
                break
            if row.id not in self.redacted:
                me.send(event_of(row))
            yield

    @property
    def since(self) -> int:
        """The time of the oldest message that may be read."""
        return int((time.time() - self.options.history_days * 86400) * 1000)

    def redact(self, me: Client, message_id: str) -> None:
        """Forget a message, also for those to whom it is just being sent; wait until that is written.

        Raises: DatabaseError, Full; then it is not forgotten.
        """
        self.redacted[message_id] = None
        if len(self.redacted) > MAX_REDACTED:
            del self.redacted[next(iter(self.redacted))]
        try:
            done = self._database.write(lambda db: messages.redact(db, message_id))
            with me.unlocked():
                done.result()
        except (DatabaseError, Full):
            self.redacted.pop(message_id, None)
            raise

    # --- writing --------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have what was noted written soon.  Thread: any.  Blocks: never."""
        self._is_asked = True
        self._bell.set()

    def _carry(self) -> None:
        """Have the database write, again and again, with a pause before it.  Thread: the carrier.

        It waits for no disk: who stops the server waits for it.
        """
        while self._bell.wait() and not self._stops.wait(PAUSE_S):
            self._bell.clear()
            if future := self._database.later(self._write):
                future.add_done_callback(self._written)
            else:
                self._is_asked = False  # the next message tries again

    def _written(self, future: Future[Any]) -> None:
        self._is_asked = False  # first, and then we look: what is noted from here on rings the bell
        if self._noted and not future.exception():
            self._ask()

    def _write_all(self, db: "Connection") -> None:
        """Write what is noted by now: who waits for it must not wait for what is said meanwhile, too."""
        for _ in range(0, len(self._rows) + len(self._noted), BATCH):
            self._write(db)

    def _write(self, db: "Connection") -> None:
        """Write some of what was noted.  If that fails, it stays for the next time."""
        if len(self._noted) == self._noted.maxlen and not self._is_lazy:
            if not self._is_behind:
                log.warning("history: more is said than can be kept: some messages will be missing")
            self._is_behind = True
        elif self._is_behind:
            log.warning("history: everything is kept again")
            self._is_behind = False
        count = min(len(self._noted), BATCH - len(self._rows))
        self._rename(db)  # then these may be of a new channel that has an old one's name
        for _ in range(count):
            self._rows += self._rows_of(*self._noted.popleft())
        messages.add(db, self._rows)
        self._since_trim += self._rows
        self._rows = []
        if len(self._since_trim) >= TRIM_EVERY:
            touched = {(row.reader, row.target) for row in self._since_trim}
            messages.trim(db, self.since, touched, self.options.history_messages, self._most)
            self._since_trim = []

    def _rename(self, db: "Connection") -> None:
        while self._renames:
            messages.rename(db, *self._renames.popleft())

    def _rows_of(self, event: Event, place: Channel | User, account: str | None, state: Any) -> Iterator[Row]:
        """Give the rows of an event: one for a channel, one for each end of a private message."""
        user, kind = event.user, KINDS.get(event.command)
        if kind is None or event.command == "TAGMSG" and TYPING.issuperset(event.tags):
            return
        tags = {"account": account} if account else {}
        if user and "B" in user.modes:
            tags["bot"] = ""
        tags.update(event.tags)
        form = event.instead.get("extended-join", (event,))[0]  # of a JOIN, the one that says all
        line = raw(format_tags(tags)) + (event.whole or form.line)
        author = reader_key(user, account) if user else b""
        moment, name = int(event.time * 1000), event.id
        if type(place) is Channel:
            shown = place.name
            yield Row(moment, name, b"", raw(fold(shown)), raw(shown), author, state, kind, line)
        elif user and event.command in TO_ONE and is_nick(event.params[0]):  # else it was for many, as @#tea
            reader = reader_key(place, state)
            # The nicks of then: both may have others by now.
            nick, other = state or event.params[0], account or event.source.partition("!")[0]
            for end, its_reader, shown in dict.fromkeys(((user, author, nick), (place, reader, other))):
                if its_reader[:1] == b"*":
                    self._guests.add(its_reader)  # first, and then we look: see left()
                    if not end.registered:
                        self._guests.discard(its_reader)
                        continue
                yield Row(moment, name, its_reader, raw(fold(shown)), raw(shown), author, 0, kind, line)


def reader_key(user: Author, account: str | None = None) -> bytes:
    """Give who a user is, for good: an account, or for a guest something that nobody else will ever be."""
    account = user.account if account is None else account
    return raw(fold(account)) if account else f"*{user.signed_on!r}-{id(user):x}".encode()


def life_of(channel: Channel) -> int:
    """Give what tells a channel from an earlier one of its name."""
    return int(channel.created_at * 1000)


def raw(text: str) -> bytes:
    """Give a text as bytes: it may be no UTF-8."""
    return text.encode("utf-8", "surrogateescape")
