"""METADATA: what users and channels say of themselves by keys, and who wants to hear of it.

key         `avatar`, `display-name`, ...: a client shows those that it knows
target      a user or a channel; `*` is oneself
subscriber  a session that asked for a key: it hears of changes in its channels, and of those it monitors

What is set is in metadata_store.py.  Source: IRCv3 metadata (draft/metadata-3: what has changed is told
by the numerics that also answer GET).
"""

import re
import time
from collections.abc import Iterable

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import CannotStart, Capability, Extension
from extras.irc.message import NO_UTF8, size
from extras.irc.names import fold
from extras.irc.replies import ERR_NOTREGISTERED, Numeric
from extras.irc.state import Channel, User
from extras.ircv3.database import DatabaseError
from extras.ircv3.metadata_store import MAX_KEYS, Store
from extras.ircv3.monitor import Monitor
from extras.ircv3.storage import Storage

SOURCE = "IRCv3 metadata"
RPL_WHOISKEYVALUE = Numeric("760", "<nick> <key> <visibility> :<value>", SOURCE)
RPL_KEYVALUE = Numeric("761", "<target> <key> <visibility> :<value>", SOURCE)
RPL_KEYNOTSET = Numeric("766", "<target> <key> :key not set", SOURCE)
RPL_METADATASUBOK = Numeric("770", "<keys...>", SOURCE)
RPL_METADATAUNSUBOK = Numeric("771", "<keys...>", SOURCE)
RPL_METADATASUBS = Numeric("772", "<keys...>", SOURCE)
RPL_METADATASYNCLATER = Numeric("774", "<target>", SOURCE)

NAME = "draft/metadata-3"
KEY = re.compile(r"[a-z0-9_./-]{1,40}")
MAX_SUBSCRIPTIONS = 50  # more keys than any client knows
MAX_VALUE_BYTES = 300  # with a nick, a channel's name and a key it still fits into one line
MAX_AT_ONCE = 50  # values that come with a JOIN: 20 kB; if there are more, the client asks when it has time
MAX_SHOWN = 40  # characters of what is no key: as long as a key may be
# One change costs as much as a message to all one's channels.  Twice what a client sets when it connects.
CHANGES, CHANGES_S = 60, 60.0
EVERYBODY = "*"  # the visibility: there is no other one here


class Pace:
    """How much one client changes."""

    def __init__(self):
        self._since, self._count = time.monotonic(), 0

    def seconds_to_wait(self) -> int:
        """Count a change; tell how long the client has to wait, if there were too many."""
        now = time.monotonic()
        if now - self._since >= CHANGES_S:
            self._since, self._count = now, 0
        self._count += 1
        return int(self._since + CHANGES_S - now) + 1 if self._count > CHANGES else 0


