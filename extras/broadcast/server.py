"""The chat server with ALL: one message to everybody.

From the command line: `python extras/broadcast/server.py --help`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fast_server import FastServer, server_parser
from extras.broadcast.hub import Audience, Hub
from extras.broadcast.turns import TurnHandler
from step1_echo.serving import main
from step3_protocol.protocol import Request, check_text, format_line
from step5_server.server import ChatHandler


class BroadcastHandler(TurnHandler, ChatHandler):
    """One user's requests, ALL among them."""

    registry: Hub
    VERBS = ChatHandler.VERBS | {"ALL": "text"}

    def do_ALL(self, text: str) -> None:
        """Queue a message for every other user."""
        self.tell(self.registry.everyone, "ALL", self.name, check_text(text))
        self.ok()

    def tell(self, audience: Audience, *words: str) -> None:
        """Queue an event for all of them but ourselves: formatted once, not once for each."""
        line = format_line(*words)
        self.conn.fan_out(audience.groups, lambda group: group.frame(line), but=self.outbox)

    def do(self, request: Request) -> None:
        """Call the method of its verb; a long answer is a generator."""
        if answer := getattr(self, "do_" + request.verb)(*request.args):
            self.carry_out(answer)


class BroadcastServer(FastServer):
    """Serve chat users who can speak to everybody."""

    handler_class = BroadcastHandler
    registry_class = Hub
    registry: Hub


if __name__ == "__main__":
    sys.exit(main(BroadcastServer, server_parser("Serve a chat with messages to everybody.")))
