"""The servers: which can be measured, how each is started, and what it uses.

    with KINDS["irc"].start(args) as server:
        server.address, server.cpu_s(), server.rss_bytes(), server.threads()

args     of the command line: `python` runs the servers in Python, `server_args` are for ours
"""

import argparse
import contextlib
import functools
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from extras.bench import dialects, wires
from extras.cluster.private_redis import NoRedis, PrivateRedis, missing_redis
from extras.ircv3.accounts import Accounts
from extras.ircv3.database import Database
from extras.tls.certificate import make_certificate

ROOT = Path(__file__).resolve().parents[2]
TRICKS = "extras/bench/tricks.py"
START_S = 10.0  # a server that does not listen by then will not
STOP_S = 10.0
MANY = 20000  # more connections than we open: we do not want to measure our own limit
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"  # Debian keeps servers there

# Penalties and limits off: we compare servers, not their rules against floods.
NGIRCD_CONF = """\
[Global]
    Name = bench.example
    Info = bench
    Listen = 127.0.0.1
    Ports = {port}
    ServerUID = {uid}
    ServerGID = {gid}
    MotdPhrase = hello
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxPenaltyTime = 0
    PingTimeout = 36000
    PongTimeout = 36000
[Options]
    DNS = no
    Ident = no
    PAM = no
    SyslogFacility = local1
"""
NGIRCD_TLS = """\
[SSL]
    CertFile = {folder}/{certificate}
    KeyFile = {folder}/{key}
    Ports = {port}
"""
# `threshold` and `commandrate` are its penalties for talking fast; a `sendq` is what may wait for a peer.
INSPIRCD_CONF = """\
<server name="bench.example" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@bench.example">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="60" pingfreq="36000" limit="{many}" localmax="{many}" globalmax="{many}"
    threshold="1000000" commandrate="1000000000" fakelag="no" resolvehostnames="no" useident="no"
    hardsendq="100M" softsendq="100M" recvq="1M">
<performance softlimit="{many}">
<dns server="127.0.0.1">
<module name="cap">
<module name="ircv3_servertime">
<module name="ircv3_ctctags">
<module name="ircv3_msgid">
"""
# Nothing is kept but what it needs to run: no accounts, no history.
ERGO_CONF = """\
network:
    name: bench
server:
    name: bench.example
    listeners:
        "127.0.0.1:{port}":
    casemapping: ascii
    lookup-hostnames: false
    max-sendq: 100m
    idle-timeouts:
        ping: 10h
        disconnect: 11h
    ip-limits:
        count: false
        throttle: false
fakelag:
    enabled: false
limits:
    nicklen: 32
    identlen: 20
    channellen: 64
    awaylen: 390
    kicklen: 390
    topiclen: 390
    registration-messages: 1024
datastore:
    path: {folder}/ergo.db
"""
ACCOUNT = "bench", "secret"
CERTIFICATE, KEY = "certificate.pem", "key.pem"

Command = Callable[[argparse.Namespace, Path, int], list[str]]  # args, folder, a free port -> argv
Check = Callable[[argparse.Namespace], str | None]  # args -> why a server cannot be started here, or None


class Kind:
    """One kind of server: its name in the report, its dialect, and its command."""

    def __init__(
        self,
        title: str,
        dialect: dialects.Dialect,
        command: Command,
        why_not: Check = lambda args: None,
        prints_port: bool = True,
        wire: Callable[[Path], wires.Connect] | None = None,
    ):
        self.title = title
        self.dialect = dialect
        self.why_not = why_not
        self.prints_port = prints_port  # "listening on HOST:PORT", its first line
        self.wire = wire  # None, or: its folder -> what carries the bytes to the free port
        self._command = command

    @contextlib.contextmanager
    def start(self, args: argparse.Namespace) -> Iterator["Running"]:
        """Run the server in a process of its own; yield a Running."""
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            wire = self.wire(Path(folder)) if self.wire else wires.plain
            argv = self._command(args, Path(folder), port)
            # A pipe that nobody reads would stop a server that logs: so we use one only to learn the port.
            stdout = subprocess.PIPE if self.prints_port else subprocess.DEVNULL
            process = subprocess.Popen(argv, stdout=stdout, stderr=subprocess.DEVNULL, cwd=folder)
            try:
                if process.stdout:
                    printed = int(process.stdout.readline().rpartition(b":")[2] or 0)
                    port = port if self.wire else printed
                else:
                    wait_until_listening(process, port)
                yield Running(process.pid, ("127.0.0.1", port), wire)
            finally:
                process.kill()
                process.communicate(timeout=STOP_S)


