"""A server that is not ours: started from a command line, or already running somewhere.

Nothing here knows what language it is written in.
"""

import contextlib
import itertools
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.crash import quote, shorten

START_S = 20.0  # for a server to listen: twice as long as a slow one may take
POLL_S = 0.02  # between two attempts to connect
MOMENT_S = 0.05  # for a program to end that is about to
DAEMON_S = 1.0  # to listen, for a server that has left itself in the background: its command ended, with status 0
STOP_S = 2.0  # for a server to end when it is asked to; then it is killed
PYTHON = shlex.quote(sys.executable) if os.name == "posix" else f'"{sys.executable}"'  # as a shell takes it
READ_BYTES = 1 << 16  # of what it printed, at its end


class NeverListened(Exception):
    """The command did not give us a server."""


class ForeignServer:
    """What both kinds have: its address, and the connection that showed that it listens."""

    first = None  # the socket; a check's first client gets it, since some servers have one conversation and end

    def take_first(self) -> socket.socket | None:
        sock, self.first = self.first, None
        return sock


class RunningServer(ForeignServer):
    """A server that somebody else started, or several that are one chat: --connect HOST:PORT,HOST:PORT."""

    def __init__(self, addresses: list[tuple[str, int]]):
        self._addresses = itertools.cycle(addresses)

    @property
    def server_address(self) -> tuple[str, int]:
        """The address for one more connection: each gets the next one."""
        return next(self._addresses)

    def start(self) -> None:
        """Check that it listens.  Raises: NeverListened."""
        address = self.server_address
        try:
            self.first = socket.create_connection(address, timeout=START_S)
        except OSError as error:
            raise NeverListened(f"cannot connect to {address[0]}:{address[1]}: {error}") from None

    def stop(self) -> None:
        """Leave it as it is."""

    def printed(self) -> str:
        """Return what it printed: here we cannot know."""
        return ""

    def how_it_ended(self) -> str:
        return ""

    def ended(self) -> bool:
        return False


class ServerCommand(ForeignServer):
    """A server that we start, and stop with all its processes: --server "COMMAND {port}"."""

    def __init__(self, template: str, directory: str):
        self.template = template
        self.directory = directory
        self.process = None

    def start(self) -> None:
        """Start it if it does not run, and wait until it listens.  Raises: NeverListened."""
        status = self.process.poll() if self.process else 1
        if status is None or status == 0 and self._listens(self.port):  # 0: it may have left itself in the background
            self.check_began = self.output.seek(0, os.SEEK_END)  # what it printed before is another check's
            return
        self.stop()
        self.port = port = free_port()
        self.command = self.template.replace("{port}", str(port)).replace("{host}", "127.0.0.1")
        self.command = self.command.replace("{python}", PYTHON)
        # A file and not a pipe: a pipe that nobody reads would stop a server that prints a lot.
        self.output, self.check_began = tempfile.TemporaryFile(), 0  # noqa: SIM115 (until our own end)
        self.process = subprocess.Popen(
            self.command,
            shell=True,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # so that we can end its children with it
        deadline = time.monotonic() + START_S
        while not (self._listens(port) and self._stays(port)):
            status = self.process.poll()
            if status == 0:
                deadline = min(deadline, time.monotonic() + DAEMON_S)
            if status:
                raise self._never(f"the server never listened: it ended with status {status}")
            if status == 0 and time.monotonic() > deadline:
                raise self._never(
                    "the server has ended, with status 0: a server goes on listening, and waits for clients"
                )
            if time.monotonic() > deadline:
                raise self._never(f"nobody listened on port {port} of 127.0.0.1 or ::1 for {START_S:.0f} s")
            time.sleep(POLL_S)

    def _stays(self, port: int) -> bool:
        """Return whether it still listens a moment later, and does not only open its port and end."""
        try:
            self.process.wait(MOMENT_S)
        except subprocess.TimeoutExpired:
            return True
        return self._listens(port)

    def _listens(self, port: int) -> bool:
        if unused := self.take_first():
            unused.close()
        for host in ("127.0.0.1", "::1"):
            try:
                self.first = socket.create_connection((host, port), timeout=1)
            except OSError:
                continue
            self.server_address = host, port
            return True
        return False

    def _never(self, why: str) -> NeverListened:
        """Return why there is no server: an exception of its own comes first."""
        printed, crashes = shorten(self.printed())
        told = [f"{crashes[0]}\n"] if crashes else []
        told += [why, f"it was started as: {self.command}", *([] if crashes else [quote("it", printed)])]
        self.stop()
        return NeverListened("\n".join(told))

    def ended(self) -> bool:
        """Return whether it stopped by itself, with an error."""
        return self.process is not None and bool(self.process.poll())

    def printed(self) -> str:
        """Return the end of what it has printed since the check began."""
        if not self.process:
            return ""
        size = self.output.seek(0, os.SEEK_END)
        start = max(self.check_began, size - READ_BYTES)
        self.output.seek(start)
        text = self.output.read().decode("utf-8", "replace")
        return text if start == self.check_began else text.partition("\n")[2]  # no half line

    def how_it_ended(self) -> str:
        return f"and then it ended, with status {self.process.returncode}" if self.ended() else ""

    def memory_bytes(self) -> int | None:
        """Return how much memory it has now, with all that it started; None where /proc does not tell."""
        pages = 0
        try:
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has just ended
                    if os.getpgid(int(process.name)) == self.process.pid:
                        pages += int((process / "statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") or None
        except (AttributeError, ValueError):
            return None

    def stop(self) -> None:
        """End it and all that it started."""
        if not self.process:
            return
        end_group(self.process)
        self.output.close()
        self.process = None


def end_group(process: subprocess.Popen, stop_s: float = STOP_S) -> None:
    """End a process that leads a session, and its children: first ask them, then kill them."""
    if os.name != "posix":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
        process.wait()
        return
    for number in (signal.SIGTERM, signal.SIGKILL) if stop_s else (signal.SIGKILL,):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says "permission" for a group of zombies
            break
        try:
            process.wait(stop_s)
        except subprocess.TimeoutExpired:
            pass
    process.wait()


def free_port() -> int:
    """Return a port that nobody uses, below those that systems give to clients: a crowd of clients cannot take it.

    SIMPLIFIED: another server may take it before ours does; then ours says so.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)  # tests seed the other one
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def parse_addresses(text: str) -> list[tuple[str, int]]:
    """Return the addresses of "HOST:PORT,HOST:PORT", or of one.  Raises: ValueError."""
    return [parse_address(word) for word in text.split(",")]


def parse_address(text: str) -> tuple[str, int]:
    """Return (host, port) of "HOST:PORT", "[::1]:9000" too.  Raises: ValueError."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
