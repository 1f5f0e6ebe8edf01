"""What a client can ask of lists of names: every status sign, each name in full, or no list at all.

The core asks for these capabilities where it writes NAMES and WHO.
Source: IRCv3 multi-prefix, userhost-in-names, no-implicit-names.
"""

from extras.irc.extension import Capability, Extension


class Listing(Extension):
    """multi-prefix, userhost-in-names and no-implicit-names."""

    capabilities = (
        Capability("multi-prefix", "every status sign in NAMES and WHO, not the highest alone"),
        Capability("userhost-in-names", "nick!user@host in NAMES"),
        Capability("no-implicit-names", "no NAMES behind a JOIN"),
    )
