"""Stand between a client and a server, show each chunk, and disturb the stream if asked.

    client ──→ :9001 wiretap ──→ :9000 server
               (a server)  (a client)

To the client it is a server, and to the server it is a client: a relay, or proxy.  What it
reads from one it writes to the other, and neither of them notices.
"""

import io
import os
import socket
import socketserver
import sys
import threading
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root

from extras.wiretap.direction import RECV_BYTES, Spoiling
from extras.wiretap.display import Display, Trace
from extras.wiretap.options import parse_args
from extras.wiretap.relay import Relay
from step1_echo.serving import Server, explain_bind_error, format_address, run
from step1_echo.streams import mend_streams, tell

STOP_WAIT_S = 0.5  # for the connections to end when the tap does; a few ms are usually enough


class TapHandler(socketserver.BaseRequestHandler):
    """Carry one client's connection on to the real server."""

    server: "Wiretap"

    def handle(self) -> None:
        """Connect to the real server, and carry until the connection is over."""
        self.server.carriers.add(threading.current_thread())
        try:
            self.carry()
        finally:
            self.server.carriers.discard(threading.current_thread())

    def carry(self) -> None:
        trace = Trace(self.server.display, next(self.server.numbers))
        trace.event("open")
        try:
            server = socket.create_connection(self.server.target)
        except (OSError, UnicodeError) as error:  # UnicodeError: no host can have such a name
            # Too late to refuse the client as the server did: the kernel has accepted it.
            where = format_address(self.server.target)
            why = getattr(error, "strerror", None) or error
            trace.event("no server", detail=f"{where}: {why}")
            self.dismiss()
            return
        for sock in (self.request, server):
            # Else the kernel may keep a small piece back and join it to the next one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.relay_class(self.request, server, self.server.spoiling, trace, self.server.stopping).run()
        trace.event("closed")

    def dismiss(self) -> None:
        """Send EOF.  Closing at once, with bytes of the client unread, would send RST."""
        self.request.shutdown(socket.SHUT_WR)
        self.request.settimeout(1)  # for a client that does not close its end
        while self.request.recv(RECV_BYTES):
            pass


class Wiretap(Server):
    """Listen on one address, and carry every connection to `target`."""

    handler_class = TapHandler
    relay_class = Relay

    def __init__(self, address: tuple[str, int], target: tuple[str, int], spoiling: Spoiling | None = None):
        """Bind and listen.  Until `display` is replaced, nothing is shown.

        Raises: OSError if the address is taken or not ours.
        """
        self.target = target
        self.spoiling = spoiling or Spoiling()
        self.display = Display()
        self.numbers = count(1)  # next() is atomic in CPython: no lock needed
        # Relays wait for `stopping` beside their own sockets; closing `bell` wakes them all.
        self.carriers: set[threading.Thread] = set()  # each adds and removes itself: atomic too
        self.bell, self.stopping = socket.socketpair()
        super().__init__(address)

    def server_close(self) -> None:
        """Free the port, and end every connection.  Blocks: STOP_WAIT_S at most."""
        super().server_close()
        self.bell.close()
        deadline = time.monotonic() + STOP_WAIT_S
        for thread in list(self.carriers):
            thread.join(max(0, deadline - time.monotonic()))
        self.stopping.close()

    def where(self) -> str:
        """Return both addresses, for the first line that is printed."""
        return f"{super().where()} -> {format_address(self.target)}"


def main() -> int:
    """Do what the command line asks; return the exit status."""
    mend_streams()
    args = parse_args()
    spoiling = Spoiling(
        slice_bytes=args.slice,
        glue_s=args.glue / 1000,
        delay_s=args.delay / 1000,
        stall_s=args.stall,
        cut_bytes=args.cut,
    )
    try:
        server = Wiretap(args.listen, args.to, spoiling)
    except OSError as error:
        host, port = args.listen
        tell(explain_bind_error(error, host, port, "--listen"))
        return 1
    try:  # only now: the file may belong to the tap that has the port
        save = open(args.save, "w", encoding="utf-8") if args.save else None  # noqa: SIM115 (we write until we end)
    except OSError as error:
        tell(f"cannot write to {args.save}: {error.strerror}")
        return 1
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(errors="backslashreplace")  # for terminals that cannot show arrows
    # Colours for a terminal only, unless they are turned off.  Source: no-color.org.
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    server.display = Display(sys.stdout, save, colour)
    return run(server)


if __name__ == "__main__":
    sys.exit(main())
