"""Exercise: what did she say last?"""

import sys
from pathlib import Path
from weakref import WeakKeyDictionary

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.state import Channel, User
from extras.ircv3.every import EXTENSIONS

MOST = 100  # nicks of one channel that are remembered


class LastWords(Extension):
    """LASTWORDS #tea bob: a NOTICE with what bob said last in the channel; for its members only."""

    def __init__(self, *args):
        super().__init__(*args)
        self.commands = {"LASTWORDS": command(self.lastwords)}
        self._words: WeakKeyDictionary[Channel, dict[str, str]] = WeakKeyDictionary()  # they end with the channel

    def observe(self, event: Event, place: Channel | User) -> None:
        pass  # TODO

    def lastwords(self, me: Client, name: str, nick: str):
        """Tell what somebody said last."""
        # TODO


ALL = (*EXTENSIONS, LastWords)
