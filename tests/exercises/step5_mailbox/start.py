"""Exercise: a message to a user who is not here is kept, and delivered at her next login."""

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

    # TODO


class MailHandler(ChatHandler):
    """One user's requests.

    MSG to a user who is not here is answered `OK kept`, or `ERR mailbox-full` if MAX_KEPT wait
    already.  At LOGIN, the OK comes first, then what was kept, in order.
    """

    # TODO


class MailServer(ChatServer):
    """Serve chat users who are not always there."""

    handler_class = MailHandler
    registry_class = MailRegistry


if __name__ == "__main__":
    sys.exit(main(MailServer, server_parser("Serve a chat with mailboxes.")))
