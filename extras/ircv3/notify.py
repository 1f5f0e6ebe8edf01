"""What a client can ask to be told of others: who is away, who invites, who has which real name.

The core sends these events; an event's `need` and `instead` say who gets what.
Source: IRCv3 away-notify, extended-join, invite-notify, setname.
"""

from collections.abc import Iterable
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.message import cut_text
from extras.irc.names import REALNAME_BYTES


class Notify(Extension):
    """away-notify, extended-join, invite-notify and setname."""

    capabilities = (
        Capability("away-notify", "AWAY of others in one's channels"),
        Capability("extended-join", "JOIN with the account and the real name"),
        Capability("invite-notify", "INVITE of others to one's channels"),
        Capability("setname", "change one's real name"),
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.commands = {"SETNAME": command(setname)}

    def tokens(self) -> Iterable[str]:
        return [f"NAMELEN={REALNAME_BYTES}"]


def setname(me: Client, realname: str) -> None:
    """Change one's real name.  IRCv3 setname."""
    me.user.realname = cut_text(realname, REALNAME_BYTES)
    event = me.says("SETNAME", text=me.user.realname, need="setname")
    me.tell_user(me.user, event)
    me.tell_neighbours(me.user, event, afar=True)
