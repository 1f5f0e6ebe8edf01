"""AWAY before the registration: a client that connects by itself says that nobody sits there.

`AWAY *` means away for no special reason.  Source: IRCv3 pre-away.
"""

from extras.irc import talk
from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.replies import ERR_NOTREGISTERED

NAME = "draft/pre-away"


class PreAway(Extension):
    """draft/pre-away."""

    def __init__(self, *args):
        super().__init__(*args)
        self.capabilities = (Capability(NAME, "AWAY before the registration"),)
        self.commands = {"AWAY": command(away, early=True)}


def away(me: Client, text: str = ""):
    """Say that one is away, or, without a text, that one is back.  RFC 2812 section 4.1, IRCv3 pre-away."""
    if me.user.registered or NAME in me.caps:
        talk.away(me, text)
    else:
        me.reply(ERR_NOTREGISTERED)
