"""Exercise: close a connection that has sent nothing for a while, after `ERR idle ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step5_server is found

from step1_echo.serving import main
from step5_server.line_server import positive, server_parser
from step5_server.server import ChatHandler, ChatServer

IDLE_TIMEOUT_S = 600.0  # ten minutes: time to make tea


class IdleHandler(ChatHandler):
    """One user's requests; remembers when the last one came."""

    # TODO


class IdleServer(ChatServer):
    """Serve chat users, and send away those who have been silent for long."""

    handler_class = IdleHandler

    def __init__(self, address, idle_timeout_s: float = IDLE_TIMEOUT_S, **settings):
        super().__init__(address, **settings)
        self.idle_timeout_s = idle_timeout_s

    @classmethod
    def settings(cls, args) -> dict:
        return super().settings(args) | {"idle_timeout_s": args.idle_timeout}

    # TODO


if __name__ == "__main__":
    parser = server_parser("Serve a chat for people who talk.")
    parser.add_argument("--idle-timeout", type=positive(float), default=IDLE_TIMEOUT_S, metavar="SECONDS")
    sys.exit(main(IdleServer, parser))
