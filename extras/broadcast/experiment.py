"""Take the postman away, then the lock, and see what each of them was good for.

Twelve talkers say two hundred things each to everybody, all at once, each waiting for its OK
before the next.  Eight listeners note what they hear in which order.  We count the orders,
and how often the server called send().

A race between two fan-outs takes an unlucky moment.  We make it, once in each run: whoever
first comes to the middle of the audience waits there for another.
"""

import argparse
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.broadcast.fan_out import flush_all
from extras.broadcast.hub import Hub
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step1_echo.serving import Address
from step1_echo.streams import CannotWrite, mend_streams, tell, write

TALKERS = 12
LISTENERS = 8
MESSAGES = 200  # of each talker
UNLUCKY_S = 1.0  # the longest that the first one waits: under the lock, nobody comes


class CountingSocket(socket.socket):
    """A socket that notes each send(), in a list since an append is one step."""

    sends: list[int] = []

    def send(self, data: Any, *flags: int) -> int:
        self.sends.append(1)
        return super().send(data, *flags)


class UnluckyPut:
    """The put() of one listener's outbox: who comes first to it, with an ALL, lets another go first."""

    def __init__(self, put: Callable[[bytes], None]):
        self._put = put
        self._is_first = threading.Lock()  # never released: once is enough
        self._overtaken = threading.Event()

    def __call__(self, data: bytes) -> None:
        if data.startswith(b"ALL"):
            if self._is_first.acquire(False):
                self._overtaken.wait(UNLUCKY_S)
                self._put(data)
            else:
                self._put(data)
                self._overtaken.set()
        else:
            self._put(data)


class UnluckyHandler(BroadcastHandler):
    """One user's requests; in the middle of the listeners, a fan-out may have to wait."""

    def do_LOGIN(self, name: str) -> None:
        if name == f"listener{LISTENERS // 2}":
            self.outbox.put = UnluckyPut(self.outbox.put)
        super().do_LOGIN(name)


class AsItIs(BroadcastServer):
    """The server, with sockets that count, and that moment."""

    handler_class = UnluckyHandler

    def get_request(self) -> tuple[socket.socket, Address]:
        sock, address = super().get_request()
        return CountingSocket(fileno=sock.detach()), address


class WithoutPostman(AsItIs):
    """WRONG ON PURPOSE: each sender's thread flushes all that it has touched."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.deliver = flush_all


class NoLock(contextlib.nullcontext[None]):
    """A lock that locks nothing."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return True

    def release(self) -> None:
        pass


class Unlocked:
    """A registry whose lock locks nothing."""

    def __init__(self, registry: Hub):
        self._registry = registry
        self.lock = NoLock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


class UnlockedHandler(UnluckyHandler):
    """WRONG ON PURPOSE: a request is no longer one step."""

    def setup(self) -> None:
        super().setup()
        self.registry = Unlocked(self.registry)  # type: ignore[assignment]  # it is no Hub, but acts like one


class WithoutLock(AsItIs):
    """WRONG ON PURPOSE: two fan-outs may overtake each other."""

    handler_class = UnlockedHandler


def try_out(server_class: type[AsItIs]) -> tuple[int, float]:
    """Return how many orders the listeners heard, and the sends for each message."""
    server = server_class(("127.0.0.1", 0))
    acceptor = threading.Thread(target=server.serve_forever, args=(0.01,))
    acceptor.start()
    with contextlib.ExitStack() as stack:
        stack.callback(acceptor.join)
        stack.callback(server.stop)

        def log_in(name: str) -> tuple[socket.socket, BinaryIO]:
            sock = stack.enter_context(socket.create_connection(server.server_address[:2]))
            lines = stack.enter_context(sock.makefile("rb"))
            sock.sendall(f"LOGIN {name}\n".encode())
            lines.readline()
            return sock, lines

        def talk(sock: socket.socket, lines: BinaryIO) -> None:
            for n in range(MESSAGES):
                sock.sendall(b"ALL %d\n" % n)
                while lines.readline() != b"OK\n":
                    pass

        listeners = [log_in(f"listener{n}") for n in range(LISTENERS)]
        talkers = [threading.Thread(target=talk, args=log_in(f"talker{n}")) for n in range(TALKERS)]
        CountingSocket.sends.clear()
        for thread in talkers:
            thread.start()
        orders = {b"".join(lines.readline() for _ in range(TALKERS * MESSAGES)) for _, lines in listeners}
        for thread in talkers:
            thread.join()
        return len(orders), len(CountingSocket.sends) / (TALKERS * MESSAGES)


def main() -> None:
    """Print a line for each of the three."""
    mend_streams()
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for server_class in (AsItIs, WithoutPostman, WithoutLock):
        orders, sends = try_out(server_class)
        write(sys.stdout, f"{server_class.__name__:15} orders heard: {orders}   sends a message: {sends:.1f}\n")


if __name__ == "__main__":
    try:
        main()
    except CannotWrite as error:
        tell(str(error))
        sys.exit(1)
