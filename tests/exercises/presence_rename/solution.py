"""Solution: NICK: another name, without leaving."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.presence.server import PresenceHandler, PresenceServer
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, check_name


class RenameHandler(PresenceHandler):
    """`NICK robert` is answered OK; the others get `NICK bob robert`."""

    VERBS = PresenceHandler.VERBS | {"NICK": "name"}

    def do_NICK(self, name):
        holder = self.registry.get(check_name(name))
        if holder is not None and holder is not self:
            raise ProtocolError("name-taken", "somebody else has this name")
        # All under the lock: nobody sees us without a name, or with two.
        self.registry.release(self.name, self)
        self.registry.claim(name, self)
        old, self.name = self.name, name
        self.ok()
        self.tell(self.registry.everyone, "NICK", old, name)


class RenameServer(PresenceServer):
    """Serve chat users, who may change their names."""

    handler_class = RenameHandler


if __name__ == "__main__":
    sys.exit(main(RenameServer, server_parser("Let users change their names.")))
