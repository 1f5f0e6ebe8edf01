"""Measure chat servers: throughput, latency, processor time, memory, and that no message is lost.

    python extras/bench/bench.py                       everything: a quarter of an hour
    python extras/bench/bench.py --quick               a quick look, to see that it works
    python extras/bench/bench.py --servers irc,ngircd --workloads pairs --rounds 9
    python extras/bench/bench.py --connect 127.0.0.1:6667 --dialect irc

It starts the servers itself, one at a time, and counts every delivery: if one message is lost or
comes twice, the run has failed.  In a round each server is measured once, so that two numbers
beside each other in a table were measured shortly after each other.  The report shows medians
over the rounds.
"""

import argparse
import contextlib
import datetime
import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root

from extras.bench.dialects import Broadcast, Chat, Dialect, Irc, Ircv3, Rooms
from extras.bench.load import Crowd, LoadError, busy_loops
from extras.bench.picture import draw
from extras.bench.report import Report
from extras.bench.servers import KINDS, Connected, SomeKind
from extras.bench.workloads import GROUPS, WORKLOADS
from step1_echo.streams import CannotWrite, mend_streams, tell, write

DIALECTS: dict[str, Dialect] = {
    "chat": Chat(),
    "broadcast": Broadcast(),
    "rooms": Rooms(),
    "irc": Irc(),
    "ircv3": Ircv3(),
}
QUICK = {"idle": (4, 20), "growth": (10, 20)}  # levels that take little time


def measure(
    report: Report, name: str, server: str, kind: SomeKind, args: argparse.Namespace, round_number: int
) -> None:
    """Run one workload with one server, and put what it gives into the report."""
    progress = functools.partial(show, f"round {round_number + 1}/{args.rounds}  {name}  {kind.title}")
    run = WORKLOADS[name].run
    if args.quick and name in QUICK:
        run = functools.partial(run, levels=QUICK[name])
    progress("starts")
    try:
        with (
            kind.start(args) as running,
            Crowd(running.address, kind.dialect, progress, running.wire, running.others) as crowd,
            busy_loops(WORKLOADS[name].busy),
        ):
            for result in run(running, crowd, name, args.seconds):
                numbers = result.numbers()
                report.add(result.workload, server, numbers)
                progress(f"{result.workload}: {numbers['per_second']:,.0f} a second")
    except (LoadError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        report.failures.append(f"{name}, {kind.title}, round {round_number + 1}: {error}")


def show(*words: str) -> None:
    """Show how far we are: on a terminal, always in the same line."""
    if sys.stderr.isatty():
        with contextlib.suppress(CannotWrite):
            write(sys.stderr, "\r\x1b[K" + "  ".join(words))
    elif words[-1] == "starts":
        tell("  ".join(words[:-1]))


def chosen_servers(args: argparse.Namespace) -> dict[str, SomeKind]:
    """Return the kinds of servers that can run here; say which cannot, and why."""
    if args.connect:
        host, _, port = args.connect.rpartition(":")
        return {args.connect: Connected(args.connect, DIALECTS[args.dialect], (host.strip("[]"), int(port)), args.pid)}
    chosen: dict[str, SomeKind] = {}
    by_default = [name for name in KINDS if any(name in w.servers.split() for w in WORKLOADS.values())]
    for name in args.servers or by_default:
        if why_not := KINDS[name].why_not(args):
            tell(f"without {KINDS[name].title}: {why_not}")
        else:
            chosen[name] = KINDS[name]
    return chosen


def takes_part(name: str, server: str, kind: SomeKind, args: argparse.Namespace) -> bool:
    """Return whether this workload is for this server."""
    if not hasattr(kind.dialect, WORKLOADS[name].needs):
        return False  # it has no rooms, for instance
    return bool(args.servers or args.connect) or server in WORKLOADS[name].servers.split()


def raise_file_limit() -> None:
    """Allow as many open sockets as the system lets us; our children inherit it."""
    import resource  # not on Windows, where the rest does not work either

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def about(args: argparse.Namespace) -> dict[str, str]:
    """Return the facts that one needs to judge the numbers."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": python_version(args.python),
        "rounds": f"{args.rounds} rounds of {args.seconds:g} s",
    }


def python_version(python: str) -> str:
    """Return the version of the Python that runs the servers."""
    ask = "import platform; print(platform.python_implementation(), platform.python_version())"
    try:
        return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"--python {python}: {error}") from None


def names_of(known: Collection[str], groups: Mapping[str, list[str]] | None = None) -> Callable[[str], list[str]]:
    """Return a converter for argparse: names with commas between them; a group's name means all of it."""

    of_group = groups or {}

    def convert(names: str) -> list[str]:
        chosen = []
        for name in names.split(","):
            if name not in known and name not in of_group:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join([*known, *of_group])}")
            chosen += of_group.get(name, [name])
        return list(dict.fromkeys(chosen))

    return convert


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how to start the servers, which each program of the bench has."""
    parser.add_argument(
        "--python", default=sys.executable, metavar="PATH", help="the Python that runs the servers (default: this one)"
    )
    parser.add_argument(
        "--server-args",
        default="",
        metavar="ARGS",
        help="more arguments for our servers, such as --server-args=--no-pin",
    )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n"
        + "\n".join(f"  {n:<17} {w.title}" for n, w in WORKLOADS.items())
        + "".join(f"\n  {n:<17} {', '.join(group)}" for n, group in GROUPS.items())
        + "\n  attack            a command of its own: python extras/bench/attack.py --help"
        + "\n\nservers:\n"
        + "\n".join(f"  {n:<17} {k.title}" for n, k in KINDS.items()),
    )
    parser.add_argument(
        "--servers",
        type=names_of(KINDS),
        metavar="A,B",
        help="only these (default: those that the workload is meant for)",
    )
    parser.add_argument(
        "--workloads",
        type=names_of(WORKLOADS, GROUPS),
        metavar="A,B",
        default=list(WORKLOADS),
        help="only these (default: all)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="how long each measurement lasts (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one very short round with few users")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw a picture into this file")
    add_server_flags(parser)
    parser.add_argument("--connect", metavar="HOST:PORT", help="measure a server that runs already")
    parser.add_argument(
        "--dialect", choices=DIALECTS, default="irc", help="what the server of --connect speaks (default %(default)s)"
    )
    parser.add_argument("--pid", type=int, help="its process, to see its processor time and memory")
    args = parser.parse_args(argv)
    if args.quick:
        args.rounds, args.seconds = 1, 0.1
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and return the exit status: 1 if anything was lost."""
    mend_streams()
    args = parse_args(argv)
    raise_file_limit()
    report = Report(about(args))
    servers = chosen_servers(args)
    try:
        for name in args.workloads:
            for round_number in range(args.rounds):
                for server, kind in servers.items():
                    if takes_part(name, server, kind, args):
                        measure(report, name, server, kind, args, round_number)
    except KeyboardInterrupt:
        report.failures.append("interrupted: the numbers are incomplete")
    show("")
    try:
        write(sys.stdout, report.tables() + "\n")
    except CannotWrite as error:  # the measurement took long: its files may still be written
        report.failures.append(str(error))
        tell(str(error))
    if args.json:
        args.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if args.svg:
        args.svg.write_text(draw(report))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
