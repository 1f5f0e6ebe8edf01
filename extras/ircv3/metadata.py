"""METADATA: what users and channels say of themselves by keys.

key      `avatar`, `display-name`, ...: a client shows those that it knows
target   a user or a channel; `*` is oneself

What is set is in metadata_store.py; who hears of it, in metadata_news.py.  Source: IRCv3 metadata
(draft/metadata-3: what has changed is told by the numerics that also answer GET).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability
from extras.irc.message import NO_UTF8, size
from extras.irc.names import fold
from extras.irc.replies import Numeric, Reply
from extras.irc.state import Channel, User
from extras.ircv3.metadata_news import (
    EVERYBODY,
    KEY,
    MAX_SUBSCRIPTIONS,
    NAME,
    SOURCE,
    MetadataNews,
    fail,
    name_of,
    refuse_key,
)
from extras.ircv3.metadata_store import MAX_KEYS

RPL_WHOISKEYVALUE = Numeric("760", "<nick> <key> <visibility> :<value>", SOURCE)
MAX_VALUE_BYTES = 300  # with a nick, a channel's name and a key it still fits into one line
# One change costs as much as a message to all one's channels.  Twice what a client sets when it connects.
CHANGES, CHANGES_S = 60, 60.0


class Pace:
    """How much one client changes."""

    def __init__(self) -> None:
        self._since, self._count = time.monotonic(), 0

    def seconds_to_wait(self) -> int:
        """Count a change; tell how long the client has to wait, if there were too many."""
        now = time.monotonic()
        if now - self._since >= CHANGES_S:
            self._since, self._count = now, 0
        self._count += 1
        return int(self._since + CHANGES_S - now) + 1 if self._count > CHANGES else 0


class Metadata(MetadataNews):
    """draft/metadata-3."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        tokens = f"before-connect,max-subs={MAX_SUBSCRIPTIONS},max-keys={MAX_KEYS},max-value-bytes={MAX_VALUE_BYTES}"
        self.capabilities = (Capability(NAME, "what others say of themselves", value=lambda: tokens),)
        self.commands = {"METADATA": command(self.metadata, early=NAME, only_utf8=True)}

    def metadata(self, me: Client, target: str, subcommand: str, *params: str) -> Iterator[None]:
        """Say something of oneself by keys, or ask: GET, LIST, SET, CLEAR, SUB, UNSUB, SUBS, SYNC.  IRCv3 metadata."""
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

    def get(self, me: Client, where: User | Channel, *keys: str) -> None:
        """Answer each key in order."""
        with me.batch("metadata", name_of(where)):
            for key in keys:
                if KEY.fullmatch(key):
                    self.show(me, where, key)
                else:
                    refuse_key(me, key)

    def show_all(self, me: Client, where: User | Channel, *_: str) -> None:
        """Show all that is set."""
        with me.batch("metadata", name_of(where)):
            for key in list(self.store.of(where)):
                self.show(me, where, key)

    def put(self, me: Client, where: User | Channel, key: str = "", *value: str) -> None:
        """Set a key; without a value, take it away."""
        values = self.store.of(where)
        if not KEY.fullmatch(key):
            refuse_key(me, key)
        elif not may_set(me, where):
            fail(me, "KEY_NO_PERMISSION", name_of(where), key, text="You may not set that")
        elif not value and key not in values:
            fail(me, "KEY_NOT_SET", name_of(where), key, text="It is not set")
        elif value and (size(value[0]) > MAX_VALUE_BYTES or NO_UTF8.search(value[0])):
            fail(me, "INVALID_VALUE", key, text=f"A value is at most {MAX_VALUE_BYTES} bytes of UTF-8")
        elif value and key not in values and len(values) >= MAX_KEYS:
            fail(me, "LIMIT_REACHED", name_of(where), text=f"At most {MAX_KEYS} keys")
        elif not is_too_fast(me, where, key):
            self.change(me, where, key, *value)

    def clear(self, me: Client, where: User | Channel, *_: str) -> None:
        """Take all keys away."""
        if not may_set(me, where):
            fail(me, "KEY_NO_PERMISSION", name_of(where), "*", text="You may not clear that")
        elif not is_too_fast(me, where, "*"):
            with me.batch("metadata", name_of(where)):
                for key in list(self.store.of(where)):
                    self.change(me, where, key)

    def change(self, me: Client, where: User | Channel, key: str, *value: str) -> None:
        """Change one key, tell our client, and whoever wants to know."""
        self.store.change(self.store.of(where), key, value[0] if value else None)
        if isinstance(where, Channel):
            me.world.changed(where, None)
        self.show(me, where, key)
        for one in self.store.sharers(where):
            self.tell_hearers(me, one, key)

    def welcoming(self, me: Client) -> None:
        if NAME in me.caps:
            self.show_all(me, me.user)

    def about(self, me: Client, user: User) -> Iterable[Reply]:
        if NAME in me.caps:
            for key, value in self.store.of(user).items():
                yield RPL_WHOISKEYVALUE, key, EVERYBODY, value


SUBCOMMANDS: dict[str, Callable[..., Iterator[None] | None]] = {
    "GET": Metadata.get,
    "LIST": Metadata.show_all,
    "SET": Metadata.put,
    "CLEAR": Metadata.clear,
    "SUB": Metadata.sub,
    "UNSUB": Metadata.unsub,
    "SUBS": Metadata.subs,
    "SYNC": Metadata.sync,
}


def is_too_fast(me: Client, where: User | Channel, key: str) -> bool:
    """Count a change; say so if there were too many of them."""
    pace: Pace = me.state.setdefault(Pace, Pace())
    if wait := pace.seconds_to_wait():
        fail(me, "RATE_LIMITED", name_of(where), key, str(wait), text="Too many changes: wait a little")
    return wait > 0


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
