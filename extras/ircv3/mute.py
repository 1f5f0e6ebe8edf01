"""Mutes: a ban for `m:bob` lets bob in, and does not let him speak.

mute   `m:` and the mask of an ordinary ban, or another extended one: `m:a:alice` is for an account

An exception holds for it like for a ban, and a voice too.  Source: Ergo's manual, "Extended bans";
modern.ircdocs.horse "EXTBAN Parameter".
"""

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.names import complete_mask
from extras.irc.replies import ERR_CANNOTSENDTOCHAN, Reply
from extras.irc.state import Channel, User

MUTE = "m:"  # no nick has a colon: as a mask it matches nobody, so it keeps nobody out


class Mute(Extension):
    """The extended ban."""

    extended_bans = "m"

    def extended_ban(self, text: str) -> str | None:
        who = text.removeprefix(MUTE)
        if who == text or not who or who.startswith(MUTE):
            return None
        return MUTE + (self.server.extensions.first(Extension.extended_ban, who) or complete_mask(who))

    def why_not_speak(self, me: Client, channel: Channel, event: Event) -> Reply | None:
        if channel.lists.entries["b"] and is_muted(channel, me.user) and not me.may(channel, "v"):
            return ERR_CANNOTSENDTOCHAN, channel.name
        return None


def is_muted(channel: Channel, user: User) -> bool:
    """Return whether a mute is for this user; an exception from it, or from all bans, is stronger."""
    lists = channel.lists
    if not lists.match("b", user, MUTE):
        return False
    return not (lists.match("e", user) or lists.match("e", user, MUTE))
