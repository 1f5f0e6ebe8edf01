"""Passwords on the command line, plain or, better, as a hash: others may read the process list.

    $ python extras/irc/server.py hash-password
    Password:
    scrypt:gJ3...

A hash takes much time and memory, on purpose.  The server must not suffer from that: it computes one
hash at a time, the hosts that wait take turns, and a user with the right password does not wait.

Source: RFC 7914 (scrypt), whose section 2 explains the three numbers.
"""

import base64
import contextlib
import getpass
import hashlib
import hmac
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Full
from typing import Any

from step1_echo.streams import CannotWrite, mend_streams, tell, write

PREFIX = "scrypt:"
COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB and some 50 ms a try: too much for somebody who tries millions
SALT_BYTES = 16
MAX_KNOWN = 10_000  # passwords that need no hash: some 3 MB; the next one starts anew
# Hashes that wait for one host: who has gone meanwhile waits, too, and has a thread.  It is a school that
# comes in at nine o'clock, and half a minute of waiting: as long as a client has patience.
MAX_OF_HOST = 500
TOO_MANY = "Too many passwords come from your address: try again later"  # for who is one of more
KEY = os.urandom(32)  # for digests that never leave this process
Task = tuple[Callable[[], Any], Future[Any]]  # a function, and what gets its answer


class Hasher:
    """Do dear work one at a time; the hosts take turns, and each host's requests keep their order.

    Connections from one address wait for each other, up to MAX_OF_HOST of them; connections from
    another address wait for one of their hashes at most.  Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below; everything under it is fast
        self._waiting: dict[str, deque[Task]] = {}  # by host; the first is next
        self._is_working = False

    def run(self, function: Callable[[], Any], host: str) -> Any:
        """Return `function()`, called when it is the host's turn.  Blocks: until it is done.

        Raises: Full, if too many of this host wait.
        """
        answer: Future[Any] = Future()
        try:
            with self._lock:
                if not self._is_working:
                    threading.Thread(target=self._work, name="hasher", daemon=True).start()
                    self._is_working = True
                tasks = self._waiting.setdefault(host, deque())
                if len(tasks) >= MAX_OF_HOST:
                    raise Full
                tasks.append((function, answer))
        except (RuntimeError, MemoryError):  # no thread to be had: use our own
            return function()
        return answer.result()

    def _work(self) -> None:
        """Go on until nobody waits.  Thread: the hasher."""
        while task := self._next():
            function, answer = task
            try:
                answer.set_result(function())
            except Exception as error:  # noqa: BLE001  no memory for a hash, say: only who asked is told
                answer.set_exception(error)

    def _next(self) -> Task | None:
        """Take the next task; its host goes behind the others."""
        with self._lock:
            if not self._waiting:
                self._is_working = False
                return None
            host, tasks = next(iter(self._waiting.items()))
            del self._waiting[host]
            task = tasks.popleft()
            if tasks:
                self._waiting[host] = tasks
            return task


def map_large_blocks() -> None:
    """Let the C library return a block of over 1 MiB to the system as soon as it is free.

    After the first hash, glibc expects more such blocks, and from then on keeps 16 MiB for each
    thread that has computed one.  NOTE: only glibc has this; elsewhere nothing happens.
    Source: mallopt(3), M_MMAP_THRESHOLD, which is -3.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes  # a Python may be built without it

        ctypes.CDLL(None).mallopt(-3, 1 << 20)


map_large_blocks()
hasher = Hasher()
known: dict[str, bytes] = {}  # hash -> a digest of the right password, once somebody has sent it


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Give the hash that may stand on the command line instead of the password."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    digest = hashlib.scrypt(to_bytes(password), salt=salt, **COST)
    return PREFIX + base64.b64encode(salt + digest).decode()


def is_password(password: str, secret: str, host: str = "") -> bool:
    """Compare with a password, or with its hash, in a time that does not depend on what is right.

    Blocks: for a hash some 50 ms, and until it is the turn of `host`; so never call it under a
    lock.  Raises: Full, if too many of this host wait.
    """
    if not secret.startswith(PREFIX):
        return is_same(to_bytes(password), to_bytes(secret))
    try:
        salt = base64.b64decode(secret.removeprefix(PREFIX))[:SALT_BYTES]
    except ValueError:
        return False
    digest = hmac.digest(KEY, to_bytes(password), "sha256")
    if is_same(digest, known.get(secret, b"")):
        return True
    made = hasher.run(lambda: hash_password(password, salt), host)
    right = is_same(to_bytes(made), to_bytes(secret))
    if right:
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[secret] = digest
    return right


is_same = hmac.compare_digest


def to_bytes(text: str) -> bytes:
    """Give the bytes of a text as they came over the network."""
    return text.encode(errors="surrogateescape")


def main() -> int:
    """Ask for a password, or read it from a pipe, and print its hash."""
    mend_streams()
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        write(sys.stdout, hash_password(password) + "\n")
    except CannotWrite as error:
        tell(str(error))
        return 1
    return 0
