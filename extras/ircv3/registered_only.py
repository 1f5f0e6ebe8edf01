"""For those who are logged in only: a channel with +M hears nobody else, and a user with +R neither.

accepted   somebody whose messages a user with +R gets all the same: after ACCEPT, or a message to her

Source: Ergo's manual, "Modes"; modern.ircdocs.horse has neither.
"""

from typing import Any
from weakref import WeakKeyDictionary

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.names import each_once
from extras.irc.replies import ERR_CANNOTSENDTOCHAN, ERR_NOSUCHNICK, Numeric, Reply
from extras.irc.state import Channel, User

ERR_NEEDREGGEDNICK = Numeric("477", "<nick> :You must log in to speak to this user", "Ergo")
MAX_ACCEPTED = 100  # by one user; beyond it, the one whom she accepted first is forgotten


class RegisteredOnly(Extension):
    """The modes, and ACCEPT."""

    channel_flags = "M"
    user_modes = "R"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.commands = {"ACCEPT": command(self.accept)}
        # Whom each user accepts, in order; both are forgotten with the user.
        self._accepted: WeakKeyDictionary[User, WeakKeyDictionary[User, None]] = WeakKeyDictionary()

    def accept(self, me: Client, nicks: str) -> None:
        """Let others speak to you in spite of +R: ACCEPT bob,-carol"""
        for nick in each_once(nicks):
            user = me.world.user(nick.removeprefix("-"))
            if user is None:
                me.reply(ERR_NOSUCHNICK, nick)
            elif nick[0] == "-":
                if accepted := self._accepted.get(me.user):
                    accepted.pop(user, None)
            else:
                self.let(me.user, user)

    def let(self, user: User, other: User) -> None:
        """Have a user accept another one."""
        accepted = self._accepted.setdefault(user, WeakKeyDictionary())
        accepted[other] = None
        if len(accepted) > MAX_ACCEPTED:
            del accepted[next(iter(accepted))]

    def why_not_speak(self, me: Client, channel: Channel, event: Event) -> Reply | None:
        if "M" not in channel.flags or me.user.account or me.may(channel, "v"):
            return None
        return ERR_CANNOTSENDTOCHAN, channel.name

    def why_not_speak_to(self, me: Client, user: User, event: Event) -> Reply | None:
        if "R" in me.user.modes and user is not me.user:
            self.let(me.user, user)  # so that he can answer
        if "R" not in user.modes or me.user.account or user is me.user or me.user.is_operator:
            return None
        return None if me.user in self._accepted.get(user, ()) else (ERR_NEEDREGGEDNICK, user.nick)
