"""Redis and the servers of a cluster, for one test: private ones, that are gone at its end.

house    a redis-server in a process of its own, and the servers beside it
script   what a server is started with; another file may patch it first
"""

import contextlib
import itertools
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.dialects import DEADLINE_S, Chat, Guest, Process, eventually
from tests.foreign import free_port

SCRIPT = "extras/cluster/server.py"
DIALECT = Chat(None, SCRIPT)
MARKS = itertools.count()
PACE_S = 0.01  # between the bursts of a talker: so the machine has time for the fault that we test


def needed() -> None:
    """Skip the tests of a module where Redis or its library is missing."""
    pytest.importorskip("redis", reason="redis-py is not installed: pip install -r extras/cluster/requirements.txt")
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed (apt install redis-server)", allow_module_level=True)


class House:
    """A Redis that writes each change to its disk before it answers, and servers beside it.  A context manager."""

    def __init__(self, folder: Path, host: str = "127.0.0.1"):
        self.folder, self.host, self.port = folder, host, free_port()
        self.url = f"redis://{host}:{self.port}"
        self.popen = None
        self.stack = contextlib.ExitStack()
        self.processes = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stack.close()
        self.end(signal.SIGKILL)

    # --- Redis

    def start(self, *flags: str) -> None:
        """Start Redis, with what is in its folder; return when it answers."""
        with open(self.folder / "redis.log", "ab") as log:
            self.popen = subprocess.Popen(
                [
                    "redis-server",
                    "--bind",
                    self.host,
                    "--port",
                    str(self.port),
                    "--dir",
                    self.folder,
                    "--save",
                    "",
                    "--protected-mode",
                    "no",  # which would let only this machine in
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    *flags,
                ],
                stdout=log,
                stderr=log,
            )
        with contextlib.closing(self.client()) as client:
            eventually(lambda: self.answers(client), "Redis answers")

    def client(self):
        """Return a connection of our own to Redis."""
        from redis import Redis

        return Redis(host=self.host, port=self.port, decode_responses=True)

    @staticmethod
    def answers(client) -> bool:
        from redis.exceptions import ConnectionError

        try:
            return client.ping()
        except ConnectionError:  # among them BusyLoadingError
            return False

    def end(self, number: int = signal.SIGTERM) -> None:
        """End Redis: SIGTERM is what SHUTDOWN does, SIGKILL a crash."""
        self.popen.send_signal(signal.SIGCONT)
        self.popen.send_signal(number)
        self.popen.wait(DEADLINE_S)

    def forget(self) -> None:
        """Take away what Redis has written."""
        shutil.rmtree(self.folder / "appendonlydir")

    # --- servers

    def server(self, *flags: str, name: str = "", redis: str = "", script: str = SCRIPT) -> Process:
        """Start a server in a process of its own."""
        self.processes += 1
        name = name or f"s{self.processes}"
        return self.stack.enter_context(
            Process(
                script,
                "--redis",
                redis or self.url,
                "--name",
                name,
                *flags,
                log=self.folder / f"{name}-{self.processes}.log",
            )
        )

    def servers(self, count: int, *flags: str) -> list[Process]:
        """Start several servers, and wait until they know of each other."""
        return [self.server(*flags) for _ in range(count)]

    def guest(self, server, name: str | None = None) -> "User":
        """Return a user who is connected to a server, logged in if she has a name."""
        return self.stack.enter_context(User(server, name))

    def guest_in_time(self, server, name: str) -> "User":
        """Return a user who logs in as soon as the server can do that, and the name is free."""
        user = self.guest(server)
        user.log_in_in_time(name)
        return user


class User(Guest):
    """A client of the cluster, who notes all that she hears, in order."""

    def __init__(self, server, name: str | None = None):
        self.heard = []  # all events
        super().__init__(DIALECT, getattr(server, "address", None) or server.server_address)
        self.name = name
        if name:
            reply = self.request(f"LOGIN {name}")
            assert reply.startswith("OK"), reply

    def log_in_in_time(self, name: str) -> None:
        """Log in as soon as the server can do that, and the name is free."""
        self.name = name
        eventually(lambda: self.request(f"LOGIN {name}").startswith("OK"), f"{name} can log in")

    def event(self) -> str:
        """Return the next line."""
        return self.line().decode()

    def ask(self, *requests: str) -> list[str]:
        """Send all requests in one go, and return their replies."""
        self.send("".join(request + "\n" for request in requests).encode())
        return [self.reply() for _ in requests]

    def request(self, line: str) -> str:
        """Send a request, and return its reply."""
        return self.ask(line)[0]

    def reply(self) -> str:
        """Return the next reply, and note the events before it."""
        while not (line := self.event()).startswith(("OK", "ERR")):
            self.heard.append(line)
        return line

    def hear(self, *lines: str) -> None:
        """Read until all these events have come, now or before."""
        deadline = time.monotonic() + DEADLINE_S  # others may talk on for ever
        for line in lines:
            heard = line in self.heard
            while not heard:
                assert time.monotonic() < deadline, f"{self.name} has not heard {line!r}"
                came = self.event()
                assert not came.startswith(("OK", "ERR")), f"{self.name} waits for {line!r}, and gets {came!r}"
                self.heard.append(came)
                heard = came == line

    def end(self) -> str:
        """Read to the end of the connection; return the server's last line."""
        self.heard += (line.decode() for line in self.rest())
        return self.heard[-1]


