"""Bytes first: a message is written once, as its sender's client wants it.  WRONG ON PURPOSE: server.py is right.

Clients differ in what they have asked for.  So some get what they do not understand, and others do not
get what they have asked for.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.irc.event import Event
from extras.irc.handler import IrcHandler
from extras.irc.server import IrcServer, parser
from extras.irc.state import Channel
from step1_echo.serving import main


class HastyHandler(IrcHandler):
    """One client's requests; what it says to a channel looks to all as it would to itself."""

    def tell(self, channel: Channel, event: Event, but_me: bool = False) -> None:
        """Send to the members of a channel.  WRONG ON PURPOSE: has each of them asked for our tags?"""
        frame = self.conn.codec.frame
        data = b"".join(frame(line) for line in self.wording.lines(event, self.caps))
        outboxes = {outbox for group in channel.audience for outbox in group.outboxes}
        self.conn.send_to_all(outboxes - {self.outbox} if but_me else outboxes, data)


class HastyServer(IrcServer):
    """Serve IRC to clients that all want the same."""

    handler_class = HastyHandler


if __name__ == "__main__":
    sys.exit(main(HastyServer, parser()))
