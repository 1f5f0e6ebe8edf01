"""Solution: SEEN: was somebody here, and is she still here?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.broadcast.hub import Hub
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError

MAX_REMEMBERED = 1000  # otherwise a peer that logs in under a million names fills our memory


class RememberingHub(Hub):
    """A hub that knows who was here, the last thousand of them."""

    def __init__(self):
        super().__init__()
        self.seen = {}  # key -> None, the newest at the end; guarded by the lock

    def claim(self, name, member):
        super().claim(name, member)
        self.seen.pop(self.key(name), None)
        self.seen[self.key(name)] = None
        if len(self.seen) > MAX_REMEMBERED:
            del self.seen[next(iter(self.seen))]


class SeenHandler(PresenceHandler):
    """`SEEN bob` is answered `OK online`, `OK gone`, or `ERR never-seen …`."""

    VERBS = PresenceHandler.VERBS | {"SEEN": "name"}

    def do_SEEN(self, name):
        if self.registry.get(name):
            self.ok("online")
        elif self.registry.key(name) in self.registry.seen:
            self.ok("gone")
        else:
            raise ProtocolError("never-seen", "not that we remember")


class SeenServer(PresenceServer):
    """Serve chat users, and remember who was here."""

    handler_class = SeenHandler
    registry_class = RememberingHub


if __name__ == "__main__":
    sys.exit(main(SeenServer, server_parser("Remember who was here.")))
