import contextlib
import queue
import socket
import sys
import threading

from line_server import LineHandler, LineServer
from protocol import ProtocolError, check_name, check_text, format_line

MAX_WAITING = 1000  # lines for one user: a megabyte at most
users = {}  # name in lower case -> its owner's handler
lock = threading.Lock()  # guards users: nobody waits while holding it


class ChatHandler(LineHandler):
    def setup(self):
        self.outbox = queue.Queue(MAX_WAITING)
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def write(self):
        while (line := self.outbox.get()) is not None:
            with contextlib.suppress(OSError):  # this user has gone
                self.request.sendall(line + b"\n")

    def send(self, line):
        if line:
            self.outbox.put(line)  # a reply: we wait until our own client reads

    def send_from_another(self, line):
        try:
            self.outbox.put(line, timeout=1)
        except queue.Full:  # this user does not read: no more of that
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)

    def do_LOGIN(self, name):
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        with lock:
            if check_name(name).lower() in users:
                raise ProtocolError("name-taken", "somebody else has this name")
            users[name.lower()] = self
        self.name = name
        return format_line("OK", f"welcome, {name}")

    def do_MSG(self, name, text):
        line = format_line("MSG", self.name, check_text(text))
        with lock:
            user = users.get(name.lower())
        if user is None:
            raise ProtocolError("no-such-user", "nobody here has that name")
        user.send_from_another(line)
        return b"OK"

    def finish(self):
        with lock:
            if self.name:
                del users[self.name.lower()]
        self.outbox.put(None)  # the end, after all that was queued before
        self.writer.join()


if __name__ == "__main__":
    with LineServer(("127.0.0.1", int(sys.argv[1])), ChatHandler) as server:
        print("listening on port", sys.argv[1])
        server.serve_forever()
