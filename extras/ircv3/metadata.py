"""METADATA: what users and channels say of themselves by keys, and who wants to hear of it.

key         `avatar`, `display-name`, ...: a client shows those that it knows
target      a user or a channel; `*` is oneself
subscriber  a session that asked for a key: it hears of changes in its channels, and of those it monitors

Of a user who is logged in, it is kept with the account, and survives a restart with --db; all else
ends with the user, or the channel.  Source: IRCv3 metadata (draft/metadata-3: what has changed is told by the
numerics that also answer GET).
"""

import re
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.message import NO_UTF8, size
from extras.irc.names import fold
from extras.irc.replies import ERR_NOTREGISTERED, Numeric
from extras.irc.state import Channel, User
from extras.ircv3.database import DatabaseError
from extras.ircv3.monitor import Monitor
from extras.ircv3.storage import Storage
from step1_echo.serving import log

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
MAX_KEYS = 20  # of one target: with the next bound, 6 kB that a stranger can make us keep
MAX_VALUE_BYTES = 300  # with a nick, a channel's name and a key it still fits into one line
MAX_AT_ONCE = 50  # members whose metadata comes with a JOIN; for more, the client asks when it has time
EVERYBODY = "*"  # the visibility: there is no other one here


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
        self.values: WeakKeyDictionary[User | Channel, dict[str, str]] = WeakKeyDictionary()
        self.subscribers: dict[str, set[Client]] = {}
        self.kept: dict[str, dict[str, str]] = {}  # folded account -> key -> value

    def start(self) -> None:
        self.database = self.server.extensions[Storage].database
        rows = self.database.read(lambda db: db.execute("SELECT account, key, value FROM metadata").fetchall())
        for account, key, value in rows:
            self.kept.setdefault(account, {})[key] = value

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
        elif not may_see(me, where):
            fail(me, "KEY_NO_PERMISSION", target, "*", text="Only members may see that")
        else:
            yield from run(self, me, where, *params) or ()

    def find(self, me: Client, target: str) -> User | Channel | None:
        """Give whom or what a target means; before the registration, it can only be oneself."""
        if target == "*" or fold(target) == fold(me.user.nick):
            return me.user
        return (me.world.user(target) or me.world.channel(target)) if me.user.registered else None

    def of(self, where: User | Channel) -> dict[str, str]:
        """Give all that is set there."""
        return self.values.setdefault(where, {})

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
            for key in list(self.of(where)):
                self.show(me, where, key)

    def show(self, me: Client, where: User | Channel, key: str) -> None:
        me.reply(*self.told(where, key))

    def told(self, where: User | Channel, key: str) -> tuple:
        """Give the numeric, with its values, that tells of a key."""
        value = self.of(where).get(key)
        if value is None:
            return RPL_KEYNOTSET, name_of(where), key
        return RPL_KEYVALUE, name_of(where), key, EVERYBODY, value

    def put(self, me: Client, where: User | Channel, key: str = "", *value: str):
        """Set a key; without a value, take it away."""
        values = self.of(where)
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
        else:
            self.change(me, where, key, *value)

    def clear(self, me: Client, where: User | Channel, *_: str):
        """Take all keys away."""
        if not may_set(me, where):
            fail(me, "KEY_NO_PERMISSION", name_of(where), "*", text="You may not clear that")
            return
        with me.batch("metadata", name_of(where)):
            for key in list(self.of(where)):
                self.change(me, where, key)

    def change(self, me: Client, where: User | Channel, key: str, *value: str) -> None:
        """Change one key, tell our client, and whoever wants to know."""
        values = self.of(where)
        if value:
            values[key] = value[0]
        else:
            values.pop(key, None)
        self.show(me, where, key)
        for session in self.hearers(where, key):
            if session is not me:
                self.tell(me, session, where, key)
        if isinstance(where, User) and where.account:
            self.keep(fold(where.account), key, values.get(key))

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
                self.show_subscribed(me, one)

    # --- who hears of it ----------------------------------------------------------------------

    def hearers(self, where: User | Channel, key: str) -> list[Client]:
        """Give the sessions that want to know of this key, here."""
        sessions = [one for one in self.subscribers.get(key, ()) if NAME in one.caps]
        if isinstance(where, Channel):
            return [one for one in sessions if one.user in where.members]
        watchers = self.server.extensions[Monitor].watchers.get(fold(where.nick), ())
        return [one for one in sessions
                if one.user is where or one in watchers or one.user.shares_channel(where)]

    def tell(self, me: Client, session: Client, where: User | Channel, key: str) -> None:
        numeric, *values = self.told(where, key)
        me.tell_session(session, session.numeric(numeric, *values, nick=session.user.nick or "*"))

    def show_subscribed(self, me: Client, where: User | Channel) -> None:
        """Show our client what it has subscribed to, of one target."""
        values = self.values.get(where, {})
        for key in me.state.get(Metadata, ()):
            if key in values:
                self.show(me, where, key)

    def joined(self, me: Client, channel: Channel) -> None:
        for key in self.values.get(me.user, ()):
            for session in self.hearers(me.user, key):
                if session.user is not me.user and session.user in channel.members:
                    self.tell(me, session, me.user, key)
        if NAME not in me.caps or not me.state.get(Metadata):
            return
        if len(channel.members) > MAX_AT_ONCE:
            me.reply(RPL_METADATASYNCLATER, channel.name)
            return
        with me.batch("metadata", channel.name):
            for one in [channel, *channel.members]:
                if one is not me.user:
                    self.show_subscribed(me, one)

    def seen(self, me: Client, nick: str, online: bool) -> None:
        user = me.world.user(nick) if online else None
        for session in self.server.extensions[Monitor].watchers.get(fold(nick), ()) if user else ():
            for key in session.state.get(Metadata, ()) if NAME in session.caps else ():
                if key in self.values.get(user, ()):
                    self.tell(me, session, user, key)

    def welcoming(self, me: Client) -> None:
        if NAME in me.caps:
            self.show_all(me, me.user)

    def about(self, me: Client, user: User) -> Iterable[tuple]:
        if NAME in me.caps:
            for key, value in self.values.get(user, {}).items():
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

    # --- with the account ---------------------------------------------------------------------

    def logged_in(self, me: Client) -> None:
        account = fold(me.user.account)
        before = self.of(me.user)
        for key, value in before.items():
            self.keep(account, key, value)
        self.values[me.user] = dict(list({**self.kept.get(account, {}), **before}.items())[:MAX_KEYS])

    def keep(self, account: str, key: str, value: str | None) -> None:
        """Write what is set, or not any more, into the database.  Blocks: never."""
        kept = self.kept.setdefault(account, {})
        if value is None:
            kept.pop(key, None)
            statement, row = "DELETE FROM metadata WHERE account = ? AND key = ?", (account, key)
        elif key in kept or len(kept) < MAX_KEYS:
            kept[key] = value
            statement, row = "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)", (account, key, value)
        else:
            return
        try:
            self.database.write(lambda db: db.execute(statement, row))
        except DatabaseError as error:
            log.warning("metadata is not kept: %s", error)


