"""Presence, with a LOGIN in two steps.  WRONG ON PURPOSE: server.py does it in one.

It makes the newcomer's list, releases the lock, and goes on later.  A user who leaves in
between is in her list and will never be taken out of it: a ghost.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.server import BroadcastHandler
from extras.presence.listing import list_lines
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import announce, main

UNLUCKY_S = 3  # a microsecond is enough, now and then; in 3 s you can do it by hand


class TwoStepHandler(PresenceHandler):
    """One user's requests; LOGIN looks first and acts later."""

    def do_LOGIN(self, name: str) -> None:
        """Look who is here; some time later, take the name and tell the others."""
        others = self.registry.names()
        self.registry.lock.release()  # WRONG ON PURPOSE: others come and go from here ...
        announce(f"{name} has looked who is here")
        time.sleep(UNLUCKY_S)
        self.registry.lock.acquire()  # ... to here
        BroadcastHandler.do_LOGIN(self, name)
        for line in list_lines(others, "USERS"):
            self.send(line)
        self.tell(self.registry.everyone, "ONLINE", self.name)


class TwoStepServer(PresenceServer):
    """Serve chat users, who may see ghosts."""

    handler_class = TwoStepHandler


if __name__ == "__main__":
    sys.exit(main(TwoStepServer, server_parser("Serve a chat that lists users who have gone (wrong!).")))
