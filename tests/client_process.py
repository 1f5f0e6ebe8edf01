"""A client under test: its process in a pipe or a terminal, and the server that it talks to, played by the test.

Nothing here knows in what language the client is written, or what it prints.
"""

import os
import re
import select
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.foreign import end_group
from tests.lesson import Lesson, Story, difference, on_the_wire, show

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError:
    pty = None  # Windows: no pseudo-terminals

DEADLINE_S = 15  # for each single wait; a client may be slow to start, and this machine may be busy
CHANCE_S = 0.05  # between the pieces of a cut line
AGAIN_S = 2.0  # before a key is pressed once more; no verdict depends on it
LEGEND = "> said to the client, < said by it, | cut here: another send"
POLL_S = 0.1  # between two looks whether a client that does not connect has ended
ROOT = Path(__file__).resolve().parents[1]


class Now:
    """What holds for the test that runs now; the fixture `template` sets it."""

    story = Story(LEGEND)
    process = None  # the client's, the last one that was started
    printed = errors = b""  # of the clients that have ended: all, and what only standard error got
    deadline_s = DEADLINE_S
    directory = str(ROOT)  # where the client's command is run
    ours = True  # our client must print exactly this; another one only what a person needs


def lesson(expected: str, came: str, waited: bool = False) -> Lesson:
    return Lesson(expected, came, Now.story, waited)


def shown(printed: bytes) -> str:
    """Return what a client printed, or the last lines of much, as text for a person."""
    if len(printed) <= 60:
        return show(printed) or "nothing"
    return "\n".join(["", *map(show, printed.splitlines()[-8:])])


def command_line(template: str, port: int, host: str = "127.0.0.1") -> list[str]:
    """Split a command such as './my_client {host} {port}' and fill it in."""
    values = {"{host}": host, "{port}": str(port), "{python}": sys.executable}
    return [re.sub("{host}|{port}|{python}", lambda found: values[found[0]], word) for word in shlex.split(template)]


