"""The chat server that tells who is here: WHO, USERS, ONLINE and OFFLINE.

From the command line: `python extras/presence/server.py --help`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from extras.presence.listing import list_lines
from step1_echo.serving import main


class PresenceHandler(BroadcastHandler):
    """One user's requests; the others are told who comes and goes."""

    VERBS = BroadcastHandler.VERBS | {"WHO": ""}

    def do_LOGIN(self, name: str) -> None:
        """Take a name, list who is here, and tell the others: one step, as all of do_*.

        If the lock were released in between, somebody could leave after the list was made
        and before the newcomer gets events, and would stay in her list for ever.
        """
        others = self.registry.names()
        super().do_LOGIN(name)
        for line in list_lines(others, "USERS"):
            self.send(line)
        self.tell(self.registry.everyone, "ONLINE", self.name)

    def do_WHO(self) -> None:
        """List all users, the one who asks too."""
        names = self.registry.names()
        for line in list_lines(names, "USERS"):
            self.send(line)
        self.ok(f"{len(names)} online")

    def on_gone(self) -> None:
        """Free the name and announce it, once: after a LOGOUT this is called again."""
        if self.name and self.registry.get(self.name) is self:
            super().on_gone()
            self.tell(self.registry.everyone, "OFFLINE", self.name)


class PresenceServer(BroadcastServer):
    """Serve chat users who know of each other."""

    handler_class = PresenceHandler


if __name__ == "__main__":
    sys.exit(main(PresenceServer, server_parser("Serve a chat that tells who is here.")))
