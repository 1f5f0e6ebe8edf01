"""znc.in/playback: how clients of bouncers (The Lounge, Palaver) ask for what was said since they left.

    C: PRIVMSG *playback :PLAY * 1795841038.245
    C: ZNC *playback PLAY #tea 1795841038.245 1795841099

The times are seconds; the first is that of the last message that the client has, and is left out, as
the second one is.  Without times, all there is comes, up to MOST.
Source: wiki.znc.in/Playback.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.names import fold
from extras.ircv3 import messages
from extras.ircv3.database import DatabaseError
from extras.ircv3.history import History, reader_key
from extras.ircv3.messages import SAID, Buffer, Point, Row

if TYPE_CHECKING:
    from sqlite3 import Connection

NAME = "*playback"
MOST = 1000  # messages of one answer, the newest: more than anybody scrolls through


class ZncPlayback(Extension):
    """znc.in/playback."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (Capability("znc.in/playback", "what was said before, as a bouncer gives it"),)
        self.commands = {"ZNC": command(self.znc)}

    def start(self) -> None:
        self.history = self.server.extensions[History]

    def service(self, nick: str) -> Callable[[Client, str], None] | None:
        return self.hear if fold(nick) == NAME else None

    def znc(self, me: Client, module: str, *words: str) -> None:
        """Speak to a module of a bouncer; there is one."""
        if fold(module) == NAME:
            self.hear(me, " ".join(words))

    def hear(self, me: Client, text: str) -> None:
        """Send messages: PLAY <name>|* [<after> [<before>]]."""
        order, name, after, before, *_ = *text.split(), "", "", "", ""
        first, last = point(after), point(before)
        one = None if name == "*" else self.history.buffer(me, name, (SAID,))
        if order.upper() != "PLAY" or first is None or last is None or not (one or name == "*"):
            me.notice("PLAY <channel or nick>|* [<seconds> [<seconds>]]", source=f"{NAME}!{NAME}@{self.server.name}")
            return
        try:
            self.play(me, name, one, first, last if before else None)
        except DatabaseError:
            me.notice("History is temporarily unavailable", source=f"{NAME}!{NAME}@{self.server.name}")

    def play(self, me: Client, name: str, one: Buffer | None, after: Point, before: Point | None) -> None:
        """Send the newest messages of one buffer, or of all.  Lets go of the lock meanwhile."""
        reader, since = reader_key(me.user), self.history.since
        channels = self.history.channels(me)

        def find(db: "Connection") -> list[Row]:
            found = [
                row
                for buffer in ([one] if one else messages.windows(db, reader, channels, since))
                for row in messages.latest(db, buffer, MOST, after, before)
            ]
            newest = sorted(found, key=lambda row: row.time)[-MOST:]
            return sorted(newest, key=lambda row: row.shown)  # each window's messages stay in their order

        with me.unlocked():
            rows: list[Row] = self.history.read(find)
        for shown in dict.fromkeys(row.shown for row in rows):
            target = shown.decode("utf-8", "surrogateescape")
            with me.batch("chathistory", target):
                me.carry_out(self.history.replay(me, target, [row for row in rows if row.shown == shown]))


def point(text: str) -> Point | None:
    """Take seconds; none is a point, too."""
    try:
        seconds = float(text or 0)
    except ValueError:
        return None
    return Point(round(seconds * 1000)) if math.isfinite(seconds) and 0 <= seconds < 1e12 else None
