"""The workloads: what the clients do, and what is measured while they do it.

Each takes a running server and a Crowd, and yields one Result or several.

fan-out   one room of 50; 5 of them talk; a message is in flight until one certain other
          member, its listener, has it
mixed     the same, when every second member wants tags: so half of them get other bytes
tagged    the same, when all of them want tags
pairs     20 pairs; each of the two answers the other: one round trip after the other.  If the chat
          has several servers, the two are on one, and then again, in pairs/across, on two
logins    connect, register, quit; 5 at a time
neighbours  fan-out/1, pairs and logins alone, beside one busy loop (pairs+1), and beside two (pairs+2)
idle      more and more connections that are silent, and one pair that talks
joins     five users enter and leave a channel of 50, as fast as they are answered; each member
          must be told of each who comes and of each who goes
growth    fan-out with more and more members

delivery  one message that has arrived at one client
"""

import collections
import functools
import itertools
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from extras.bench.dialects import ENTRY, MARK
from extras.bench.load import DEADLINE_S, Client, Crowd, LoadError, Lost
from extras.bench.servers import Running

TEXT = b"the quick brown fox jumps"  # 25 bytes: people type short lines
SENDER_MARKS = b"$%&{}"  # one byte for each sender, which occurs nowhere else
COLD_INTERVAL_S = 0.004  # how often cold clients are read: at 5 MB/s a client, 20 kB wait


