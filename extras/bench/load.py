"""The load: many clients in one process; every message that they receive is counted.

The generator must never be the limit, so it does almost nothing for each message: sockets do not
block, a chunk is never split into lines, and `bytes.count` counts.  The report shows the
generator's own share of the processor, so that one can see whether that worked.

hot    clients that the workload waits for: read as soon as something is there
cold   clients that only receive: read a few hundred times a second, in bigger chunks
"""

import contextlib
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from extras.bench import wires
from extras.bench.dialects import MARK, Dialect

CHUNK_BYTES = 1 << 18  # as much as may wait for a cold client
DEADLINE_S = 20.0  # if there is no answer or no progress for this long, the run has failed
CONNECT_DEADLINE_S = 5.0
AT_ONCE = 10  # logins; some servers let users in only once a second, and then all who wait
TOGETHER = 2  # so many users, one after the other, are on the same server; the next ones on the next


# It counts nothing and calls nothing; when our end of the pipe is closed, in whatever way we end, it ends.
BUSY_LOOP = """\
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
print("running", flush=True)
while True: pass
"""


class LoadError(Exception):
    """The server refused, closed or did not answer: there is nothing to measure."""


class Lost(LoadError):
    """A message did not arrive, or arrived twice."""


class Client:
    """One user's connection."""

    def __init__(self, address: tuple[str, int], dialect: Dialect, user: int, wire: wires.Connect = wires.plain):
        self.dialect = dialect
        self.user = user
        self.sent = 0  # messages
        self.received = 0  # messages
        self.mark = MARK  # what is counted
        self.sock = wire(address)

    def fileno(self) -> int:
        """Return the socket's number: a Client can be waited for like a socket."""
        return self.sock.fileno()

    def ask(self, request: bytes, until: re.Pattern[bytes]) -> None:
        """Send a request and read up to its answer.  Raises: LoadError."""
        self.sock.settimeout(DEADLINE_S)
        answer = b""
        try:
            self.sock.sendall(request)
            while not until.search(answer):
                chunk = self.sock.recv(CHUNK_BYTES)
                self.received += chunk.count(self.mark)
                answer += chunk
                if refusal := self.dialect.refused.search(answer):
                    raise LoadError(f"refused: {refusal.group().decode(errors='replace').strip()}")
                if not chunk:
                    raise LoadError(f"closed by the server after {request!r}")
        except TimeoutError:
            raise LoadError(f"no answer to {request!r}") from None
        self.sock.setblocking(False)

    def send(self, messages: bytes, count: int = 1) -> None:
        """Send `count` messages.  Blocks: never; what is in flight always fits the kernel's buffer."""
        self.sent += count
        if self.sock.send(messages) != len(messages):
            raise LoadError("the server does not read")

    def read(self) -> bytes:
        """Read what is there, count the messages in it, and return it."""
        try:
            chunk = self.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not chunk:
            raise LoadError("closed by the server in the middle of a run")
        self.received += chunk.count(self.mark)
        return chunk

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many other programs, which want all the time of a core each; yield them, and end them at the end."""
    loops = []
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            pipe, command = subprocess.PIPE, [sys.executable, "-c", BUSY_LOOP]
            loop = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            stack.enter_context(loop)
            stack.callback(loop.kill)  # before Popen's own end, which waits for it
            assert loop.stdout
            loop.stdout.readline()
            loops.append(loop)
        yield loops


class Crowd:
    """The clients of a run, in the order in which they came; closed at the end."""

    def __init__(
        self,
        address: tuple[str, int],
        dialect: Dialect,
        progress: Callable[[str], None] = lambda text: None,
        wire: wires.Connect = wires.plain,
        others: Iterable[tuple[str, int]] = (),
    ):
        self.address = address
        self.addresses = [address, *others]  # of all servers of the same chat
        self.dialect = dialect
        self.wire = wire  # what carries their bytes
        self.progress = progress
        self.clients: list[Client] = []

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self.clients:
            client.close()

    def grow(self, size: int, join: bool = False) -> None:
        """Log in users, AT_ONCE at a time, until there are `size` of them."""
        while (connected := len(self.clients)) < size:
            for user in range(connected, min(connected + AT_ONCE, size)):
                self.clients.append(self.connect(user))
                self.clients[-1].sock.sendall(self.dialect.login(user))
            for client in self.clients[connected:]:
                client.ask(b"", self.dialect.logged_in)
                if join and self.dialect.join:
                    client.ask(self.dialect.join + self.dialect.fence, self.dialect.fenced)
            if connected // 50 < len(self.clients) // 50:
                self.read_all(self.clients)  # they are told of each newcomer: let nobody's buffer fill up
                self.progress(f"{len(self.clients)} connected")

    def log_in(self, user: int) -> Client:
        """Log in one user; the caller closes her.  Raises: LoadError, OSError."""
        client = self.connect(user)
        try:
            client.ask(self.dialect.login(user), self.dialect.logged_in)
        except (LoadError, OSError):
            client.close()
            raise
        return client

    def connect(self, user: int) -> Client:
        """Return a connection for this user: users are spread over all servers."""
        address = self.addresses[user // TOGETHER % len(self.addresses)]
        return Client(address, self.dialect, user, self.wire)

    def read_all(self, clients: list[Client]) -> None:
        """Read what these have received."""
        for client in clients:
            client.read()

    def settle(self) -> None:
        """Wait until everybody has received everything that was sent before."""
        for client in self.clients:
            client.ask(self.dialect.fence, self.dialect.fenced)

    def collect(self, expected: list[int]) -> None:
        """Read until each client has received as many messages as expected.  Raises: Lost."""
        deadline = time.monotonic() + DEADLINE_S
        missing = [(c, n) for c, n in zip(self.clients, expected) if c.received < n]
        with selectors.DefaultSelector() as selector:
            for client, _ in missing:
                selector.register(client, selectors.EVENT_READ, client)
            while missing and time.monotonic() < deadline:
                if ready := selector.select(0.1):
                    deadline = time.monotonic() + DEADLINE_S
                for key, _ in ready:
                    key.data.read()
                for client, n in [(c, n) for c, n in missing if c.received >= n]:
                    selector.unregister(client)
                missing = [(c, n) for c, n in missing if c.received < n]

    def check(self, expected: list[int]) -> None:
        """Raise Lost unless each client has received exactly as many messages as expected."""
        self.settle()  # a message that came twice would be here by now
        wrong = [(c.user, c.received, n) for c, n in zip(self.clients, expected) if c.received != n]
        if wrong:
            user, received, n = wrong[0]
            raise Lost(f"{len(wrong)} clients miscounted; user {user}: {received} of {n} messages")
