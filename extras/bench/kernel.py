"""What a message costs the kernel: system calls, and how often another thread had to be put in one's place.

The bench's own workloads run while `perf` counts, which hardly slows them down.  Where it may not count: once
with `strace`, and once without, for the context switches.  `strace` stops a thread at each call, and those who
wait for the GIL call futex again and again meanwhile: believe it in all else.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator

from extras.bench.load import Crowd
from extras.bench.servers import Running, SomeKind
from extras.bench.workloads import WORKLOADS

ATTACH_S = 10.0  # strace takes its time with many threads
# Who must be there before we count: so many clients, and whether they are in the room.
READY = {
    "pairs": (40, False),
    "pairs/1": (40, False),
    "joins": (55, False),
    "fan-out/1": (50, True),
    "fan-out/64": (50, True),
}
# For perf, which wants to know before; each is a file for each thread.
CALLS = (
    "sendto recvfrom futex write read epoll_wait epoll_ctl poll clock_nanosleep accept4 clone clone3 close "
    "setsockopt shutdown mmap mprotect madvise munmap"
)
EVENT = "syscalls:sys_enter_"
EVENTS = ",".join(["context-switches", *(EVENT + name for name in CALLS.split())])


class CannotTrace(Exception):
    """There is no strace, or it may not look at other processes."""


# Counts, while it is entered, what this server does: so often each thing, by name.
Watch = Callable[[Running], contextlib.AbstractContextManager[Counter[str]]]


def run(kind: SomeKind, args: argparse.Namespace, workload: str, watch: Watch) -> tuple[float, Counter[str]]:
    """Run a workload; return how many messages it had, and what `watch(running)`, entered meanwhile, has found.

    Raises: LoadError, OSError, RuntimeError, CannotTrace.
    """
    with kind.start(args) as running, Crowd(running.address, kind.dialect, wire=running.wire) as crowd:
        if workload in READY:
            crowd.grow(*READY[workload])
        with watch(running) as found:
            (result,) = WORKLOADS[workload].run(running, crowd, workload, args.seconds)
    if workload.startswith("fan-out"):
        return result.count / (result.connections - 1), found  # one message is a delivery for each of the others
    return result.count * (2 if workload.startswith("pairs") else 1), found


@contextlib.contextmanager
def switches(running: Running) -> Iterator[Counter[str]]:
    """Count the context switches of all threads: {"switches": n}, or nothing where that cannot be known."""
    found: Counter[str] = Counter()
    before = running.switches()
    yield found
    after = running.switches()
    if before and before.keys() <= after.keys():  # the numbers of a thread that has ended are gone
        found["switches"] = sum(after.values()) - sum(before.values())


@contextlib.contextmanager
def system_calls(running: Running) -> Iterator[Counter[str]]:
    """Count the system calls of all threads, by name.  Raises: CannotTrace."""
    if not shutil.which("strace"):
        raise CannotTrace("no strace here")
    found: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile("r") as table, tempfile.TemporaryFile("w+") as errors:
        strace = subprocess.Popen(["strace", "-q", "-c", "-f", "-o", table.name, "-p", str(running.pid)], stderr=errors)
        try:
            deadline = time.monotonic() + ATTACH_S
            while not running.is_traced():
                if strace.poll() is not None or time.monotonic() > deadline:
                    errors.seek(0)
                    raise CannotTrace(f"strace: {errors.read().strip() or 'cannot attach'}")
                time.sleep(0.01)
            yield found
        finally:
            if strace.poll() is None:
                strace.send_signal(signal.SIGINT)  # it lets go of the server, and writes its table
            strace.wait()
        found.update(summary(table.read()))


def perf_can() -> bool:
    """Return whether perf is here, may count system calls, and knows all of these: some machines lack some."""
    ask = ["perf", "stat", "-e", EVENTS, "true"]
    return bool(shutil.which("perf")) and subprocess.run(ask, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def perf(running: Running) -> Iterator[Counter[str]]:
    """Count the system calls of all threads, by name, and the context switches.  Raises: CannotTrace."""
    found: Counter[str] = Counter()
    (control, orders), (answers, done) = os.pipe(), os.pipe()
    with tempfile.NamedTemporaryFile("r") as table:
        # It begins when we say so, and answers that it has.
        command = f"perf stat -x ; -e {EVENTS} -p {running.pid} -D -1 --control=fd:{control},{done} -o".split()
        null = subprocess.DEVNULL
        perf = subprocess.Popen([*command, table.name], pass_fds=(control, done), stdout=null, stderr=null)
        for end in (control, done):
            os.close(end)
        try:
            with open(orders, "wb", 0) as pen, open(answers, "rb", 0) as ear:
                with contextlib.suppress(BrokenPipeError):
                    pen.write(b"enable\n")
                if not ear.read(4):
                    raise CannotTrace(f"perf ended with status {perf.wait()}")
                yield found
        finally:
            if perf.poll() is None:
                perf.send_signal(signal.SIGINT)
            perf.wait()
        rows = (line.split(";") for line in table.read().splitlines())
        numbers = {row[2].removeprefix(EVENT): row[0] for row in rows if len(row) > 2}
        found.update({name.replace("context-", ""): int(n) for name, n in numbers.items() if n.isdigit()})


def summary(table: str) -> dict[str, int]:
    """Return the calls by name of what `strace -c` has written."""
    rows = (line.split() for line in table.splitlines())
    # % time, seconds, usecs/call, calls, errors (or nothing), name
    return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def costs(kind: SomeKind, args: argparse.Namespace, workload: str, watch: Watch) -> dict[str, float]:
    """Return what one message has cost, by name, the most first; as run()."""
    messages, found = run(kind, args, workload, watch)
    return {name: count / messages for name, count in found.most_common()}
