"""Count what a message costs: calls of functions, system calls, context switches.  Noise changes them little.

    python extras/bench/counts.py                            everything that can be counted here
    python extras/bench/counts.py irc ngircd --workloads pairs
    python extras/bench/counts.py irc --names                which functions are called
    python extras/bench/counts.py --compare --report r.json  what became dearer since the last --save

Calls are counted in this process, for servers of ours (step5, rooms, irc), in one thread: two runs give the
same numbers.  For the rest the bench's workloads run while perf counts, or else strace; there must be a Linux.
--save writes calls, and from a report of bench.py --json processor time and memory, into costs.json;
--compare compares with it, marks what is 10 % worse, and then ends with status 1.
"""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root

from extras.bench import calls, costs, kernel
from extras.bench.bench import add_server_flags, names_of, raise_file_limit
from extras.bench.load import LoadError
from extras.bench.servers import KINDS
from extras.bench.workloads import WORKLOADS
from step1_echo.streams import CannotWrite, mend_streams, tell, write

UNITS = {"logins": "login", "joins": "join and leave"}
BY_DEFAULT = ["step5", "rooms", "irc", "ngircd", "relay-threads", "relay-threads:pin"]
MANY_NAMES = 25  # functions that are shown for a request: the rest is called now and then
LEAST = 0.005  # of a system call for each message: less is a login's, or a timer's


def say(line: str) -> None:
    """Write a line of the report, at once: the next one takes a while.  Raises: CannotWrite."""
    write(sys.stdout, line + "\n")


def count_calls(servers: list[str], names: bool) -> dict[str, Any]:
    """Count and show the calls for each message; return them as a part of the file of costs."""
    numbers = {}
    say(f"{'calls for each message':<34}{'Python':>10}{'C':>10}")
    for server in servers:
        if server not in calls.SERVERS:
            continue
        tell(f"calls  {server}")
        for what, count in calls.measure(server).items():
            say(f"{server + ', ' + what:<34}{count.python:>10.1f}{count.c:>10.1f}")
            for name, number in count.names[: MANY_NAMES if names else 0]:
                say(f"    {number:8.2f}  {name}")
            numbers[f"{server}, {what}, Python"] = round(count.python, 2)
            numbers[f"{server}, {what}, C"] = round(count.c, 2)
    python = platform.python_implementation() + " " + ".".join(platform.python_version_tuple()[:2])
    return {"measured on": {"python": python}, "numbers": numbers}


def count_in_the_kernel(servers: list[str], args: argparse.Namespace) -> int:
    """Show system calls and context switches for each message; return 1 if a run has failed."""
    failed = 0
    watches = [kernel.perf] if kernel.perf_can() else [kernel.switches, kernel.system_calls]
    for workload in args.workloads:
        say(f"\n{workload}: for each {UNITS.get(workload, 'message')}")
        for server in servers:
            kind = KINDS[server]
            if why_not := kind.why_not(args):
                say(f"{kind.title}: {why_not}")
                continue
            if not hasattr(kind.dialect, WORKLOADS[workload].needs):
                continue  # it has no rooms
            for watch in watches:
                tell(f"{workload}  {server}  {watch.__name__}")
                try:
                    shares = kernel.costs(kind, args, workload, watch)
                    told = "  ".join(f"{name} {n:.2f}" for name, n in shares.items() if n >= LEAST)
                except kernel.CannotTrace as error:
                    told = f"system calls are not counted: {error}"
                except (LoadError, OSError, RuntimeError) as error:
                    told, failed = f"FAILED {error}", 1
                told = told or "switches are not known: threads have ended, or there is no /proc"
                say(f"{kind.title:<24}{told}")
    return failed


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=f"default: {' '.join(BY_DEFAULT)}")
    parser.add_argument(
        "--workloads",
        type=names_of([*kernel.READY, "logins"]),
        metavar="A,B",
        default=["pairs", "fan-out/1", "fan-out/64", "joins", "logins"],
        help="only these (default: all but pairs/1)",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default %(default)s)")
    parser.add_argument("--names", action="store_true", help="show calls only, and which functions are called")
    parser.add_argument("--save", action="store_true", help="write calls, and what the report says, into the file")
    parser.add_argument("--compare", action="store_true", help="compare calls, and what the report says, with the file")
    parser.add_argument("--report", type=Path, metavar="JSON", help="what bench.py --json has written")
    parser.add_argument("--file", type=Path, default=costs.FILE, help="the file of costs (default: %(default)s)")
    add_server_flags(parser)
    args = parser.parse_args(argv)
    for server in args.servers:
        if server not in KINDS:
            parser.error(f"{server!r} is none of {', '.join(KINDS)}")
    if args.report and not (args.save or args.compare):
        parser.error("--report is for --save and --compare")
    return args


def count_and_compare(servers: list[str], args: argparse.Namespace) -> int:
    """Do what the command line asks for; return the exit status."""
    times = {"times": costs.times_of(costs.read(args.report))} if args.report else {}
    old = costs.read(args.file) if args.compare or (args.save and args.file.exists()) else {}
    new = {"calls": count_calls(servers, args.names)} | times
    status = 0
    if args.compare:
        table, worse = costs.compare(old, new)
        say(f"\n{table}")
        status = int(worse)
    if args.save:
        costs.save(old, new, args.file)
    if not (args.save or args.compare or args.names):
        raise_file_limit()
        status = count_in_the_kernel(servers, args)
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Count, and return the exit status: 1 if anything has failed, or is worse than it was."""
    mend_streams()
    args = parse_args(argv)
    try:
        return count_and_compare(args.servers or BY_DEFAULT, args)
    except (costs.NoCosts, CannotWrite, OSError, RuntimeError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None


if __name__ == "__main__":
    sys.exit(main())
