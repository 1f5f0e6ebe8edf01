"""Players: connections that the page makes and drives.  They are real ones, from this process to itself.

piece   bytes that are sent alone, and arrive as a chunk of their own: the next one is not sent before
        the server has read it
job     what a player is to do, one after the other, in a thread that ends when all is done
"""

import collections
import contextlib
import select
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

from extras.glass.gate import Gate, Lane
from step1_echo.serving import Address

MAX_PLAYERS = 250  # 200 talk in a demonstration; each is a file and a thread of the server
RECEIVE_BYTES = 4096  # asked of the kernel: so one who does not read is noticed soon
MAX_JOBS = 1000  # that wait: a page that is clicked and clicked must not fill the memory
LOOK_AGAIN_MS = 50  # how late a player that waits for the server may notice that it is to do something else
BLOCK_LINES = 50  # of a flood, in one send


class Player:
    """One connection.  Thread: any, but for what says otherwise."""

    def __init__(self, players: "Players", address: Address):
        """Connect.  Raises: OSError."""
        self.players = players
        self.name = ""
        self.sock = socket.socket(players.family)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            # Before it connects: the acceptor may be faster than we are.
            self.sock.bind((address[0], 0))
            self.address: Address = self.sock.getsockname()
            players.know(self)
            self.sock.connect(address)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            players.forget(self)
            self.sock.close()
            raise
        self.sent_bytes = 0  # the worker's own
        self.over = False
        self._dropped = 0  # how often all jobs were dropped: the one that is under way ends, too
        self._lock = threading.Lock()  # guards the two below
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._worker: threading.Thread | None = None

    def do(self, job: Callable[..., None], *args: Any) -> None:
        """Do this after what it has to do already.  Blocks: never.  Raises: ValueError."""
        with self._lock:
            if len(self._jobs) >= MAX_JOBS:
                raise ValueError("it has enough to do")
            self._jobs.append(lambda: job(*args))
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="player", daemon=True)
                self._worker.start()

    def drop_jobs(self) -> None:
        """Do nothing of what is still to be done, and no more of what is being done."""
        with self._lock:
            self._jobs.clear()
            self._dropped += 1

    def _work(self) -> None:
        """Do the jobs.  Thread: the worker."""
        while True:
            with self._lock:
                if not self._jobs:
                    self._worker = None
                    return
                job = self._jobs.popleft()
            try:
                job()
            except OSError:
                self.drop_jobs()  # NOTE: the server has ended it, and tells so

    def join(self) -> None:
        """Wait for the worker, who has nothing to wait for any more."""
        with self._lock:
            worker = self._worker
        if worker:
            worker.join()

    def wait_for_lane(self) -> int | None:
        """Return the number of our lane; None if it has none any more.  Blocks: until we are accepted."""
        lane = self._lane()
        return lane.number if lane else None

    # Jobs

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send each piece when the server has read all before."""
        lane = self._lane()
        for piece in pieces:
            if piece and self._heard(lane):
                self._send_all(piece)

    def flood(self, line: bytes, count: int) -> None:
        """Send this line so often, as fast as the server reads."""
        dropped = self._dropped
        for start in range(0, count, BLOCK_LINES):
            if self.over or self._dropped != dropped:
                return
            self._send_all(line * min(BLOCK_LINES, count - start))

    def _send_all(self, data: bytes) -> None:
        """Send all of it, unless our jobs are dropped while the server does not read: a crash cannot wait."""
        dropped, room = self._dropped, select.poll()
        room.register(self.sock, select.POLLOUT)
        while data and self._dropped == dropped:
            try:
                sent = self.sock.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                room.poll(LOOK_AGAIN_MS)
                continue
            self.sent_bytes += sent
            data = data[sent:]

    def half_close(self) -> None:
        """Send nothing more, and go on reading."""
        lane = self._lane()
        if self._heard(lane):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End as a crash would: RST instead of FIN.  Source: SO_LINGER in socket(7)."""
        self.over = True
        self.players.hear_no_more(self)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Be gone."""
        self.over = True
        self.players.forget(self)
        self.sock.close()

    def _lane(self) -> Lane | None:
        """Return our lane, once the server has accepted us."""
        gate = self.players.gate
        with gate.moment:
            gate.news.wait_for(lambda: self.players.lane_of(self) or self.over or gate.ended)
            return self.players.lane_of(self)

    def _heard(self, lane: Lane | None) -> bool:
        """Wait until the server has read all that was sent; tell whether there is any use in more."""
        if lane is None:
            return False
        with lane.heard:
            lane.heard.wait_for(lambda: lane.heard_bytes >= self.sent_bytes or lane.gone or self.over)
            return not (lane.gone or self.over)


class Players:
    """All of them, and a thread that reads what the server sends them, and throws it away."""

    def __init__(self, address: Address, gate: Gate):
        self.gate = gate
        self.family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
        self._address = address
        self._lock = threading.Lock()  # guards all below
        self._players: dict[Address, Player] = {}  # by its own address
        self._lanes: dict[str, int] = {}  # peer -> number of the lane
        self._ended = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ring = socket.socketpair()  # wakes the reader: what it watches has changed
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._changes: collections.deque[tuple[Player, bool | threading.Event]] = collections.deque()
        self._reader: threading.Thread | None = None

    def add(self, name: str) -> Player:
        """Connect one more, and log in; without a name say nothing.  Raises: ValueError."""
        with self._lock:
            if self._ended or len(self._players) >= MAX_PLAYERS:
                raise ValueError("no more players")
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="players", daemon=True)
                self._reader.start()
        try:
            player = Player(self, self._address)
        except OSError as error:
            raise ValueError(f"cannot connect: {error.strerror or error}") from None
        self.watch(player, True)
        if name:
            player.name = name
            player.do(player.send, [f"LOGIN {name}\n".encode("utf-8", "replace")])
        return player

    def of(self, number: object) -> Player:
        """Return who plays this lane.  Raises: ValueError."""
        lane = self.gate.lanes.get(number) if type(number) is int else None  # True is no lane
        with self._lock:
            player = next((p for p in self._players.values() if lane and peer_of(p.address) == lane.peer), None)
        if player is None:
            raise ValueError(f"lane {number} is not played from here")
        return player

    def has(self, address: Address) -> bool:
        """Tell whether this connection is one of ours."""
        with self._lock:
            return address in self._players

    def lane_of(self, player: Player) -> Lane | None:
        """Return a player's lane, None before it is accepted and after it is gone.  Holds the moment."""
        peer = peer_of(player.address)
        return next((lane for lane in self.gate.lanes.values() if lane.peer == peer), None)

    def know(self, player: Player) -> None:
        """Count one more.  Raises: OSError."""
        with self._lock:
            if self._ended:
                raise OSError("all are going")
            self._players[player.address] = player

    def forget(self, player: Player) -> None:
        """Count one less."""
        with self._lock:
            self._players.pop(player.address, None)

    def watch(self, player: Player, reads: bool) -> None:
        """Read what comes for this player, or no more of it."""
        self._changes.append((player, reads))
        with contextlib.suppress(OSError):  # NOTE: all are going
            self._ring.send(b"x")

    def hear_no_more(self, player: Player) -> None:
        """Take a player from the reader before its socket is closed."""
        done = threading.Event()
        self._changes.append((player, done))
        self._ring.send(b"x")
        done.wait()

    def end(self) -> None:
        """Close all.  Blocks: until their threads have ended."""
        with self._lock:
            self._ended = True
            players, reader = list(self._players.values()), self._reader
        for player in players:
            player.drop_jobs()
            player.over = True
            with contextlib.suppress(OSError):
                player.sock.shutdown(socket.SHUT_RDWR)
        with self.gate.moment:
            self.gate.news.notify_all()
            for lane in self.gate.lanes.values():
                lane.heard.notify_all()
        for player in players:
            player.join()
        self._ring.close()
        if reader:
            reader.join()
        for player in players:
            player.sock.close()
        self._selector.close()
        self._bell.close()

    def _read(self) -> None:
        """Read and throw away.  Thread: the reader."""
        while True:
            for key, _ in self._selector.select():
                if key.data is None:  # the bell
                    if not self._bell.recv(4096):
                        return
                    self._make_changes()
                    continue
                player: Player = key.data
                try:
                    came = player.sock.recv(65536)
                except OSError:
                    came = b""  # NOTE: RST
                if not came:
                    self._selector.unregister(player.sock)
                    self._end(player)

    def _end(self, player: Player) -> None:
        """Let a player go whose connection the server has ended: in its own thread, which may be sending."""
        player.drop_jobs()
        player.do(player.close)

    def _make_changes(self) -> None:
        """Watch what is to be watched from now on.  Thread: the reader."""
        while self._changes:
            player, reads = self._changes.popleft()
            with contextlib.suppress(KeyError, ValueError):  # NOTE: it was not, or it is closed
                self._selector.unregister(player.sock)
            if isinstance(reads, threading.Event):
                reads.set()
            elif reads and not player.over:
                with contextlib.suppress(ValueError):
                    self._selector.register(player.sock, selectors.EVENT_READ, player)


def peer_of(address: Address) -> str:
    """Return the address as a lane has it."""
    return f"{address[0]}:{address[1]}"
