"""Replay the transcripts of the chapters with the real programs: they must print what the text shows.

tests/README.md describes the form. Everything runs from an empty directory with a bare environment, and
nothing sleeps: a step waits for the line that the text shows, for DEADLINE_S at most.
"""

import argparse
import codecs
import importlib.util
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl
    import pty
    import struct
    import termios

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so tests.chapter is found
from tests.chapter import ROOT, fences, named_chapter
from tests.foreign import free_port
from tests.typed import CHAPTERS, MINE, typed

LANGUAGES = ("transcript", "console")
DEADLINE_S = 30  # longer than any answer takes on a slow machine; a wait usually ends when the line comes
COLUMNS = 400  # of the pseudo-terminal: nothing wraps, so a line of text is a row of the screen
KEYS = {"^C": (b"\x03", signal.SIGINT), "^D": (b"\x04", None)}
STEP = re.compile(r" *(\w+)([$><_])(?: (.*))?$")
LISTENING = re.compile(r"(?:listening on |open https?://)(\S+):(\d+)")
# The places in a command that name a port.
PORT = re.compile(
    r"(--(?:tls-|web-|ws-)?port[ =]|attacks/\w+\.py |--listen[ =](?:\S+:)?|(?:127\.0\.0\.1|localhost|::1)\]?[ :]|redis-cli -p )(\d+)\b"
)
# A program that serves, and needs a --port.
SERVES = re.compile(r"\b(?:\w*server\w*|cluster)\.py\b")
PROCESS = re.compile(r", process (\d+)$")
# The learner's own servers: their port is the last word.
HER_SERVER = re.compile(rf"{MINE}(?:echo|\w*_server)\.py (\d+)\b")
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])"
)


class Mismatch(Exception):
    """The text and the programs differ; says where and how."""


@dataclass(frozen=True)
class Step:
    """One line of a transcript: who; what ($ runs, > types, _ types without Enter, < prints); the text."""

    terminal: str
    mark: str
    text: str
    line_number: int

    def __str__(self):
        return f"{self.terminal}{self.mark} {self.text}".rstrip()


def parse(fence):
    """Return the Steps of a block. Raises: Mismatch if a line has none of the forms."""
    steps = []
    for number, line in enumerate(fence.body, fence.line_number + 1):
        if fence.language == "console":
            command = line.startswith("$ ")
            steps.append(Step("", "$", line[2:], number) if command else Step("", "<", line, number))
        elif line.strip() and not line.lstrip().startswith("#"):
            form = STEP.match(line)
            if not form:
                raise Mismatch(f"{fence}: line {number} is not of the form name$ or name> or name< …: {line}")
            steps.append(Step(form[1], form[2], (form[3] or "").rstrip(), number))
    return steps


