"""A Redis of our own: a redis-server for this machine alone, in a directory that goes when it goes."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_S = 20.0  # it takes some 50 ms; longer than that only on a machine that is very busy
LOOK_AGAIN_S = 0.01  # how often to look whether it is there
STOP_S = 10.0  # it has nothing but a small file to close
TRIES = 5  # a port that was free a moment ago may be somebody else's by now


def missing_redis() -> str:
    """Return what to tell a user on whose machine Redis is missing; "" if it is there."""
    if shutil.which("redis-server"):
        return ""
    return "a cluster needs Redis, which is not installed: Debian and Ubuntu `apt install redis-server`, macOS `brew install redis`"


class NoRedis(Exception):
    """It did not start; says why in one line."""


class PrivateRedis:
    """A redis-server that has each change on its disk before it answers.

    Use it in a `with`, or stop() it: then nothing of it is left.
    """

    def __init__(self, port: int = 0):
        """Start it, and wait until it answers; port 0 takes any free one.  Raises: NoRedis."""
        if complaint := missing_redis():
            raise NoRedis(complaint)
        self.directory = Path(tempfile.mkdtemp(prefix="chat-redis-"))
        try:
            for _ in range(1 if port else TRIES):
                self.port = port or free_port()
                if self._starts():
                    return
                self._end()
            raise NoRedis(f"redis-server does not start on port {self.port}: {self._last_words()}")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where it is, for a server's --redis."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> "PrivateRedis":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and remove its directory.  Twice does no harm."""
        self._end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout  # it was started with a pipe
        self.process.stdout.close()

    def _starts(self) -> bool:
        """Start the program; tell whether it answers, which it does not if it has ended."""
        command = f"redis-server --bind 127.0.0.1 --port {self.port} --appendonly yes --appendfsync always".split()
        files = ["--dir", str(self.directory), "--logfile", str(self.directory / "log"), "--save", ""]
        self.process = subprocess.Popen(
            command + files,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # it writes nothing there: its end is the end of the process
            stderr=subprocess.STDOUT,
        )
        until = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < until:
            if self._answers():
                return True
            time.sleep(LOOK_AGAIN_S)
        return False

    def _answers(self) -> bool:
        """Tell whether a Redis answers at the port, and is ours, and has read its file."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as sock:
            sock.sendall(b"INFO\r\nQUIT\r\n")
            with sock.makefile("rb") as answer:
                told = answer.read()
            return b"process_id:%d\r" % self.process.pid in told and b"\rloading:0" in told.replace(b"\n", b"")
        return False

    def _last_words(self) -> str:
        """Return the last line of its log."""
        log = self.directory / "log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return lines[-1] if lines else "it says nothing"


def free_port() -> int:
    """Return a port that nobody uses just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
