"""Run a socketserver from the command line: address, first line, Ctrl-C, a clear error.

Every server of this tutorial starts and stops through this file, so that the others can
be about one idea each.  What it adds to `socketserver.ThreadingTCPServer`:

    args = argument_parser("Echo every byte.").parse_args()
    run(EchoServer.from_args(args))

The main thread only waits for a signal; a second thread accepts connections; each
connection then has a thread of its own:

    main ── waits for Ctrl-C or SIGTERM, then stops the rest
     └── acceptor ── accept() in a loop (serve_forever)
          ├── connection 1 ── handle()
          └── connection 2 ── handle()
"""

import argparse
import contextlib
import errno
import logging
import os
import select
import signal
import socket
import socketserver
import sys
import threading
import time
from typing import Any, TextIO

from step1_echo.streams import CannotWrite, mend_streams, tell, write

DEFAULT_PORT = 9000  # one number to remember for all steps; above 1024, so no root
POLL_INTERVAL_S = 0.1  # how late the accept loop may notice shutdown(); idle cost: nil
CTRL_C_STATUS = 130  # 128 + SIGINT: what shells report for a program that Ctrl-C ended
OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE_S = 0.1  # out of resources: how long to wait before accept() is tried again
LOG_AGAIN_S = 10.0  # and how seldom to say so
JOIN_INTERVAL_S = 0.5  # Windows cannot interrupt a join without a timeout with Ctrl-C

# Of a socket: IPv4's (host, port), or IPv6's (host, port, flow, zone).
Address = tuple[str, int] | tuple[str, int, int, int]

log = logging.getLogger("chat")


class Log(logging.Handler):
    """A log that drops lines when nobody takes them: no user must suffer for a full pipe or disk.

    `server.py -v 2>&1 | less` would freeze everybody, as soon as less has seen enough.
    """

    def __init__(self, stream: TextIO):
        super().__init__()
        self.stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        if takes_more(self.stream):
            with contextlib.suppress(CannotWrite):
                write(self.stream, self.format(record) + "\n")


def takes_more(stream: TextIO) -> bool:
    """Tell whether a line can be written to the stream without waiting for its reader."""
    try:
        # A pipe that is ready takes 4 KiB.  Source: pipe(7), PIPE_BUF.
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):
        return True  # NOTE: no file that select() knows; on Windows it knows only sockets


class Server(socketserver.ThreadingTCPServer):
    """A ThreadingTCPServer that takes IPv4 and IPv6 and stays calm when a peer fails."""

    # A restart may take its port back at once, though old connections are in TIME_WAIT.
    # On Windows the same option would let two servers share a port, so not there.
    allow_reuse_address = os.name == "posix"
    # A connection's thread must not keep the process alive once main() is done.
    daemon_threads = True
    # Connections that the kernel completes while we are busy.  With the default of 5 a
    # hundred clients at once wait seconds for a retransmitted SYN.
    request_queue_size = 1024
    handler_class: type[socketserver.BaseRequestHandler]  # who serves a connection; a subclass names it
    server_address: Address
    _next_log = 0.0  # when we may say again that there is nothing left

    def __init__(self, address: tuple[str, int]):
        """Bind and listen on (host, port); port 0 takes any free one.

        Raises: OSError when the address cannot be had.
        """
        host, port = address
        # getaddrinfo tells IPv4 from IPv6: "::1" and "::" have a colon, names may be both.
        try:
            family, _, _, _, sockaddr = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except UnicodeError:
            raise OSError("no host can have such a name") from None
        self.address_family = family
        # The ignored one: a Python that was built without IPv6 would give its addresses as bytes.
        super().__init__(sockaddr, self.handler_class)  # type: ignore[arg-type]

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "Server":
        """Build the server that the command line asks for."""
        return cls((args.host, args.port))

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            # "::" then serves IPv4 clients too, on every system alike.
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, Address]:
        """Accept; when the system has nothing left to give, wait a little and go on."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in OUT_OF_RESOURCES:
                self.pause(error)
            raise  # socketserver ignores it and comes back

    def process_request(self, request: Any, client_address: Address) -> None:
        """Give the connection its thread; without one the client cannot be served."""
        try:
            super().process_request(request, client_address)
        except (RuntimeError, MemoryError) as error:  # "can't start new thread"
            self.shutdown_request(request)
            self.pause(error)

    def pause(self, error: Exception) -> None:
        """Rest, since whoever waits to be accepted stays ready: no rest would be a spin."""
        now = time.monotonic()
        if now >= self._next_log:
            self._next_log = now + LOG_AGAIN_S
            log.warning("cannot take new clients for now: %s", error)
        time.sleep(PAUSE_S)

    def where(self) -> str:
        """Return the address, as the first printed line shows it."""
        return format_address(self.server_address)

    def stop(self) -> None:
        """Stop accepting and free the port.  Step 5 adds what its users deserve.

        Blocks: until the accept loop has ended, at most POLL_INTERVAL_S.
        """
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Address) -> None:
        """Log what a handler raised: one line if the peer did it, all of it if we did."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            # The peer reset the connection or vanished: not our mistake, no traceback.
            log.info("%s: %s", format_address(client_address), error)
        else:
            log.exception("%s: a bug of ours", format_address(client_address))


