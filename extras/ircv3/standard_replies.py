"""FAIL, WARN and NOTE: errors that a program can read, in words that a person can.

They are sent in any case where a specification wants them; who asks for the capability may get others, too.
Source: IRCv3 standard-replies.
"""

from extras.irc.extension import Capability, Extension


class StandardReplies(Extension):
    """standard-replies."""

    capabilities = (Capability("standard-replies", "FAIL, WARN and NOTE of any kind"),)
