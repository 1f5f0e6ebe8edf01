import contextlib
import os
import queue
import socket
import sys
import threading

from framing import LineBuffer, LineTooLong


def show(text):
    print(text, flush=True)


def read_line():
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


class ChatClient:
    def __init__(self, sock):
        self.sock = sock
        self.logged_in = False
        self.leaving = False
        self.login_replies = queue.Queue()
        self.to = ""  # who gets plain text

    def listen(self):
        buffer = LineBuffer(2048)
        while chunk := self.sock.recv(4096):
            buffer.feed(chunk)
            while (line := buffer.next_line()) is not None:
                self.take(line.decode(errors="backslashreplace"))

    def take(self, line):
        verb, _, rest = line.partition(" ")
        if verb in ("OK", "ERR") and not self.logged_in:
            self.login_replies.put(verb)
        if verb == "MSG":
            sender, _, text = rest.partition(" ")
            show(f"{sender}: {text}")
        elif verb != "OK":
            show(line)
        elif rest:
            show(rest)

    def talk(self):
        with contextlib.suppress(OSError):  # the server has gone: listen() sees that, too
            while not self.leaving and (line := read_line()) is not None:
                if line.strip():
                    self.enter(line)
            self.leaving = True
            self.sock.shutdown(socket.SHUT_WR)

    def enter(self, line):
        if line == "/quit":
            self.leaving = True
            self.send("LOGOUT")
        elif not self.logged_in:
            self.send("LOGIN " + line)
            self.logged_in = self.login_replies.get() == "OK"
        elif line.startswith("/msg "):
            self.to = line.split(" ")[1]
            self.send("MSG " + line[5:])
        elif line.startswith("/raw "):
            self.send(line[5:])
        elif self.to and not line.startswith("/"):
            self.send(f"MSG {self.to} {line}")
        else:
            show("type /msg NAME TEXT, /raw LINE or /quit")

    def send(self, line):
        self.sock.sendall(line.encode() + b"\n")


def main():
    try:
        sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        sys.exit(f"cannot connect: {error}")
    client = ChatClient(sock)
    show("your name?")
    threading.Thread(target=client.talk, daemon=True).start()
    status = 0
    try:
        client.listen()
    except KeyboardInterrupt:
        status = 130
    except (OSError, LineTooLong):
        pass  # it has crashed, or is no chat server
    if not client.leaving and status == 0:
        show("the server closed the connection")
        status = 1
    os._exit(status)  # at once, though a thread still waits for the keyboard


if __name__ == "__main__":
    main()
