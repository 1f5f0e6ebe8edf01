"""ISUPPORT: what the server supports, before the registration too, and as one batch.

A client on the phone then needs fewer round trips until it can show something.
Source: IRCv3 extended-isupport.
"""

from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.welcome import isupport

NAME = "draft/extended-isupport"


class Isupport(Extension):
    """draft/extended-isupport."""

    capabilities = (Capability(NAME, "ISUPPORT before the registration"),)
    commands = {"ISUPPORT": command(isupport, early=NAME)}
