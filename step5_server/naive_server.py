"""The chat with sendall() in the sender's thread.  WRONG ON PURPOSE: server.py is right.

One user who stops reading freezes everybody: the sendall() to her blocks, and the thread
that waits in it holds the lock that all others need.
"""

import socketserver
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step1_echo is found

from step1_echo.serving import Server, argument_parser, main
from step3_protocol.protocol import VERBS, ProtocolError, check_name, check_text, format_line, parse_line
from step4_framing.framing import LineBuffer, LineTooLong, frame_line

CHUNK_BYTES = 4096


class SendallHandler(socketserver.BaseRequestHandler):
    """One user: step 4's loop, and a look at the others."""

    def handle(self):
        """Answer each line until EOF or LOGOUT."""
        self.name = None
        self.over = False
        buffer = LineBuffer()
        while not self.over and (chunk := self.request.recv(CHUNK_BYTES)):
            buffer.feed(chunk)
            while not self.over and (line := self.next_line(buffer)) is not None:
                self.answer(line)

    def finish(self):
        """Free the name."""
        with self.server.lock:
            self.server.users.pop((self.name or "").lower(), None)

    def next_line(self, buffer):
        """Return the next whole line, or None; complain about each that is too long."""
        while True:
            try:
                return buffer.next_line()
            except LineTooLong:
                self.send(b"ERR line-too-long at most 1024 bytes a line")

    def answer(self, line):
        """Give one line its one reply."""
        try:
            request = parse_line(line, VERBS, logged_in=self.name is not None)
            if request:
                with self.server.lock:
                    reply = getattr(self, "do_" + request.verb)(*request.args)
                self.send(reply)
        except ProtocolError as error:
            self.send(format_line("ERR", error.code, error.text))

    def do_LOGIN(self, name):
        users = self.server.users
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        if check_name(name).lower() in users:
            raise ProtocolError("name-taken", "somebody else has this name")
        users[name.lower()] = self
        self.name = name
        return format_line("OK", f"welcome, {name}")

    def do_MSG(self, name, text):
        user = self.server.users.get(name.lower())
        if user is None:
            raise ProtocolError("no-such-user", "nobody here has that name")
        # WRONG ON PURPOSE: if this user does not read, we wait here, and we hold the lock.
        user.send(format_line("MSG", self.name, check_text(text)))
        return b"OK"

    def do_LOGOUT(self):
        self.over = True
        return b"OK bye"

    def do_HELP(self):
        return format_line("OK", " ".join(VERBS))

    def send(self, line):
        self.request.sendall(frame_line(line))


class SendallServer(Server):
    """All users, and the lock that guards them."""

    handler_class = SendallHandler

    def __init__(self, address):
        super().__init__(address)
        self.users = {}  # name in lower case -> handler
        self.lock = threading.Lock()  # guards users


if __name__ == "__main__":
    sys.exit(main(SendallServer, argument_parser("Serve a chat that one user can freeze (wrong!).")))
