"""Solution: a user who joins a room gets its last five lines."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from collections import deque

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step3_protocol.protocol import format_line


class HistoryHandler(RoomsHandler):
    """After the OK to her JOIN, a newcomer gets the room's last five SAY events."""

    def do_JOIN(self, name):
        super().do_JOIN(name)
        for line in self.history(name):
            self.send(line)

    def do_SAY(self, name, text):
        super().do_SAY(name, text)
        self.history(name).append(format_line("SAY", self.my_room(name).name, self.name, text))

    def history(self, name):
        """Return the room's last lines; they are kept in the room, and disappear with it."""
        return self.my_room(name).__dict__.setdefault("history", deque(maxlen=5))


class HistoryServer(RoomsServer):
    """Serve chat users, who may come late."""

    handler_class = HistoryHandler


if __name__ == "__main__":
    sys.exit(main(HistoryServer, server_parser("Repeat it for who comes late.")))
