import socketserver
import sys

from framing import LineBuffer, LineTooLong
from protocol import VERBS, ProtocolError, check_name, check_text, format_line, parse_line


class LineHandler(socketserver.BaseRequestHandler):
    name = None  # until LOGIN
    over = False  # after LOGOUT

    def handle(self):
        buffer = LineBuffer()
        while not self.over and (chunk := self.request.recv(4096)):
            buffer.feed(chunk)
            while not self.over and (line := self.next_line(buffer)) is not None:
                self.send(self.answer(line))

    def next_line(self, buffer):
        while True:
            try:
                return buffer.next_line()
            except LineTooLong:
                self.send(b"ERR line-too-long at most 1024 bytes a line")

    def answer(self, line):
        try:
            request = parse_line(line, VERBS, self.name is not None)
            if request is None:
                return b""
            verb, args = request
            return getattr(self, "do_" + verb)(*args)
        except ProtocolError as error:
            return format_line("ERR", error.code, error.text)

    def send(self, line):
        if line:
            self.request.sendall(line + b"\n")

    def do_LOGIN(self, name):
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        self.name = check_name(name)
        return format_line("OK", f"welcome, {name}")

    def do_MSG(self, name, text):
        if name.lower() != self.name.lower():
            raise ProtocolError("no-such-user", "you are alone here")
        self.send(format_line("MSG", self.name, check_text(text)))
        return b"OK"

    def do_LOGOUT(self):
        self.over = True
        return b"OK bye"

    def do_HELP(self):
        return format_line("OK", *VERBS)


class LineServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    with LineServer(("127.0.0.1", int(sys.argv[1])), LineHandler) as server:
        print("listening on port", sys.argv[1])
        server.serve_forever()