class Metadata(Extension):
    """draft/metadata-3."""

    def __init__(self, *args):
        super().__init__(*args)
        tokens = (
            f"before-connect,max-subs={MAX_SUBSCRIPTIONS},max-keys={MAX_KEYS},"
            f"max-value-bytes={MAX_VALUE_BYTES}"
        )
        self.capabilities = (Capability(NAME, "what others say of themselves", value=lambda: tokens),)
        self.commands = {"METADATA": command(self.metadata, early=True, only_utf8=True)}
        self.subscribers: dict[str, set[Client]] = {}

    def start(self) -> None:
        try:
            self.store = Store(self.server.extensions[Storage].database)
        except DatabaseError as error:
            raise CannotStart(f"--db: {error}") from None

    # --- the command --------------------------------------------------------------------------

    def metadata(self, me: Client, target: str, subcommand: str, *params: str):
        """Say something of oneself by keys, or ask: GET, LIST, SET, CLEAR, SUB, UNSUB, SUBS, SYNC.  IRCv3 metadata."""
        if not me.user.registered and NAME not in me.caps:
            me.reply(ERR_NOTREGISTERED)
            return
        run = SUBCOMMANDS.get(subcommand.upper())
        where = self.find(me, target)
        if run is None:
            fail(me, "SUBCOMMAND_INVALID", subcommand, text="There is no such subcommand")
        elif where is None:
            fail(me, "INVALID_TARGET", target, text="There is no such user or channel")
        elif isinstance(where, Channel) and not may_see(me, where):
            fail(me, "KEY_NO_PERMISSION", target, "*", text="Only members may see that")
        else:
            yield from run(self, me, where, *params) or ()

    def find(self, me: Client, target: str) -> User | Channel | None:
        """Give whom or what a target means; before the registration, it can only be oneself."""
        if target == "*" or fold(target) == fold(me.user.nick):
            return me.user
        if not me.user.registered:
            return None
        channel = me.world.channel(target)
        if channel and channel.is_hidden and channel not in me.user.channels and not me.user.is_operator:
            return None  # as if it were not there
        return channel or me.world.user(target)

    def get(self, me: Client, where: User | Channel, *keys: str):
        """Answer each key in order."""
        with me.batch("metadata", name_of(where)):
            for key in keys:
                if KEY.fullmatch(key):
                    self.show(me, where, key)
                else:
                    fail(me, "KEY_INVALID", key, text="A key consists of a-z, 0-9 and _./-")

    def show_all(self, me: Client, where: User | Channel, *_: str):
        """Show all that is set."""
        with me.batch("metadata", name_of(where)):
            for key in list(self.store.of(where)):
                self.show(me, where, key)

    def show(self, me: Client, where: User | Channel, key: str) -> None:
        me.reply(*self.told(where, key))

    def told(self, where: User | Channel, key: str) -> tuple:
        """Give the numeric, with its values, that tells of a key."""
        value = self.store.of(where).get(key)
        if value is None:
            return RPL_KEYNOTSET, name_of(where), key
        return RPL_KEYVALUE, name_of(where), key, EVERYBODY, value

    def put(self, me: Client, where: User | Channel, key: str = "", *value: str):
        """Set a key; without a value, take it away."""
        values = self.store.of(where)
        if not KEY.fullmatch(key):
            fail(me, "KEY_INVALID", key, text="A key consists of a-z, 0-9 and _./-")
        elif not may_set(me, where):
            fail(me, "KEY_NO_PERMISSION", name_of(where), key, text="You may not set that")
        elif not value and key not in values:
            fail(me, "KEY_NOT_SET", name_of(where), key, text="It is not set")
        elif value and (size(value[0]) > MAX_VALUE_BYTES or NO_UTF8.search(value[0])):
            fail(me, "INVALID_VALUE", key, text=f"A value is at most {MAX_VALUE_BYTES} bytes of UTF-8")
        elif value and key not in values and len(values) >= MAX_KEYS:
            fail(me, "LIMIT_REACHED", name_of(where), text=f"At most {MAX_KEYS} keys")
        elif wait := me.state.setdefault(Pace, Pace()).seconds_to_wait():
            fail(me, "RATE_LIMITED", name_of(where), key, str(wait), text="Too many changes: wait a little")
        else:
            self.change(me, where, key, *value)

    def clear(self, me: Client, where: User | Channel, *_: str):
        """Take all keys away."""
        if not may_set(me, where):
            fail(me, "KEY_NO_PERMISSION", name_of(where), "*", text="You may not clear that")
            return
        if wait := me.state.setdefault(Pace, Pace()).seconds_to_wait():
            fail(me, "RATE_LIMITED", name_of(where), "*", str(wait), text="Too many changes: wait a little")
            return
        with me.batch("metadata", name_of(where)):
            for key in list(self.store.of(where)):
                self.change(me, where, key)

    def change(self, me: Client, where: User | Channel, key: str, *value: str) -> None:
        """Change one key, tell our client, and whoever wants to know."""
        self.store.change(self.store.of(where), key, value[0] if value else None)
        self.show(me, where, key)
        for one in self.store.sharers(where):
            self.tell_hearers(me, one, key)

    def sub(self, me: Client, where: User | Channel, *keys: str):
        """Subscribe to keys: as many as are allowed."""
        mine, done = me.state.setdefault(Metadata, {}), []
        for key in keys:
            if not KEY.fullmatch(key):
                fail(me, "KEY_INVALID", key, text="A key consists of a-z, 0-9 and _./-")
            elif key not in mine and len(mine) >= MAX_SUBSCRIPTIONS:
                fail(me, "TOO_MANY_SUBS", key, text=f"At most {MAX_SUBSCRIPTIONS} keys")
                break
            else:
                mine[key] = None
                self.subscribers.setdefault(key, set()).add(me)
                done.append(key)
        yield from me.reply_words(RPL_METADATASUBOK, (), done)
        for channel in list(me.user.channels) if done else ():
            me.reply(RPL_METADATASYNCLATER, channel.name)

    def unsub(self, me: Client, where: User | Channel, *keys: str):
        """Hear no more of keys."""
        good = [key for key in keys if KEY.fullmatch(key)]
        for key in keys:
            if key not in good:
                fail(me, "KEY_INVALID", key, text="A key consists of a-z, 0-9 and _./-")
        self.forget(me, good)
        yield from me.reply_words(RPL_METADATAUNSUBOK, (), good)

    def subs(self, me: Client, where: User | Channel, *_: str):
        """List one's own subscriptions."""
        with me.batch("metadata-subs"):
            yield from me.reply_words(RPL_METADATASUBS, (), list(me.state.get(Metadata, ())))

    def sync(self, me: Client, where: User | Channel, *_: str):
        """Show all that is subscribed to of a user, or of a channel and all its members."""
        with me.batch("metadata", name_of(where)):
            for one in [where, *where.members] if isinstance(where, Channel) else [where]:
                yield  # the batch goes on, whoever comes in between
                for key in self.subscribed(me, one):
                    self.show(me, one, key)

    # --- who hears of it ----------------------------------------------------------------------

    def hearers(self, where: User | Channel, key: str) -> list[Client]:
        """Give the sessions that want to know of this key, here."""
        sessions = [one for one in self.subscribers.get(key, ()) if NAME in one.caps]
        if isinstance(where, Channel):
            return [one for one in sessions if one.user in where.members]
        watchers = self.server.extensions[Monitor].watchers.get(fold(where.nick), ())
        return [one for one in sessions
                if one.user is where or one in watchers or one.user.shares_channel(where)]

    def tell_hearers(self, me: Client, where: User | Channel, key: str) -> None:
        """Tell all others who want to know."""
        for session in self.hearers(where, key):
            if session is not me:
                self.tell(me, session, where, key)

    def tell(self, me: Client, session: Client, where: User | Channel, key: str) -> None:
        numeric, *values = self.told(where, key)
        me.tell_session(session, session.numeric(numeric, *values, nick=session.user.nick or "*"))

    def subscribed(self, session: Client, where: User | Channel) -> list[str]:
        """Give what is set there that a session has subscribed to."""
        keys = session.state.get(Metadata, ()) if NAME in session.caps else ()
        values = self.store.of(where) if keys else ()
        return [key for key in keys if key in values]

    def joined(self, me: Client, channel: Channel) -> None:
        if me.user.sessions[0] is me:  # once for all its sessions
            for key in self.store.of(me.user):
                for session in self.hearers(me.user, key):
                    if session.user is not me.user and session.user in channel.members:
                        self.tell(me, session, me.user, key)
        if NAME not in me.caps or not me.state.get(Metadata):
            return
        found = []
        for one in [channel, *channel.members]:
            if one is not me.user:
                found += [(one, key) for key in self.subscribed(me, one)]
            if len(found) > MAX_AT_ONCE:
                me.reply(RPL_METADATASYNCLATER, channel.name)
                return
        with me.batch("metadata", channel.name):
            for one, key in found:
                self.show(me, one, key)

    def watched(self, me: Client, user: User) -> None:
        for key in self.subscribed(me, user):
            self.show(me, user, key)

    def seen(self, me: Client, nick: str, online: bool) -> None:
        user = me.world.user(nick) if online else None
        for session in self.server.extensions[Monitor].watchers.get(fold(nick), ()) if user else ():
            for key in self.subscribed(session, user):
                self.tell(me, session, user, key)

    def welcoming(self, me: Client) -> None:
        if NAME in me.caps:
            self.show_all(me, me.user)

    def about(self, me: Client, user: User) -> Iterable[tuple]:
        if NAME in me.caps:
            for key, value in self.store.of(user).items():
                yield RPL_WHOISKEYVALUE, key, EVERYBODY, value

    def gone(self, me: Client) -> None:
        self.forget(me, list(me.state.get(Metadata, ())))

    def forget(self, me: Client, keys: Iterable[str]) -> None:
        """End subscriptions."""
        for key in keys:
            me.state.get(Metadata, {}).pop(key, None)
            sessions = self.subscribers.get(key, set())
            sessions.discard(me)
            if not sessions:
                self.subscribers.pop(key, None)

    def logged_in(self, me: Client) -> None:
        for key in self.store.log_in(me.user):
            if me.user.registered:  # else nobody sees it yet
                self.tell_hearers(me, me.user, key)


