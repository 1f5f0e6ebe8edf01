"""AWAY before the registration: a client that connects by itself says that nobody sits there.

`AWAY *` means away for no special reason.  Source: IRCv3 pre-away.
"""

from extras.irc.command import command
from extras.irc.extension import Capability, Extension
from extras.irc.talk import away

NAME = "draft/pre-away"


class PreAway(Extension):
    """draft/pre-away."""

    capabilities = (Capability(NAME, "AWAY before the registration"),)
    commands = {"AWAY": command(away, early=NAME)}
