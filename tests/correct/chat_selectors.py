"""A correct chat server, one thread and a selector, bytes all the way: python chat_selectors.py PORT"""

import selectors
import socket
import sys

FIRST = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
LATER = FIRST + b"0123456789_-"
CONTROL = bytes(set(range(32)) - {9}) + b"\x7f"
selector = selectors.DefaultSelector()
users = {}  # lower-case name -> Peer


class Peer:
    def __init__(self, sock):
        self.sock, self.name, self.inbox, self.outbox, self.skipping, self.leaving = sock, None, b"", b"", False, False
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, self)

    def send(self, line):
        self.outbox += line + b"\n"
        if len(self.outbox) > 400_000:
            self.outbox = b""
            self.close()
        else:
            self.write()

    def write(self):
        try:
            self.outbox = self.outbox[self.sock.send(self.outbox[:9000]) :]
        except BlockingIOError:
            pass
        except OSError:
            return self.close()
        if self.leaving and not self.outbox:
            return self.close()
        if self.sock.fileno() >= 0:
            selector.modify(self.sock, 0 | (not self.leaving) | 2 * bool(self.outbox), self)

    def close(self):
        self.forget()
        if self.sock.fileno() >= 0:
            selector.unregister(self.sock)
            self.sock.close()

    def forget(self):
        if self.name and users.get(self.name.lower()) is self:
            del users[self.name.lower()]

    def leave(self):
        self.leaving = True
        self.forget()
        self.write()

    def read(self):
        try:
            chunk = self.sock.recv(500)
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        if not chunk:
            return self.leave()
        self.inbox += chunk
        while not self.leaving and b"\n" in self.inbox:
            line, self.inbox = self.inbox.split(b"\n", 1)
            if line.endswith(b"\r"):
                line = line[:-1]
            if self.skipping:
                self.skipping = False
            elif len(line) > 1024:
                self.send(b"ERR line-too-long")
            elif line:
                self.send(self.answer(line))
                if self.leaving:
                    self.leave()
        if len(self.inbox) > 1025 and not self.skipping:
            self.skipping = True
            self.send(b"ERR line-too-long")
        if self.skipping:
            self.inbox = b""

    def answer(self, line):
        verb, space, rest = line.partition(b" ")
        verb = verb.upper()
        if verb == b"HELP":
            return b"ERR bad-arguments" if space else b"OK login msg logout help"
        if verb == b"LOGOUT":
            self.leaving = not space
            return b"ERR bad-arguments" if space else b"OK"
        if verb == b"LOGIN":
            return self.login(rest)
        if verb == b"MSG":
            return self.message(line, rest)
        return b"ERR unknown-command"

    def login(self, name):
        if self.name:
            return b"ERR already-logged-in"
        if not name:
            return b"ERR bad-arguments"
        if name[0] not in FIRST or len(name) > 20 or name.strip(LATER):
            return b"ERR bad-name"
        if name.lower() in users:
            return b"ERR name-taken"
        self.name = name
        users[name.lower()] = self
        return b"OK"

    def message(self, line, rest):
        name, _space, text = rest.partition(b" ")
        if not self.name:
            return b"ERR not-logged-in"
        if not text.strip(b" "):
            return b"ERR bad-arguments"
        try:
            line.decode()
        except UnicodeDecodeError:
            return b"ERR bad-encoding"
        if any(byte in CONTROL for byte in text):
            return b"ERR bad-text"
        if name.lower() not in users:
            return b"ERR no-such-user"
        users[name.lower()].send(b"MSG " + self.name + b" " + text)
        return b"OK"


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is listener:
            Peer(listener.accept()[0])
            continue
        if events & selectors.EVENT_WRITE:
            key.data.write()
        if events & selectors.EVENT_READ and key.data.sock.fileno() >= 0:
            key.data.read()
