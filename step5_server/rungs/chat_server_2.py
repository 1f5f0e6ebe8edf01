import sys
import threading

from line_server import LineHandler, LineServer
from protocol import ProtocolError, check_name, check_text, format_line

users = {}  # name in lower case -> its owner's handler
lock = threading.Lock()  # guards users, and lets one thread at a time send


class ChatHandler(LineHandler):
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
            user.send(line)
        return b"OK"

    def finish(self):
        with lock:
            if self.name:
                del users[self.name.lower()]


if __name__ == "__main__":
    with LineServer(("127.0.0.1", int(sys.argv[1])), ChatHandler) as server:
        print("listening on port", sys.argv[1])
        server.serve_forever()
