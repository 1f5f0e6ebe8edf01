"""What a client can ask of lists of names: every status sign, and each name in full.

The core asks for these capabilities where it writes NAMES and WHO.
Source: IRCv3 multi-prefix, userhost-in-names.
"""

from extras.irc.extension import Capability, Extension


class Listing(Extension):
    """multi-prefix and userhost-in-names."""

    capabilities = (
        Capability("multi-prefix", "every status sign in NAMES and WHO, not the highest alone"),
        Capability("userhost-in-names", "nick!user@host in NAMES"),
    )
