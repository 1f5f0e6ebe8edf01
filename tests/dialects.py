"""How to log in, send a message and check for life on each server, so that all get the same faults.

dialect   how one server is spoken to
guest     a client that speaks it: it sends and receives lines as bytes, and does not judge them
fence     send a request and read up to its answer: all that was due before has come by then
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from extras.irc.server import IrcServer
from extras.rooms.server import RoomsServer
from step5_server.server import ChatServer
from tests.chapter import ROOT
from tests.foreign import parse_address
from tests.over import Plain, Tls, WebSocket
from tests.wire import RawWire

DEADLINE_S = 20.0  # so that no test hangs; no verdict depends on it


class Chat:
    """Step 5's protocol; the extras that add to it understand it too."""

    eol = b"\n"
    sign_of_life = b"HELP\n"
    goodbye = b"LOGOUT\n"
    in_time = rb"OK"  # how the answer to a login begins
    refused = rb"ERR name-taken"

    def __init__(self, server_class, script, *flags, over=Plain):
        self.server_class = server_class
        self.script = script
        self.flags = flags  # with which it hinders nobody
        self.over = over  # how the bytes of a guest reach it

    def __repr__(self):
        name = self.script.split("/")[-2]
        return name if self.over is Plain else f"{name} over {self.over.__name__}"

    def login(self, name):
        return b"LOGIN %s\n" % name.encode()

    def message(self, to, text):
        return b"MSG %s %s\n" % (to.encode(), text)

    def is_alive(self, line):
        return line.startswith(b"OK LOGIN MSG")

    def parse(self, line):
        """Return (sender, text) of a message, None for any other line."""
        words = line.split(b" ", 2)
        return (words[1].decode(), words[2]) if words[0] == b"MSG" else None

    def join(self, room):
        return b"JOIN %s\n" % room.encode()

    def say(self, room, text):
        """Say something to a room, if the server has rooms."""
        return b"SAY %s %s\n" % (room.encode(), text)

    def parse_said(self, line):
        """Return (sender, text) of what was said in a room, None for any other line."""
        words = line.split(b" ", 3)
        return (words[2].decode(), words[3]) if words[0] == b"SAY" else None

    def is_leaving(self, line, name):
        """Return whether a line says that somebody has left our room."""
        return re.fullmatch(rb"LEFT \S+ %s" % name.encode(), line)

    def exchange(self, guest, batch):
        """Send messages [(to, text)] in one go; return (which were taken, the messages that came meanwhile)."""
        guest.send(b"".join(self.message(to, text) for to, text in batch))
        taken, came = [], []
        while len(taken) < len(batch):
            line = guest.line()
            if message := self.parse(line):
                came.append(message)
            elif line.startswith((b"OK", b"ERR")):
                taken.append(line.startswith(b"OK"))
        return taken, came


class Irc(Chat):
    """IRC: a message gets no reply, so only the fence shows that it was accepted."""

    eol = b"\r\n"
    sign_of_life = b"PING fence\r\n"
    goodbye = b"QUIT\r\n"
    in_time = rb":\S+ 001"
    refused = rb":\S+ 433"

    def login(self, name):
        return b"NICK %s\r\nUSER %s 0 * :guest\r\n" % (name.encode(), name.encode())

    def message(self, to, text):
        return b"PRIVMSG %s :%s\r\n" % (to.encode(), text)

    def is_alive(self, line):
        return b" PONG " in line

    def parse(self, line):
        match = re.fullmatch(rb":([^!]+)!\S+ PRIVMSG \S+ :(.*)", line, re.DOTALL)
        return (match[1].decode(), match[2]) if match else None

    def join(self, room):
        return b"JOIN #%s\r\n" % room.encode()

    def say(self, room, text):
        return self.message(f"#{room}", text)

    parse_said = parse

    def is_leaving(self, line, name):
        return re.match(rb":%s!\S+ QUIT" % name.encode(), line)

    def exchange(self, guest, batch):
        # Only a failure has an answer; it names the nick, so each may stand once in a batch.
        guest.send(b"".join(self.message(to, text) for to, text in batch) + self.sign_of_life)
        failed, came = set(), []
        while not self.is_alive(line := guest.line()):
            if message := self.parse(line):
                came.append(message)
            elif match := re.match(rb":\S+ 401 \S+ (\S+)", line):
                failed.add(match[1].decode())
        return [to not in failed for to, _ in batch], came