SUBCOMMANDS = {
    "GET": Metadata.get, "LIST": Metadata.show_all, "SET": Metadata.put, "CLEAR": Metadata.clear,
    "SUB": Metadata.sub, "UNSUB": Metadata.unsub, "SUBS": Metadata.subs, "SYNC": Metadata.sync,
}


def name_of(where: User | Channel) -> str:
    """Give the name of a target; before the registration nobody has one."""
    return where.name if isinstance(where, Channel) else where.nick if where.registered else "*"


def may_see(me: Client, channel: Channel) -> bool:
    """Tell whether our user may see what is set: in channels that one cannot just enter, members only."""
    if channel in me.user.channels or me.user.is_operator:
        return True
    return not (channel.key or "i" in channel.flags or channel.is_banned(me.user))


def may_set(me: Client, where: User | Channel) -> bool:
    """Tell whether our user may change it."""
    if isinstance(where, User):
        return where is me.user or me.user.is_operator
    return me.may(where, "o")


def fail(me: Client, code: str, *context: str, text: str) -> None:
    """Send a FAIL; what cannot be a parameter is shown as *."""
    context = ["*" if not word or " " in word or word[0] == ":" else word[:MAX_SHOWN] for word in context]
    me.standard("FAIL", "METADATA", code, *context, text=text)
