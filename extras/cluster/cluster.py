"""A cluster for a first look: a private Redis and some servers, all on this machine.

    this process ── waits for Ctrl-C or SIGTERM
     └── keeper ── in a session of its own, where Ctrl-C does not reach it
          ├── redis-server
          └── s1, s2, ... ── extras/cluster/server.py

lifeline   a pipe from this process to the keeper.  Nothing is ever written to it: its end tells the
           keeper that this process wants to stop, or has died, even by kill -9
child      a process that the keeper has started
"""

import argparse
import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.cluster.engine import missing_library
from extras.cluster.private_redis import NoRedis, PrivateRedis, missing_redis
from step1_echo.serving import DEFAULT_PORT, announce, port_number
from step1_echo.streams import mend_streams, tell
from step5_server.line_server import positive

STOP_S = 8.0  # a server gives its users 3 s, and then leaves the cluster
SERVERS = {False: "server.py", True: "naive_server.py"}


class Child:
    """A process whose lines we pass on, with its name before them."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]):
        self.name, self.process = name, process
        self.listens = False
        self.open = [pipe for pipe in (process.stdout, process.stderr) if pipe]
        self._held = {pipe: b"" for pipe in self.open}  # the beginning of a line

    def read(self, pipe: IO[bytes]) -> None:
        """Pass on what has come; at a pipe's end, close it."""
        chunk = os.read(pipe.fileno(), 65536)
        *lines, self._held[pipe] = (self._held[pipe] + chunk).split(b"\n")
        if not chunk:
            lines.append(self._held[pipe])
            self.open.remove(pipe)
            pipe.close()
        for line in filter(None, lines):
            text = line.decode("utf-8", "replace")
            if pipe is self.process.stderr:
                tell(f"{self.name}: {text}")
                continue
            if text.startswith("listening on "):
                self.listens = True
                text += f", process {self.process.pid}"
            announce(f"{self.name}: {text}")

    def how_it_ended(self) -> str:
        """Wait for the end, which is near, and say how it came."""
        status = self.process.wait()
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


class Keeper:
    """Starts Redis and the servers, and sees to it that they end."""

    def __init__(self, args: argparse.Namespace, lifeline: int):
        self.args = args
        self.selector = selectors.DefaultSelector()
        self.selector.register(lifeline, selectors.EVENT_READ)
        self.servers: list[Child] = []
        self.redis_url = ""

    def run(self) -> int:
        """Keep the cluster until the lifeline ends; return the exit status."""
        try:
            redis = PrivateRedis(self.args.redis_port)
        except NoRedis as error:
            tell(str(error))
            return 1
        with redis, contextlib.ExitStack() as stack:
            stack.callback(self.stop)  # the servers first: they still have something to tell Redis
            announce(f"redis: listening on 127.0.0.1:{redis.port}, process {redis.process.pid}")
            self.redis_url = redis.url
            self.watch(Child("redis", redis.process))
            self.start_next()
            return self.pass_on()

    def start_next(self) -> None:
        """Start a server if one is missing."""
        number = len(self.servers)
        if number == self.args.servers:
            return
        name, port = f"s{number + 1}", self.args.port and self.args.port + number
        program = Path(__file__).with_name(SERVERS[self.args.naive])
        command = [sys.executable, str(program), "--port", str(port), "--redis", self.redis_url, "--name", name]
        process = subprocess.Popen(
            command + ["--verbose"] * self.args.verbose,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.servers.append(Child(name, process))
        self.watch(self.servers[-1])

    def watch(self, child: Child) -> None:
        """Hear what a child says, and its end."""
        for pipe in child.open:
            self.selector.register(pipe, selectors.EVENT_READ, child)

    def pass_on(self) -> int:
        """Pass on what the children say, until the lifeline ends or no server is left; return the exit status."""
        while True:
            for key, _ in self.selector.select():
                child: Child | None = key.data
                pipe: Any = key.fileobj
                if not child:
                    return 0
                listened = child.listens
                child.read(pipe)
                if child.listens and not listened:
                    self.start_next()  # one after the other, so that their first lines can be told apart
                if pipe not in child.open:
                    self.selector.unregister(pipe)
                if not child.open:
                    tell(f"{child.name} has ended: {child.how_it_ended()}")
                    if child in self.servers and not child.listens:
                        return 1  # it could not start, and has said why
                    if all(server.process.poll() is not None for server in self.servers):
                        return 1

    def stop(self) -> None:
        """End the servers."""
        for server in self.servers:
            server.process.terminate()
            server.process.send_signal(signal.SIGCONT)  # somebody may have stopped it
        until = time.monotonic() + STOP_S
        for server in self.servers:
            try:
                server.process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
            for pipe in server.open:
                pipe.close()


def run(args: argparse.Namespace) -> int:
    """Run a cluster until Ctrl-C or SIGTERM; return the exit status."""
    lifeline, our_end = os.pipe()

    def cut(*_: object) -> None:
        with contextlib.suppress(OSError):  # NOTE: it was cut before
            os.close(our_end)
            tell("stopping")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, cut)
    keeper = os.fork()
    if not keeper:
        with contextlib.suppress(BaseException):  # NOTE: keep() has said it
            keep(args, lifeline, our_end)
        os._exit(1)
    os.close(lifeline)
    status = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    if status < 0:  # somebody has killed it: the rest of its session has nobody else who would end it
        # NOTE: Redis's directory stays; only the keeper knew it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper, signal.SIGKILL)
        return 1
    return status


def keep(args: argparse.Namespace, lifeline: int, other_end: int) -> None:
    """Be the keeper, and end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # only the lifeline counts
    os.setsid()
    with contextlib.suppress(OSError):  # NOTE: a signal has come before we were here
        os.close(other_end)
    try:
        os._exit(Keeper(args, lifeline).run())
    except BaseException:
        traceback.print_exc()
        raise


def parser() -> argparse.ArgumentParser:
    """Return the flags."""
    flags = argparse.ArgumentParser(
        description="Start a private Redis and some servers that are one chat, on this machine."
    )
    flags.add_argument("--servers", type=positive(int), default=3, metavar="N", help="how many (default %(default)s)")
    flags.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        help="the first server's; the others have the next ones; 0 takes any free ones (default %(default)s)",
    )
    flags.add_argument(
        "--redis-port", type=port_number, default=0, metavar="PORT", help="Redis's (default: any free one)"
    )
    flags.add_argument("--naive", action="store_true", help="run naive_server.py instead, which is wrong on purpose")
    flags.add_argument("-v", "--verbose", action="store_true", help="let the servers log each connection and command")
    return flags


def main() -> int:
    """Do what the command line asks; return the exit status."""
    mend_streams()
    args = parser().parse_args()
    if complaint := missing_library() or missing_redis():
        tell(complaint)
        return 1
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
