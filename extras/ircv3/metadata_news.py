"""Who hears of metadata: of which keys, and when.

subscriber  a session that asked for a key: it hears of changes in its channels, and of those it monitors

Source: IRCv3 metadata, "Notifications".
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from extras.irc.client import Client
from extras.irc.extension import CannotStart, Extension
from extras.irc.names import fold
from extras.irc.replies import Numeric, Reply
from extras.irc.state import Channel, User
from extras.ircv3.database import DatabaseError
from extras.ircv3.metadata_store import Store
from extras.ircv3.monitor import Monitor
from extras.ircv3.storage import Storage

SOURCE = "IRCv3 metadata"
RPL_KEYVALUE = Numeric("761", "<target> <key> <visibility> :<value>", SOURCE)
RPL_KEYNOTSET = Numeric("766", "<target> <key> :key not set", SOURCE)
RPL_METADATASUBOK = Numeric("770", "<keys...>", SOURCE)
RPL_METADATAUNSUBOK = Numeric("771", "<keys...>", SOURCE)
RPL_METADATASUBS = Numeric("772", "<keys...>", SOURCE)
RPL_METADATASYNCLATER = Numeric("774", "<target>", SOURCE)

NAME = "draft/metadata-3"
KEY = re.compile(r"[a-z0-9_./-]{1,40}")
MAX_SUBSCRIPTIONS = 50  # more keys than any client knows
MAX_AT_ONCE = 50  # values that come with a JOIN: 20 kB; if there are more, the client asks when it has time
MAX_SHOWN = 40  # characters of what is no key: as long as a key may be
EVERYBODY = "*"  # the visibility: there is no other one here


class MetadataNews(Extension):
    """SUB, UNSUB, SUBS and SYNC, and what comes unasked."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.subscribers: dict[str, set[Client]] = {}

    def start(self) -> None:
        try:
            self.store = Store(self.server.extensions[Storage].database)
        except DatabaseError as error:
            raise CannotStart(f"--db: {error}") from None

    def sub(self, me: Client, where: User | Channel, *keys: str) -> Iterator[None]:
        """Subscribe to keys: as many as are allowed."""
        mine, done = me.state.setdefault(MetadataNews, {}), []
        for key in keys:
            if not KEY.fullmatch(key):
                refuse_key(me, key)
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

    def unsub(self, me: Client, where: User | Channel, *keys: str) -> Iterator[None]:
        """Hear no more of keys."""
        good = [key for key in keys if KEY.fullmatch(key)]
        for key in keys:
            if key not in good:
                refuse_key(me, key)
        self.forget(me, good)
        yield from me.reply_words(RPL_METADATAUNSUBOK, (), good)

    def subs(self, me: Client, where: User | Channel, *_: str) -> Iterator[None]:
        """List one's own subscriptions."""
        with me.batch("metadata-subs"):
            yield from me.reply_words(RPL_METADATASUBS, (), list(me.state.get(MetadataNews, ())))

    def sync(self, me: Client, where: User | Channel, *_: str) -> Iterator[None]:
        """Show all that is subscribed to of a user, or of a channel and all its members."""
        asked: list[User | Channel] = [where, *where.members] if isinstance(where, Channel) else [where]
        with me.batch("metadata", name_of(where)):
            for one in asked:
                yield  # the batch goes on, whoever comes in between
                for key in self.subscribed(me, one):
                    self.show(me, one, key)

    # --- what is told, and to whom --------------------------------------------------------------

    def show(self, me: Client, where: User | Channel, key: str) -> None:
        me.reply(*self.told(where, key))

    def told(self, where: User | Channel, key: str) -> Reply:
        """Give the numeric, with its values, that tells of a key."""
        value = self.store.of(where).get(key)
        if value is None:
            return RPL_KEYNOTSET, name_of(where), key
        return RPL_KEYVALUE, name_of(where), key, EVERYBODY, value

    def hearers(self, where: User | Channel, key: str) -> list[Client]:
        """Give the sessions that want to know of this key, here."""
        sessions = [one for one in self.subscribers.get(key, ()) if NAME in one.caps]
        if isinstance(where, Channel):
            return [one for one in sessions if one.user in where.members]
        watchers = self.server.extensions[Monitor].watchers.get(fold(where.nick), ())
        return [one for one in sessions if one.user is where or one in watchers or one.user.shares_channel(where)]

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
        keys = session.state.get(MetadataNews, ()) if NAME in session.caps else ()
        values = self.store.of(where) if keys else ()
        return [key for key in keys if key in values]

    def joined(self, me: Client, channel: Channel) -> None:
        if me.user.sessions and me.user.sessions[0].outbox is me.outbox:  # once for all its sessions
            for key in self.store.of(me.user):
                for session in self.hearers(me.user, key):
                    if session.user is not me.user and session.user in channel.members:
                        self.tell(me, session, me.user, key)
        if NAME not in me.caps or not me.state.get(MetadataNews):
            return
        found: list[tuple[User | Channel, str]] = []
        targets: list[User | Channel] = [channel, *channel.members]
        for one in targets:
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
        if online and (user := me.world.user(nick)):
            for session in self.server.extensions[Monitor].watchers.get(fold(nick), ()):
                for key in self.subscribed(session, user):
                    self.tell(me, session, user, key)

    def logged_in(self, me: Client) -> None:
        for key in self.store.log_in(me.user):
            if me.user.registered:  # else nobody sees it yet
                self.tell_hearers(me, me.user, key)

    def gone(self, me: Client) -> None:
        self.forget(me, list(me.state.get(MetadataNews, ())))

    def forget(self, me: Client, keys: Iterable[str]) -> None:
        """End subscriptions."""
        for key in keys:
            me.state.get(MetadataNews, {}).pop(key, None)
            sessions = self.subscribers.get(key, set())
            sessions.discard(me)
            if not sessions:
                self.subscribers.pop(key, None)


def name_of(where: User | Channel) -> str:
    """Give the name of a target; before the registration nobody has one."""
    return where.name if isinstance(where, Channel) else where.nick if where.registered else "*"


def refuse_key(me: Client, key: str) -> None:
    """Say that this cannot be a key."""
    fail(me, "KEY_INVALID", key, text="A key consists of a-z, 0-9 and _./-")


def fail(me: Client, code: str, *context: str, text: str) -> None:
    """Send a FAIL; what cannot be a parameter is shown as *."""
    words = ["*" if not word or " " in word or word[0] == ":" else word[:MAX_SHOWN] for word in context]
    me.standard("FAIL", "METADATA", code, *words, text=text)
