"""An IRC server: any standard client connects to it.

From the command line: `python extras/irc/server.py --help`; with `hash-password`, it makes a hash
for --password and --oper.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

import argparse
import contextlib
import ipaddress
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from extras.broadcast.fast_server import FastServer, server_parser
from extras.irc.bans import LISTS
from extras.irc.event import Event
from extras.irc.extension import CannotStart, Capability, Extension, Extensions
from extras.irc.handler import IrcHandler
from extras.irc.message import clean
from extras.irc.more import passwords
from extras.irc.state import FLAGS, STATUSES, USER_MODES
from extras.irc.verbs import VERBS
from extras.irc.welcome import isupport_page, lusers_page, motd_page
from extras.irc.world import World
from extras.ircv3.every import EXTENSIONS
from extras.tls.doors import Door
from extras.tls.tls_server import give_up
from extras.web.website import Website, origin
from step1_echo.serving import POLL_INTERVAL_S, main, port_number
from step5_server.handler import LineHandler
from step5_server.line_server import positive

PORT, TLS_PORT = 6667, 6697  # what clients try first.  Source of the second: RFC 7194
NAME = "irc.example.net"  # RFC 2606: a name that is nobody's
MAX_CHANNELS = 20  # for one user: more is hard to read, and each costs memory
PING_TIMEOUT_S = 120.0  # silence before PING, and once more before the end
# A hundred at once: a bouncer that reconnects sends some 60 (20 JOIN, 20 MODE, 20 WHO) and must not
# wait.  Then 20 a second: more than anybody types, and little work for us.
FLOOD = "100/5"
CORE_CAPABILITIES = {"cap-notify": Capability("cap-notify", "tells when a capability comes or goes")}
# For a server without a file: otherwise 422 (no such file) is the first thing that a newcomer reads.
DEFAULT_MOTD = [
    "Welcome.  This is the IRC server of a chat tutorial.",
    "/join a channel, or ask for /list.",
]


class IrcServer(FastServer):
    """Serve IRC; the postman carries what goes to many."""

    handler_class = IrcHandler
    registry_class = World
    registry: World
    asks_for_certificates = True
    ws_door: Door | None = None

    def __init__(
        self,
        address: tuple[str, int],
        *,
        name: str = NAME,
        network: str = "ExampleNet",
        info: str = "test server",
        motd_file: str = "",
        max_channels: int = MAX_CHANNELS,
        flood: tuple[float, float] | None = None,
        ping_timeout_s: float = PING_TIMEOUT_S,
        utf8_only: bool = True,
        proxies: Iterable[str] = (),
        extensions: Iterable[type[Extension]] = EXTENSIONS,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ):
        self.name, self.network, self.info = name, network, info
        self.motd_file = motd_file
        self.proxies = frozenset(proxies)
        self.max_channels, self.flood = max_channels, flood
        # What a message costs its client, and how much of that is free.
        self.message_s, self.burst_s = (1 / flood[1], flood[0] / flood[1]) if flood else (0.0, 0.0)
        self.ping_timeout_s = ping_timeout_s
        self.started_at = time.time()
        self.created = time.strftime("%a %b %d %Y at %H:%M:%S %Z", time.localtime(self.started_at))
        self.utf8_only = utf8_only
        self.command_counts: Counter[str] = Counter()
        self._motd: tuple[object, str] = None, motd_page(name, DEFAULT_MOTD)
        self._dies = False
        super().__init__(address, **settings)
        try:
            self.extend(extensions, options or {})
        except BaseException:
            self.server_close()
            self.postman.end()
            raise

    def extend(self, classes: Iterable[type[Extension]], options: dict[str, Any]) -> None:
        """Take the extensions in; `options` are their flags, those that are not at their defaults."""
        defaults = argparse.ArgumentParser()
        for extension in classes:
            extension.add_flags(defaults)
        every = vars(defaults.parse_args([])) | options
        self.extensions = Extensions(classes, self, argparse.Namespace(**every))
        self.commands = VERBS | self.extensions.commands
        self.capabilities = CORE_CAPABILITIES | self.extensions.capabilities
        self.channel_flags = FLAGS + self.extensions.letters("channel_flags")
        self.user_modes = USER_MODES + self.extensions.letters("user_modes")
        with_parameter = "".join(sorted(LISTS + "kl" + "".join(STATUSES)))
        every_mode = "".join(sorted(self.channel_flags + with_parameter))
        self.mode_letters = self.user_modes, every_mode, with_parameter
        self.isupport, self.lusers = isupport_page(self), lusers_page(self.name)
        first = self.extensions.first
        if stays := self.extensions.hooks(Extension.keeps_channel):
            self.registry.keeps_channel = lambda channel: any(hook(channel) for hook in stays)
        if hooks := self.extensions.hooks(Extension.changed):
            self.registry.changed = lambda channel, user: [hook(channel, user) for hook in hooks]
        if self.extensions.hooks(Extension.matches):
            self.registry.matches = lambda letter, pattern, user: first(Extension.matches, letter, pattern, user)
        self.extensions.start()

    def stop(self) -> None:
        """Stop as ever; then the extensions close what they have open."""
        super().stop()
        self.extensions.stop()

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "IrcServer":
        """Build the server that the command line asks for."""
        try:
            server = super().from_args(args)
        except CannotStart as error:
            give_up(str(error))
        assert isinstance(server, IrcServer)  # it is made by cls(), and cls is ours
        if args.ws_port is not None:
            # Here and not above: it wants a library of others, and IRC without WebSocket does not.
            from extras.web.web_door import IRC_FRAMES, door_from_args

            address = args.ws_host or args.host, args.ws_port
            website = Website(origins=args.ws_origin)
            server.ws_door = door_from_args(server, address, "--ws-port", website, IRC_FRAMES)
        return server

    def where(self) -> str:
        """Return the addresses, one a line."""
        ws = f"\nlistening on {self.ws_door.where()} with WebSocket" if self.ws_door else ""
        return super().where() + ws

    @classmethod
    def settings(cls, args: argparse.Namespace) -> dict[str, Any]:
        return super().settings(args) | {
            "name": args.name,
            "network": args.network,
            "info": args.info,
            "motd_file": args.motd,
            "max_channels": args.max_channels,
            "flood": args.flood,
            "ping_timeout_s": args.ping_timeout,
            "utf8_only": args.utf8_only,
            "proxies": args.proxy_from,
            "options": vars(args),
        }

    def dismiss(self, handler: LineHandler, code: str, text: str = "") -> None:
        """Send a client away, with an ERROR that names its address."""
        assert isinstance(handler, IrcHandler)  # a server has handlers of its handler_class
        with self.registry.lock:
            handler.close_link(text or code)

    def sweep(self, now: float) -> None:
        """Besides step 5's timeouts: send PING to silent clients, and end those that do not answer.

        A client is silent if it sends nothing while we read it: not while it is held back.
        """
        super().sweep(now)
        sessions = [session for user in list(self.registry.users) for session in list(user.sessions)]
        for handler in sessions:
            conn = handler.conn
            is_asked = conn.pinged_at >= conn.heard_at
            if not conn.is_reading:
                if is_asked:
                    conn.pinged_at = now  # its answer may be in what we have not read yet
            elif is_asked and now - conn.pinged_at > self.ping_timeout_s:
                self.dismiss(handler, f"Ping timeout: {2 * self.ping_timeout_s:.0f} seconds")
                try:
                    # Wakes its thread, which then tells the others.
                    handler.request.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # NOTE: it has just ended by itself
            elif not is_asked and now - conn.heard_at > self.ping_timeout_s:
                conn.pinged_at = now
                handler.push(Event("PING", text=self.name))

    def motd(self) -> str | None:
        """Give the page of the message of the day, from its file; None if there is no file."""
        if not self.motd_file:
            return self._motd[1]
        try:
            changed = os.stat(self.motd_file).st_mtime_ns
            if changed != self._motd[0]:
                text = Path(self.motd_file).read_bytes().decode("utf-8", "surrogateescape")
                lines = text.split("\n")  # splitlines() would also split at the character for italics
                if not lines[-1]:
                    lines.pop()
                lines = [clean(line.removesuffix("\r"), self.utf8_only) for line in lines]
                self._motd = changed, motd_page(self.name, lines)
        except OSError:
            return None
        return self._motd[1]

    def forget_motd(self) -> None:
        """Read the file again when it is next wanted."""
        self._motd = None, self._motd[1]

    def die(self) -> None:
        """End serve_forever(); main() then does the rest.  Blocks: never: callers hold the lock.

        It does not start a thread that calls shutdown(): DIE must work even if no more threads can start.
        """
        self._dies = True

    def service_actions(self) -> None:
        """Sweep, or end: between two accepts, the acceptor looks what else there is to do."""
        if self._dies:
            raise Dies
        super().service_actions()

    def serve_forever(self, poll_interval: float = POLL_INTERVAL_S) -> None:
        """Serve until shutdown(), or until an operator says DIE."""
        with contextlib.suppress(Dies):
            super().serve_forever(poll_interval)


class Dies(Exception):
    """Ends the accept loop from within."""


def parser() -> argparse.ArgumentParser:
    """Return step 5's flags and ours."""
    flags = server_parser("Serve IRC.", port=PORT, tls_port=TLS_PORT)
    flags.add_argument("--name", default=NAME, type=word, help="the server's name (default %(default)s)")
    flags.add_argument("--network", default="ExampleNet", help="the network's name (default %(default)s)")
    flags.add_argument("--info", default="test server", help="what WHOIS says about the server")
    flags.add_argument("--motd", default="", metavar="FILE", help="the file with the message of the day")
    flags.add_argument(
        "--max-channels",
        type=positive(int),
        default=MAX_CHANNELS,
        metavar="N",
        help="how many channels of each kind one user may be in (default %(default)s)",
    )
    flags.add_argument(
        "--flood",
        type=flood,
        default=FLOOD,
        metavar="MESSAGES/SECONDS",
        help="a client that sends more is read more slowly (default %(default)s; off: no limit)",
    )
    flags.add_argument(
        "--ping-timeout",
        type=positive(float),
        default=PING_TIMEOUT_S,
        metavar="SECONDS",
        help="how long a client may be silent before a PING, and then before the end (default %(default)g)",
    )
    flags.add_argument(
        "--utf8-only",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="replace bytes that are not UTF-8 by U+FFFD; with --no-utf8-only they pass unchanged",
    )
    flags.add_argument(
        "--proxy-from",
        action="append",
        default=[],
        type=ip_address,
        metavar="ADDRESS",
        help="only a proxy may connect from this address, and must name its client (PROXY protocol, version 1)",
    )
    flags.add_argument(
        "--ws-port",
        type=port_number,
        metavar="PORT",
        help="also listen for WebSocket there (0 takes any free port); with --tls-cert, encrypted",
    )
    flags.add_argument("--ws-host", metavar="HOST", help="address to listen on (default: as --host)")
    flags.add_argument(
        "--ws-origin",
        action="append",
        default=[],
        type=origin,
        metavar="URL",
        help="let pages from there connect, such as https://webchat.example.net; * lets in all",
    )
    for extension in EXTENSIONS:
        extension.add_flags(flags)
    return flags


def word(text: str) -> str:
    """Take a name that can be a parameter of a message."""
    if not text.isascii() or not text.isprintable() or " " in text or not text or text[0] == ":":
        raise argparse.ArgumentTypeError(f"{text!r} is not one word")
    return text


def ip_address(text: str) -> str:
    """Take an address as the system writes it."""
    return str(ipaddress.ip_address(text))


def flood(text: str) -> tuple[float, float] | None:
    """Split MESSAGES/SECONDS into a burst and a rate for each second; None for `off`."""
    if text == "off":
        return None
    messages, _, seconds = text.partition("/")
    burst, duration = positive(float)(messages), positive(float)(seconds or "1")
    return burst, burst / duration


if __name__ == "__main__":
    if "hash-password" in sys.argv[1:]:
        sys.exit(passwords.main())
    sys.exit(main(IrcServer, parser()))
