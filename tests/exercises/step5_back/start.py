"""Exercise: BACK <text>: answer the user who wrote to you last, without typing the name."""

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

    def do_BACK(self, text: str):
        # TODO
        raise ProtocolError("no-such-user", "nobody has written to you")


class BackServer(ChatServer):
    """Serve chat users, who can answer with one word."""

    handler_class = BackHandler


if __name__ == "__main__":
    sys.exit(main(BackServer, server_parser("Serve a chat with BACK.")))
