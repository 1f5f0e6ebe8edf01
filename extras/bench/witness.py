"""The uninvolved: users who have nothing to do with an attack, and how long it makes them wait.

witness    sends messages to herself, again and again; her round trip is measured
newcomer   connects and logs in while the attack goes on; one after the other
"""

import selectors
import socket
import time

from extras.bench.dialects import MARK, Dialect
from extras.bench.load import Crowd

WITNESSES = 4
# Each sends fewer than 20 lines a second, which no protection against floods may slow down.
INTERVAL_S = 0.06
FIRST_WITNESS = 2_000_000  # users from here on are witnesses
FIRST_NEWCOMER = 3_000_000
NEWCOMER_EVERY_S = 0.25
CHUNK_BYTES = 1 << 16


class Witness:
    """One uninvolved user."""

    def __init__(self, crowd: Crowd, user: int):
        self.client = crowd.log_in(user)
        self.line = crowd.dialect.tell(user, b"and now?" + MARK)
        self.asked_at: float | None = None
        self.next_at = 0.0
        self.kept = True

    def ask_if_due(self, now: float) -> None:
        """Send a message to herself, unless she still waits for the last one."""
        if self.kept and self.asked_at is None and now >= self.next_at:
            self.asked_at, self.next_at = now, now + INTERVAL_S
            try:
                self.client.sock.send(self.line)
            except OSError:
                self.kept = False

    def waits(self, now: float) -> list[float]:
        """Read; return how long she has waited, in seconds: an empty list if she still waits.

        While she waits she sends nothing more, so one long wait would count once, and a hundred
        short ones afterwards would hide it.  So it counts for each message that she would have sent.
        """
        try:
            chunk = self.client.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            chunk = b""
        self.kept = bool(chunk)
        if MARK not in chunk or self.asked_at is None:
            return []
        return self.end_of_wait(now)

    def end_of_wait(self, now: float) -> list[float]:
        """Return her wait, and those of the messages that she could not send meanwhile."""
        if self.asked_at is None:
            return []
        waited, self.asked_at = now - self.asked_at, None
        return [waited - late * INTERVAL_S for late in range(int(waited / INTERVAL_S) + 1)]


class Newcomer:
    """A user who connects and logs in."""

    def __init__(self, address: tuple[str, int], dialect: Dialect, user: int, now: float):
        self._dialect = dialect
        self._told = b""
        self.began = now
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.connect_ex(address)
        self._login = dialect.login(user)

    def is_done(self, writable: bool) -> bool:
        """Go on as far as possible without waiting; return whether that was the end, good or bad."""
        try:
            if writable and self._login:
                self.sock.send(self._login)
                self._login = b""
            chunk = self.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._told += chunk
        return not chunk or self.is_in or bool(self._dialect.refused.search(self._told))

    @property
    def waits_to_write(self) -> bool:
        """Whether she has not sent her name yet."""
        return bool(self._login)

    @property
    def is_in(self) -> bool:
        """Whether she was let in."""
        return bool(self._dialect.logged_in.search(self._told))

    def close(self) -> None:
        """Log out and close."""
        try:
            self.sock.send(self._dialect.quit)
        except OSError:
            pass  # NOTE: the server has closed first
        self.sock.close()


class Watch:
    """Witnesses and newcomers, and how long they have waited."""

    def __init__(self, crowd: Crowd):
        self._address, self._dialect = crowd.address, crowd.dialect
        self.witnesses = [Witness(crowd, FIRST_WITNESS + n) for n in range(WITNESSES)]
        self.waits: list[float] = []
        self.logins: list[float] = []
        self.let_in = 0
        self.newcomers = 0
        self._newcomer: Newcomer | None = None
        self._next_newcomer = 0.0

    def __enter__(self) -> "Watch":
        self._selector = selectors.DefaultSelector()
        for witness in self.witnesses:
            self._selector.register(witness.client, selectors.EVENT_READ, witness)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._newcomer:
            self._newcomer.close()
        for witness in self.witnesses:
            witness.client.close()
        self._selector.close()

    @property
    def kept(self) -> bool:
        """Whether every witness still has her connection."""
        return all(witness.kept for witness in self.witnesses)

    def step(self) -> None:
        """Send what is due, and note what has come.  Blocks: some milliseconds."""
        now = time.perf_counter()
        for witness in self.witnesses:
            witness.ask_if_due(now)
        if self._newcomer is None and now >= self._next_newcomer:
            self._welcome(now)
        for key, events in self._selector.select(0.005):
            now = time.perf_counter()
            if isinstance(key.data, Newcomer):
                self._go_on(key.data, now, bool(events & selectors.EVENT_WRITE))
            else:
                self.waits += key.data.waits(now)
                if not key.data.kept:
                    self._selector.unregister(key.fileobj)

    def end(self) -> None:
        """Count the waits that are not over yet."""
        now = time.perf_counter()
        for witness in self.witnesses:
            self.waits += witness.end_of_wait(now)
        if self._newcomer:
            self.logins.append(now - self._newcomer.began)

    def _welcome(self, now: float) -> None:
        self.newcomers += 1
        user = FIRST_NEWCOMER + self.newcomers
        self._newcomer = Newcomer(self._address, self._dialect, user, now)
        self._next_newcomer = now + NEWCOMER_EVERY_S
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(self._newcomer.sock, both, self._newcomer)

    def _go_on(self, one: Newcomer, now: float, writable: bool) -> None:
        if not one.is_done(writable):
            if not one.waits_to_write:
                self._selector.modify(one.sock, selectors.EVENT_READ, one)
            return
        if one.is_in:
            self.let_in += 1
            self.logins.append(now - one.began)
        self._selector.unregister(one.sock)
        one.close()
        self._newcomer = None
