"""A client that sends what is typed and prints what arrives, both at once.

peer    the other end of a connection; for us, the server
chunk   the bytes that one read returned: any number, cut anywhere
EOF     end of file: a read that returns b"", because nothing more will ever come
"""

import argparse
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import DEFAULT_PORT, port_number
from step1_echo.streams import CannotWrite, mend_streams, tell, write

CHUNK_BYTES = 65_536  # most that one read returns; a read never waits for more than the first byte
CONNECT_TIMEOUT_S = 10  # a host that swallows our packets would make us wait two minutes
GRACE_S = 0.2  # for our own end of input to be noticed, where both ends stop at once


def pump(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    """Copy chunks from `read` to `write` until EOF.  Blocks: until then."""
    while chunk := read(CHUNK_BYTES):
        write(chunk)


def show(chunk: bytes) -> None:
    """Print a chunk at once: bytes as they are, for it may end inside a character.

    Raises: CannotWrite.
    """
    write(sys.stdout, chunk)


def read_input(max_bytes: int) -> bytes:
    """Return a chunk of the input, b"" at its end.  Blocks: until there is one."""
    try:
        # `raw`: the unbuffered file below sys.stdin, of which its type does not tell.  A buffered
        # one has a lock, and Python could not exit while one thread holds it in a read.
        return sys.stdin.buffer.raw.read(max_bytes)  # type: ignore[no-any-return, union-attr]
    except OSError as error:  # the terminal's window has been closed, for one
        tell(f"cannot read {sys.stdin.name}: {error.strerror}")
        return b""  # so there is no more


def talk(sock: socket.socket) -> int:
    """Copy both ways until the server ends the connection; return the exit status."""
    input_ended = threading.Event()

    def send_input() -> None:
        try:
            pump(read_input, sock.sendall)
            input_ended.set()  # before the half-close, which the server may answer at once
            sock.shutdown(socket.SHUT_WR)  # half-close: we say no more, and still listen
        except OSError:
            pass  # NOTE: the server is gone; the thread that receives sees that too

    # daemon: if the server goes first, this thread hangs in its read, and must not keep us
    threading.Thread(target=send_input, daemon=True).start()
    pump(sock.recv, show)
    if input_ended.wait(GRACE_S):
        return 0
    return complain("the server closed the connection")


class CannotConnect(Exception):
    """There is no server to talk to; says why in one line."""


def connect(host: str, port: int) -> socket.socket:
    """Return a socket connected to the first of the host's addresses that answers.

    Raises: CannotConnect.  Blocks: for CONNECT_TIMEOUT_S an address at most.
    """
    try:
        sock = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
    except (OSError, UnicodeError) as error:  # UnicodeError: no host can have such a name
        why = getattr(error, "strerror", None) or error
        raise CannotConnect(f"cannot connect to {host} port {port}: {why}") from None
    sock.settimeout(None)  # from now on silence is no error
    return sock


def complain(text: str) -> int:
    """Say why we stop, in one line on standard error; return the exit status."""
    tell(text)
    return 1


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the two flags that every client has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="where the server is (default %(default)s)")
    parser.add_argument(
        "--port", type=port_number, default=DEFAULT_PORT, help="which one it listens on (default %(default)s)"
    )
    return parser


def main() -> int:
    """Connect and talk; return the exit status."""
    mend_streams()
    args = argument_parser("Send what is typed, print what arrives.").parse_args()
    try:
        with connect(args.host, args.port) as sock:
            return talk(sock)
    except CannotConnect as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130  # what shells expect of a program that Ctrl-C ended: 128 + SIGINT
    except CannotWrite as error:
        if isinstance(error.__cause__, BrokenPipeError):  # nobody reads on, as in `| head -1`
            return 1
        return complain(str(error))
    except OSError as error:
        return complain(f"lost the server: {error.strerror or error}")


if __name__ == "__main__":
    sys.exit(main())
