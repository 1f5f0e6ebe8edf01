"""Solution: wait for one caller and talk to it, so that two people can talk without a server."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step2_client is found

from step2_client.client import argument_parser, talk


def main() -> int:
    """Say `listening on HOST:PORT`, wait for one caller, talk to it; return the exit status."""
    args = argument_parser("Wait for one caller, and talk.").parse_args()
    with socket.create_server((args.host, args.port)) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
        sock, _ = listener.accept()
    with sock:  # the listener is closed: the next caller is refused
        return talk(sock)


if __name__ == "__main__":
    sys.exit(main())
