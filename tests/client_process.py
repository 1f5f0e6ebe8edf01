"""A client under test: its process in a pipe or a terminal, and the server that it talks to, played by the test.

Nothing here knows what language the client is written in, nor any of its words.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError:
    pty = None  # Windows: no pseudo-terminals

DEADLINE_S = 15  # for each single wait; a client may be slow to start, and this machine may be busy
ROOT = Path(__file__).resolve().parents[1]


def command_line(template: str, port: int, host: str = "127.0.0.1") -> list[str]:
    """Split a command such as './my_client {host} {port}' and fill it in."""
    return [word.format(host=host, port=port, python=sys.executable)
            for word in shlex.split(template)]


class PlayedServer:
    """A listening socket; `accept` gives the conversation with the client.  A context manager."""

    def __init__(self, listening: bool = True):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        if listening:  # else the port is ours, and every connection to it is refused
            self.sock.listen()
        self.sock.settimeout(DEADLINE_S)
        self.port = self.sock.getsockname()[1]
        self.conversations = []

    def accept(self) -> "Conversation":
        self.conversations.append(Conversation(self.sock.accept()[0]))
        return self.conversations[-1]

    def __enter__(self) -> "PlayedServer":
        return self

    def __exit__(self, *exc_info) -> None:
        self.sock.close()
        for conversation in self.conversations:
            conversation.sock.close()


class Conversation:
    """The server's side of one connection: bytes out just as they are, lines in."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no waiting to glue sends
        self.sock.settimeout(DEADLINE_S)
        self.held = b""

    def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.sock.sendall(chunk)

    def read_line(self) -> bytes:
        """Return the next line without its delimiter; AssertionError at EOF."""
        while b"\n" not in self.held:
            chunk = self.sock.recv(65536)
            assert chunk, f"the client ended the connection; before that it sent {self.held!r}"
            self.held += chunk
        line, self.held = self.held.split(b"\n", 1)
        return line.removesuffix(b"\r")

    def expect(self, line: bytes) -> None:
        assert self.read_line() == line

    def answer(self, line: bytes, reply: bytes) -> None:
        """Read a request, which must be `line`, and answer it."""
        self.expect(line)
        self.send(reply + b"\n")

    def read_to_eof(self) -> bytes:
        """Return all that the client still sends; TimeoutError if it never half-closes."""
        while chunk := self.sock.recv(65536):
            self.held += chunk
        rest, self.held = self.held, b""
        return rest

    def reset(self) -> None:
        """End the connection as a crash would, with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


class Output:
    """What comes out of one file descriptor, collected by a thread."""

    def __init__(self, fd: int):
        self.seen = b""
        self.ended = False
        self.arrived = threading.Condition()  # guards both
        self.thread = threading.Thread(target=self._collect, args=(fd,))
        self.thread.start()

    def _collect(self, fd: int) -> None:
        try:
            while chunk := os.read(fd, 65536):
                with self.arrived:
                    self.seen += chunk
                    self.arrived.notify_all()
        except OSError:
            pass  # NOTE: on Linux a terminal whose last program has gone says EIO, not EOF
        os.close(fd)
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def wait_for(self, wanted, what: str) -> None:
        """Wait until `wanted(seen)` holds."""
        with self.arrived:
            self.arrived.wait_for(lambda: self.ended or wanted(self.seen), DEADLINE_S)
            assert wanted(self.seen), f"waited for {what}; the client printed {self.seen!r}"


class Client:
    """A running client, in a pipe or (terminal=True) in a pseudo-terminal.  A context manager."""

    def __init__(self, command: list[str], terminal: bool = False, env: dict[str, str] = {},
                 read_output: bool = True):
        environment = {**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "INPUTRC": os.devnull, **env}
        if terminal:
            self.input, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT,
                start_new_session=True,  # with the next line: it is this terminal that Ctrl-C is for
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            os.close(theirs)
            self.out = self.err = Output(os.dup(self.input))
        else:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=environment, cwd=ROOT)
            self.input = os.dup(self.process.stdin.fileno())
            self.process.stdin.close()
            if not read_output:  # what `client | head -1` does to the client
                self.process.stdout.close()
                self.process.stdout = open(os.devnull, "rb")
            self.out, self.err = (Output(os.dup(file.fileno()))
                                  for file in (self.process.stdout, self.process.stderr))
            self.process.stdout.close()
            self.process.stderr.close()

    def type(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.input, data):]

    def end_input(self) -> None:
        """Close the client's standard input, as the shell does when the left side of a | ends."""
        os.close(self.input)
        self.input = None

    def wait_for(self, text: bytes) -> None:
        """Wait until `text` has been printed."""
        self.out.wait_for(lambda seen: text in seen, f"{text!r}")

    def wait_for_any(self, *texts: bytes) -> None:
        """Wait until one of the texts has been printed."""
        self.out.wait_for(lambda seen: any(text in seen for text in texts), " or ".join(map(repr, texts)))

    def wait_for_line(self, *texts: bytes, times: int = 1) -> None:
        """Wait until a line with all the texts in this order has been printed."""
        form = re.compile(b".*".join(map(re.escape, texts)))
        self.out.wait_for(lambda seen: len(form.findall(seen)) >= times,
                          f"a line with {texts}, {times} times")

    def exit_status(self) -> int:
        """Wait for the end of the process and of its output; return its status."""
        status = self.process.wait(DEADLINE_S)
        self.out.thread.join(DEADLINE_S)
        self.err.thread.join(DEADLINE_S)
        return status

    @property
    def printed(self) -> bytes:
        return self.out.seen if self.err is self.out else self.out.seen + self.err.seen

    def expect_failure(self, beyond: bytes = b"") -> None:
        """Check that the client stops with status 1 and says why, `beyond` what it was sent."""
        assert self.exit_status() == 1, f"the exit status; the client printed {self.printed!r}"
        assert b"Traceback" not in self.printed
        assert self.printed.replace(beyond, b"", 1).strip(), "the client stopped without a word"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc_info) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        if self.input is not None:
            self.end_input()
        self.out.thread.join(DEADLINE_S)
        self.err.thread.join(DEADLINE_S)
