"""Exercise: CYCLE: out of a channel, and in again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.channels import join, part
from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.names import each_once
from extras.irc.server import EXTENSIONS, IrcServer, parser
from step1_echo.serving import main


class Cycle(Extension):
    """`CYCLE #tea`, or `CYCLE #tea,#milk`: leave a channel and enter it again."""

    def __init__(self, *args):
        super().__init__(*args)
        self.commands = {"CYCLE": command(cycle)}


def cycle(me: Client, names: str):
    """Leave channels, and enter them again."""
    part(me, names)
    join(me, names)  # TODO: this does not enter; and who was not there before must not get in


class CycleServer(IrcServer):
    """Serve IRC, with CYCLE."""

    def __init__(self, *args, extensions=(*EXTENSIONS, Cycle), **settings):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(CycleServer, parser()))
