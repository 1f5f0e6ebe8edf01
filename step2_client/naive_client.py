"""WRONG ON PURPOSE: a client that takes turns, a line out and a chunk in.  Step 2's chapter says why."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step2_client is found

from step1_echo.streams import CannotWrite, mend_streams, write
from step2_client.client import CHUNK_BYTES, CannotConnect, argument_parser, complain, connect


def main() -> int:
    """Send a line, print what comes back, and so on until the input ends."""
    mend_streams()
    args = argument_parser("Take turns with a server.  WRONG ON PURPOSE.").parse_args()
    with connect(args.host, args.port) as sock:
        for line in sys.stdin:  # waits for the keyboard, and sees nothing else
            sock.sendall(line.encode())
            chunk = sock.recv(CHUNK_BYTES)  # waits for the server, and sees nothing else
            write(sys.stdout, chunk.decode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CannotConnect, CannotWrite) as error:
        sys.exit(complain(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT: what shells report for a program that Ctrl-C ended
