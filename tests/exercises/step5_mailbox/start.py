"""Exercise: a message to somebody who is not here is kept, and delivered at her next login."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step5_server is found

from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, check_name, check_text, format_line
from step5_server.line_server import server_parser
from step5_server.registry import Registry
from step5_server.server import ChatHandler, ChatServer

MAX_KEPT = 10  # messages for one name
MAX_MAILBOXES = 1000  # names that have some: anybody can invent a name


class MailRegistry(Registry):
    """The names in use, and what is kept for others."""

    # TODO


class MailHandler(ChatHandler):
    """One user's requests.

    MSG to somebody who is not here is answered `OK kept`, or `ERR mailbox-full` when MAX_KEPT wait
    already.  LOGIN is answered first, then what was kept comes, in order.
    """

    # TODO


class MailServer(ChatServer):
    """Serve users who are not always there."""

    handler_class = MailHandler
    registry_class = MailRegistry


if __name__ == "__main__":
    sys.exit(main(MailServer, server_parser("Serve a chat with mailboxes.")))
