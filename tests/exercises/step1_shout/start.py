"""Exercise: an echo server that shouts: `hello` comes back as `HELLO`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step1_echo is found

from step1_echo.server import EchoHandler, EchoServer
from step1_echo.serving import argument_parser, main


class ShoutHandler(EchoHandler):
    """Talk to one client, in capitals."""

    # TODO: your own handle(); for now the parent's is used


class ShoutServer(EchoServer):
    """Give each connection to a ShoutHandler."""

    handler_class = ShoutHandler


if __name__ == "__main__":
    sys.exit(main(ShoutServer, argument_parser("Echo in capitals.")))
