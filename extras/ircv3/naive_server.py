"""Whatever a client puts in front of its message is handed on.  WRONG ON PURPOSE: extras/irc/server.py is right.

Tags are what readers trust: who speaks, and when.  So anybody can be anybody.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from collections.abc import Iterable
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.server import IrcServer, parser
from extras.ircv3.every import EXTENSIONS
from step1_echo.serving import main


class Trusting(Extension):
    """PRIVMSG to a channel, with all tags of its sender."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.commands = {"PRIVMSG": command(privmsg)}


def privmsg(me: Client, name: str, text: str) -> None:
    """Say something in a channel.  WRONG ON PURPOSE: are these tags the sender's to give?"""
    if channel := me.world.channel(name):
        me.tell(channel, me.says("PRIVMSG", channel.name, text=text, tags=me.tags), but_me=True)


class TrustingServer(IrcServer):
    """Serve IRC to people who never lie."""

    def __init__(self, *args: Any, extensions: Iterable[type[Extension]] = (*EXTENSIONS, Trusting), **settings: Any):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(TrustingServer, parser()))