class Connected:
    """A server that somebody else has started."""

    def __init__(self, title: str, dialect: dialects.Dialect, address: tuple[str, int], pid: int | None):
        self.title = title
        self.dialect = dialect
        self._running = Running(pid, address)

    def start(self, args: argparse.Namespace) -> contextlib.nullcontext["Running"]:
        """Yield it; we did not start it, so we do not stop it."""
        return contextlib.nullcontext(self._running)


class Cluster:
    """Servers that are one chat, beside a Redis of their own: as a kind of server."""

    dialect = dialects.ClusterRooms()

    def __init__(self, count: int):
        self.count = count
        self.title = f"cluster of {count}"

    def why_not(self, args: argparse.Namespace) -> str | None:
        """Return why it cannot be started here, or None."""
        return missing_redis() or needs_module("redis")(args)

    @contextlib.contextmanager
    def start(self, args: argparse.Namespace) -> Iterator["Running"]:
        """Run Redis and the servers; yield them as one Running.  Raises: RuntimeError."""
        with contextlib.ExitStack() as stack:
            try:
                redis = stack.enter_context(PrivateRedis())
            except NoRedis as error:
                raise RuntimeError(str(error)) from None
            kind = Kind(self.title, self.dialect, ours("extras/cluster/server.py", "--redis", redis.url))
            servers = [stack.enter_context(kind.start(args)) for _ in range(self.count)]
            yield Together(servers, Running(redis.process.pid, ("127.0.0.1", redis.port)))


SomeKind = Kind | Connected | Cluster


class Running:
    """A server that runs, and what the system knows about it (None where it has no /proc)."""

    def __init__(self, pid: int | None, address: tuple[str, int], wire: wires.Connect = wires.plain):
        self.address = address
        self.others: list[tuple[str, int]] = []  # more addresses of the same chat
        self.wire = wire
        self.pid = pid
        self._proc = Path(f"/proc/{pid}") if pid else None

    def cpu_s(self) -> float | None:
        """Return the processor time used so far, user and system, by all threads."""
        if stat := self._read("stat"):
            # Fields 14 and 15, in ticks; the name in field 2 may hold blanks.  Source: proc(5).
            utime, stime = stat.rpartition(")")[2].split()[11:13]
            return (int(utime) + int(stime)) / os.sysconf("SC_CLK_TCK")
        return None

    def redis_cpu_s(self) -> float | None:
        """Return the processor time that its Redis has used; None: it has none."""
        return None

    def rss_bytes(self) -> int | None:
        """Return the memory in use."""
        kib = self._status("VmRSS")
        return int(kib) * 1024 if kib else None

    def threads(self) -> int | None:
        """Return how many threads there are."""
        threads = self._status("Threads")
        return int(threads) if threads else None

    def switches(self) -> dict[str, int]:
        """Return the context switches of each thread so far, wanted or not, by the thread's number."""
        fields = "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"
        return {task: sum(int(self._status(field, task) or 0) for field in fields) for task in self._tasks()}

    def is_traced(self) -> bool:
        """Return whether a debugger, or strace, has all threads."""
        return all(self._status("TracerPid", task) not in (None, "0") for task in self._tasks() or ["none"])

    def cores(self) -> int | None:
        """Return on how many cores it may run: all of them, if other servers have claimed the cores to pin to."""
        mask = self._status("Cpus_allowed")
        return int(mask.replace(",", ""), 16).bit_count() if mask else None

    def descriptors(self) -> int | None:
        """Return how many files and sockets it has open."""
        try:
            return len(os.listdir(self._proc / "fd")) if self._proc else None
        except OSError:
            return None

    def _tasks(self) -> list[str]:
        tasks = self._proc / "task" if self._proc else None
        return [f"task/{task.name}/" for task in tasks.iterdir()] if tasks and tasks.exists() else []

    def _status(self, field: str, task: str = "") -> str | None:
        for line in (self._read(f"{task}status") or "").splitlines():
            if line.startswith(field + ":"):
                return line.split()[1]
        return None

    def _read(self, name: str) -> str | None:
        try:
            return (self._proc / name).read_text() if self._proc else None
        except (FileNotFoundError, ProcessLookupError):
            return None  # macOS, or the server has died


class Together(Running):
    """Several servers that are one chat; what the system knows is their sum, and Redis's time beside it."""

    def __init__(self, servers: list[Running], redis: Running):
        super().__init__(None, servers[0].address)
        self.others = [server.address for server in servers[1:]]
        self._servers, self._redis = servers, redis

    def cpu_s(self) -> float | None:
        times = [server.cpu_s() for server in self._servers]
        return None if None in times else sum(filter(None, times))

    def redis_cpu_s(self) -> float | None:
        return self._redis.cpu_s()

    def rss_bytes(self) -> int | None:
        return self._sum(Running.rss_bytes)

    def threads(self) -> int | None:
        return self._sum(Running.threads)

    def _sum(self, number: Callable[[Running], int | None]) -> int | None:
        values = [number(server) for server in self._servers]
        return None if None in values else sum(filter(None, values))


