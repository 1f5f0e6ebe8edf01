"""Always here: an account's clients share one user, and the user stays while none of them is connected.

session   one connection of a user's; what it does, the user's other sessions see
absent    a user without sessions: others see it as away, and it stays in its channels
state     what is written of a user, so that it is here again after a restart

What several sessions have in common is the core's: see `share` in registration.py, and show_away() in
client.py (a user is away if all its sessions are).  Here it is decided who may share, and who stays.
Both are for those who have logged in: whose they are, anybody could say.

SIMPLIFIED: a channel that was empty but for absent users has the modes of a new one after a restart,
unless it has a founder (founders.py).
"""

import argparse
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from extras.irc.channels import NEW_CHANNEL_MODES
from extras.irc.client import NOT_CONNECTED, Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.names import fold
from extras.irc.registration import quit
from extras.irc.state import Channel, User
from extras.ircv3.nickserv import NickServ
from extras.ircv3.storage import Storage
from step1_echo.serving import log
from step5_server.line_server import positive
from step5_server.registry import NameTaken

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_SESSIONS = 10  # of one user: more devices than anybody has
MAX_ABSENT = 1000  # users: each takes a nick, and a place in up to 100 channels
# Somebody who has been away longer will not read what she has missed, and others want the nick.  It is
# longer than a holiday.
DAYS = 30.0
DAY_S = 86400
QUITS = "Quit"
CLEAN = {QUITS, "the server is stopping"}  # reasons for which a session ends, and its client knows it
SWITCHES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


class Wishes(NamedTuple):
    """What an account has chosen; None is what the server does by itself."""

    stays: bool | None = None
    shares: bool | None = None


