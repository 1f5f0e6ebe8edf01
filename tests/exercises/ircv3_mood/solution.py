"""Solution: MOOD: how one feels, for those who want to know."""

import sys
from pathlib import Path
from weakref import WeakKeyDictionary

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.server import EXTENSIONS, IrcServer, parser
from extras.irc.state import Channel, User
from step1_echo.serving import main

NAME = "example.org/mood"


class Mood(Extension):
    """`MOOD :so happy` tells those who asked for example.org/mood: `:bob!b@host MOOD :so happy`.

    It tells bob himself, and each who shares a channel with him, once; an empty text takes it back.  When
    somebody joins a channel, the others are told his mood, if he has one, and he is told theirs, after the
    replies to his JOIN.  A mood ends with its user.
    """

    capabilities = (Capability(NAME, "how others in one's channels feel"),)

    def __init__(self, *args):
        super().__init__(*args)
        self.commands = {"MOOD": command(self.mood)}
        self.moods: WeakKeyDictionary[User, str] = WeakKeyDictionary()  # the world's lock guards it

    def mood(self, me: Client, text: str = ""):
        """Tell how one feels."""
        self.moods[me.user] = cut_text(text, MAX_TEXT_BYTES)
        event = self.event(me.user)
        if not text:
            del self.moods[me.user]
        me.tell_user(me.user, event)
        me.tell_neighbours(me.user, event)

    def joined(self, me: Client, channel: Channel) -> None:
        if me.user in self.moods:
            me.tell(channel, self.event(me.user), but_me=True)
        for user in channel.members:
            if user in self.moods and user is not me.user:
                me.send(self.event(user))

    def event(self, user: User) -> Event:
        """Give the event that tells a user's mood."""
        return Event("MOOD", text=self.moods[user], source=user.source, user=user, need=NAME)


class MoodServer(IrcServer):
    """Serve IRC to people with feelings."""

    def __init__(self, *args, extensions=(*EXTENSIONS, Mood), **settings):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(MoodServer, parser()))