def missing_tool(fence):
    """Return what is missing on this machine for a block, in words, or None."""
    commands = [step.text for step in parse(fence) if step.mark == "$"]
    for tool in re.findall(r"\b(nc|telnet|timeout|head|seq|yes)\b", " ".join(commands)):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if any(re.search(r"\bnc .*-\w*N", command) for command in commands):
        told = subprocess.run(["nc", "-h"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if "hutdown the network socket" not in told.stdout + told.stderr:
            return "this nc has no -N (Debian's netcat-openbsd has)"
    if "extras/cluster/" in " ".join(commands):
        if not importlib.util.find_spec("redis"):
            return "redis-py is not installed: pip install -r extras/cluster/requirements.txt"
        if not shutil.which("redis-server"):
            return "redis-server is not installed (apt install redis-server)"
    if re.search("extras/(web|glass)/", " ".join(commands)) and not importlib.util.find_spec("websockets"):
        return "websockets is not installed: pip install -r extras/web/requirements.txt"
    return None


class Screen:
    """What a person sees of the bytes that a program wrote: rows of text, with lines redrawn in place."""

    TOKEN = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b\][^\a]*\a|\x1b[=>]|[^\x1b]", re.DOTALL)

    def __init__(self):
        self.rows = [[]]
        self.row = self.column = 0
        self._held = ""  # the start of an escape sequence whose rest has not come yet
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def feed(self, chunk):
        self._held += self._decoder.decode(chunk)
        at = 0
        while token := self.TOKEN.match(self._held, at):
            at = token.end()
            if token[2]:
                self._control(token[2], token[1])
            elif not token[0].startswith("\x1b"):
                self._character(token[0])
        self._held = self._held[at:]

    def row_as_it_is(self):
        """Return the row where the cursor is, with the space behind its prompt."""
        return "".join(self.rows[self.row])

    def line(self, row):
        return "".join(self.rows[row]).rstrip()

    def _character(self, character):
        if character == "\n":
            self.row, self.column = self.row + 1, 0
            if self.row == len(self.rows):
                self.rows.append([])
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character != "\a":
            row = self.rows[self.row]
            row += " " * (self.column - len(row))
            row[self.column : self.column + 1] = character
            self.column += 1

    def _control(self, letter, digits):
        """Do what line editors tell a terminal; colours and modes change no text. Source: ECMA-48."""
        row = self.rows[self.row]
        count = int(digits) if digits.isdigit() else 0
        if letter == "K":
            del row[0 if count == 2 else self.column :]
        elif letter == "J":
            del row[self.column :], self.rows[self.row + 1 :]
        elif letter == "C":
            self.column += count or 1
        elif letter == "D":
            self.column = max(0, self.column - (count or 1))
        elif letter == "G":
            self.column = max(0, count - 1)
        elif letter == "A":
            self.row = max(0, self.row - (count or 1))
        elif letter == "P":
            del row[self.column : self.column + (count or 1)]
        elif letter == "@":
            row[self.column : self.column] = " " * (count or 1)


class Ports:
    """The ports and processes as the text shows them, and what stands for them here."""

    def __init__(self, mine):
        self._mine = mine  # the folder of the learner's programs
        self._real = {}  # shown -> real, both str
        self._processes = {}  # the same for the numbers of processes
        self._closed = []  # sockets that are bound but do not listen, so that connections are refused

    def close(self):
        for sock in self._closed:
            sock.close()

    def learn(self, shown_line, printed_line):
        """Note the port of a server that has just said where it listens."""
        shown, printed = LISTENING.search(shown_line), LISTENING.search(printed_line)
        if shown and printed and shown[2].isdigit():
            self._real[shown[2]] = printed[2]
        shown, printed = PROCESS.search(shown_line), PROCESS.search(printed_line)
        if shown and printed:
            self._processes[shown[1]] = printed[1]

    def as_shown(self, text):
        for shown, real in (self._real | self._processes).items():
            text = re.sub(rf"\b{real}\b", shown, text)
        return text

    def to_serve(self, shown):
        """Return the port for a server: any free port, or the one in use if another server has it."""
        real = self._real.get(shown)
        return real if real and self._listens(int(real)) else "0"

    def for_her_server(self, shown):
        """Return the port for a server that the learner has typed: the one of before, so that it may start again."""
        real = self._real.get(shown)
        if not real or any(str(sock.getsockname()[1]) == real for sock in self._closed):
            real = self._real[shown] = str(free_port())
        return real

    def to_reach(self, shown):
        """Return the port for a client: the server's, or, if there is no server, a port that refuses."""
        if shown not in self._real:
            self._closed.append(socket.socket())
            self._closed[-1].bind(("127.0.0.1", 0))
            self._real[shown] = str(self._closed[-1].getsockname()[1])
        return self._real[shown]

    def _listens(self, real):
        if any(sock.getsockname()[1] == real for sock in self._closed):
            return False
        with socket.socket() as sock:  # a bind, not a connect: the server's log must not see us
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", real))
            except OSError:
                return True
            return False

    def command(self, text):
        """Return the shell command that runs here what the text shows: this Python, these files, these ports."""
        return "|".join(self._simple_command(part) for part in text.split("|"))

    def _simple_command(self, text):
        if hers := HER_SERVER.search(text):
            text = text[: hers.start(1)] + self.for_her_server(hers[1]) + text[hers.end(1) :]
        serves = SERVES.search(text)
        text = re.sub(r"(\bkill -\w+ )(\d+)", lambda found: found[1] + self._processes.get(found[2], found[2]), text)
        text = PORT.sub(
            lambda found: (
                found[1] + (self.to_serve if serves or found[1].startswith("--listen") else self.to_reach)(found[2])
            ),
            text,
        )
        if "--port" not in text and not re.search(
            f"{MINE}|attacks/", text
        ):  # then it is the default one, which the text shows elsewhere
            default = "6667" if "/irc/" in text else "9000"
            text = re.sub(
                r"\b(?:\w*(?:server|client)\w*|cluster)\.py\b",
                lambda found: f"{found[0]} --port {(self.to_serve if serves else self.to_reach)(default)}",
                text,
            )
        if serves and "--tls-cert" in text and "--tls-port" not in text:
            text += f" --tls-port {self.to_serve('6697' if '/irc/' in text else '9030')}"
        if serves and "extras/web/" in text and "--web-port" not in text:
            text += f" --web-port {self.to_serve('9080')}"
        text = re.sub(rf"(?<![\w/.-]){MINE}(?=\w)", lambda found: shlex.quote(self._mine) + "/", text)
        text = re.sub(
            r"(?<![\w/.-])(?:step\d_\w+|extras|tests)/[\w./-]*", lambda found: shlex.quote(str(ROOT / found[0])), text
        )
        return re.sub(r"(^ *|[(;&] *)python3?(?= )", lambda found: found[1] + shlex.quote(sys.executable), text)


class Terminal:
    """One terminal: its screen, and the command that runs in it."""

    def __init__(self, name, on_pty):
        self.name, self.on_pty = name, on_pty
        self.screen = Screen()
        self.next_row = 0  # of the screen: the first row that no step has shown yet
        self.process = None
        self.prompts = False  # this program shows a prompt, which we await before we type
        self.at_eof = True  # nothing runs, or it has closed its output
        self.dismissed = False  # ^C or ^D was pressed: the program must end
        self.skips = False  # the text has a lone "...": any lines may stand here
        self.half_typed = ""
        self.keyed = None  # (row, its text) where ^C or ^D was pressed: a terminal shows that as it likes
        self.status = 0

    def run(self, command, directory, environment, prompts=True):
        if not re.search("[|;&]", command) and shutil.which(shlex.split(command)[0]):
            command = "exec " + command  # so that a key reaches the program alone, not a shell around it
        self.prompts = prompts and self.on_pty and sys.executable in command
        self.at_eof = self.dismissed = False
        if self.on_pty:
            self._output, theirs = pty.openpty()
            self._input = self._output
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
            self.process = subprocess.Popen(
                [sys.executable, "-c", TAKE_TERMINAL, command],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                cwd=directory,
                env=environment | {"TERM": "xterm"},
                start_new_session=True,
            )
            os.close(theirs)
        else:
            ours_in, self._input = os.pipe()
            self._output, theirs_out = os.pipe()
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=ours_in,
                stdout=theirs_out,
                stderr=theirs_out,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
            os.close(ours_in)
            os.close(theirs_out)
        return self._output

    def read(self):
        """Read what was printed; return False at its end."""
        try:
            chunk = os.read(self._output, 65536)
        except OSError:  # Linux says EIO when the last program has left a pseudo-terminal
            chunk = b""
        if not chunk:
            self.at_eof = True
            self._close()
        self.screen.feed(chunk)
        return bool(chunk)

    def write(self, data):
        try:
            os.write(self._input, data)
        except OSError:
            raise Mismatch(f"{self.name} types, and no program reads it any more") from None

    def press(self, key):
        typed, signal_number = KEYS[key]
        # Ctrl-D within a line does not end the input: it only sends what is typed so far.
        self.dismissed = not (key == "^D" and self.on_pty and self.half_typed)
        if self.on_pty:
            self.keyed = self.screen.row, self.screen.line(self.screen.row)
            self.half_typed = ""
            self.write(typed)
        elif signal_number:
            os.killpg(self.process.pid, signal_number)
        else:
            os.close(self._input)
            self._input = None

    def has_line(self):
        """Return whether there is a line that no step has shown yet."""
        if (
            self.keyed
            and self.keyed[0] == self.next_row
            and not self._line()
            and (self.at_eof or self.next_row < self.screen.row)
        ):
            self.take_line()  # nothing but the prompt and the key, which the text shows as "> ^D"
        return self.next_row < self.screen.row or (
            self.at_eof and self.next_row == self.screen.row and bool(self._line())
        )

    def take_line(self):
        line = self._line()
        self.next_row += 1
        if self.next_row > self.screen.row:  # an unfinished last line: what comes next starts a new one
            self.screen.feed(b"\n")
        return line

    def _line(self):
        line = self.screen.line(self.next_row)
        if self.keyed and self.keyed[0] == self.next_row and line.startswith(self.keyed[1]):
            line = line[len(self.keyed[1]) :].lstrip().removeprefix("^C").removeprefix("^D")
        return line

    def kill(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # NOTE: it has ended already
            self.process.wait()
        if not self.at_eof:
            self._close()

    def _close(self):
        for fd in {self._input, self._output} - {None}:
            os.close(fd)
        self._input = self._output = None


class Replay:
    """One block being replayed."""

    def __init__(self, fence, directory, deadline_s=DEADLINE_S):
        self.fence, self.directory, self.deadline_s = fence, directory, deadline_s
        self.environment = {"PATH": os.environ["PATH"], "HOME": directory}
        mine = os.path.join(directory, "mine")
        if any(MINE in line for line in fence.body):
            os.mkdir(mine)
            for name, text in typed(fence.path, fence.line_number).items():
                Path(mine, name).write_text(text, encoding="utf-8")
            self.environment["PYTHONUNBUFFERED"] = "1"  # on a terminal, what they print is seen at once
        self.ports = Ports(mine)
        self.terminals = {}
        self.selector = selectors.DefaultSelector()
        self.happened = []  # the lines of the block as they came out here
        self.seen = []  # (Step, the row of the screen that shows it), from which tests/film.py makes a picture

    def run(self):
        """Replay every step. Raises: Mismatch. Blocks: for deadline_s a step at most."""
        try:
            for step in parse(self.fence):
                self.step = step
                terminal = self.terminals.setdefault(
                    step.terminal, Terminal(step.terminal, "pty" in self.fence.info.split())
                )
                {"$": self.do_run, ">": self.do_type, "_": self.do_type, "<": self.do_expect}[step.mark](terminal)
            for terminal in self.terminals.values():
                # A learner's next session would find the port of a server that runs on in use.
                is_server = terminal.name == "server" and self.fence.path in CHAPTERS
                if terminal.dismissed or is_server or not terminal.name:
                    self.await_end(terminal)
                self.refuse_more(terminal)
        finally:
            for terminal in self.terminals.values():
                terminal.kill()
            self.selector.close()
            self.ports.close()

    def do_run(self, terminal):
        self.await_end(terminal)
        self.refuse_more(terminal)
        self.happened.append(str(self.step))
        self.seen.append((self.step, f"$ {self.step.text}"))
        if self.step.text == "echo $?":
            terminal.screen.feed(b"%d\n" % terminal.status)
            return
        # Of the learner's programs only her last client has a prompt: the one with a screen.
        prompts = MINE not in self.step.text or os.path.exists(os.path.join(self.directory, "mine", "screen.py"))
        output = terminal.run(self.ports.command(self.step.text), self.directory, self.environment, prompts)
        self.selector.register(output, selectors.EVENT_READ, terminal)

    def do_type(self, terminal):
        text, mark = self.step.text, self.step.mark
        if not terminal.process or terminal.at_eof:
            self.fail(f"{terminal.name} types, and no program runs there")
        if terminal.prompts and not terminal.half_typed and text != "^C":
            self.await_that(lambda: terminal.at_eof or terminal.screen.line(terminal.screen.row), terminal, "a prompt")
        self.happened.append(str(self.step))
        if mark == ">" and text in KEYS:
            # Nobody has waited for a prompt before ^C: it may be there or not.
            row = terminal.screen.row_as_it_is() if terminal.on_pty and text != "^C" else ""
            self.seen.append((self.step, row + text))
            return terminal.press(text)
        terminal.dismissed = False
        terminal.write(text.encode() + (b"\n" if mark == ">" else b""))
        terminal.half_typed += text
        row = f"> {terminal.half_typed}"  # a pipe shows nothing of it: then as the text shows it
        if terminal.on_pty:  # and the terminal shows what is typed, after the prompt
            shown = terminal.half_typed
            if mark == ">":
                self.await_that(terminal.has_line, terminal, "the typed line")
                row = terminal.screen.line(terminal.next_row)  # with what was typed in it before a ^D
                line = terminal.take_line()
                if not line.endswith(shown.rstrip()):
                    self.fail(f"the line on the screen is not the one that was typed: {line!r}")
            else:
                self.await_that(
                    lambda: terminal.screen.line(terminal.screen.row).endswith(shown.rstrip()),
                    terminal,
                    "the typed text",
                )
                row = terminal.screen.row_as_it_is()
        self.seen.append((self.step, row))
        if mark == ">":
            terminal.half_typed = ""

    def do_expect(self, terminal):
        wanted = self.step.text.rstrip()
        if wanted == "...":
            terminal.skips = True
            self.seen.append((self.step, wanted))
            return
        while True:
            self.await_that(lambda: terminal.has_line() or terminal.at_eof, terminal, "this line")
            if not terminal.has_line():
                self.fail("its program ended and did not print this line")
            line = terminal.take_line()
            self.ports.learn(wanted, line)
            line = self.ports.as_shown(line)
            if agrees(wanted, line):
                break
            if not terminal.skips:
                self.happened.append(f"{terminal.name}< {line}")
                self.fail("it printed something else")
        terminal.skips = False
        self.happened.append(str(self.step))
        self.seen.append((self.step, line))

    def await_end(self, terminal):
        """Wait until the terminal's program has ended, and keep its status."""
        if not terminal.process:
            return
        self.await_that(lambda: terminal.at_eof, terminal, "its end")
        try:
            status = terminal.process.wait(self.deadline_s)
        except subprocess.TimeoutExpired:
            self.fail("its program closed its output and did not end")
        terminal.status = status if status >= 0 else 128 - status  # as a shell tells a signal
        terminal.process = None

    def refuse_more(self, terminal):
        self.take_in(0)
        if not terminal.skips and terminal.has_line():
            self.fail("it printed more than the text shows", terminal)
        terminal.next_row, terminal.skips = terminal.screen.row, False

    def await_that(self, condition, terminal, what):
        deadline = time.monotonic() + self.deadline_s
        while not condition():
            if time.monotonic() >= deadline:
                self.fail(f"{what} did not come within {self.deadline_s} s", terminal)
            self.take_in(deadline - time.monotonic())

    def take_in(self, timeout_s):
        """Read what the terminals print. Blocks: until one prints something, for timeout_s at most."""
        for key, _ in self.selector.select(max(0, timeout_s)):
            if not key.data.read():
                self.selector.unregister(key.fd)

    def fail(self, why, terminal=None):
        """Raise a Mismatch that shows the block as it is written and as it came out."""
        told = [
            f"{self.fence.path.name}, line {self.step.line_number}: {self.step}",
            f"in the terminal {(terminal.name if terminal else self.step.terminal) or '$'!r}: {why}",
            "",
            "What happened here:",
        ]
        told += ["    " + line for line in self.happened]
        for other in self.terminals.values():
            more = [other.screen.line(row) for row in range(other.next_row, len(other.screen.rows))]
            told += [f"  + {other.name}< {self.ports.as_shown(line)}" for line in more[:20] if line]
        raise Mismatch("\n".join(told) + "\n(+ is what was printed and the text has not shown yet)")


def agrees(wanted, line):
    """Return whether a printed line is the one in the text, where "..." stands for any characters."""
    return bool(re.fullmatch(".*".join(map(re.escape, wanted.split("..."))), line))


def replay(fence, deadline_s=DEADLINE_S):
    """Replay one block in a directory of its own; return each step, and the row that shows it. Raises: Mismatch."""
    with tempfile.TemporaryDirectory() as directory:
        block = Replay(fence, directory, deadline_s)
        block.run()
        return block.seen


def main():
    parser = argparse.ArgumentParser(description="Replay the transcripts of chapters and say what differs.")
    parser.add_argument("chapters", nargs="+", type=named_chapter, help="step1_echo/README.md, say")
    failed = 0
    for path in parser.parse_args().chapters:
        for fence in fences(path):
            if fence.language not in LANGUAGES:
                continue
            try:
                replay(fence)
                print(f"{fence}: true")
            except Mismatch as mismatch:
                failed += 1
                print(f"{fence}: DIFFERS\n{mismatch}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
