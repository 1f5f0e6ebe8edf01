"""The rooms server with one trick left out, to see what the trick is worth.

    python extras/bench/tricks.py per-line

per-line     flush after each line, not once for all lines of a chunk
not-held     put each line into the outboxes by itself, not all lines of a chunk at once
no-postman   the sender's own thread flushes everybody
writers      a thread for each connection does its sends, as many chat servers do

`bench.py --servers rooms,rooms:per-line,rooms:not-held,rooms:no-postman,rooms:writers`
compares them.
"""

import argparse
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.broadcast.fan_out import FanOutConnection, flush_all
from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step4_framing.framing import LineTooLong
from step5_server.outbox import Outbox


class PerLineHandler(RoomsHandler):
    """Deliver what a line has caused before the next line is read."""

    def answer_lines(self) -> None:
        """Answer each line separately."""
        line: bytes | LineTooLong | None = b""
        while line is not None:
            with self.registry.lock:
                line = self.conn.next_line()
                if line is not None:
                    self.answer(line)
                    self.conn.put_held()
            self.conn.deliver()


class PerLineServer(RoomsServer):
    """Flush for each line."""

    handler_class = PerLineHandler


class NotHeldConnection(FanOutConnection):
    """Hold nothing back."""

    def fan_out(self, groups: tuple[Any, ...], line_for: Callable[..., bytes], but: Outbox | None = None) -> None:
        super().fan_out(groups, line_for, but)
        self.put_held()


class NotHeldHandler(RoomsHandler):
    """Put each line by itself."""

    connection_class = NotHeldConnection


class NotHeldServer(RoomsServer):
    """Run the loop over the members for each line."""

    handler_class = NotHeldHandler


class NoPostmanServer(RoomsServer):
    """Flush in the sender's thread, however many receivers there are."""

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self.deliver = flush_all


class WriterHandler(RoomsHandler):
    """A handler with a second thread that waits until there is something to send."""

    def setup(self) -> None:
        super().setup()
        self.bell = threading.Event()
        self.outbox.bell = self.bell  # type: ignore[attr-defined]  # where ring() finds it fast
        self.ended = False
        threading.Thread(target=self.write, daemon=True).start()

    def write(self) -> None:
        """Flush whenever somebody rings.  Thread: the writer."""
        while not self.ended:
            self.bell.wait()
            self.bell.clear()
            self.outbox.flush()

    def finish(self) -> None:
        self.ended = True
        self.bell.set()
        super().finish()


class WritersServer(RoomsServer):
    """Wake each receiver's writer."""

    handler_class = WriterHandler

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self.deliver = ring


def ring(outboxes: Iterable[Outbox]) -> None:
    """Tell each outbox's writer that there is something to send."""
    for outbox in outboxes:
        outbox.bell.set()  # type: ignore[attr-defined]  # WriterHandler has put it there


WITHOUT = {
    "per-line": PerLineServer,
    "not-held": NotHeldServer,
    "no-postman": NoPostmanServer,
    "writers": WritersServer,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of a server, with an argument for the trick to leave out."""
    parser = server_parser("Serve chat rooms, with one trick left out.")
    parser.add_argument("without", choices=WITHOUT, help="the trick to leave out")
    return parser


if __name__ == "__main__":
    sys.exit(main(WITHOUT[parser().parse_args().without], parser()))
