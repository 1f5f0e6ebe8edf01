"""A line server: admission, timeouts, exhaustion and a clean stop, for any protocol of lines.

It knows who is connected; the registry knows who has a name.

serving   handlers that count against max_clients
leaving   handlers whose peer has been sent away, or has left, and is not gone yet
sweep     look at all of them, now and then, for whoever is overdue
"""

import argparse
import threading
import time
from collections.abc import Callable
from typing import Any

from step1_echo.serving import DEFAULT_PORT, Address, Server, argument_parser
from step5_server.handler import LineHandler
from step5_server.outbox import MAX_PENDING_BYTES
from step5_server.registry import Registry

MAX_CLIENTS = 1000  # a thread each: some 25 MB of memory in all
MAX_LINGERING = 100  # peers that have their last words and go on sending: a thread each, too
LOGIN_TIMEOUT_S = 60.0  # a person types a name in less
SWEEP_INTERVAL_S = 0.25  # how late a timeout may be noticed
DEAF_S = 2.0  # no sweep for so long: not the peers were silent, we were stopped
STOP_S = 3.0  # how long stop() waits for those who still read
STOP_SWEEP_S = 0.05  # how often it looks meanwhile
STACK_BYTES = 256 * 1024  # a thread here calls a dozen functions deep, not thousands