SUBCOMMANDS = {
    "GET": Metadata.get, "LIST": Metadata.show_all, "SET": Metadata.put, "CLEAR": Metadata.clear,
    "SUB": Metadata.sub, "UNSUB": Metadata.unsub, "SUBS": Metadata.subs, "SYNC": Metadata.sync,
}


def name_of(where: User | Channel) -> str:
    """Give the name of a target; before the registration nobody has one."""
    return where.name if isinstance(where, Channel) else where.nick if where.registered else "*"


def may_see(me: Client, where: User | Channel) -> bool:
    """Tell whether our user may see what is set: in channels that one cannot just enter, members only."""
    if isinstance(where, User) or where in me.user.channels or me.user.is_operator:
        return True
    return not (where.is_hidden or where.key or "i" in where.flags or where.is_banned(me.user))


def may_set(me: Client, where: User | Channel) -> bool:
    """Tell whether our user may change it."""
    if isinstance(where, User):
        return where is me.user or me.user.is_operator
    return me.may(where, "o")


def fail(me: Client, code: str, *context: str, text: str) -> None:
    """Send a FAIL; what cannot be a parameter is shown as *."""
    context = ["*" if not word or " " in word or word[0] == ":" else word for word in context]
    me.standard("FAIL", "METADATA", code, *context, text=text)
