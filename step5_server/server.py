"""The chat server: LOGIN, MSG, LOGOUT and HELP for many users at once.

From the command line: `python step5_server/server.py --help`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import main
from step3_protocol.protocol import VERBS, ProtocolError, check_name, check_text, format_line
from step5_server.line_server import LineServer, server_parser
from step5_server.registry import NameTaken
from step5_server.request_handler import RequestHandler


class ChatHandler(RequestHandler):
    """One user's requests."""

    VERBS = VERBS

    def do_LOGIN(self, name: str) -> None:
        """Take a name that nobody else has."""
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        try:
            self.registry.claim(check_name(name), self)
        except NameTaken:
            raise ProtocolError("name-taken", "somebody else has this name") from None
        self.name = name
        self.ok(f"welcome, {name}")

    def do_MSG(self, name: str, text: str) -> None:
        """Queue a message for one user."""
        member = self.registry.get(name)
        if member is None:
            raise ProtocolError("no-such-user", "nobody here has that name")
        self.send_to(member, format_line("MSG", self.name, check_text(text)))
        self.ok()

    def do_LOGOUT(self) -> None:
        """Say goodbye; the name is free from now on."""
        self.ok("bye")
        self.on_gone()
        self.server.dismiss(self, "LOGOUT")

    def do_HELP(self) -> None:
        """List the verbs."""
        self.ok(" ".join(self.VERBS))

    def on_gone(self) -> None:
        """Free the name."""
        if self.name:
            self.registry.release(self.name, self)


class ChatServer(LineServer):
    """Serve chat users."""

    handler_class = ChatHandler


if __name__ == "__main__":
    parser = server_parser("Serve a chat.")
    # Once this server kept to one core; scripts that say so, or that it must not, still start it.
    parser.add_argument("--pin", "--no-pin", action="store_true", help=argparse.SUPPRESS)
    sys.exit(main(ChatServer, parser))
