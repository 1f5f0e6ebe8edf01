"""Solution: QUIET and LOUD: for users who do not want to get ALL."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.hub import Audience, Hub
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import main
from step3_protocol.protocol import check_text


class QuietHub(Hub):
    """A hub with a second audience: the users who want to get ALL."""

    def __init__(self):
        super().__init__()
        self.loud = Audience()


class QuietHandler(BroadcastHandler):
    """After QUIET a user gets no ALL events until LOUD; both are answered OK."""

    VERBS = BroadcastHandler.VERBS | {"QUIET": "", "LOUD": ""}

    def do_LOGIN(self, name):
        super().do_LOGIN(name)
        self.registry.loud.add(self)

    def do_ALL(self, text):
        self.tell(self.registry.loud, "ALL", self.name, check_text(text))
        self.ok()

    def do_QUIET(self):
        self.fall_silent()
        self.ok()

    def do_LOUD(self):
        if self not in self.registry.loud.members:  # a user who was in it twice would get every line twice
            self.registry.loud.add(self)
        self.ok()

    def on_gone(self):
        super().on_gone()
        self.fall_silent()

    def fall_silent(self):
        if self in self.registry.loud.members:
            self.registry.loud.remove(self)


class QuietServer(BroadcastServer):
    """Serve chat users, some of whom do not want to be disturbed."""

    handler_class = QuietHandler
    registry_class = QuietHub


if __name__ == "__main__":
    sys.exit(main(QuietServer, server_parser("Leave alone who wants it.")))
