"""Solution: a newcomer gets the last ten ALL events."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from collections import deque

from extras.broadcast.fast_server import server_parser
from extras.broadcast.hub import Hub
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import main
from step3_protocol.protocol import format_line


class WallHub(Hub):
    """A hub with a wall, on which the last messages to all stay for a while."""

    def __init__(self):
        super().__init__()
        self.wall = deque(maxlen=10)  # guarded by the lock; the eleventh pushes out the first


class WallHandler(BroadcastHandler):
    """After the OK to her LOGIN, a newcomer gets the last ten ALL events, the oldest first."""

    def do_LOGIN(self, name):
        super().do_LOGIN(name)
        for line in self.registry.wall:
            self.send(line)

    def do_ALL(self, text):
        super().do_ALL(text)  # raises if the text is bad: then it does not get on the wall
        self.registry.wall.append(format_line("ALL", self.name, text))


class WallServer(BroadcastServer):
    """Serve chat users, who may have missed something."""

    handler_class = WallHandler
    registry_class = WallHub


if __name__ == "__main__":
    sys.exit(main(WallServer, server_parser("Remember the last ten.")))
