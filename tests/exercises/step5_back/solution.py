"""Solution: BACK <text>: answer the user who wrote to you last, without typing the name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step5_server is found

from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError
from step5_server.line_server import server_parser
from step5_server.server import ChatHandler, ChatServer


class BackHandler(ChatHandler):
    """One user's requests, BACK among them."""

    VERBS = ChatHandler.VERBS | {"BACK": "text"}

    def setup(self):
        self.wrote_last: str | None = None  # others' threads set it: under the registry's lock
        super().setup()

    def do_MSG(self, name: str, text: str):
        super().do_MSG(name, text)  # raises if there is nobody, or nothing to say
        self.registry.get(name).wrote_last = self.name

    def do_BACK(self, text: str):
        if not self.wrote_last:
            raise ProtocolError("no-such-user", "nobody has written to you")
        self.do_MSG(self.wrote_last, text)


class BackServer(ChatServer):
    """Serve chat users, who can answer with one word."""

    handler_class = BackHandler


if __name__ == "__main__":
    sys.exit(main(BackServer, server_parser("Serve a chat with BACK.")))
