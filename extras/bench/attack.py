"""Attack our chat servers, and measure what that does to a user who has nothing to do with it.

    python extras/bench/attack.py                          every attack: some fifteen minutes
    python extras/bench/attack.py help irc-away            these two
    python extras/bench/attack.py --servers step5,rooms --attackers 1 --seconds 3 help

The servers run with their default flags.  Each attack is made by 1 attacker and then by 16, who
send as fast as they can.  Meanwhile users who have nothing to do with it (the uninvolved) send
messages to themselves, and newcomers log in.
The exit status is 1 if a goal was missed.

p50 ms     half of the waits of the uninvolved users were no longer than this; p99: 99 of 100; max: all
CPU        the server's, in seconds; `after`: in the second after the attack
MB         the server's memory, above what it was before: at the peak, and what is left in the end
open       files and sockets that the server had open at the peak; `threads`: its threads at the peak
kept       whether the uninvolved users still have their connections
cut        how many of the users who were there before the attack (the stage) the server has cut off
out        how often it has cut off an attacker, or refused one
logins     how many newcomers were let in, of how many; then how long it took half of them, and all
"""

import argparse
import contextlib
import functools
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root

from extras.bench.attacker import Stage, attack_all, fork, read_all
from extras.bench.attacks import ATTACKS, Attack
from extras.bench.bench import about, add_server_flags, names_of, raise_file_limit, show
from extras.bench.dialects import Broadcast, Chat, Dialect, Irc, Rooms
from extras.bench.load import Crowd, LoadError
from extras.bench.report import written
from extras.bench.servers import ROOT, Kind, Running
from extras.bench.witness import Watch
from extras.bench.workloads import grown
from step5_server.line_server import positive

SERVERS: dict[str, tuple[str, Dialect]] = {
    "step5": ("step5_server/server.py", Chat()),
    "broadcast": ("extras/broadcast/server.py", Broadcast()),
    "presence": ("extras/presence/server.py", Broadcast()),
    "rooms": ("extras/rooms/server.py", Rooms()),
    "irc": ("extras/irc/server.py", Irc()),
}
P99_GOAL_MS = {1: 100.0, 16: 500.0}  # attackers -> how long an uninvolved user may wait
MEMORY_GOAL_MB = 20.0  # how much more memory than before the server may use afterwards
SETTLE_S = 10.0  # how long the server may take to give it back
LOOK_EVERY_S = 0.1  # at the server's memory and threads
OVERTIME_S = 10.0  # for attackers who are still busy when the time is over

COLUMNS = {  # the table's columns: title, width, and how the number is written
    "attackers": ("by", 3, "{:.0f}"),
    "p50_ms": ("p50 ms", 6, "{:.1f}"),
    "p99_ms": ("p99 ms", 7, "{:.1f}"),
    "max_ms": ("max ms", 6, "{:.0f}"),
    "cpu_s": ("CPU s", 5, "{:.1f}"),
    "cpu_after_s": ("after", 5, "{:.2f}"),
    "peak_mb": ("peak MB", 7, "{:+.0f}"),
    "after_mb": ("left MB", 7, "{:+.0f}"),
    "descriptors": ("open", 5, "{:.0f}"),
    "threads": ("threads", 7, "{:.0f}"),
    "kept": ("kept", 4, "{}"),
    "cut_off": ("cut", 3, "{:.0f}"),
    "thrown_out": ("out", 5, "{:.0f}"),
    "logins": ("logins", 6, "{}"),
    "login_p50_ms": ("p50 ms", 6, "{:.0f}"),
    "login_max_ms": ("max ms", 6, "{:.0f}"),
    "verdict": ("goals", 5, "{}"),
}


class IrcWithPassword(Irc):
    """IRC with a password."""

    def __init__(self, password: bytes):
        self._password = password

    def login(self, user: int) -> bytes:
        return b"PASS %s\r\n" % self._password + super().login(user)


