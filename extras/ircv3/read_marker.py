"""MARKREAD: how far somebody has read, so that her other clients know it.

    C: MARKREAD #tea timestamp=2026-11-28T12:00:00.000Z
    S: :irc.example.net MARKREAD #tea timestamp=2026-11-28T12:00:00.000Z

marker   the time of the last message that was read in a window; it never goes back
All markers are in memory, as JOIN shows one under the world's lock; those of accounts are in the
database, too.  If the disk fails, the newest are lost: then one sees a message as new once more.
Source: IRCv3 read-marker.
"""

import time
from typing import TYPE_CHECKING, Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.names import fold, is_channel, is_nick
from extras.irc.state import Channel
from extras.ircv3.history import raw, reader_key
from extras.ircv3.replay import as_word
from extras.ircv3.storage import Storage
from extras.ircv3.tags import server_time, time_of

if TYPE_CHECKING:
    from sqlite3 import Connection

CAP = "draft/read-marker"
MAX_MARKERS = 200  # of one user: more windows than anybody has open; beyond it, the oldest is forgotten


class ReadMarker(Extension):
    """draft/read-marker."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (Capability(CAP, "how far one has read"),)
        self.commands = {"MARKREAD": command(self.markread)}
        self._markers: dict[bytes, dict[bytes, int]] = {}  # reader -> target -> milliseconds

    def start(self) -> None:
        self._database = self.server.extensions[Storage].database
        query = "SELECT reader, target, time FROM read_marker ORDER BY time"
        for reader, target, moment in self._database.read(lambda db: db.execute(query).fetchall()):
            self._markers.setdefault(reader, {})[target] = moment

    def gone(self, me: Client) -> None:
        if me.user.sessions in ([], [me]):
            self._markers.pop(reader_key(me.user, account=""), None)  # those before it has logged in

    def introduce(self, me: Client, channel: Channel) -> None:
        if CAP in me.caps:
            me.send(self.marker(me, channel.name))

    def renamed(self, channel: Channel, old: str) -> None:
        """Let the markers of a channel go with it."""
        before, after = raw(fold(old)), raw(fold(channel.name))
        for markers in self._markers.values() if before != after else ():
            if before in markers:
                markers[after] = markers.pop(before)

        self._database.later(
            lambda db: db.execute("UPDATE OR REPLACE read_marker SET target = ? WHERE target = ?", (after, before))
        )

    def markread(self, me: Client, target: str = "", timestamp: str = "") -> None:
        """Say how far one has read, or ask for it.  IRCv3 read-marker."""
        if not target:
            me.standard("FAIL", "MARKREAD", "NEED_MORE_PARAMS", text="Missing parameters")
            return
        kind, _, value = timestamp.partition("=")
        moment = time_of(value) if kind == "timestamp" else None
        if not (is_nick(target) or is_channel(target)) or timestamp and moment is None:
            wrong = timestamp if is_nick(target) or is_channel(target) else target
            me.standard("FAIL", "MARKREAD", "INVALID_PARAMS", as_word(wrong), text="Invalid parameters")
            return
        has_moved = moment is not None and self.move(me, target, min(moment, int(time.time() * 1000)))
        event = self.marker(me, target)
        me.send(event)
        if has_moved:
            for session in me.user.sessions:
                if session is not me and CAP in session.caps:
                    me.tell_session(session, event)

    def marker(self, me: Client, target: str) -> Event:
        """Give the event that tells how far our user has read."""
        moment = self._markers.get(reader_key(me.user), {}).get(raw(fold(target)))
        shown = "*" if moment is None else "timestamp=" + server_time((moment + 0.5) / 1000)
        return Event("MARKREAD", target, shown, source=self.server.name)

    def move(self, me: Client, target: str, moment: int) -> bool:
        """Move a marker forward; tell whether it was further back."""
        reader, key = reader_key(me.user), raw(fold(target))
        markers = self._markers.setdefault(reader, {})
        if markers.get(key, -1) >= moment:
            return False
        markers.pop(key, None)
        markers[key] = moment  # the last one now
        lost = next(iter(markers)) if len(markers) > MAX_MARKERS else None
        if lost is not None:
            del markers[lost]
        if me.user.account:
            self.keep(reader, key, moment, lost)
        return True

    def keep(self, reader: bytes, target: bytes, moment: int, lost: bytes | None) -> None:
        """Have the database's thread keep a marker."""

        def write(db: "Connection") -> None:
            db.execute("REPLACE INTO read_marker VALUES (?, ?, ?)", (reader, target, moment))
            db.execute("DELETE FROM read_marker WHERE reader = ? AND target = ?", (reader, lost))

        self._database.later(write)  # if the disk is far behind, the marker is in memory alone
