"""Exercise: a robot that answers each message with the same words backwards."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step6_client is found

from step2_client.client import CannotConnect, argument_parser, complain, connect
from step6_client.chat_client import ChatClient, Event

NAME = "robot"


def run(client: ChatClient) -> None:
    """Log in, then answer each message until the server closes the connection."""
    client.request(f"LOGIN {NAME}")
    # TODO


def main() -> int:
    """Connect, and answer until the server closes the connection; return the exit status."""
    args = argument_parser("Answer each message with its words backwards.").parse_args()
    try:
        with connect(args.host, args.port) as sock:
            run(ChatClient(sock))
    except CannotConnect as error:
        return complain(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
