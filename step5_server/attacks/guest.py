"""What the attacks are made of: a guest, who speaks and hears lines, one at a time.

Each attack ends with status 0 (the server survived) or 1 (it did not).
"""

import contextlib
import socket
import sys

PORT = int(sys.argv[1]) if sys.argv[1:] else 9000


class Guest:
    """One connection to the server on this machine."""

    def __init__(self, name: str = "", from_host: str = "127.0.0.1", reads_little: bool = False):
        self.sock = socket.socket()
        self.sock.settimeout(10)
        if reads_little:
            # What does not fit in here waits at the server.  And in this machine its kernel would
            # take 3 MB for us; with pieces as small as a network's, it takes as much as there.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(OSError):  # not every system lets us
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        self.sock.bind((from_host, 0))
        self.sock.connect(("127.0.0.1", PORT))
        self.heard = b""
        if name and not (reply := self.ask(f"LOGIN {name}")).startswith("OK"):
            print(f"{name} cannot log in: {reply}")
            sys.exit(2)

    def say(self, *lines: str) -> None:
        self.sock.sendall("".join(line + "\n" for line in lines).encode())

    def hear(self, patience_s: float = 10) -> str:
        """Return the next line; what is left at the end; "(nothing)" if nothing comes in time."""
        self.sock.settimeout(patience_s)
        try:
            while b"\n" not in self.heard and (chunk := self.sock.recv(4096)):
                self.heard += chunk
        except TimeoutError:
            return "(nothing)"
        except ConnectionError:
            pass  # the end, too
        line, _, self.heard = self.heard.partition(b"\n")
        return line.decode()

    def ask(self, line: str, patience_s: float = 10) -> str:
        self.say(line)
        return self.hear(patience_s)