class LineServer(Server):
    """Accept users up to a limit, send away those who never log in, and stop cleanly."""

    handler_class: type[LineHandler]
    registry_class = Registry

    def __init__(
        self,
        address: tuple[str, int],
        max_clients: int = MAX_CLIENTS,
        max_per_host: int | None = None,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ):
        self.max_clients = max_clients
        self.max_per_host = max_per_host
        self.login_timeout_s = login_timeout_s
        self.max_pending_bytes = max_pending_bytes
        self.registry = self.registry_class()
        # All guarded by registry.lock.  Who is being served, and who has been sent away
        # and has not closed yet; only the first count against max_clients.
        self._serving: set[LineHandler] = set()
        self._leaving: set[LineHandler] = set()
        self._stopping = False
        self._all_gone = threading.Condition(self.registry.lock)
        self._next_sweep = 0.0
        self._swept_at = time.monotonic()
        super().__init__(address)

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "LineServer":
        """Build the server that the command line asks for."""
        threading.stack_size(STACK_BYTES)  # for all threads from here on
        return cls((args.host, args.port), **cls.settings(args))

    @classmethod
    def settings(cls, args: argparse.Namespace) -> dict[str, Any]:
        """Return the keyword arguments of __init__ that the command line asks for."""
        return {
            "max_clients": args.max_clients,
            "max_per_host": args.max_per_host,
            "login_timeout_s": args.login_timeout,
            "max_pending_bytes": args.max_pending,
        }

    def admit(self, handler: LineHandler) -> bytes | None:
        """Give the handler a place, or return the last line for its peer."""
        with self.registry.lock:
            refusal = self._refusal(handler.client_address[0])
            if refusal is None:
                self._serving.add(handler)
                return None
            self._leaving.add(handler)
            return handler.last_line(*refusal)

    def _refusal(self, host: str) -> tuple[str, str] | None:
        """Return why there is no place for a client from `host`.  Holds the lock."""
        if self._stopping:
            return "shutting-down", "the server is stopping"
        if len(self._serving) >= self.max_clients:
            return "server-full", "too many clients, try again later"
        if self.max_per_host is not None:
            same = sum(other.client_address[0] == host for other in self._serving)
            if same >= self.max_per_host:
                return "server-full", "too many from your address"
        return None

    def may_linger(self) -> bool:
        """Tell whether one more peer may take its time to leave: else it must go at once."""
        with self.registry.lock:
            return self._stopping or len(self._leaving) <= MAX_LINGERING

    def forget(self, handler: LineHandler) -> None:
        """Give the handler's place to somebody else."""
        with self.registry.lock:
            self._serving.discard(handler)
            self._leaving.discard(handler)
            self._all_gone.notify_all()

    def dismiss(self, handler: LineHandler, code: str, text: str = "") -> None:
        """Take nothing more from this peer; with a text, tell it why.  Thread: any."""
        with self.registry.lock:
            self.retire(handler)
            if not handler.conn.closing:
                handler.conn.end_reason = code
                handler.conn.hang_up(handler.last_line(code, text) if text else b"")

    def retire(self, handler: LineHandler) -> None:
        """Count the handler no more: its peer is leaving.  Twice does no harm."""
        with self.registry.lock:
            if handler in self._serving:
                self._serving.remove(handler)
                self._leaving.add(handler)

    def service_actions(self) -> None:
        """Sweep, now and then.  Thread: the acceptor, between two accepts."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_INTERVAL_S
            with self.registry.lock:
                self.sweep(now)

    def sweep(self, now: float) -> None:
        """Send away whoever is overdue.  Thread: holds the registry's lock.

        A timeout on the socket would not do: one byte a second would restart it for ever.
        """
        deaf_s, self._swept_at = now - self._swept_at, now
        if deaf_s > DEAF_S:  # Ctrl-Z, a laptop's lid: what came meanwhile is still to be read
            for handler in self._serving | self._leaving:
                handler.conn.forgive(deaf_s)
        for handler in list(self._serving):
            if not handler.name and now - handler.conn.opened_at > self.login_timeout_s:
                self.dismiss(handler, "login-timeout", "no LOGIN in time")
        for handler in list(self._leaving):
            if handler.conn.overdue(now):
                handler.conn.kick(handler.conn.end_reason)

    def start_thread(self, function: Callable[..., object], *args: object) -> None:
        """Serve a connection in a thread of its own.  Raises: RuntimeError, MemoryError."""
        threading.Thread(target=function, args=args, daemon=True).start()

    def process_request(self, request: Any, client_address: Address) -> None:
        """Give the connection its thread; without one the client cannot be served.

        SIMPLIFIED: where a limit of memory (ulimit -v) lets a thread begin and no more, CPython's
        start() may wait for it for ever.  Source: CPython's issue 140746.
        """
        try:
            self.start_thread(self.process_request_thread, request, client_address)
        except (RuntimeError, MemoryError) as error:  # "can't start new thread"
            try:
                request.setblocking(False)
                line = self.handler_class.last_line("server-full", "out of threads")
                request.send(self.handler_class.codec_class.frame(line))
            except OSError:
                pass  # NOTE: then it sees only the end
            self.shutdown_request(request)
            self.pause(error)

    def stop(self) -> None:
        """Take no more, tell everyone, deliver what was acknowledged, and end.

        Blocks: until all have read what waits for them, STOP_S at most.
        """
        super().stop()
        deadline = time.monotonic() + STOP_S
        with self.registry.lock:
            # In one step: no request is acknowledged after somebody's last words.
            self._stopping = True
            for handler in list(self._serving):
                self.dismiss(handler, "shutting-down", "the server is stopping")
            # Most peers close when they see our EOF; the sweep kicks the silent ones.
            while self._leaving and (now := time.monotonic()) < deadline:
                self.sweep(now)
                self._all_gone.wait(STOP_SWEEP_S)
            for handler in self._leaving:
                handler.conn.kick("shutting-down")
            self._all_gone.wait_for(lambda: not self._leaving, 1.0)


def server_parser(description: str, port: int = DEFAULT_PORT) -> argparse.ArgumentParser:
    """Return a parser with the flags of every server from here on."""
    parser = argument_parser(description, port)
    parser.add_argument(
        "--max-clients",
        type=positive(int),
        default=MAX_CLIENTS,
        metavar="N",
        help="connections at once (default %(default)s)",
    )
    parser.add_argument(
        "--max-per-host",
        type=positive(int),
        metavar="N",
        help="connections at once from one address (default: no limit of its own)",
    )
    parser.add_argument(
        "--login-timeout",
        type=positive(float),
        default=LOGIN_TIMEOUT_S,
        metavar="SECONDS",
        help="time to log in (default %(default)g)",
    )
    parser.add_argument(
        "--max-pending",
        type=positive(int),
        default=MAX_PENDING_BYTES,
        metavar="BYTES",
        help="what may wait for a client that reads slowly (default %(default)s)",
    )
    return parser


def positive(number_type: type[float]) -> Callable[[str], float]:
    """Return a converter for argparse: a number of this type, over 0."""

    def convert(text: str) -> float:
        number = number_type(text)
        if not number > 0:
            raise argparse.ArgumentTypeError(f"{text} is not over 0")
        return number

    convert.__name__ = number_type.__name__  # argparse names it in its error
    return convert
