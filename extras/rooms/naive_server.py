"""Rooms that one leaves only with LEAVE.  WRONG ON PURPOSE: server.py is right.

A user who logs out, or loses her connection, stays in her rooms: on_gone() forgets them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import server_parser
from extras.presence.server import PresenceHandler
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main


class ForgetfulHandler(RoomsHandler):
    """One user's requests; when she has gone, she is still in her rooms."""

    def on_gone(self) -> None:
        """Leave the server.  WRONG ON PURPOSE: and the rooms?"""
        PresenceHandler.on_gone(self)


class ForgetfulServer(RoomsServer):
    """Serve chat users, who leave ghosts in their rooms."""

    handler_class = ForgetfulHandler


if __name__ == "__main__":
    sys.exit(main(ForgetfulServer, server_parser("Serve a chat whose rooms keep users who have gone (wrong!).")))
