"""How many calls a message costs: a server of ours in one thread of this process, and Python's profiler counts.

The handlers are the real ones, with real sockets, but nothing runs by itself: a handler takes what its
client has sent, up to where it would wait for more, and returns.  So the same code gives the same
numbers, whatever the machine does meanwhile.  The postman has gone home: who sends delivers to all.
"""

import collections
import contextlib
import gc
import math
import re
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from extras.bench import wires
from extras.bench.dialects import MARK, Chat, Dialect, Irc, Rooms
from extras.bench.workloads import TEXT
from extras.broadcast import turns
from extras.irc.server import IrcServer
from extras.rooms.server import RoomsServer
from step5_server.handler import LineHandler
from step5_server.line_server import LineServer
from step5_server.server import ChatServer

SERVERS: dict[str, tuple[type[LineServer], Dialect]] = {
    "step5": (ChatServer, Chat()),
    "rooms": (RoomsServer, Rooms()),
    "irc": (IrcServer, Irc()),
}
MEMBERS = 50  # as in fan-out
REPEATS = 10  # what happens only now and then (a step back, say) is a part of the costs; below a flooder's bytes
CHUNK_LINES = 64


Count = collections.Counter[tuple[str, str]]  # of calls, by ("call" or "c_call", the function's name)


class Calls(NamedTuple):
    """Calls of functions for each message."""

    python: float  # of those written in Python; each time a generator goes on is one
    c: float  # of those written in C
    names: list[tuple[str, float]]  # each function's, the most called first


class Stage:
    """A server with clients, of which each is heard when we say so."""

    def __init__(self, server_class: type[LineServer], dialect: Dialect, members: int = MEMBERS):
        self.server = server_class(("127.0.0.1", 0), max_clients=members + 1)
        if postman := getattr(self.server, "postman", None):
            postman.end()
        self.dialect = dialect
        self.stays = type("Stays", (self.server.handler_class,), {"finish": lambda handler: None})
        self.clients: list[socket.socket] = []
        self.handlers: list[LineHandler] = []
        for user in range(members):
            client, *accepted = self.connect()
            client.sendall(dialect.login(user) + dialect.join + getattr(dialect, "enter", b""))
            self.clients.append(client)
            self.handlers.append(self.stays(*accepted, self.server))
        self.read_all()

    def connect(self) -> tuple[socket.socket, socket.socket, Any]:
        """Return a client's socket, the server's, and the client's address."""
        client = wires.plain(("127.0.0.1", self.server.server_address[1]))
        accepted, address = self.server.get_request()
        for sock in (client, accepted):
            sock.setblocking(False)  # so a handler that would wait returns: it cannot know what the error means
        return client, accepted, address

    def read_all(self) -> bytes:
        """Read what all clients have been sent; return what the first one has."""
        told = [all_received(client) for client in self.clients]
        return told[0]

    def say(self, chunk: bytes, count: Count) -> bytes:
        """Let the first user send a chunk; count the calls that it causes, and return what it got in return."""
        self.clients[0].sendall(chunk)
        count_calls(count, self.handlers[0].handle)
        nothing: Count = collections.Counter()
        count_calls(nothing, self.handlers[0].handle)  # to see that nothing is there costs something, too
        count.subtract(nothing)
        return self.read_all()

    def come_and_go(self, chunk: bytes, count: Count) -> bytes:
        """Count the calls for a connection from beginning to end; return what it was told if it was not let in."""
        client, *accepted = self.connect()
        with client:
            client.sendall(chunk)
            client.shutdown(socket.SHUT_WR)
            count_calls(count, self.server.handler_class, *accepted, self.server)
            accepted[0].close()
            self.read_all()
            told = all_received(client)
            return b"" if self.dialect.logged_in.search(told) else told  # IRC's goodbye looks like a refusal

    def close(self) -> None:
        """Close all sockets."""
        for each in (*self.clients, *(handler.request for handler in self.handlers)):
            each.close()
        self.server.server_close()


def received(sock: socket.socket) -> bytes:
    """Return what has come, b"" if that is nothing."""
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


def all_received(sock: socket.socket) -> bytes:
    """Return all that has come."""
    return b"".join(iter(lambda: received(sock), b""))


def count_calls(count: Count, function: Callable[..., object], *args: object) -> None:
    """Call the function, and count each call that this causes in this thread."""

    def see(frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            code = frame.f_code
            count["call", getattr(code, "co_qualname", code.co_name)] += 1  # Python 3.11 and later
        elif event == "c_call":
            count["c_call", getattr(arg, "__qualname__", str(arg))] += 1

    gc.disable()  # it calls __del__ and the like when it likes
    sys.setprofile(see)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
        gc.enable()


def measure(name: str) -> dict[str, Calls]:
    """Return the calls for each message, by what it is, of one server.  Raises: RuntimeError."""
    server_class, dialect = SERVERS[name]
    text = TEXT + MARK
    requests = {"private": [dialect.tell(1, text)]}  # what is counted, and what comes before and after it
    if hasattr(dialect, "say"):
        line = dialect.say(text)
        requests |= {"to 50": [line], f"to 50, {CHUNK_LINES} in a chunk": [line * CHUNK_LINES]}
        requests |= {"leave": [dialect.leave, b"", dialect.enter], "join": [dialect.enter, dialect.leave]}
    turn_s, turns.TURN_S = turns.TURN_S, math.inf  # to be watched takes long, which is no reason for a pause
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, turns, "TURN_S", turn_s)
        stage = Stage(server_class, dialect)
        stack.callback(stage.close)
        measured = {what: take(stage.say, *lines, refused=dialect.refused) for what, lines in requests.items()}
        login = dialect.login(MEMBERS) + dialect.quit
        return measured | {"login and quit": take(stage.come_and_go, login, refused=dialect.refused)}


def take(
    act: Callable[[bytes, Count], bytes],
    chunk: bytes,
    before: bytes = b"",
    after: bytes = b"",
    *,
    refused: re.Pattern[bytes],
) -> Calls:
    """Do it REPEATS times, and one time before, which may fill caches."""
    count: Count = collections.Counter()
    rest: Count = collections.Counter()
    for number in range(REPEATS + 1):
        if number == 1:
            count.clear()
        told = b"".join(act(what, into) for what, into in ((before, rest), (chunk, count), (after, rest)) if what)
        if refusal := refused.search(told):
            raise RuntimeError(f"{chunk[:40]!r}: {refusal.group().decode()}")
    messages = REPEATS * (CHUNK_LINES if chunk.count(b"\n") >= CHUNK_LINES else 1)
    each = {kind: sum(n for (k, _), n in count.items() if k == kind) / messages for kind in ("call", "c_call")}
    names = [(function, n / messages) for (_, function), n in count.most_common() if n]
    return Calls(each["call"], each["c_call"], names)
