"""An echo server from the raw socket calls.  WRONG ON PURPOSE: one client at a time.

While it talks to one client nobody else is served: server.py gives each client a
thread.  The six calls below are what every TCP server does, in this order.
"""

import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import announce, argument_parser, explain_bind_error, format_address
from step1_echo.streams import mend_streams, tell

CHUNK_BYTES = 65536  # memory for the one connection, however much passes through it


def listen(host: str, port: int) -> socket.socket:
    """Return the socket that clients connect to.  Raises: OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # IPv4, TCP
    if os.name == "posix":  # without it, a restart waits a minute for its old port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))  # this address is ours now
    listener.listen()  # the kernel may complete connections for us
    return listener


def serve(listener: socket.socket) -> None:
    """Echo for one client after the other.  Blocks: for ever."""
    while True:
        sock, address = listener.accept()  # one client's own socket
        with sock:
            while chunk := sock.recv(CHUNK_BYTES):  # b"" is EOF: the client is done
                sock.sendall(chunk)


if __name__ == "__main__":
    mend_streams()
    args = argument_parser("Echo, one client after the other.").parse_args()
    try:
        listener = listen(args.host, args.port)
    except OSError as error:
        tell(explain_bind_error(error, args.host, args.port))
        sys.exit(1)
    announce(f"listening on {format_address(listener.getsockname())}")
    try:
        serve(listener)
    except KeyboardInterrupt:
        tell("stopping")
