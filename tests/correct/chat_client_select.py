"""A correct chat client, one thread, select() and a line editor of its own: python chat_client_select.py HOST PORT"""

import os
import select
import socket
import sys

try:
    import termios
except ImportError:
    termios = None


class Chat:
    def __init__(self, sock):
        self.sock, self.at_terminal = sock, sys.stdin.isatty()
        self.typed, self.came = b"", b""  # a line that is not whole yet, from either side
        self.name_asked, self.logged_in, self.to, self.leaving = False, False, b"", False
        self.waiting = []  # lines typed before the server has answered LOGIN

    def print(self, line):
        safe = "".join(
            char if char.isprintable() or char == "\t" else f"<{ord(char):02x}>"
            for char in line.decode("utf-8", "backslashreplace")
        )
        half = self.typed.decode(errors="replace")
        text = f"\r\x1b[K{safe}\r\n> {half}" if self.at_terminal else safe + "\n"
        os.write(1, text.encode())

    def send(self, line):
        self.sock.sendall(line + b"\n")

    def enter(self, line):
        if not line.strip():
            return
        if not self.logged_in and (self.name_asked or self.waiting):
            self.waiting.append(line)
        elif not self.logged_in and not line.startswith(b"/"):
            self.name_asked = True
            self.send(b"LOGIN " + line)
        elif line.startswith(b"/msg "):
            self.to = line.split(b" ")[1]
            self.send(b"MSG " + line[5:])
        elif line.startswith(b"/raw "):
            self.send(line[5:])
        elif line == b"/quit":
            self.leaving = True
            self.send(b"LOGOUT")
        elif line.startswith(b"/") or not self.to:
            self.print(b"I know /msg NAME TEXT, /raw LINE and /quit")
        else:
            self.send(b"MSG " + self.to + b" " + line)

    def take(self, line):
        verb, _, rest = line.partition(b" ")
        if verb == b"OK":
            if self.name_asked and not self.logged_in:
                self.logged_in = True
            if rest:
                self.print(rest)
        elif verb == b"ERR":
            self.name_asked = False
            self.print(b"the server says: " + rest)
        elif verb == b"MSG":
            sender, _, text = rest.partition(b" ")
            self.print(b"<" + sender + b"> " + text)
        elif line:
            self.print(line)
        while self.waiting and (self.logged_in or not self.name_asked):
            waiting, self.waiting = self.waiting, []
            self.enter(waiting[0])
            self.waiting = waiting[1:]
            if self.name_asked and not self.logged_in:
                break

    def read_keys(self):
        keys = os.read(0, 4096)
        if not self.at_terminal:
            *lines, self.typed = (self.typed + keys).split(b"\n")
            for line in lines:
                self.enter(line)
            return bool(keys)
        for byte in keys:
            key = bytes([byte])
            if key == b"\x04" and not self.typed:
                return False
            if key in b"\r\n":
                os.write(1, b"\r\n> ")
                line, self.typed = self.typed, b""
                self.enter(line)
            elif key in b"\x7f\x08":
                self.typed = self.typed.decode(errors="ignore")[:-1].encode()
                os.write(1, b"\r\x1b[K> " + self.typed)
            else:
                self.typed += key
                os.write(1, key)
        return True

    def run(self):
        sources, half_closed = [self.sock, sys.stdin], False
        while True:
            ready, _, _ = select.select(sources, [], [])
            if sys.stdin in ready and not self.read_keys():
                sources.remove(sys.stdin)
                self.leaving = True
            if self.sock in ready:
                try:
                    chunk = self.sock.recv(100)
                except OSError:
                    chunk = b""
                if not chunk:
                    break
                *lines, self.came = (self.came + chunk).split(b"\n")
                for line in lines:
                    self.take(line.removesuffix(b"\r"))
            if sys.stdin not in sources and not self.waiting and not half_closed:
                half_closed = True
                self.sock.shutdown(socket.SHUT_WR)
        if not self.leaving:
            self.print(b"the server has gone")
        return 0 if self.leaving else 1


def main():
    try:
        sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        print(f"nobody there: {error}")
        return 1
    before = termios.tcgetattr(0) if sys.stdin.isatty() else None
    if before:
        modes = termios.tcgetattr(0)
        modes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(0, termios.TCSANOW, modes)
    try:
        return Chat(sock).run()
    except KeyboardInterrupt:
        return 130
    finally:
        if before:
            termios.tcsetattr(0, termios.TCSANOW, before)


if __name__ == "__main__":
    sys.exit(main())