DIALECTS = [
    Chat(ChatServer, "step5_server/server.py"),
    Chat(RoomsServer, "extras/rooms/server.py"),
    Irc(IrcServer, "extras/irc/server.py", "--flood=off"),
]

# The same faults where something stands between a guest's bytes and TCP.
OVER = [
    Chat(RoomsServer, "extras/rooms/server.py", over=Tls),
    Irc(IrcServer, "extras/irc/server.py", "--flood=off", over=Tls),
    Chat(RoomsServer, "extras/web/server.py", over=WebSocket),
    Irc(IrcServer, "extras/irc/server.py", "--flood=off", over=WebSocket),
]


class Guest(RawWire):
    """A client that speaks one server's dialect."""

    def __init__(self, dialect, address, name=None, receive_bytes=None):
        self.dialect = dialect
        sock = socket.socket(socket.AF_INET)
        if receive_bytes:  # the kernel then hides less of a slow reader
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(DEADLINE_S)
        sock.connect(address[:2])
        super().__init__(sock, dialect.over(sock))
        self.early = []  # messages that came before login() was done
        if name:
            assert self.login(name), f"{name} cannot log in"

    def tell(self, to, text):
        """Send one message."""
        self.send(self.dialect.message(to, text))

    def line(self):
        """Return the next line without its end.  Raises: EOFError."""
        return super().line().rstrip(b"\r\n")

    def login(self, name):
        """Log in; return False if somebody else has the name."""
        self.send(self.dialect.login(name))
        while True:
            line = self.line()
            if re.match(self.dialect.refused, line):
                return False
            if re.match(self.dialect.in_time, line):
                self.early = self.fence()
                return True

    def fence(self):
        """Return the messages [(sender, text)] that came before the fence's answer."""
        self.send(self.dialect.sign_of_life)
        return self.until_fence()

    def until_fence(self):
        """Return the messages that came before the answer to a fence that has been sent."""
        messages = []
        while not self.dialect.is_alive(line := self.line()):
            messages.append(self.dialect.parse(line))
        return [message for message in messages if message]

    def messages(self, count):
        """Return the next `count` messages."""
        found = []
        while len(found) < count:
            if message := self.dialect.parse(self.line()):
                found.append(message)
        return found

    def rest(self):
        """Return all lines up to the end of the connection."""
        lines = []
        try:
            while True:
                lines.append(self.line())
        except EOFError:
            return lines


class Process:
    """A server in a process of its own, as a user starts it; looks into /proc on Linux."""

    def __init__(self, script, *flags, port=0, log, limits=None, over=Plain):
        self.log_path = Path(log)
        self._log = open(log, "wb")  # noqa: SIM115 (until our own end)
        self.popen = subprocess.Popen(
            [sys.executable, str(ROOT / script), "--port", str(port), *flags, *over.flags_for(script)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            preexec_fn=limits,
            bufsize=0,
        )
        lines = [self._line() for _ in range(over.line_number + 1)]
        assert lines[0].startswith("listening on "), self.log
        self.port = parse_address(lines[0].split()[-1])[1]  # of TCP alone
        self.address = parse_address(re.search(r"[\w.]+:\d+", lines[-1])[0])

    def _line(self):
        """Return the next line that it prints."""
        if not select.select([self.popen.stdout], [], [], DEADLINE_S)[0]:
            self.popen.kill()
        return self.popen.stdout.readline().decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
        self._log.close()

    @property
    def log(self):
        return self.log_path.read_text()

    def signal(self, number=signal.SIGTERM):
        self.popen.send_signal(number)

    def wait(self):
        """Return the exit status."""
        return self.popen.wait(DEADLINE_S)

    def memory_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", self._proc("status"))[1])

    def cpu_s(self):
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fds(self):
        return len(os.listdir(f"/proc/{self.popen.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.popen.pid}/task"))

    def _proc(self, name):
        return Path(f"/proc/{self.popen.pid}/{name}").read_text()


def eventually(true, what):
    """Ask again and again until it is true: for what happens soon, but sends no sign."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, f"never came true: {what}"
        select.select([], [], [], 0.01)
