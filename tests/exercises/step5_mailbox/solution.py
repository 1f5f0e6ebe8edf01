"""Solution: a message to a user who is not here is kept, and delivered at her next login."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step5_server is found

from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, check_name, check_text, format_line
from step5_server.line_server import server_parser
from step5_server.registry import Registry
from step5_server.server import ChatHandler, ChatServer

MAX_KEPT = 10  # messages for one name
MAX_MAILBOXES = 1000  # names that have kept messages: anybody can invent a name


class MailRegistry(Registry):
    """The names in use, and the messages that are kept for others."""

    def __init__(self):
        super().__init__()
        self._kept: dict[str, list[bytes]] = {}  # key -> lines; guarded by lock

    def keep(self, name: str, line: bytes) -> bool:
        """Keep a line for this name; return whether there was room."""
        with self.lock:
            key = self.key(name)
            if key not in self._kept and len(self._kept) >= MAX_MAILBOXES:
                return False
            lines = self._kept.setdefault(key, [])
            if len(lines) >= MAX_KEPT:
                return False
            lines.append(line)
            return True

    def take(self, name: str) -> list[bytes]:
        """Return what was kept for this name, and forget it."""
        with self.lock:
            return self._kept.pop(self.key(name), [])


class MailHandler(ChatHandler):
    """One user's requests.

    MSG to a user who is not here is answered `OK kept`, or `ERR mailbox-full` if MAX_KEPT wait
    already.  At LOGIN, the OK comes first, then what was kept, in order.
    """

    def do_LOGIN(self, name: str):
        super().do_LOGIN(name)
        # Under the same lock as the login: nothing can be kept for her in between.
        for line in self.registry.take(name):
            self.send(line)

    def do_MSG(self, name: str, text: str):
        if self.registry.get(name):
            super().do_MSG(name, text)
        elif self.registry.keep(check_name(name), format_line("MSG", self.name, check_text(text))):
            self.ok("kept")
        else:
            raise ProtocolError("mailbox-full", "too much waits already")


class MailServer(ChatServer):
    """Serve chat users who are not always there."""

    handler_class = MailHandler
    registry_class = MailRegistry


if __name__ == "__main__":
    sys.exit(main(MailServer, server_parser("Serve a chat with mailboxes.")))