def free_port() -> int:
    """Return a port that was free a moment ago, for servers that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the port takes connections.  Raises: RuntimeError."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen")


def ours(script: str, *words: str) -> Command:
    """Return what builds the command of one of our servers."""
    return lambda args, folder, port: [
        args.python,
        str(ROOT / script),
        *words,
        "--port=0",
        f"--max-clients={MANY}",
        *shlex.split(args.server_args),
    ]


def tls(folder: Path) -> wires.Connect:
    """Make a certificate for the server in this folder; return the wire of clients who trust it."""
    make_certificate([wires.NAME], str(folder / CERTIFICATE), str(folder / KEY))
    return functools.partial(wires.Tls, certificate=folder / CERTIFICATE)


def websocket(folder: Path) -> wires.Connect:
    """Return the wire of a browser."""
    return wires.WebSocket


def ours_tls(script: str, *words: str) -> Command:
    """Return what builds the command of one of our servers with a TLS port."""
    plain = ours(script, *words)
    return lambda args, folder, port: [
        *plain(args, folder, port),
        f"--tls-port={port}",
        f"--tls-cert={folder / CERTIFICATE}",
        f"--tls-key={folder / KEY}",
    ]


def irc_db(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Return the command of our IRC server with a database that has one account."""
    database = Database(str(folder / "irc.db"))
    accounts = Accounts(database)
    accounts.add(accounts.make(*ACCOUNT, email="", host=""))
    database.close()
    return ours("extras/irc/server.py", "--flood=off", f"--db={folder / 'irc.db'}")(args, folder, port)


def ours_web(script: str, flag: str, *words: str) -> Command:
    """Return what builds the command of one of our servers with a WebSocket port."""
    plain = ours(script, *words)
    return lambda args, folder, port: [*plain(args, folder, port), f"{flag}={port}"]


def path_of(program: str) -> str:
    """Return where a program is, which must be installed."""
    return shutil.which(program, path=SYSTEM_PATH) or program  # to start it says that it is not there