class Usage:
    """What the server uses, measured again and again."""

    def __init__(self, server: Running):
        self._server = server
        self._cpu_s = server.cpu_s()
        self._rss = server.rss_bytes()
        self.peak_rss = self._rss
        self.threads: int | None = None
        self.descriptors: int | None = None

    def look(self) -> None:
        """Measure once more, to find the peaks."""
        self.peak_rss = most(self.peak_rss, self._server.rss_bytes())
        self.threads = most(self.threads, self._server.threads())
        self.descriptors = most(self.descriptors, self._server.descriptors())

    def cpu_s(self) -> float | None:
        """Return the processor time since the last call."""
        before, self._cpu_s = self._cpu_s, self._server.cpu_s()
        return grown(before, self._cpu_s)

    def grown_mb(self, rss: int | None) -> float | None:
        """Return how many megabytes more the server uses than at the beginning."""
        more = grown(self._rss, rss)
        return None if more is None else more / 1e6

    def settle(self) -> float | None:
        """Wait until the server has given back its memory; return how much more than before it still uses."""
        until = time.monotonic() + SETTLE_S
        left = self.grown_mb(self._server.rss_bytes())
        while left is not None and left > MEMORY_GOAL_MB and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            left = self.grown_mb(self._server.rss_bytes())
        return left

    def cpu_after(self, seconds: float) -> float | None:
        """Return the processor time of the next second, in which nobody sends anything."""
        self.cpu_s()
        time.sleep(min(1.0, seconds))
        return self.cpu_s()


def most(one: int | None, other: int | None) -> int | None:
    """Return the greater of two numbers, if both are known."""
    return one if other is None else other if one is None else max(one, other)


def measure(
    attack: Attack, server: str, count: int, args: argparse.Namespace, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Make one attack on a server of its own, and return what it did.  Raises: LoadError, OSError."""
    script, dialect = SERVERS[server]
    if attack.password:
        dialect = IrcWithPassword(attack.password)
    command = [args.python, str(args.root / script), "--port=0", *attack.server_args, *shlex.split(args.server_args)]
    kind = Kind(server, dialect, lambda args, folder, port: command)
    with kind.start(args) as running, Crowd(running.address, dialect, progress) as crowd:
        stage = Stage(crowd, args.scale)
        attack.stage(stage)
        with Watch(crowd) as watch, reading(stage) as cut_off:
            usage = Usage(running)
            thrown_out = fork.Value("i", 0)
            attackers = (attack.run, count, running.address, dialect, args.seconds, thrown_out)
            progress("starts")
            with process(attack_all, *attackers) as child:
                watch_the_attack(child, watch, usage, args.seconds)
            cpu_s = usage.cpu_s()
            after_mb = usage.settle()
            cpu_after_s = usage.cpu_after(args.seconds)
            waits, logins = sorted(watch.waits), sorted(watch.logins)
            return {
                "attackers": count,
                "cpu_s": cpu_s,
                "cpu_after_s": cpu_after_s,
                "p50_ms": share(waits, 50),
                "p99_ms": share(waits, 99),
                "max_ms": share(waits, 100),
                "peak_mb": usage.grown_mb(usage.peak_rss),
                "after_mb": after_mb,
                "descriptors": usage.descriptors,
                "threads": usage.threads,
                "kept": "yes" if watch.kept else "NO",
                "cut_off": cut_off.value,
                "thrown_out": thrown_out.value,
                "logins": f"{watch.let_in}/{watch.newcomers}",
                "login_p50_ms": share(logins, 50),
                "login_max_ms": share(logins, 100),
            }


def watch_the_attack(attackers: BaseProcess, watch: Watch, usage: Usage, seconds: float) -> None:
    """Measure while the attackers are busy."""
    deadline = time.monotonic() + seconds + OVERTIME_S
    next_look = 0.0
    busy = True
    while busy:  # once at least: on a busy machine the attackers may have ended before we begin
        busy = attackers.is_alive() and time.monotonic() < deadline
        watch.step()
        if time.monotonic() >= next_look:
            usage.look()
            next_look = time.monotonic() + LOOK_EVERY_S
    watch.end()


@contextlib.contextmanager
def process(function: Callable[..., None], *args: object) -> Iterator[BaseProcess]:
    """Run a function in a process of its own, and end that process."""
    child = fork.Process(target=function, args=args, daemon=True)
    # Ctrl-C reaches all processes at once.  The child ignores it from the start: we end the child.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield child
    finally:
        child.kill()
        child.join()


@contextlib.contextmanager
def reading(stage: Stage) -> Iterator["Synchronized[int]"]:
    """Let the users on the stage read; yield the count of those whom the server cuts off."""
    cut_off = fork.Value("i", 0)
    with process(read_all, stage, cut_off):
        yield cut_off


def share(ordered: list[float], percent: int) -> float | None:
    """Return the time that this many percent do not exceed, in milliseconds."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] * 1e3 if ordered else None


def verdict(numbers: dict[str, Any]) -> str:
    """Say which goals were missed."""
    goal = P99_GOAL_MS[min(P99_GOAL_MS, key=lambda count: abs(count - numbers["attackers"]))]
    missed = []
    if numbers["kept"] != "yes":
        missed.append("kept")
    if numbers["p99_ms"] is None or numbers["p99_ms"] > goal:
        missed.append("p99")
    if numbers["after_mb"] is not None and numbers["after_mb"] > MEMORY_GOAL_MB:
        missed.append("memory")
    return "MISSED " + ", ".join(missed) if missed else "met"


def row(words: list[str], numbers: dict[str, Any] | None = None) -> str:
    """Return a line of the table: its titles, or one attack's numbers."""
    cells = [
        (title if numbers is None else written(numbers[name], form)).rjust(width)
        for name, (title, width, form) in COLUMNS.items()
    ]
    return " ".join([words[0].ljust(19), words[1].ljust(9), *cells])


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="attacks:\n"
        + "\n".join(f"  {n:<20} {a.title} ({', '.join(a.servers.split())})" for n, a in ATTACKS.items()),
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="only these (default: all)")
    parser.add_argument(
        "--servers",
        type=names_of(SERVERS),
        metavar="A,B",
        help="attack each of these that speaks the attack's protocol (default: only the first)",
    )
    parser.add_argument(
        "--attackers", type=numbers, default=[1, 16], metavar="N,M", help="how many attackers at once (default 1,16)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each attack lasts (default %(default)g)")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="the share of the users, rooms and channels to set up (default %(default)g)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    parser.add_argument(
        "--root",
        type=Path,
        default=ROOT,
        metavar="FOLDER",
        help="attack the servers of this copy of the project (default: this one)",
    )
    add_server_flags(parser)
    args = parser.parse_args(argv)
    for name in args.attacks:
        if name not in ATTACKS:
            parser.error(f"there is no attack {name!r}; --help lists them")
    args.rounds = len(args.attackers)
    args.root = args.root.resolve()
    return args


