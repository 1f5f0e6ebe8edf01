"""The raw clients of the tests.

RawWire   a connection; it knows lines of bytes, and judges nothing
Wire      one that knows OK and ERR: if something else comes than expected, it raises a Lesson, with all
          that was sent and received
"""

import select
import socket
import struct
from typing import NamedTuple

from tests.lesson import Lesson, Story, difference, on_the_wire, show

DEADLINE_S = 10.0  # so that no test hangs; a server that is only slow is faster than this
END = "(sees the end of the connection)"
RESET = "(sees that the connection was reset)"
CHANCE_S = 0.03  # between the pieces of a cut line, so that a server gets them one by one


class Answer(NamedTuple):
    """The answer to one request."""

    reply: str  # the OK or ERR line
    events: list[str]  # the lines that stood before it


class RawWire:
    """A connection.

    way   what stands between our bytes and the socket, for TLS or WebSocket: sendall() and recv()
    """

    def __init__(self, sock, way=None):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.way = way or sock
        self.was_reset = False  # RST, where an EOF should be: it may destroy what is still on its way
        self._held = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def reset(self) -> None:
        """End the connection as a crash would: RST instead of FIN.  Source: SO_LINGER in socket(7)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.way.sendall(data)

    def line(self) -> bytes:
        """Return the next line with its end.  Raises: EOFError at the end of the connection, however it came."""
        while (end := self._held.find(b"\n")) < 0:
            if not self._receive():
                raise EOFError(bytes(self._held))
        return self._take(end + 1)

    def _receive(self) -> bool:
        """Read a chunk into `_held`; return False at EOF."""
        try:
            chunk = self.way.recv(65536)
        except ConnectionError:
            chunk, self.was_reset = b"", True  # the end for us, like EOF
        self._held += chunk
        return bool(chunk)

    def _take(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        return data


class Wire(RawWire):
    """A connection to a server under test."""

    def __init__(self, address, name="client", story=None, deadline_s=DEADLINE_S, sift=lambda line: line, sock=None):
        self.name = name
        self.story = story or Story()
        self.sift = sift  # line -> the part of it that concerns this test, or ""
        self.raw_lines = []  # as they came
        try:
            super().__init__(sock or socket.create_connection(address[:2], timeout=deadline_s))
        except OSError as error:
            self.story.add(name, "", "(wants to connect)")
            raise self.lesson("a connection", on_the_wire(error)) from None
        self.sock.settimeout(deadline_s)

    def lesson(self, expected: str, came: str, waited: bool = False) -> Lesson:
        return Lesson(expected, came, self.story, waited)

    def reset(self) -> None:
        self.story.add(self.name, "", "(resets its connection)")
        super().reset()

    # Sending

    def send(self, *chunks: bytes | str) -> None:
        """Send bytes as they are, or a text with its newline; one send each."""
        for chunk in chunks:
            data = chunk if isinstance(chunk, bytes) else chunk.encode() + b"\n"
            self.story.add(self.name, ">", data)
            try:
                self.sock.sendall(data)
            except TimeoutError:
                raise self.lesson(
                    "that the server reads what it is sent",
                    f"it took no more for {self.sock.gettimeout():g} s",
                    waited=True,
                ) from None
            except OSError as error:
                raise self.lesson("that the connection stays open", on_the_wire(error)) from None

    def send_cut(self, *chunks: bytes) -> None:
        """Send chunks with a pause between them, so that they do not arrive as one.

        A pause that is too short never fails a right server; it only finds a wrong one less often.
        """
        for number, chunk in enumerate(chunks):
            if number:
                select.select([self.sock], [], [], CHANCE_S)
            self.send(chunk)

    def send_eof(self) -> None:
        """Half-close: send nothing more, and go on reading."""
        self.story.add(self.name, "", "(half-closes: no more to send)")
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self.lesson("that the connection stays open", on_the_wire(error)) from None

    # Receiving

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at EOF."""
        while len(self._held) < size and self._receive():
            pass
        data = self._take(size)
        if data:
            self.story.add(self.name, "<", data)
        if len(data) < size:
            self.story.add(self.name, "", END)
        return data

    def expect_bytes(self, data: bytes) -> None:
        """Read as many bytes as there are in data; they must be the same."""
        try:
            came = self.read(len(data))
        except Lesson as lesson:
            lesson.expected = f"{self.name}: {show(data)}"
            raise
        self.compare(data, came)

    def expect_among(self, data: bytes) -> None:
        """Read until `data` has come, whatever stands before it, and the line end behind it."""
        while (at := self._held.find(data)) < 0:
            try:
                if not self._receive():
                    self.compare(data, self.read(len(data)))
            except Lesson as lesson:
                lesson.expected = f"{self.name}: {show(data)}"
                raise
        end = at + len(data)
        self.story.add(self.name, "<", self._take(end + (self._held[end : end + 1] == b"\n")))

    def compare(self, data: bytes, came: bytes) -> None:
        """If they are not the same, fail and show where they differ."""
        if came != data:
            wanted_text, came_text = difference(data, came)
            raise self.lesson(
                f"{self.name}: {wanted_text}", f"{self.name}: {came_text if came else 'the end of the connection'}"
            )

    def read_line(self) -> str:
        """Return the next line without its newline."""
        while True:
            try:
                line = self.line()
            except EOFError:
                rest = self._take(len(self._held))
                if rest:
                    self.story.add(self.name, "<", rest)
                self.story.add(self.name, "", END)
                raise self.lesson(
                    "a line, with its \\n",
                    f"the end of the connection, after {show(rest)}" if rest else "the end of the connection",
                ) from None
            except Lesson as lesson:
                lesson.expected = "a line"
                raise
            self.raw_lines.append(line)
            self.story.add(self.name, "<", line)
            try:
                text = line[:-1].removesuffix(b"\r").decode()
            except UnicodeDecodeError:
                raise self.lesson("a line of UTF-8", show(line)) from None
            if not text or (text := self.sift(text)):
                return text

    def read_answer(self) -> Answer:
        """Read up to the next OK or ERR line."""
        events = []
        while True:
            line = self.read_line()
            if line.split(" ", 1)[0] in ("OK", "ERR"):
                return Answer(line, events)
            events.append(line)

    def request(self, line: bytes | str) -> Answer:
        """Send one line and read its reply, keeping the events before it."""
        self.send(line)
        return self.read_answer()

    def expect(self, *patterns: str) -> None:
        """Read a line for each pattern; "ERR bad-name ..." stands for any text, or none, at its end."""
        for pattern in patterns:
            try:
                line = self.read_line()
            except Lesson as lesson:
                lesson.expected = f"{self.name}: {pattern}"
                raise
            if not agrees(pattern, line):
                raise self.lesson(f"{self.name}: {pattern}", f"{self.name}: {show(line.encode()) or 'an empty line'}")

    def expect_in_any_order(self, *patterns: str) -> None:
        """Read as many lines as there are patterns; each must agree with one of its own."""
        wanted = list(patterns)
        for _ in patterns:
            try:
                line = self.read_line()
            except Lesson as lesson:
                lesson.expected = " and ".join(wanted)
                raise
            match = next((pattern for pattern in wanted if agrees(pattern, line)), None)
            if match is None:
                raise self.lesson(
                    f"{self.name}: {' and '.join(wanted)}", f"{self.name}: {show(line.encode()) or 'an empty line'}"
                )
            wanted.remove(match)

    def ask(self, line: bytes | str, *patterns: str) -> None:
        """Send a line and expect lines."""
        self.send(line)
        self.expect(*patterns)

    def fence(self) -> None:
        """Send a request that gets one reply: everything that was due before it must have come then."""
        self.ask("HELP", "OK ...")

    def read_to_eof(self) -> bytes:
        """Return what comes up to the EOF."""
        try:
            while self._receive():
                pass
        except Lesson as lesson:
            lesson.expected = "the end of the connection"
            raise
        data = self._take(len(self._held))
        if data:
            self.story.add(self.name, "<", data)
        self.story.add(self.name, "", RESET if self.was_reset else END)
        return data

    def expect_eof(self) -> bytes:
        """Read to the EOF and return what came before it."""
        return self.read_to_eof()

    def expect_end(self, data: bytes = b"") -> None:
        """Read to the EOF: `data` must be all that comes before it, and a reset is no EOF."""
        self.compare(data, self.read_to_eof())
        if self.was_reset:
            raise self.lesson(
                f"{self.name}: the end of the connection (EOF)", f"{self.name}: a reset of the connection"
            )

    def exchange(self, data: bytes) -> bytes:
        """Send data and read as many bytes at the same time; return what came."""
        self.story.add(self.name, ">", data)
        unsent, deadline_s = memoryview(data), self.sock.gettimeout()
        size = len(data)
        while len(self._held) < size:
            readable, writable, _ = select.select([self.sock], [self.sock] if unsent else [], [], deadline_s)
            if not readable and not writable:
                wanted_text, came_text = difference(data, bytes(self._held))
                raise self.lesson(
                    f"{self.name}: {wanted_text}",
                    f"{self.name}: {came_text}\nand then nothing for {deadline_s:g} s",
                    waited=True,
                )
            try:
                if readable and not self._receive():
                    break
                if writable:
                    self.sock.setblocking(False)
                    unsent = unsent[self.sock.send(unsent[:65536]) :]
            except BlockingIOError:
                pass
            except OSError as error:
                raise self.lesson("that the connection stays open", on_the_wire(error)) from None
            finally:
                self.sock.settimeout(deadline_s)
        return self._take(size)

    def _receive(self) -> bool:
        try:
            return super()._receive()
        except TimeoutError:
            came = f"only {show(bytes(self._held))}   and nothing more" if self._held else "nothing"
            raise self.lesson("an answer", f"{came} in {self.sock.gettimeout():g} s", waited=True) from None
        except OSError:
            self.was_reset = True  # whatever it is, for us it is the end
            return False


def agrees(pattern: str, line: str) -> bool:
    """Return whether a line matches the pattern; a pattern may give a choice: "A ... / B ..."."""
    for choice in pattern.split(" / "):
        stem = choice.removesuffix(" ...")
        if line == stem or (stem != choice and line.startswith(stem + " ")):
            return True
    return False
