"""ISUPPORT: what the server supports, before the registration too, and as one batch.

A client on the phone then needs fewer round trips until it can show something.
Source: IRCv3 extended-isupport.
"""

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.replies import ERR_NOTREGISTERED
from extras.irc.server_info import isupport

NAME = "draft/extended-isupport"


class Isupport(Extension):
    """draft/extended-isupport."""

    def __init__(self, *args):
        super().__init__(*args)
        self.capabilities = (Capability(NAME, "ISUPPORT before the registration"),)
        self.commands = {"ISUPPORT": command(ask, early=True)}


def ask(me: Client):
    """Show what the server supports.  IRCv3 extended-isupport."""
    if me.user.registered or NAME in me.caps:
        isupport(me)
    else:
        me.reply(ERR_NOTREGISTERED)
