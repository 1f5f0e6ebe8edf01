"""Users and channels: what all threads share, guarded by the world's lock.

member    a user in a channel; its status is a string of letters, highest first: "", "v", "ohv"
session   a connection of a user's; nearly always there is one
audience  the outboxes of a channel's members, in one group for each set of capabilities and each framing

Nothing here takes the lock: each command holds it from beginning to end, so that a join, a rename or a
kick is one step for everybody (step 5's rule).  Nothing here knows how a message is written.
Source: RFC 2811 (channels), RFC 2812 section 3.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, final

from extras.broadcast.hub import Group, with_listener, without_listener
from extras.irc.bans import Lists, Matches

if TYPE_CHECKING:
    from extras.irc.client import Client

# Highest first, as 005 PREFIX wants it.
STATUSES = {"q": "~", "o": "@", "h": "%", "v": "+"}
RANKS = "".join(STATUSES)
FLAGS = "Cimnpst"  # modes of a channel without a parameter; C keeps CTCP out
USER_MODES = "Biow"


class Author:
    """Whoever has said something: a user; or one who is not here, of whom only this is known."""

    def __init__(self, account: str, modes: Iterable[str], signed_on: float):
        self.account = account  # "" for somebody who has not logged in
        self.modes = set(modes)
        self.signed_on = signed_on
        self.registered = False


@final  # so that `type(place) is User` tells the two apart: history asks it for each message
class User(Author):
    """Somebody with a name; `registered` once let in."""

    def __init__(self, session: "Client | None", host: str):
        super().__init__(account="", modes=(), signed_on=time.time())
        self.sessions = [session] if session else []
        self.host = self.address = host  # what others see, and where it really is
        self.nick, self.name, self.realname = "", "", ""
        self.other_hosts: tuple[str, ...] = ()  # a mask for one of these matches, too
        self.away: str | None = None
        self.channels: dict[Channel, None] = {}  # used as a set that keeps the order of joining
        self.invitations: dict[Channel, bool] = {}  # and whether a channel operator has invited
        self.spoke_at = self.signed_on
        self.source = ""

    def call(self, nick: str) -> None:
        """Take a nick; `source` is what stands in front of this user's messages."""
        self.nick = nick
        self.source = f"{nick}!{self.name}@{self.host}"

    def attach(self, session: "Client") -> None:
        """Take one more session: from now on it hears what this user hears."""
        self.sessions.append(session)
        for channel in self.channels:
            channel.let_hear(session)

    def detach(self, session: "Client") -> None:
        """Go on without this session."""
        self.sessions.remove(session)
        for channel in self.channels:
            channel.let_go(session)

    @property
    def is_operator(self) -> bool:
        """Whether this user runs the server."""
        return "o" in self.modes

    def shares_channel(self, other: "User") -> bool:
        """Return whether there is a channel that both are in."""
        return not self.channels.keys().isdisjoint(other.channels)

    def sees(self, other: "User") -> bool:
        """Return whether a search may find the other user: RFC 2812 section 3.1.5, mode i."""
        return "i" not in other.modes or other is self or self.shares_channel(other)


@final
class Channel:
    """A channel; it lives as long as it has members, or an extension keeps it."""

    def __init__(self, name: str, modes: str, matches: Matches | None = None):
        self.name = name
        self.created_at, self.renamed_at = time.time(), 0.0
        self.topic, self.topic_by, self.topic_at = "", "", 0.0
        self.members: dict[User, str] = {}
        self.invited: set[User] = set()  # who has an invitation: it ends with the channel
        self.flags = set(modes)
        self.key, self.limit = "", 0
        self.founder = ""  # the key of the account to which the channel belongs; "" if it belongs to nobody
        self.lists = Lists(matches)
        # The members' sessions in groups: a message is encoded once for a group, whatever its size.
        self.audience: tuple[Group, ...] = ()

    def let_hear(self, session: "Client") -> None:
        """Let a session hear what is said here from now on."""
        self.audience = with_listener(self.audience, *session.listener)

    def let_go(self, session: "Client") -> None:
        """Let a session hear no more."""
        self.audience = without_listener(self.audience, session.outbox)

    def prefix(self, user: User, every: bool = False) -> str:
        """Give the sign of the user's highest status here, or all of them."""
        letters = self.members.get(user)
        if not letters:
            return ""
        return "".join(STATUSES[letter] for letter in letters) if every else STATUSES[letters[0]]

    def has_status(self, user: User, least: str) -> bool:
        """Return whether the user is at least `q`, `o`, `h` or `v` here."""
        letters = self.members.get(user, "")
        return letters != "" and RANKS.index(letters[0]) <= RANKS.index(least)

    def set_status(self, user: User, letter: str, on: bool) -> None:
        """Give a member a status, or take it away; the letters stay in the order of rank."""
        letters = set(self.members[user]) - {letter} | ({letter} if on else set())
        self.members[user] = "".join(letter for letter in STATUSES if letter in letters)

    def is_banned(self, user: User) -> bool:
        """RFC 2811 section 4.3: a ban holds unless an exception matches too."""
        lists = self.lists
        return bool(lists.entries["b"]) and lists.match("b", user) and not lists.match("e", user)

    @property
    def is_hidden(self) -> bool:
        """Secret or private: shown to members only.  RFC 2811 section 4.2.6."""
        return not self.flags.isdisjoint("sp")


class Past(NamedTuple):
    """What WHOWAS tells about a name that was given up."""

    nick: str
    name: str
    host: str
    realname: str
    left_at: float