def format_address(address: Address) -> str:
    """Return "127.0.0.1:9000", or "[::1]:9000" for IPv6; whoever connects as printed gets here.

    "[fe80::1%eth0]:9000" names a zone: each network has addresses that begin with fe80, and the
    system must know which network is meant.  Source: RFC 4007, section 11.
    """
    host, port = address[:2]
    zone = address[3] if len(address) == 4 else 0  # of IPv6's (host, port, flow, zone)
    if zone and "%" not in host:
        try:
            host += "%" + socket.if_indextoname(zone)
        except OSError:
            host += f"%{zone}"  # its interface has gone
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def argument_parser(description: str, port: int = DEFAULT_PORT) -> argparse.ArgumentParser:
    """Return a parser with the flags that every server has: --host, --port and -v."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default %(default)s: this machine only; 0.0.0.0 or :: let the network in)",
    )
    parser.add_argument("--port", type=port_number, default=port, help="0 takes any free port (default %(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true", help="log each connection and command to stderr")
    return parser


def port_number(text: str) -> int:
    """Return the port that `text` names; for argparse, so that a bad one is a clear error."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")


def main(server_class: type[Server], parser: argparse.ArgumentParser) -> int:
    """Do what the command line asks: build the server, run it, return the exit status."""
    mend_streams()
    args = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[Log(sys.stderr)],
    )
    try:
        server = server_class.from_args(args)
    except OSError as error:
        tell(explain_bind_error(error, args.host, args.port))
        return 1
    return run(server)


def run(server: Server) -> int:
    """Serve until Ctrl-C or SIGTERM, then stop; return the exit status.

    A second Ctrl-C while stopping leaves at once.
    Thread: the main one, since only it gets signals.
    """
    # Makes SIGTERM (systemd, docker stop, kill) do just what Ctrl-C does.  And SIGINT, which
    # a shell script lets its background programs ignore.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    acceptor = threading.Thread(target=server.serve_forever, args=(POLL_INTERVAL_S,), name="acceptor", daemon=True)
    try:
        try:
            acceptor.start()
            announce(f"listening on {server.where()}")
            while acceptor.is_alive():
                acceptor.join(JOIN_INTERVAL_S)
        except KeyboardInterrupt:
            # The next one not by an exception: it would come in the middle of what stop() does.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: os._exit(CTRL_C_STATUS))
            if takes_more(sys.stderr):
                tell("stopping")
        server.stop()
    except KeyboardInterrupt:  # the second came before all this
        return CTRL_C_STATUS
    return 0


def announce(text: str) -> None:
    """Print a line at once; who cannot print says so, and goes on all the same."""
    try:
        write(sys.stdout, text + "\n")
    except CannotWrite as error:
        tell(str(error))


def explain_bind_error(error: OSError, host: str, port: int, flag: str = "--port") -> str:
    """Return one line that says why we cannot listen, and what to do."""
    where = format_address((host, port))
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {where}: the port is in use, perhaps by a server you started "
            f"before; stop that one, or choose another with {flag} (0 takes any free one)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot listen on {where}: not allowed; choose a port above 1023"
    return f"cannot listen on {where}: {error.strerror or error}; check host and port"