def ngircd(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Write a configuration and return ngIRCd's command."""
    conf = folder / "ngircd.conf"
    conf.write_text(NGIRCD_CONF.format(port=port, uid=os.getuid(), gid=os.getgid()))
    return [path_of("ngircd"), "--nodaemon", "--config", str(conf)]


def ngircd_tls(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Let ngIRCd take TLS at this port, and plain text at another."""
    argv = ngircd(args, folder, free_port())
    with open(argv[-1], "a") as conf:
        conf.write(NGIRCD_TLS.format(folder=folder, certificate=CERTIFICATE, key=KEY, port=port))
    return argv


def inspircd(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Write a configuration and return InspIRCd's command."""
    conf = folder / "inspircd.conf"
    conf.write_text(INSPIRCD_CONF.format(port=port, many=MANY))
    return [path_of("inspircd"), "--config", str(conf), "--nofork", "--nolog", "--nopid", "--runasroot"]


def ergo(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Write a configuration, make an empty datastore, and return Ergo's command."""
    conf = folder / "ergo.yaml"
    conf.write_text(ERGO_CONF.format(port=port, folder=folder))
    program = path_of("ergo")
    subprocess.run([program, "initdb", "--quiet", "--conf", conf], check=True, stderr=subprocess.DEVNULL)
    return [program, "run", "--quiet", "--conf", str(conf)]


def miniircd(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Return miniircd's command."""
    as_root = ["--setuid", "root"] if os.getuid() == 0 else []  # it wants this
    main = "import miniircd; miniircd.main()"
    return [args.python, "-c", main, f"--ports={port}", "--listen=127.0.0.1", *as_root]


def irc_server(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
    """Return the command of the `irc` package's server."""
    return [args.python, "-m", "irc.server", "-a127.0.0.1", f"-p{port}", "-lERROR"]


def relay(source: str, pin: bool = False) -> Command:
    """Return what compiles a relay and builds its command; `pin`: for the core that a server of ours would take."""

    def command(args: argparse.Namespace, folder: Path, port: int) -> list[str]:
        subprocess.run(["cc", "-O2", "-pthread", "-o", folder / "relay", Path(__file__).with_name(source)], check=True)
        core = str(max(os.sched_getaffinity(0)))
        return [*(["taskset", "--cpu-list", core] if pin else []), str(folder / "relay")]

    return command


def needs_program(name: str) -> Check:
    """Return a check that a program is installed."""
    return lambda args: None if shutil.which(name, path=SYSTEM_PATH) else f"no {name} here"


def needs_module(name: str) -> Check:
    """Return a check that the servers' Python has a module."""

    def why_not(args: argparse.Namespace) -> str | None:
        found = subprocess.run([args.python, "-c", f"import {name}"], stderr=subprocess.DEVNULL, check=False)
        return f"{args.python} -m pip install {name}" if found.returncode else None

    return why_not


def needs_both(*checks: Check) -> Check:
    """Return a check that is content when all of these are."""
    return lambda args: next(filter(None, (check(args) for check in checks)), None)


def needs_c(args: argparse.Namespace) -> str | None:
    """Check for Linux and a C compiler."""
    return needs_program("cc")(args) if sys.platform == "linux" else "a relay in C needs Linux"


KINDS: dict[str, Kind | Cluster] = {
    "step5": Kind("step 5", dialects.Chat(), ours("step5_server/server.py")),
    "broadcast": Kind("broadcast", dialects.Broadcast(), ours("extras/broadcast/server.py")),
    "rooms": Kind("rooms", dialects.Rooms(), ours("extras/rooms/server.py")),
    "irc": Kind("our IRC", dialects.Ircv3(), ours("extras/irc/server.py", "--flood=off")),
    "ngircd": Kind("ngIRCd (C)", dialects.Irc(), ngircd, needs_program("ngircd"), False),
    "inspircd": Kind("InspIRCd (C++)", dialects.Ircv3(), inspircd, needs_program("inspircd"), False),
    "ergo": Kind("Ergo (Go)", dialects.Ircv3(), ergo, needs_program("ergo"), False),
    "miniircd": Kind("miniircd", dialects.Irc(), miniircd, needs_module("miniircd"), False),
    "irc.server": Kind("irc.server", dialects.Irc(), irc_server, needs_module("irc"), False),
    "relay": Kind("relay.c", dialects.Relay(), relay("relay.c"), needs_c),
    "relay-threads": Kind("relay_threads.c", dialects.Relay(), relay("relay_threads.c"), needs_c),
    "relay-threads:pin": Kind(
        "relay_threads.c, pinned",
        dialects.Relay(),
        relay("relay_threads.c", pin=True),
        needs_both(needs_c, needs_program("taskset")),
    ),
    # Measured only if they are named: TLS and WebSocket ...
    "rooms:tls": Kind(
        "rooms, TLS", dialects.Rooms(), ours_tls("extras/rooms/server.py"), needs_program("openssl"), wire=tls
    ),
    "rooms:web": Kind(
        "rooms, WebSocket",
        dialects.FramedRooms(),
        ours_web("extras/web/server.py", "--web-port"),
        needs_module("websockets"),
        wire=websocket,
    ),
    "irc:tls": Kind(
        "our IRC, TLS",
        dialects.Ircv3(),
        ours_tls("extras/irc/server.py", "--flood=off"),
        needs_program("openssl"),
        wire=tls,
    ),
    "irc:web": Kind(
        "our IRC, WebSocket",
        dialects.FramedIrc(),
        ours_web("extras/irc/server.py", "--ws-port", "--flood=off"),
        needs_module("websockets"),
        wire=websocket,
    ),
    "ngircd:tls": Kind(
        "ngIRCd, TLS",
        dialects.Irc(),
        ngircd_tls,
        needs_both(needs_program("openssl"), needs_program("ngircd")),
        False,
        tls,
    ),
    # ... with a database, and with a login to an account ...
    "irc:db": Kind("our IRC, --db", dialects.Ircv3(), irc_db),
    "irc:sasl": Kind("our IRC, SASL", dialects.IrcWithAccount(*ACCOUNT), irc_db),
    # ... servers that are one chat, with Redis between them ...
    **{f"cluster:{count}": Cluster(count) for count in (1, 2, 3)},
    # ... and the rooms server without one of its tricks.
    "rooms:no-pin": Kind("- no pin", dialects.Rooms(), ours("extras/rooms/server.py", "--no-pin")),
    "rooms:per-line": Kind("- flush per line", dialects.Rooms(), ours(TRICKS, "per-line")),
    "rooms:not-held": Kind("- not held back", dialects.Rooms(), ours(TRICKS, "not-held")),
    "rooms:no-postman": Kind("- no postman", dialects.Rooms(), ours(TRICKS, "no-postman")),
    "rooms:writers": Kind("- writer threads", dialects.Rooms(), ours(TRICKS, "writers")),
}
