"""Founders: a channel can belong to an account.  It stays when it is empty then, and is nobody else's.

    C: PRIVMSG ChanServ :REGISTER #tea
    S: :ChanServ!ChanServ@irc.example.net MODE #tea +q alice
    S: :ChanServ!ChanServ@irc.example.net NOTICE alice :#tea is yours.

founder   the account to which a channel belongs: whenever it joins, it is an owner
owner     a member with the status `q`, shown as `~`: nobody below can take its rights, or throw it out

What is kept is what the channel is like: its topic, modes, key, limit, lists and metadata; also while it
is empty, and with --db after a restart.  The core knows the founder; here it is decided who becomes one.
A channel that nobody has entered for --channel-days is nobody's again.
"""

import argparse
import itertools
import json
import time
from functools import partial
from queue import Full
from typing import TYPE_CHECKING, Any

from extras.irc.bans import Entry, Matches
from extras.irc.channels import is_founder, make_owner
from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.message import MAX_MESSAGE_BYTES
from extras.irc.more.modes import pack
from extras.irc.names import fold, mask
from extras.irc.state import Channel, User
from extras.ircv3.database import DatabaseError
from extras.ircv3.metadata import Metadata
from extras.ircv3.service import Service
from extras.ircv3.storage import Storage
from step1_echo.serving import log
from step5_server.line_server import positive

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_OF_ACCOUNT = 20  # more than one person looks after
# Of all accounts: some 20 KB each, if the lists and the metadata are full.  Who makes accounts to take
# names runs into it.
MAX_CHANNELS = 10_000
DAYS = 365.0  # whoever has a use for it comes once in a year
DAY_S = 86400
FIELDS = "name", "founder", "created_at", "topic", "topic_by", "topic_at", "key", "limit"