@dataclass
class Result:
    """What one workload measured with one server."""

    workload: str
    count: int  # deliveries, round trips or logins
    seconds: float
    latencies: list[float]  # seconds
    cpu_s: float | None = None  # the server's; None if the system does not say
    redis_cpu_s: float | None = None  # None: there is no Redis
    generator_cpu_s: float = 0.0
    connections: int = 0
    rss_bytes: int | None = None  # for each connection
    threads: int | None = None
    cores: int | None = None  # on which it may run: 1 for a server that pins itself

    def numbers(self) -> dict[str, float | None]:
        """Return the numbers of the report, by name; each name ends in its unit."""
        ordered = sorted(self.latencies)
        cpu, redis = self.cpu_s, self.redis_cpu_s
        return {
            "per_second": self.count / self.seconds,
            "cpu_us": None if cpu is None else cpu / self.count * 1e6,
            "redis_us": None if redis is None else redis / self.count * 1e6,
            "p50_ms": ordered[len(ordered) // 2] * 1e3,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
            "server_percent": None if cpu is None else 100 * cpu / self.seconds,
            "redis_percent": None if redis is None else 100 * redis / self.seconds,
            "generator_percent": 100 * self.generator_cpu_s / self.seconds,
            "threads": self.threads,
            "kb_per_connection": None if self.rss_bytes is None else self.rss_bytes / 1000,
            "cores": self.cores,
            "count": self.count,
        }


class Stopwatch:
    """Time and processor time, the server's, its Redis's and our own, from here to stop()."""

    def __init__(self, server: Running):
        self._server = server
        self._begin = time.perf_counter(), server.cpu_s(), server.redis_cpu_s(), time.process_time()

    def stop(self, workload: str, count: int, **more: Any) -> Result:
        """Return the Result of what happened since the start."""
        wall, cpu, redis, own = self._begin
        seconds = time.perf_counter() - wall
        return Result(
            workload,
            count,
            seconds,
            cpu_s=grown(cpu, self._server.cpu_s()),
            redis_cpu_s=grown(redis, self._server.redis_cpu_s()),
            generator_cpu_s=time.process_time() - own,
            threads=self._server.threads(),
            cores=self._server.cores(),
            **more,
        )


def grown(before: float | None, now: float | None) -> float | None:
    """Return how much more it is now, if both are known."""
    return None if before is None or now is None else now - before


class Cold:
    """Clients that only listen: read a few at a time, so that no hot client waits long for us."""

    def __init__(self, clients: list[Client], now: float):
        self._in_turn = itertools.cycle(clients)
        self._pause_s = COLD_INTERVAL_S / len(clients)
        self._next = now

    def read(self, now: float) -> None:
        """Read those whose turn has come."""
        while self._next < now:
            next(self._in_turn).read()
            self._next += self._pause_s


def fan_out(
    server: Running,
    crowd: Crowd,
    name: str,
    seconds: float,
    members: int = 50,
    senders: int = 5,
    in_flight: int = 64,
    tags_every: int = 0,
) -> Iterator[Result]:
    """Let `senders` keep `in_flight` messages each under way to a room, where every so many members want tags."""
    crowd.grow(members, join=True)
    for client in crowd.clients[::tags_every] if tags_every else ():
        client.ask(crowd.dialect.want_tags, crowd.dialect.have_tags)
    crowd.settle()
    for client in crowd.clients:
        client.received = 0  # lists of members are no messages, whatever the head of their frame looks like
    # Each sender has a listener, and these are far apart: every tenth member of a room of 50.
    listeners = {}
    for number, sender in enumerate(crowd.clients[:senders], 1):
        mark = b"%c" % SENDER_MARKS[number - 1]
        line = crowd.dialect.say(TEXT + mark + MARK)
        listeners[crowd.clients[number * members // senders - 1]] = sender, mark, line
    latencies: list[float] = []
    sent_at: dict[Client, collections.deque[float]] = collections.defaultdict(collections.deque)
    watch = Stopwatch(server)
    now = begin = time.perf_counter()
    cold = Cold([client for client in crowd.clients if client not in listeners], now)
    with selectors.DefaultSelector() as selector:
        for listener, (sender, _, line) in listeners.items():
            selector.register(listener, selectors.EVENT_READ, listener)
            sender.send(line * in_flight, in_flight)
            sent_at[sender].extend([now] * in_flight)
        while now < begin + seconds or not latencies:
            now = time.perf_counter()
            if now > begin + seconds + DEADLINE_S:
                raise Lost("not one message arrived")
            for key, _ in selector.select(COLD_INTERVAL_S):
                sender, mark, line = listeners[key.data]
                arrived = key.data.read().count(mark)
                now = time.perf_counter()
                if arrived:
                    times = sent_at[sender]
                    latencies += [now - times.popleft() for _ in range(arrived)]
                    sender.send(line * arrived, arrived)
                    times.extend([now] * arrived)
            cold.read(now)
    total = sum(client.sent for client in crowd.clients)
    expected = [total - client.sent for client in crowd.clients]
    crowd.collect(expected)
    result = watch.stop(name, sum(expected), latencies=latencies, connections=members)
    crowd.check(expected)
    yield result


def pairs(
    server: Running, crowd: Crowd, name: str, seconds: float, pairs: int = 20, playing: int = 20
) -> Iterator[Result]:
    """Let pairs play ping-pong; or only some of them, and the others are silent."""
    crowd.grow(2 * pairs)
    crowd.settle()
    clients = crowd.clients
    yield ping_pong(server, crowd, name, seconds, list(zip(clients[::2], clients[1::2]))[:playing])
    if len(crowd.addresses) > 1:
        across = zip(clients[1::2], clients[2::2] + clients[:1])  # the last of one server, the first of the next
        yield ping_pong(server, crowd, f"{name}/across", seconds, list(across)[:playing])


def ping_pong(server: Running, crowd: Crowd, name: str, seconds: float, couples: list[tuple[Client, Client]]) -> Result:
    """Let each couple send one message to and fro."""
    lines = {}
    for pair in couples:
        for one, other in (pair, reversed(pair)):
            lines[one] = crowd.dialect.tell(other.user, TEXT + MARK)
            one.sent = one.received = 0
    latencies = []
    began = {first: 0.0 for first, _ in couples}  # when its round trip began
    playing = len(couples)
    watch = Stopwatch(server)
    with selectors.DefaultSelector() as selector:
        now = begin = time.perf_counter()
        for client in lines:
            selector.register(client, selectors.EVENT_READ, client)
        for first in began:
            first.send(lines[first])
            began[first] = now
        while playing:
            ready = selector.select(DEADLINE_S)
            if not ready:
                raise Lost(f"{playing} messages did not arrive")
            for key, _ in ready:
                client = key.data
                if MARK not in client.read():
                    continue  # an OK
                if client in began:
                    now = time.perf_counter()
                    latencies.append(now - began[client])
                    began[client] = now
                    if now - begin > seconds:
                        playing -= 1
                        continue
                client.send(lines[client])
    result = watch.stop(name, len(latencies), latencies=latencies, connections=len(crowd.clients))
    for one, other in couples:
        one.ask(crowd.dialect.fence, crowd.dialect.fenced)  # if a message came twice, the second would be here by now
        other.ask(crowd.dialect.fence, crowd.dialect.fenced)
        if (one.received, other.received) != (other.sent, one.sent):
            raise Lost(f"{one.received, other.received} of {other.sent, one.sent} messages")
    return result


def logins(server: Running, crowd: Crowd, name: str, seconds: float, at_a_time: int = 5) -> Iterator[Result]:
    """Connect, register and quit, again and again."""
    dialect = crowd.dialect
    latencies = []
    users = 0
    watch = Stopwatch(server)
    begin = time.perf_counter()
    under_way: dict[Client, tuple[float, bytes]] = {}  # when it began, what it has been told
    with selectors.DefaultSelector() as selector:
        while under_way or time.perf_counter() - begin < seconds:
            while len(under_way) < at_a_time and time.perf_counter() - begin < seconds:
                now = time.perf_counter()
                client = crowd.connect(users)
                users += 1
                client.sock.sendall(dialect.login(client.user))
                client.sock.setblocking(False)
                under_way[client] = now, b""
                selector.register(client, selectors.EVENT_READ, client)
            ready = selector.select(DEADLINE_S)
            if not ready:
                raise LoadError(f"{len(under_way)} logins hang")
            for key, _ in ready:
                client = key.data
                began, told = under_way[client]
                try:
                    chunk = client.sock.recv(4096)
                except BlockingIOError:
                    continue  # TLS has read something, and nothing of it was for us
                if chunk:
                    under_way[client] = began, told + chunk
                    if not dialect.logged_in.search(told) and dialect.logged_in.search(told + chunk):
                        latencies.append(time.perf_counter() - began)
                        client.sock.sendall(dialect.quit)
                        client.sock.shutdown(socket.SHUT_WR)
                    continue
                if not dialect.logged_in.search(told):
                    raise LoadError(f"user {client.user} was not let in: {told!r}")
                selector.unregister(client)
                client.close()
                del under_way[client]
    yield watch.stop(name, users, latencies=latencies)


def joins(
    server: Running, crowd: Crowd, name: str, seconds: float, members: int = 50, joiners: int = 5
) -> Iterator[Result]:
    """Let users enter and leave a room again and again; a join is both."""
    dialect = crowd.dialect
    crowd.grow(members + joiners)
    here, coming = crowd.clients[:members], crowd.clients[members:]
    for client in here:
        client.ask(dialect.enter + dialect.fence, dialect.fenced)
    crowd.settle()
    for client in here:
        client.mark, client.received = ENTRY, 0
    answers = {client: dialect.entered_and_left(client.user) for client in coming}
    told = dict.fromkeys(coming, b"")  # since her last request
    inside = set()
    latencies = []
    watch = Stopwatch(server)
    now = begin = last = time.perf_counter()
    cold = Cold(here, now)
    with selectors.DefaultSelector() as selector:
        for client in coming:
            selector.register(client, selectors.EVENT_READ, client)
            client.send(dialect.enter)
        began = dict.fromkeys(coming, now)  # of those who have not finished
        while began:
            for key, _ in selector.select(COLD_INTERVAL_S):
                client = key.data
                told[client] += client.read()
                if not answers[client][client in inside].search(told[client]):
                    continue
                told[client] = b""
                last = now = time.perf_counter()
                if client not in inside:
                    inside.add(client)
                    client.send(dialect.leave)
                    continue
                inside.remove(client)
                latencies.append(now - began.pop(client))
                if now < begin + seconds:
                    began[client] = now
                    client.send(dialect.enter)
            now = time.perf_counter()
            if now > last + DEADLINE_S:
                raise Lost(f"{len(began)} users wait to get in or out")
            cold.read(now)
    expected = [2 * len(latencies)] * members
    crowd.collect(expected)
    result = watch.stop(name, len(latencies), latencies=latencies, connections=len(crowd.clients))
    crowd.check(expected)
    yield result


def idle(
    server: Running, crowd: Crowd, name: str, seconds: float, levels: tuple[int, ...] = (10, 100, 1000, 4000, 10000)
) -> Iterator[Result]:
    """Open more and more connections, and let one pair among them talk."""
    empty = server.rss_bytes()
    for level in levels:
        crowd.grow(level)
        one, other = crowd.clients[level // 2 - 1 : level // 2 + 1]
        result = ping_pong(server, crowd, f"{name}/{level}", seconds, [(one, other)])
        if empty is not None and (full := server.rss_bytes()) is not None:
            result.rss_bytes = (full - empty) // level
        yield result


def growth(
    server: Running, crowd: Crowd, name: str, seconds: float, levels: tuple[int, ...] = (10, 30, 100, 300, 1000)
) -> Iterator[Result]:
    """Let one room grow."""
    for level in levels:
        yield from fan_out(server, crowd, f"{name}/{level}", seconds, members=level)
        for client in crowd.clients:
            client.sent = client.received = 0


class Workload(NamedTuple):
    """A workload by the name that the report gives it."""

    title: str
    unit: str  # what is counted
    servers: str  # the servers that are measured by default
    run: Callable[..., Iterator[Result]]
    needs: str = "login"  # what the server's dialect must be able to do
    busy: int = 0  # beside so many busy loops


def alone_and_beside(name: str, workload: Workload) -> dict[str, Workload]:
    """Return a workload, and the same beside one busy loop and beside two."""
    loops = {1: "a busy loop", 2: "two busy loops"}
    return {name: workload} | {
        f"{name}+{busy}": workload._replace(
            title=f"{workload.title}, beside {beside}", servers="rooms irc ngircd", busy=busy
        )
        for busy, beside in loops.items()
    }


ROOM_SERVERS = "broadcast rooms irc ngircd inspircd ergo miniircd irc.server relay"
USER_SERVERS = "step5 rooms irc ngircd inspircd ergo miniircd irc.server relay"
WORKLOADS = {
    "fan-out/64": Workload(
        "a room of 50, 5 of them talk, 64 messages in flight each", "deliveries", ROOM_SERVERS, fan_out, "say"
    ),
    "mixed/64": Workload(
        "the same as fan-out/64, and every second member wants tags",
        "deliveries",
        "irc inspircd ergo",
        functools.partial(fan_out, tags_every=2),
        "want_tags",
    ),
    "tagged/64": Workload(
        "the same, and all members want tags",
        "deliveries",
        "irc inspircd ergo",
        functools.partial(fan_out, tags_every=1),
        "want_tags",
    ),
    **alone_and_beside(
        "fan-out/1",
        Workload(
            "a room of 50, 5 of them talk, 1 message in flight each",
            "deliveries",
            ROOM_SERVERS,
            functools.partial(fan_out, in_flight=1),
            "say",
        ),
    ),
    "mixed/1": Workload(
        "the same as fan-out/1, and every second member wants tags",
        "deliveries",
        "irc inspircd ergo",
        functools.partial(fan_out, in_flight=1, tags_every=2),
        "want_tags",
    ),
    "tagged/1": Workload(
        "the same, and all members want tags",
        "deliveries",
        "irc inspircd ergo",
        functools.partial(fan_out, in_flight=1, tags_every=1),
        "want_tags",
    ),
    **alone_and_beside("pairs", Workload("20 pairs play ping-pong", "round trips", USER_SERVERS, pairs)),
    "pairs/1": Workload(
        "one pair plays ping-pong, 19 are silent", "round trips", "", functools.partial(pairs, playing=1)
    ),
    **alone_and_beside(
        "logins",
        Workload(
            "connect, log in, quit; 5 at a time",
            "logins",
            USER_SERVERS.replace(" inspircd", ""),  # it lets users in once a second
            logins,
        ),
    ),
    "joins": Workload(
        "five users enter and leave a room of 50", "joins", "rooms irc ngircd inspircd ergo", joins, "leave"
    ),
    "idle": Workload(
        "many are connected and silent, one pair plays ping-pong", "round trips", "step5 irc ngircd", idle
    ),
    "growth": Workload(
        "a room with more and more members, 5 of them talk, 64 messages in flight each",
        "deliveries",
        "rooms irc ngircd",
        growth,
        "say",
    ),
}
GROUPS = {  # a name for workloads that say something only beside each other
    "mixed": ["fan-out/64", "mixed/64", "tagged/64", "fan-out/1", "mixed/1", "tagged/1"],
    "neighbours": [name + beside for name in ("fan-out/1", "pairs", "logins") for beside in ("", "+1", "+2")],
}