class PlayedServer:
    """A listening socket; `accept` gives the conversation with the client.  A context manager."""

    def __init__(self, listening: bool = True):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        if listening:  # else the port is ours, and every connection to it is refused
            self.sock.listen()
        self.port = self.sock.getsockname()[1]
        self.conversations = []

    def accept(self) -> "Conversation":
        deadline, ended = time.monotonic() + 2 * Now.deadline_s, False  # it has to start first
        while not select.select([self.sock], [], [], 0 if ended else POLL_S)[0]:
            if ended or time.monotonic() > deadline:
                came = (
                    f"nobody did, and the client has ended, with status {Now.process.returncode}"
                    if ended
                    else "nobody did"
                )
                raise lesson(f"that the client connects to 127.0.0.1 port {self.port}", came, waited=not ended)
            ended = Now.process is not None and Now.process.poll() is not None  # then we look once more
        sock, _ = self.sock.accept()
        Now.story.add("client", "", "(connects)")
        self.conversations.append(Conversation(sock))
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
        self.sock.settimeout(Now.deadline_s)
        self.held = b""

    def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            Now.story.add("server", ">", chunk)
            try:
                self.sock.sendall(chunk)
            except OSError as error:
                raise lesson(
                    "that the client keeps the connection and reads it", on_the_wire(error, "the client")
                ) from None

    def send_cut(self, *chunks: bytes) -> None:
        """Send chunks with a pause between them, so that they do not arrive as one.

        A pause that is too short never fails a right client; it only finds a wrong one less often.
        """
        for chunk in chunks:
            self.send(chunk)
            select.select([], [], [], CHANCE_S)

    def receive(self, what: str) -> bytes:
        """Return a chunk, b"" at EOF."""
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            came = f"only {show(self.held)}   and nothing more" if self.held else "nothing"
            raise lesson(what, f"{came} in {Now.deadline_s:g} s", waited=True) from None
        except OSError:
            return b""  # RST: the end for us, like EOF

    def read_line(self, wanted: bytes = b"a line") -> bytes:
        """Return the next line without its delimiter."""
        while b"\n" not in self.held:
            chunk = self.receive(f"that the client says {show(wanted)}")
            if not chunk:
                raise lesson(
                    f"that the client says {show(wanted)}",
                    "the end of the connection" + (f", after {show(self.held)}" if self.held else ""),
                )
            self.held += chunk
        line, self.held = self.held.split(b"\n", 1)
        Now.story.add("client", "<", line)
        return line.removesuffix(b"\r")

    def expect(self, line: bytes) -> None:
        came = self.read_line(line)
        if came != line:
            raise lesson(f"that the client says {show(line)}", f"it says {show(came)}")

    def answer(self, line: bytes, reply: bytes) -> None:
        """Read a request, which must be `line`, and answer it."""
        self.expect(line)
        self.send(reply + b"\n")

    def read_to_eof(self) -> bytes:
        """Return all that the client still sends until it half-closes."""
        parts = [self.held]
        while chunk := self.receive("that the client half-closes or closes the connection"):
            parts.append(chunk)
        self.held = b""
        rest = b"".join(parts)
        if rest:
            Now.story.add("client", "<", rest)
        Now.story.add("client", "", "(sends no more)")
        return rest

    def expect_end(self, rest: bytes = b"") -> None:
        """Read to the EOF; `rest` must be all that comes before it."""
        came = self.read_to_eof()
        if came != rest:
            raise lesson(
                f"{show(rest) or 'nothing more'}, and then the end", f"{show(came) or 'nothing'}, and then the end"
            )

    def reset(self) -> None:
        """End the connection as a crash would, with RST in place of FIN."""
        Now.story.add("server", "", "(resets the connection)")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def half_close(self) -> None:
        Now.story.add("server", "", "(half-closes: no more to say)")
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        Now.story.add("server", "", "(closes the connection)")
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
            self.arrived.wait_for(lambda: self.ended or wanted(self.seen), Now.deadline_s)
            if not wanted(self.seen):
                raise lesson(
                    f"that the client prints {what}",
                    f"it printed {shown(self.seen)}" + ", and then it ended" * self.ended,
                    waited=not self.ended,
                )


