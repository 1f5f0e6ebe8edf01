"""STS: tell clients that came without TLS to come with it, and to stay with it for some time.

policy   the value of the capability: the port for TLS, and for how many seconds to use nothing else

A client keeps the policy: whoever offers it must have TLS for at least as long.  To end it, offer
--sts 0 for as long: without the flag, clients keep what they know.
Source: IRCv3 sts.
"""

import argparse
from typing import Any

from extras.irc.extension import CannotStart, Capability, Extension

DEFAULT_S = 30 * 24 * 3600  # long enough that somebody who comes once a month stays safe


class Sts(Extension):
    """sts."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (
            Capability("sts", "come with TLS, and with nothing else", value=self.policy, is_policy=True),
        )

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--sts",
            metavar="SECONDS",
            type=seconds,
            nargs="?",
            const=DEFAULT_S,
            help="tell clients to use TLS only, for so long; 30 days unless you say, 0 ends it (with --tls-cert)",
        )

    def start(self) -> None:
        if self.options.sts is not None and "tls_cert" in self.options and not self.options.tls_cert:
            raise CannotStart("--sts wants --tls-cert, too: it sends clients to the port for TLS")

    def policy(self) -> str:
        """Give the policy; "" where there is none, or no TLS."""
        door = self.server.tls_door
        if self.options.sts is None or door is None:
            return ""
        if self.options.sts == 0:
            return "duration=0"  # with a port, it would still send everybody there
        return f"duration={self.options.sts},port={door.server_address[1]}"


def seconds(text: str) -> int:
    """Take a number of seconds from the command line."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return int(text)