class Always(Extension):
    """--always-on."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.commands = {"QUIT": command(self.quit, early=True)}
        self.users: dict[str, User] = {}  # by account: those who will stay, and the absent
        self.keys: dict[User, str] = {}  # and which account that is
        self.absent: dict[str, float] = {}  # and when the last session ended; the oldest first
        self._wishes: dict[str, Wishes] = {}
        self._waiting: set[str] = set()  # accounts whose user is about to be written

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--always-on",
            nargs="?",
            choices=("off", "opt-in", "opt-out"),
            default="off",
            const="opt-in",
            help="let clients of one account share a nick, and users stay without a client: those who ask"
            " NickServ for it (opt-in, if you give no word), or all who do not refuse (opt-out)",
        )
        flags.add_argument(
            "--always-on-days",
            type=positive(float),
            default=DAYS,
            metavar="DAYS",
            help="how long a user stays without a client (default %(default)g)",
        )

    @staticmethod
    def is_wanted(options: argparse.Namespace) -> bool:
        mode: str = options.always_on
        return mode != "off"

    def start(self) -> None:
        self._database = self.server.extensions[Storage].database
        nickserv = self.server.extensions[NickServ]
        self.say, nickserv.orders["SET"] = nickserv.say, command(self.set)
        rows = self._database.read(
            lambda db: db.execute(
                "SELECT account, stays, shares, state, seen_at FROM always ORDER BY seen_at"
            ).fetchall()
        )
        for account, stays, shares, state, seen_at in rows:
            self._wishes[account] = Wishes(*(None if wish is None else bool(wish) for wish in (stays, shares)))
            if state and len(self.absent) < MAX_ABSENT:
                self.bring_back(account, json.loads(state), seen_at)
        self.absent = dict(sorted(self.absent.items(), key=lambda item: item[1]))

    # --- who shares, and who stays --------------------------------------------------------------

    def shares(self, me: Client, user: User) -> bool:
        if not user.account or self.wishes(user).shares is False:
            return False
        if me.waits and not me.user.account:
            return "CAP" in me.waits  # it may still log in
        return me.user.account == user.account and len(user.sessions) < MAX_SESSIONS

    def stays(self, user: User) -> bool:
        """Return whether a user wants to stay."""
        if not user.account:
            return False
        wish = self.wishes(user).stays
        return self.options.always_on == "opt-out" if wish is None else wish

    def wishes(self, user: User) -> Wishes:
        return self._wishes.get(fold(user.account), Wishes())

    def keeps(self, me: Client, user: User) -> bool:
        self.know(user)
        if not (key := self.keys.get(user)):
            return False
        if len(self.absent) >= MAX_ABSENT:
            log.warning("%s: does not stay: %d others are absent", me, MAX_ABSENT)
            return False
        self.absent[key] = last_read(me)
        self.save(key)
        return True

    def registered(self, me: Client) -> None:
        since = self.absent.pop(self.keys.get(me.user, ""), None)
        if since is not None:
            me.state[Always] = time.monotonic(), since
        self.know(me.user)

    def logged_in(self, me: Client) -> None:
        self.left(me.user)  # it may be another account's now
        self.know(me.user)

    def know(self, user: User) -> None:
        """Look whether a user will stay, and have it written; only one of an account does."""
        if user.registered and self.stays(user):
            key = fold(user.account)
            if self.users.setdefault(key, user) is user:
                self.keys[user] = key
                self.save(key)

    def left(self, user: User) -> None:
        if key := self.keys.pop(user, None):
            del self.users[key]
            self.absent.pop(key, None)
            self.save(key)

    def connected(self, me: Client) -> None:
        """When somebody comes, those go who have been away for too long: the oldest are the first."""
        long_ago = time.time() - self.options.always_on_days * DAY_S
        while self.absent and (oldest := next(iter(self.absent.items())))[1] < long_ago:
            me.leave(self.users[oldest[0]], "Away for too long")

    # --- orders ---------------------------------------------------------------------------------

    def quit(self, me: Client, reason: str = "") -> None:
        """End this session; its user's other sessions go on."""
        if me.user.registered:
            # With several clients for one nick, each is told that it is this one that ends.
            me.send(me.says("QUIT", text=f"Quit: {reason}"))
            me.end_reason = QUITS
        quit(me, reason)

    def set(self, me: Client, name: str, value: str) -> None:
        """SET ALWAYS-ON|MULTICLIENT ON|OFF: stay here without a client; let your clients share your nick."""
        field = {"ALWAYS-ON": "stays", "MULTICLIENT": "shares"}.get(name.upper())
        is_on = SWITCHES.get(value.lower())
        account = fold(me.user.account)
        if not account:
            self.say(me, "Log in first.")
        elif field is None or is_on is None:
            self.say(me, self.set.__doc__ or "")
        else:
            # First what may fail, and this one wish alone: another client may set the other one meanwhile.
            done = self._database.write(
                lambda db: db.execute(
                    f"INSERT INTO always (account, {field}) VALUES (?, ?)"
                    f" ON CONFLICT (account) DO UPDATE SET {field} = excluded.{field}",
                    (account, is_on),
                )
            )
            with me.unlocked():
                done.result()
            self._wishes[account] = self._wishes.get(account, Wishes())._replace(**{field: is_on})
            if self.stays(me.user):
                self.know(me.user)
            else:
                self.left(me.user)
            self.say(me, f"{name.upper()} is {'on' if is_on else 'off'} now.")

    # --- what is written, and read at the start ---------------------------------------------------

    def changed(self, channel: Channel, user: User | None) -> None:
        if user in self.keys:
            self.save(self.keys[user])

    def renamed(self, channel: Channel, old: str) -> None:
        for user in channel.members:
            self.changed(channel, user)

    def seen(self, me: Client, nick: str, online: bool) -> None:
        if online and (user := me.world.user(nick)) in self.keys:
            self.save(self.keys[user])

    def save(self, key: str) -> None:
        """Have it written soon what an account's user is like then, or that it has none."""
        # If the disk is far behind, the next change writes it.
        if key not in self._waiting and self._database.later(partial(self.write, key)):
            self._waiting.add(key)

    def write(self, key: str, db: "Connection") -> None:
        """Write a user's state.  Thread: the database's; whoever holds the lock never waits for that."""
        with self.world.lock:
            self._waiting.discard(key)
            user = self.users.get(key)
            state, seen_at = user and json.dumps(state_of(user)), self.absent.get(key)
        db.execute(
            "INSERT INTO always (account, state, seen_at) VALUES (?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET state = excluded.state, seen_at = excluded.seen_at",
            (key, state, seen_at),
        )

    def bring_back(self, key: str, state: dict[str, Any], seen_at: float | None) -> None:
        """Let a user be here who was here when the server stopped; with sessions, if `seen_at` is None."""
        seen_at = time.time() if seen_at is None else seen_at
        if seen_at < time.time() - self.options.always_on_days * DAY_S:
            return
        user = User(None, state["host"])
        places, user.other_hosts = state["channels"], tuple(state["other_hosts"])
        for name in FIELDS:
            setattr(user, name, state[name])
        try:
            self.world.rename(user, state["nick"])
        except NameTaken:
            return  # NOTE: two accounts had it, one after the other, and the newest is here
        user.away = user.away or NOT_CONNECTED
        self.world.register(user)
        for letter in state["modes"]:
            self.world.set_mode(user, letter, True)
        for name, status in places.items():
            self.world.join(user, name, NEW_CHANNEL_MODES).members[user] = status
        self.users[key], self.keys[user], self.absent[key] = user, key, seen_at


def last_read(me: Client) -> float:
    """Give the time up to which a client whose session ends has read what it was sent.

    If it did not say that it ends, it may have been dead since we heard of it last: then it rather
    reads something twice than never.
    """
    if me.end_reason in CLEAN:
        return time.time()
    attached_at: float
    since: float  # the end of the session before it
    attached_at, since = me.state.get(Always, (0.0, 0.0))
    if me.conn.heard_at < attached_at:
        return since  # nobody knows that it has got what it had missed before
    return time.time() - (time.monotonic() - me.conn.heard_at)


FIELDS = "name", "realname", "address", "account", "away", "signed_on", "spoke_at"


def state_of(user: User) -> dict[str, Any]:
    """Give what a user is like, as JSON has it; to be an operator is for a session that knows the password."""
    return {name: getattr(user, name) for name in FIELDS} | {
        "nick": user.nick,
        "host": user.host,
        "other_hosts": user.other_hosts,
        "modes": "".join(sorted(user.modes - {"o"})),
        "channels": {channel.name: channel.members[user] for channel in user.channels},
    }
