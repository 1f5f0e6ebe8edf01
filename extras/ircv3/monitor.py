"""MONITOR: tell a client when the nicks of its friends come and go.

watched   what a session watches: folded nick -> as typed

Source: IRCv3 monitor, extended-monitor.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.names import each_once, fold, is_nick
from extras.irc.replies import Numeric
from extras.irc.state import User

RPL_MONONLINE = Numeric("730", ":<targets>", "IRCv3 monitor")
RPL_MONOFFLINE = Numeric("731", ":<targets>", "IRCv3 monitor")
RPL_MONLIST = Numeric("732", ":<targets>", "IRCv3 monitor")
RPL_ENDOFMONLIST = Numeric("733", ":End of MONITOR list", "IRCv3 monitor")
ERR_MONLISTFULL = Numeric("734", "<limit> <targets> :Monitor list is full", "IRCv3 monitor")
MAX_MONITORED = 100  # nicks that one client may watch: enough for a long list of friends


class Monitor(Extension):
    """MONITOR and extended-monitor."""

    capabilities = (Capability("extended-monitor", "AWAY and SETNAME of those whom one monitors"),)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.watchers: dict[str, set[Client]] = {}  # folded nick -> who wants to know
        self.commands = {"MONITOR": command(self.monitor)}

    def tokens(self) -> Iterable[str]:
        return [f"MONITOR={MAX_MONITORED}"]

    def monitor(self, me: Client, action: str, targets: str = "") -> Iterator[None]:
        """Watch nicks come and go: `+ a,b`, `- a,b`, C(lear), L(ist), S(tatus).  IRCv3 monitor."""
        watched = me.state.setdefault(Monitor, {})
        nicks = [nick for nick in each_once(targets) if is_nick(nick)]
        if action == "+":
            for number, nick in enumerate(nicks):
                if fold(nick) not in watched and len(watched) >= MAX_MONITORED:
                    me.reply(ERR_MONLISTFULL, MAX_MONITORED, ",".join(nicks[number:]))
                    nicks = nicks[:number]
                    break
                watched[fold(nick)] = nick
                self.watchers.setdefault(fold(nick), set()).add(me)
            yield from show(me, nicks)
            yield from self.tell_watched(me, nicks)
        elif action == "-":
            for nick in nicks:
                watched.pop(fold(nick), None)
                self.unwatch(me, fold(nick))
        elif action in ("C", "c"):
            self.gone(me)
            watched.clear()
        elif action in ("L", "l"):
            yield from me.reply_words(RPL_MONLIST, (), list(watched.values()), between=",")
            me.reply(RPL_ENDOFMONLIST)
        elif action in ("S", "s"):
            yield from show(me, list(watched.values()))

    def tell_watched(self, me: Client, nicks: Iterable[str]) -> Iterator[None]:
        """Let extensions tell what there is to know of those who are here."""
        for nick in nicks:
            if user := me.world.user(nick):
                for watched in self.server.extensions.hooks(Extension.watched):
                    watched(me, user)
                    yield

    def unwatch(self, me: Client, key: str) -> None:
        """Do not tell the client any more; `key` is the folded nick."""
        watchers = self.watchers.get(key, set())
        watchers.discard(me)
        if not watchers:
            self.watchers.pop(key, None)

    def gone(self, me: Client) -> None:
        for key in me.state.get(Monitor, ()):
            self.unwatch(me, key)

    def seen(self, me: Client, nick: str, online: bool) -> None:
        user = me.world.user(nick)
        for watcher in self.watchers.get(fold(nick), ()):
            numeric, name = (RPL_MONONLINE, user.source) if online and user else (RPL_MONOFFLINE, nick)
            me.tell_session(watcher, me.numeric(numeric, name, nick=watcher.user.nick))

    def friends(self, user: User) -> Iterable[Client]:
        watchers = self.watchers.get(fold(user.nick), ())
        return [session for session in watchers if "extended-monitor" in session.caps]


def show(me: Client, nicks: list[str]) -> Iterator[None]:
    """Send 730 for the nicks that are here, 731 for the others."""
    users = {nick: me.world.user(nick) for nick in nicks}
    online = [user.source for user in users.values() if user]
    offline = [nick for nick, user in users.items() if not user]
    yield from me.reply_words(RPL_MONONLINE, (), online, between=",")
    yield from me.reply_words(RPL_MONOFFLINE, (), offline, between=",")