def numbers(text: str) -> list[int]:
    """Convert for argparse: numbers over 0 with commas between them."""
    return [int(positive(int)(word)) for word in text.split(",")]


def main(argv: Sequence[str] | None = None) -> int:
    """Attack, print the table, and return the exit status."""
    args = parse_args(argv)
    raise_file_limit()
    facts = about(args)
    attacks: list[dict[str, Any]] = []
    failures = []
    print("  ".join(f"{key}: {value}" for key, value in facts.items() if key != "rounds"))
    print(
        f"goals: p99 {P99_GOAL_MS[1]:g} ms with 1 attacker, {P99_GOAL_MS[16]:g} ms with 16;"
        f" afterwards at most {MEMORY_GOAL_MB:g} MB more than before; nobody uninvolved is cut off\n"
    )
    print(row(["attack", "server"]), flush=True)
    try:
        for name in args.attacks or ATTACKS:
            understood = ATTACKS[name].servers.split()
            for server in [s for s in args.servers or understood[:1] if s in understood]:
                for count in args.attackers:
                    progress = functools.partial(show, name, server, f"by {count}")
                    progress("people come")
                    try:
                        found = measure(ATTACKS[name], server, count, args, progress)
                    except (LoadError, OSError) as error:
                        failures.append(f"{name}, {server}, {count} attackers: {error}")
                        continue
                    found["verdict"] = verdict(found)
                    attacks.append({"attack": name, "server": server, **found})
                    if sys.stderr.isatty():
                        show("")
                    print(row([name, server], found), flush=True)
    except KeyboardInterrupt:
        failures.append("interrupted: the rest was not tried")
    for failure in failures:
        print("FAILED", failure)
    if args.json:
        goals = {"p99_ms": P99_GOAL_MS, "after_mb": MEMORY_GOAL_MB}
        results = {"about": facts, "goals": goals, "attacks": attacks, "failures": failures}
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failures or any(one["verdict"] != "met" for one in attacks) else 0


if __name__ == "__main__":
    sys.exit(main())