class Founders(Service):
    """ChanServ, which gives channels to accounts."""

    name, short = "ChanServ", "CS"
    unavailable = "Channels are temporarily unavailable: try again later."

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.add_orders(self.register, self.unregister, self.transfer, self.info, self.help)
        self.kept: dict[Channel, int] = {}  # those with a founder, and the number under which each is written
        self._left_at: dict[Channel, float] = {}  # when the last member left one; the oldest first
        self._waiting: set[Channel] = set()  # about to be written

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--channel-days",
            type=positive(float),
            default=DAYS,
            metavar="DAYS",
            help="how long a channel belongs to an account while nobody is in it (default %(default)g)",
        )

    def start(self) -> None:
        self._database = self.server.extensions[Storage].database
        self.accounts = self.server.extensions[Storage].accounts
        self._metadata = self.server.extensions[Metadata].store
        rows = self._database.read(
            lambda db: db.execute("SELECT number, state FROM channel ORDER BY number").fetchall()
        )
        self._numbers = itertools.count(rows[-1][0] + 1 if rows else 1)
        for number, state in rows:
            state = json.loads(state)
            channel = made_of(state, self.world.matches)
            # NOTE: a server of before wrote neither its metadata nor when it was left.
            self._metadata.of(channel).update(state.get("metadata", {}))
            self._left_at[channel] = state.get("left_at") or time.time()
            self.world.channels[fold(channel.name)] = channel
            self.kept[channel] = number
        self._left_at = dict(sorted(self._left_at.items(), key=lambda item: item[1]))

    def connected(self, me: Client) -> None:
        """When somebody comes, those are released that nobody has entered for too long."""
        long_ago = time.time() - self.options.channel_days * DAY_S
        while self._left_at and (oldest := next(iter(self._left_at.items())))[1] < long_ago:
            self.release(oldest[0])

    def release(self, channel: Channel) -> None:
        """Let an empty channel end."""
        log.info("%s: released: nobody has come for %g days", channel.name, self.options.channel_days)
        channel.founder = ""
        del self._left_at[channel]
        # If the disk is far behind, it is there after a restart, and is released then.
        self._database.later(partial(self.write, channel, self.kept.pop(channel)))
        self.world.drop_if_empty(channel)

    def keeps_channel(self, channel: Channel) -> bool:
        return bool(channel.founder)

    def logged_in(self, me: Client) -> None:
        for channel in me.user.channels:
            if is_founder(me.user, channel):
                make_owner(me, channel)

    # --- the orders -----------------------------------------------------------------------------

    def register(self, me: Client, name: str) -> None:
        """REGISTER <channel>: let a channel, of which you are an operator, belong to your account."""
        channel, key = me.world.channel(name), fold(me.user.account)
        if not key:
            self.say(me, "Log in first.")
        elif channel not in me.user.channels or not me.may(channel, "o"):
            self.say(me, f"Join {name}, and be its operator.")
        elif channel.founder:
            self.say(me, f"{channel.name} belongs to somebody already.")
        elif refusal := self.why_not_more(key):
            self.say(me, refusal)
        else:
            self.give(me, channel, key)
            if me.user in channel.members:
                make_owner(me, channel)
            log.info("%s: founds %s", me, channel.name)
            self.say(me, f"{channel.name} is yours.")

    def unregister(self, me: Client, name: str) -> None:
        """UNREGISTER <channel>: give a channel of yours back; its members stay in it."""
        if channel := self.own(me, name):
            self.give(me, channel, "")
            self.settle(me, channel)
            self.say(me, f"{channel.name} is nobody's now.")

    def transfer(self, me: Client, name: str, nick: str) -> None:
        """TRANSFER <channel> <nick>: give a channel of yours to one of its members, who has logged in."""
        channel, heir = self.own(me, name), me.world.user(nick)
        if channel is None:
            return
        if heir is None or heir not in channel.members or not heir.account:
            self.say(me, f"{nick} must be there, and have logged in.")
        elif refusal := self.why_not_more(fold(heir.account)):
            self.say(me, refusal)
        else:
            self.give(me, channel, fold(heir.account))
            self.settle(me, channel)
            self.say(me, f"{channel.name} belongs to {heir.account} now.")

    def info(self, me: Client, name: str) -> None:
        """INFO <channel>: whose is it?"""
        channel = me.world.channel(name)
        if channel is None or not channel.founder or channel.is_hidden and channel not in me.user.channels:
            self.say(me, f"{name} is nobody's.")
        else:
            self.say(me, f"{channel.name} belongs to {self.accounts.name_of(channel.founder)}.")

    def own(self, me: Client, name: str) -> Channel | None:
        """Give a channel of our user's account; an operator of the server may act for all."""
        channel = me.world.channel(name)
        if channel and channel.founder and (is_founder(me.user, channel) or me.user.is_operator):
            return channel
        self.say(me, f"{name} is not yours.")
        return None

    def why_not_more(self, key: str) -> str:
        """Say why an account cannot have one more channel; "" if it can."""
        if sum(channel.founder == key for channel in self.kept) >= MAX_OF_ACCOUNT:
            return f"That would be more than {MAX_OF_ACCOUNT} channels."
        return "There are too many channels that belong to somebody." * (len(self.kept) >= MAX_CHANNELS)

    # --- what changes ---------------------------------------------------------------------------

    def give(self, me: Client, channel: Channel, founder: str) -> None:
        """Let a channel belong to an account, or to none; wait until that is written.

        It counts at once, so that no two can have the channel; if it cannot be written, it is undone.
        Raises: DatabaseError, Full.
        """
        before, channel.founder = channel.founder, founder
        number = self.kept.setdefault(channel, next(self._numbers))
        try:
            done = self._database.write(partial(self.write, channel, number))
            with me.unlocked():
                done.result()
        except (DatabaseError, Full):
            channel.founder = before
            raise
        finally:
            if not channel.founder:
                self.kept.pop(channel, None)
                self._left_at.pop(channel, None)
                if me.world.channel(channel.name) is channel:
                    me.world.drop_if_empty(channel)

    def settle(self, me: Client, channel: Channel) -> None:
        """Make the founder an owner, and those who are owners no longer operators."""
        done: list[tuple[str, str, User]] = []
        for user, letters in channel.members.items():
            if is_founder(user, channel) > ("q" in letters):
                done.append(("+", "q", user))
            elif is_founder(user, channel) < ("q" in letters):
                done += [("-", "q", user)] + [("+", "o", user)] * ("o" not in letters)
        for sign, letter, user in done:
            channel.set_status(user, letter, sign == "+")
            me.world.changed(channel, user)
        shown = [(sign, letter, user.nick) for sign, letter, user in done]
        for words, nicks in pack(shown, MAX_MESSAGE_BYTES // 2):
            me.tell(channel, Event("MODE", channel.name, words, *nicks, source=self.source))

    # --- what is written, and read at the start -------------------------------------------------

    def changed(self, channel: Channel, user: User | None) -> None:
        if channel not in self.kept:
            return
        was_empty = self._left_at.pop(channel, None)
        if not channel.members:
            self._left_at[channel] = time.time()
        if not (user is None or was_empty or not channel.members) or channel in self._waiting:
            return
        # If the disk is far behind, the next change writes it.
        if self._database.later(partial(self.write, channel, self.kept[channel])):
            self._waiting.add(channel)

    def write(self, channel: Channel, number: int, db: "Connection") -> None:
        """Write what a channel is like.  Thread: the database's; whoever holds the lock never waits for that."""
        with self.world.lock:
            self._waiting.discard(channel)
            more = {"metadata": self._metadata.of(channel), "left_at": self._left_at.get(channel)}
            state = channel.founder and json.dumps(state_of(channel) | more)
        db.execute("DELETE FROM channel WHERE number = ?", (number,))
        if state:
            db.execute("INSERT INTO channel VALUES (?, ?)", (number, state))


def state_of(channel: Channel) -> dict[str, Any]:
    """Give what a channel is like, as JSON has it."""
    return {name: getattr(channel, name) for name in FIELDS} | {
        "modes": "".join(sorted(channel.flags)),
        "lists": {letter: list(entries.values()) for letter, entries in channel.lists.entries.items()},
    }


def made_of(state: dict[str, Any], matches: Matches | None) -> Channel:
    """Make a channel that is like that."""
    channel = Channel(state["name"], state["modes"], matches)
    for name in FIELDS:
        setattr(channel, name, state[name])
    for letter, entries in state["lists"].items():
        for entry in entries:
            channel.lists.add(letter, mask(entry[0]), Entry(*entry))
    return channel
