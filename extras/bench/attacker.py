"""What an attack is made of: attackers, their connections, and the users who are there (the stage).

    stage.people(300)                 log in 300 users, who read everything that they get
    line = me.log_in()                this attacker's connection
    line.pour(b"HELP\\n")             send it again and again until the time is over

The attackers run in a process of their own, and so do the users on the stage: their Python
must not delay the user who measures.  All are forked from the measuring process.
"""

import multiprocessing
import os
import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized

from extras.bench.dialects import Dialect
from extras.bench.load import DEADLINE_S, Client, Crowd, LoadError
from extras.bench.wires import SocketLike

CHUNK_BYTES = 1 << 16
ATTACKERS = 1_000_000  # users with this number and above attack; those below are the stage
READ_EVERY_S = 0.01  # how often a user reads who reads at a given pace
AGAIN_S = 0.001  # after an attacker was cut off
fork = multiprocessing.get_context("fork" if hasattr(os, "fork") else None)  # on Windows only --help works


class OverTime(Exception):
    """The time of the attack is over."""


def ask(sock: SocketLike, request: bytes, until: re.Pattern[bytes], timeout: float) -> None:
    """Send a request and read up to its answer, whatever else comes.  Raises: LoadError, OSError."""
    sock.settimeout(timeout)
    sock.sendall(request)
    answer = b""
    while not until.search(answer):
        chunk = sock.recv(CHUNK_BYTES)
        if not chunk:
            raise LoadError(f"closed by the server after {request[:40]!r}")
        answer += chunk


class Peer:
    """One attacking connection."""

    def __init__(self, address: tuple[str, int], until: float):
        self._until = until
        self.sock = socket.create_connection(address, timeout=self.left_s())
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def left_s(self) -> float:
        """Return how much time is left.  Raises: OverTime."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise OverTime
        return left

    def send(self, data: bytes) -> None:
        """Send once."""
        self.sock.settimeout(self.left_s())
        self.sock.sendall(data)

    def pour(self, data: bytes, read: bool = True) -> None:
        """Send the same again and again until the time is over, and throw away what comes."""
        data *= -(-CHUNK_BYTES // len(data))
        waits = selectors.EVENT_WRITE | (selectors.EVENT_READ if read else 0)
        self.sock.setblocking(False)
        at = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, waits)
            while True:
                for _, events in selector.select(min(self.left_s(), 0.1)):
                    if events & selectors.EVENT_READ and not self.sock.recv(CHUNK_BYTES * 4):
                        raise LoadError("closed by the server")
                    if events & selectors.EVENT_WRITE:
                        at = (at + self.sock.send(memoryview(data)[at:])) % len(data)

    def read_until_closed(self) -> None:
        """Read until the server closes, and throw it away."""
        self.sock.settimeout(self.left_s())
        while self.sock.recv(CHUNK_BYTES):
            self.sock.settimeout(self.left_s())

    def die(self) -> None:
        """End as a process does that crashes: with RST instead of EOF."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Attacker:
    """One attacker; an attack is a function that gets it, and is called again if it returns too early."""

    def __init__(self, number: int, count: int, address: tuple[str, int], dialect: Dialect, until: float):
        self.number, self.count = number, count
        self.user = ATTACKERS + number
        self._address, self._dialect, self._until = address, dialect, until
        self._peers: set[Peer] = set()

    def connect(self) -> Peer:
        """Return a new connection; it is closed when this turn of the attack ends."""
        peer = Peer(self._address, self._until)
        self._peers.add(peer)
        return peer

    def log_in(self) -> Peer:
        """Return a new connection that has logged in."""
        peer = self.connect()
        ask(peer.sock, self._dialect.login(self.user), self._dialect.logged_in, peer.left_s())
        return peer

    def trickle(self, peer: Peer) -> bool:
        """Send a byte; close the connection and return False if the server has done so."""
        try:
            peer.send(b"x")
            return True
        except OSError:
            peer.sock.close()
            self._peers.remove(peer)
            return False

    def close(self) -> None:
        """Close all connections of this turn."""
        while self._peers:
            self._peers.pop().sock.close()

    def run(self, attack: Callable[["Attacker"], None], thrown_out: "Synchronized[int]") -> None:
        """Attack until the time is over; count how often the server cuts us off."""
        while time.monotonic() < self._until:
            try:
                attack(self)
            except (OverTime, TimeoutError):
                pass
            except (OSError, LoadError):
                with thrown_out.get_lock():
                    thrown_out.value += 1
                time.sleep(AGAIN_S)  # cut off, or refused: try again
            finally:
                self.close()


class Stage:
    """The users who are there before the attack begins, and go on reading during it."""

    def __init__(self, crowd: Crowd, scale: float = 1.0):
        self.crowd = crowd
        self.scale = scale  # of the numbers of users: a test needs only a few
        self.victim: Client | None = None  # the user whom the attackers write to, and the pace at which she reads
        self.pace = 0.0

    def size(self, number: int) -> int:
        """Return this number, scaled."""
        return max(1, round(number * self.scale))

    def people(self, count: int, setup: Callable[[int], bytes] = lambda user: b"") -> None:
        """Log in `count` more users; each sends what `setup` returns for her number."""
        dialect = self.crowd.dialect
        for user in range(len(self.crowd.clients), len(self.crowd.clients) + count):
            self.crowd.grow(user + 1)
            if lines := setup(user):  # a newer server may refuse some of it
                sock = self.crowd.clients[user].sock
                ask(sock, lines + dialect.fence, dialect.fenced, DEADLINE_S)
                sock.setblocking(False)

    def add_victim(self, bytes_per_s: float) -> None:
        """Log in user 0, to whom the attackers write; she reads at this pace."""
        self.crowd.grow(1)
        self.victim, self.pace = self.crowd.clients[0], bytes_per_s


def read_all(stage: Stage, closed: "Synchronized[int]") -> None:
    """Read what these users get; count in `closed` those who were cut off.  Process: its own."""
    stay_out_of_the_way()
    parent = multiprocessing.parent_process()
    assert parent
    due = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in stage.crowd.clients:
            if client is not stage.victim:
                selector.register(client.sock, selectors.EVENT_READ, client.sock)
        victim = stage.victim.sock if stage.victim and stage.pace else None
        while os.getppid() == parent.pid:
            for key, _ in selector.select(READ_EVERY_S):
                if is_closed(key.data, CHUNK_BYTES * 4):
                    selector.unregister(key.fileobj)
                    closed.value += 1
            now = time.monotonic()
            if victim and now >= due:
                due = max(due, now - 0.5) + READ_EVERY_S
                if is_closed(victim, int(stage.pace * READ_EVERY_S)):
                    victim = None
                    closed.value += 1


def is_closed(sock: SocketLike, size: int) -> bool:
    """Read what is there, and tell whether the server has closed."""
    try:
        return not sock.recv(size)
    except BlockingIOError:
        return False
    except OSError:
        return True


def attack_all(
    attack: Callable[[Attacker], None],
    count: int,
    address: tuple[str, int],
    dialect: Dialect,
    seconds: float,
    thrown_out: "Synchronized[int]",
) -> None:
    """Attack with this many attackers at once.  Process: its own."""
    stay_out_of_the_way()
    until = time.monotonic() + seconds
    attackers = [Attacker(n, count, address, dialect, until) for n in range(count)]
    threads = [threading.Thread(target=one.run, args=[attack, thrown_out], daemon=True) for one in attackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stay_out_of_the_way() -> None:
    """Let the measuring process run first: if it reads late, that would count as waiting."""
    os.nice(5)