class Client:
    """A running client, in a pipe or (terminal=True) in a pseudo-terminal.  A context manager."""

    def __init__(self, command: list[str], terminal: bool = False, env: dict[str, str] | None = None, read_output=True):
        environment = {**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "INPUTRC": os.devnull, **(env or {})}
        environment.pop("PYTHONUNBUFFERED", None)  # it would hide that a client does not flush
        if terminal:
            self.input, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            self.process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=environment,
                cwd=Now.directory,
                start_new_session=True,  # with the next line: it is this terminal that Ctrl-C is for
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
            os.close(theirs)
            self.out = self.err = Output(os.dup(self.input))
        else:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=Now.directory,
                start_new_session=True,
            )
            self.input = os.dup(self.process.stdin.fileno())
            self.process.stdin.close()
            if not read_output:  # what `client | head -1` does to the client
                self.process.stdout.close()
                self.process.stdout = open(os.devnull, "rb")  # noqa: SIM115 (as the one that it stands for)
            self.out, self.err = (Output(os.dup(file.fileno())) for file in (self.process.stdout, self.process.stderr))
            self.process.stdout.close()
            self.process.stderr.close()
        Now.process = self.process

    def type(self, data: bytes) -> None:
        Now.story.add("typed", ">", data)
        try:
            while data:
                data = data[os.write(self.input, data) :]
        except OSError as error:
            raise lesson(
                "that the client reads what is typed",
                f"it does not read any more ({error}); it printed {shown(self.printed)}",
            ) from None

    def end_input(self) -> None:
        """Close the client's standard input, as the shell does when the left side of a | ends."""
        Now.story.add("typed", "", "(the end of the input)")
        os.close(self.input)
        self.input = None

    # A key may be lost: a program that uses readline changes the terminal's modes around each
    # line, and a Ctrl-D that is typed under one and read under the other is none.  A person
    # presses it again.

    def press_ctrl_d(self, peer: Conversation) -> None:
        """Type Ctrl-D until the server hears of it."""
        self.type(b"\x04")
        for _ in range(int(Now.deadline_s / AGAIN_S)):
            if select.select([peer.sock], [], [], AGAIN_S)[0]:
                return
            os.write(self.input, b"\x04")

    def press_ctrl_c(self, before: bytes = b"") -> None:
        """Type Ctrl-C until the client has ended."""
        self.type(before + b"\x03")
        for _ in range(int(Now.deadline_s / AGAIN_S)):
            try:
                self.process.wait(AGAIN_S)
                return
            except subprocess.TimeoutExpired:
                os.write(self.input, b"\x03")

    def wait_for(self, text: bytes) -> None:
        """Wait until `text` has been printed."""
        self.out.wait_for(lambda seen: text in seen, show(text))

    def wait_for_any(self, *texts: bytes) -> None:
        """Wait until one of the texts has been printed."""
        self.out.wait_for(lambda seen: any(text in seen for text in texts), " or ".join(map(show, texts)))

    def wait_for_line(self, *texts: bytes, times: int = 1) -> None:
        """Wait until a line with all the texts in this order has been printed."""
        form = re.compile(b".*".join(map(re.escape, texts)))
        self.out.wait_for(
            lambda seen: len(form.findall(seen)) >= times,
            f"a line with {' and '.join(map(show, texts))}" + f", {times} times" * (times > 1),
        )

    def exit_status(self) -> int:
        """Wait for the end of the process and of its output; return its status."""
        try:
            status = self.process.wait(Now.deadline_s)
        except subprocess.TimeoutExpired:
            raise lesson(
                "that the client ends", f"it still runs; it printed {shown(self.printed)}", waited=True
            ) from None
        self.out.thread.join(Now.deadline_s)
        self.err.thread.join(Now.deadline_s)
        return status

    def expect_status(self, wanted: int) -> None:
        """Wait for the end of the process, and check its exit status."""
        status = self.exit_status()
        if status != wanted and (Now.ours or not status > 0 < wanted):
            raise lesson(
                f"that the client ends with exit status {wanted}",
                f"exit status {status}; it printed {shown(self.printed)}",
            )

    def expect_printed(self, wanted: bytes) -> None:
        """Check all that the client, which has ended, printed on standard output."""
        if self.out.seen != wanted:
            wanted_text, came_text = difference(wanted, self.out.seen)
            raise lesson(f"that it prints {wanted_text}", f"it printed {came_text}")

    def expect_no_trace(self) -> None:
        if b"Traceback" in self.printed:
            raise lesson("an end without a stack trace", shown(self.printed))

    def expect_told(self, *texts: bytes) -> None:
        """Check that the client, which has ended, printed one of the texts, on whichever output."""
        if not any(text in self.printed for text in texts):
            raise lesson(f"that it prints {' or '.join(map(show, texts))}", f"it printed {shown(self.printed)}")

    def expect_one_line(self) -> None:
        """Check that the client, which has ended, printed one line."""
        if not 1 <= len(self.printed.splitlines()) <= (1 if Now.ours else 3):
            raise lesson(
                "one line that says what is wrong", f"{len(self.printed.splitlines())} lines: {shown(self.printed)}"
            )

    @property
    def printed(self) -> bytes:
        return self.out.seen if self.err is self.out else self.out.seen + self.err.seen

    def expect_failure(self, beyond: bytes = b"") -> None:
        """Check that the client stops with status 1 and says why, besides (`beyond`) what it was sent."""
        self.expect_status(1)
        self.expect_no_trace()
        if not self.printed.replace(beyond, b"", 1).strip():
            raise lesson("a line that says why the client stops", "it stopped without a word")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind, error, trace) -> None:
        end_group(self.process, stop_s=0)
        if self.input is not None:
            os.close(self.input)
            self.input = None
        self.out.thread.join(Now.deadline_s)
        self.err.thread.join(Now.deadline_s)
        Now.printed += self.printed
        Now.errors += b"" if self.err is self.out else self.err.seen
