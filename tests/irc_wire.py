"""IrcWire: the raw IRC client of the tests; it has its own parser, so that it can find mistakes in ours."""

import contextlib
import itertools
import socket
from typing import NamedTuple

from extras.irc.server import EXTENSIONS, IrcServer
from extras.irc.verbs import VERBS
from extras.wiretap.relay import Spoiling
from tests.servers import running, tapped_by
from tests.wire import DEADLINE_S, RawWire

MORE = [extension for extension in EXTENSIONS if extension.__module__.startswith("extras.irc.more.")]
STANDARD = VERBS | {name: row for extension in MORE for name, row in extension.commands.items()}  # not IRCv3's


class Got(NamedTuple):
    """One message that came."""

    tags: dict[str, str]
    source: str
    command: str
    params: list[str]

    @property
    def text(self) -> str:
        return self.params[-1]

    @property
    def nick(self) -> str:
        return self.source.split("!")[0]


def read_message(line: str) -> Got:
    """Split a line by the grammar; anything else is an error."""
    tags, source = {}, ""
    if line[0] == "@":
        front, line = line[1:].split(" ", 1)
        tags = dict(tag.split("=", 1) if "=" in tag else (tag, "") for tag in front.split(";"))
    if line[0] == ":":
        source, line = line[1:].split(" ", 1)
    head, colon, text = line.partition(" :")
    command, *params = head.split(" ")
    assert command and all(params), f"two spaces in a row in {line!r}"
    return Got(tags, source, command, params + [text] * bool(colon))


class IrcWire(RawWire):
    """One client's connection."""

    tokens = itertools.count()

    def __init__(self, address, nick: str = "", sock=None):
        super().__init__(sock or socket.create_connection(address[:2], timeout=DEADLINE_S))
        self.nick = nick

    def send(self, data: bytes | str) -> None:
        """Send bytes as they are, or one line."""
        super().send(data if isinstance(data, bytes) else data.encode() + b"\r\n")

    def read(self) -> Got:
        """Give the next message.  Raises: EOFError."""
        line = self.line()
        assert line.endswith(b"\r\n"), line
        assert len(line) - (line.find(b" ") + 1 if line[:1] == b"@" else 0) <= 512, line
        return read_message(line[:-2].decode(errors="surrogateescape"))

    def read_until(self, *commands: str) -> list[Got]:
        """Give the messages up to and with the first of these commands."""
        got = [self.read()]
        while got[-1].command not in commands:
            got.append(self.read())
        return got

    def ask(self, *lines: str) -> list[Got]:
        """Send lines and then a PING, and give all that comes before the PING's answer.

        This includes what others have caused before this call: it is in our outbox by then.
        """
        token = f"fence-{next(self.tokens)}"
        self.sock.sendall("".join(line + "\r\n" for line in (*lines, f"PING {token}")).encode(errors="surrogateescape"))
        got = []
        while (message := self.read()).command != "PONG" or message.text != token:
            got.append(message)
        return got

    def lines(self, *lines: str) -> list[str]:
        """ask(), each message as `COMMAND param param`, our own nick left out of numerics."""
        return [short(message) for message in self.ask(*lines)]

    def codes(self, *lines: str) -> list[str]:
        """ask(), the commands only."""
        return [message.command for message in self.ask(*lines)]

    def goodbye(self) -> list[Got]:
        """Give all that comes up to EOF."""
        got = []
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                got.append(self.read())
        return got


def short(message: Got) -> str:
    params = message.params[1:] if message.command.isdigit() else message.params
    return " ".join([message.command, *params])


class Network:
    """One server and its clients, for one test."""

    def __init__(self, stack: contextlib.ExitStack):
        self._stack = stack
        self.server: IrcServer | None = None

    def start(self, server_class=IrcServer, **settings) -> IrcServer:
        """Start the server; without this call it starts with its defaults when it is needed."""
        options = {"oper": [("root", "secret")]} | settings.pop("options", {})
        settings = {"name": "irc.test", "options": options} | settings
        self.server = self._stack.enter_context(running(server_class(("127.0.0.1", 0), **settings)))
        self.address = self.server.server_address
        return self.server

    def spoil(self, spoiling: Spoiling) -> None:
        """From now on, let clients connect through a network that cuts and glues."""
        self.address = self._stack.enter_context(tapped_by(spoiling, self.address))

    def wire(self) -> IrcWire:
        """Connect, and send nothing yet."""
        if not self.server:
            self.start()
        return self._stack.enter_context(IrcWire(self.address))

    def client(self, nick: str, caps: str = "", channel: str = "") -> IrcWire:
        """Connect and register; read the welcome."""
        wire = self.wire()
        wire.nick = nick
        if caps:
            wire.send(f"CAP REQ :{caps}")
            assert wire.read().params[1] == "ACK"
        wire.send(f"NICK {nick}\r\nUSER {nick[:9]} 0 * :Real {nick}" + "\r\nCAP END" * bool(caps))
        wire.welcome = wire.read_until("376", "422")
        if channel:
            wire.ask(f"JOIN {channel}")
        return wire
