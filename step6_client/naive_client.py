"""WRONG ON PURPOSE: what arrives is printed at once, wherever the cursor is.  Step 6's chapter says why."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step2_client is found

from step1_echo.streams import mend_streams
from step2_client.client import CannotConnect, argument_parser, complain, connect


def receive(sock) -> None:
    """Print each line as it is: between the keys of a person, control characters and all."""
    for line in sock.makefile(encoding="utf-8"):
        print(f"{line}> ", end="", flush=True)  # and the prompt again


def main() -> int:
    """Send each typed line while a second thread prints."""
    mend_streams()
    args = argument_parser("Chat, badly.  WRONG ON PURPOSE.").parse_args()
    with connect(args.host, args.port) as sock:
        threading.Thread(target=receive, args=(sock,), daemon=True).start()
        try:
            while True:
                sock.sendall(input("> ").encode() + b"\n")
        except (EOFError, KeyboardInterrupt):
            return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotConnect as error:
        sys.exit(complain(str(error)))
