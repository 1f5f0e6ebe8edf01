"""The chat server with rooms, as one of many: together they are one chat, with Redis between them.

From the command line: `python extras/cluster/server.py --help`.
"""

import argparse
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.broadcast.fast_server import FastServer, server_parser
from extras.cluster.engine import GONE, NO_REDIS, TRY_AGAIN_S, Engine, Membership, Outcast, Unavailable, missing_library
from extras.cluster.handler import MAX_RUN, ClusterHandler
from extras.cluster.member import Member
from extras.cluster.view import View
from extras.tls.tls_server import give_up
from step1_echo.serving import log, main
from step5_server.line_server import positive

REDIS = "redis://127.0.0.1:6379"
STATUS_S = 60.0


class ClusterServer(FastServer):
    """Serve chat users; those of all servers of the cluster meet in rooms."""

    handler_class = ClusterHandler
    registry_class = View
    registry: View

    def __init__(
        self,
        address: tuple[str, int],
        redis: str = REDIS,
        name: str = "",
        prefix: str = "chat:",
        status_s: float = STATUS_S,
        **settings: Any,
    ):
        """Listen at the address, and enter the cluster.  Raises: OSError; one of GONE without Redis."""
        super().__init__(address, **settings)
        self.engine = Engine(redis, prefix)
        self.member = Member(self, self.engine, self.registry, name or f"port{self.server_address[1]}")
        self.status_s, self._next_status = status_s, time.monotonic() + status_s
        # Steps that free names.  None ends the thread that sends them.
        self.farewells: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self._farewells_thread = threading.Thread(target=self._say_farewells, name="farewells", daemon=True)
        try:
            self.member.start()
        except GONE:
            self.server_close()
            self.postman.end()
            raise
        self._farewells_thread.start()

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> FastServer:
        """Build the server that the command line asks for; or say what is missing, and exit."""
        if complaint := missing_library():
            give_up(complaint)
        try:
            return super().from_args(args)
        except GONE as error:
            give_up(NO_REDIS.format(error))

    @classmethod
    def settings(cls, args: argparse.Namespace) -> dict[str, Any]:
        return super().settings(args) | {
            "redis": args.redis,
            "name": args.name,
            "prefix": args.prefix,
            "status_s": args.status,
        }

    def steps(self, steps: list[list[str]]) -> list[str]:
        """Have these steps carried out, each once.  Raises: Unavailable, Outcast.  Blocks: for Redis."""
        return self.call(self.engine.steps, steps)

    def rooms(self) -> list[tuple[str, int]]:
        """Return all rooms, and how many are in each.  Raises: Unavailable, Outcast.  Blocks: for Redis."""
        return self.call(self.engine.rooms)

    def call(self, call: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        """Ask Redis as a member of the cluster; if it says that we are none, all are told."""
        if not (membership := self.member.membership):
            raise Unavailable
        try:
            return call(membership, *arguments)
        except Outcast as outcast:
            self.cast_out(membership, str(outcast))
            raise

    def cast_out(self, membership: Membership | None, why: str) -> None:
        """Say to all who have a name that this server has lost its place, and send them away.  Thread: any.

        Not if we have got another one meanwhile: a call may have been on its way for long.
        """
        with self.registry.lock:
            if not membership or self.member.membership is not membership:
                return
            self.member.membership = None
            log.warning("cluster: out of it: %s", why)
            for handler in list(self.registry.locals.values()):
                self.dismiss(handler, "shutting-down", f"this server was cut off from the others: {why}")
            self.registry.begin("", [])

    # The ignored one: a LineServer takes any LineHandler, but here are no others.
    def dismiss(self, handler: ClusterHandler, code: str, text: str = "") -> None:  # type: ignore[override]
        """Send a user away; her thread waits for nothing more."""
        super().dismiss(handler, code, text)
        handler.stop_waiting()

    def sweep(self, now: float) -> None:
        """Besides the timeouts, say how we are, now and then.  Thread: holds the registry's lock."""
        super().sweep(now)
        if now >= self._next_status:
            self._next_status = now + self.status_s
            view, state = self.registry, "Redis is away" if self.engine.is_away else "Redis answers"
            log.warning(
                "cluster: status: %d users here, %d in all, %d rooms followed, %s",
                len(view.everyone.members),
                len(view.users),
                len(view.rooms),
                state,
            )

    def stop(self) -> None:
        """Stop as ever, then leave the cluster."""
        super().stop()
        self.engine.stopping = True
        self.farewells.put(None)
        self._farewells_thread.join()
        self.member.stop()

    def _say_farewells(self) -> None:
        """Free the names of those who have gone, however long Redis is away.  Thread: its own."""
        while step := self.farewells.get():
            steps = [step]
            while len(steps) < MAX_RUN and not self.farewells.empty():  # hundreds may go at once
                if (step := self.farewells.get()) is None:
                    self.farewells.put(None)
                    break
                steps.append(step)
            while not self.engine.stopping:  # then all our users go at once
                try:
                    self.steps(steps)
                    break
                except Unavailable:
                    time.sleep(TRY_AGAIN_S)
                except Outcast:
                    break  # all our users are gone already


def parser() -> argparse.ArgumentParser:
    """Return broadcast's flags and ours."""
    flags = server_parser("Serve a chat with rooms, as one of many servers.")
    flags.add_argument("--redis", default=REDIS, metavar="URL", help="where Redis is (default %(default)s)")
    flags.add_argument("--name", default="", help="this server's name in the log (default: its port)")
    flags.add_argument("--prefix", default="chat:", help="how our keys in Redis begin (default %(default)s)")
    flags.add_argument(
        "--status",
        type=positive(float),
        default=STATUS_S,
        metavar="SECONDS",
        help="how often to log how we are (default %(default)g)",
    )
    return flags


if __name__ == "__main__":
    sys.exit(main(ClusterServer, parser()))