class Talker(threading.Thread):
    """A user who talks on and on, some numbered lines at a time, and knows which of them got OK.

    way   how a line begins: "SAY room", "MSG bob" or "ALL"
    """

    BURST = 10  # lines that go together: their calls stand in one chunk

    def __init__(self, user: User, *ways: str):
        super().__init__(name=f"talker {user.name}")
        self.user, self.ways = user, ways
        self.taken = {way: [] for way in ways}
        self.refused = {way: [] for way in ways}
        self.errors = set()
        self.enough = threading.Event()
        self.said = 0
        self.cut = False
        self.start()

    def run(self):
        try:
            while not self.enough.is_set():
                lines = [(way, self.said + n) for n in range(self.BURST) for way in self.ways]
                self.said += self.BURST
                replies = self.user.ask(*(f"{way} {self.user.name} {n}" for way, n in lines))
                for (way, n), reply in zip(lines, replies):
                    (self.taken if reply == "OK" else self.refused)[way].append(n)
                    if reply != "OK":
                        self.errors.add(" ".join(reply.split()[:2]))
                self.enough.wait(PACE_S)
        except (EOFError, OSError):
            self.cut = True

    def goes_on(self, count: int = 100) -> None:
        """Wait until so many lines more have been said in each way."""
        goal = self.said + count
        eventually(lambda: self.said >= goal or self.cut, "the talker goes on")
        assert not self.cut, f"{self.user.name} was cut off"

    def stop(self) -> None:
        """Say nothing more; all that was said has its answer now."""
        self.enough.set()
        self.join(DEADLINE_S)
        assert not self.is_alive()

    def said_in(self, way: str, listener: User) -> list[int]:
        """Return the numbers that a listener has heard, in her order."""
        verb, *room = way.split()
        start = " ".join([verb, *(room if verb == "SAY" else []), self.user.name, self.user.name, ""])
        return [int(line.removeprefix(start)) for line in listener.heard if line.startswith(start)]

    def check(self, way: str, listener: User) -> None:
        """What got OK was heard, once and in order; what was refused was not.  The listener has read all."""
        heard = self.said_in(way, listener)
        assert heard == sorted(set(heard)), f"{self.user.name}, {way}: twice, or out of order"
        lost = set(self.taken[way]) - set(heard)
        assert not lost, f"{self.user.name}, {way}: {listener.name} has not heard {sorted(lost)}"
        ghosts = set(self.refused[way]) & set(heard)
        assert not ghosts, f"{self.user.name}, {way}: {listener.name} has heard {sorted(ghosts)}, which were refused"


def read_all(way: str, listener: User, last_user: User) -> None:
    """See to it that the listener has heard all that has been said in a way."""
    verb, *room = way.split()
    mark = f"the end {next(MARKS)}"
    # It may be "unavailable" for a moment yet: then nothing has been done.
    eventually(lambda: last_user.request(f"{way} {mark}") == "OK", f"{last_user.name} may say the last word")
    listener.hear(" ".join([verb, *(room if verb == "SAY" else []), last_user.name, mark]))


class CutProxy:
    """Stand between a server and Redis; when told to, lose an answer: the call has been carried out.

    One thread carries everything: what it does for a server is over with it.
    """

    def __init__(self, port: int):
        self.port = port
        self.losing = b""  # lose the answer to the next call that has this in it
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self._other = {}  # socket -> the one that its bytes go to
        self._doomed = None  # the connection to Redis whose next answer is lost
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        for sock in [self._listener, *self._other]:
            sock.close()

    def _carry(self):
        while True:
            for sock in select.select([self._listener, *self._other], [], [])[0]:
                if sock is self._listener:
                    try:
                        client = sock.accept()[0]
                    except OSError:  # it has been shut down: the end
                        return
                    redis = socket.create_connection(("127.0.0.1", self.port))
                    self._other |= {client: redis, redis: client}
                elif sock in self._other:  # not closed a moment ago
                    self._pass_on(sock)

    def _pass_on(self, sock):
        try:
            chunk = sock.recv(1 << 20)
            if sock is self._doomed and not chunk.startswith(b"-NOSCRIPT"):
                self._doomed, chunk = None, b""
                self.lost += 1
            if chunk:
                if self.losing and self.losing in chunk:
                    self.losing, self._doomed = b"", self._other[sock]
                self._other[sock].sendall(chunk)
                return
        except OSError:
            pass
        for end in (sock, self._other[sock]):
            del self._other[end]
            end.close()
