"""WebSock: a WebSocket client that looks like a socket, so that Wire and others can use it.

What is written to it are lines with LF, and what is read from it are lines with LF: behind it each
line is a message.  The beginning of a line is the beginning of a message: a first frame, without FIN.
"""

import socket

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from extras.irc.message import is_utf8

FRAME_BYTES = 32_768  # what is longer goes in several frames
NOT_OPEN = "the server did not open a WebSocket"


class WebSock:
    """One connection.

    response     the server's HTTP answer
    close_frame  the code and the reason with which the server has ended it, or None
    messages     (opcode, data) of each message that came
    """

    def __init__(self, address, timeout_s=10.0, origin=None, subprotocols=None, sock=None):
        self._sock = sock or socket.create_connection(address[:2], timeout=timeout_s)
        self._sock.settimeout(timeout_s)
        self.protocol = ClientProtocol(
            parse_uri("ws://{}:{}/".format(*address[:2])), origin=origin, subprotocols=subprotocols
        )
        self.response: Response | None = None
        self.close_frame: Close | None = None
        self._came = bytearray()
        self._half = False  # is a message begun and not ended?
        self.messages: list[tuple[Opcode, bytes]] = []
        self.protocol.send_request(self.protocol.connect())
        self._flush()
        while self.response is None and self._read():
            pass
        if self.response is None or self.response.status_code != 101:
            self._sock.close()
            raise ConnectionError(f"{NOT_OPEN}: {self.response}")

    def __getattr__(self, name):
        return getattr(self._sock, name)  # settimeout, shutdown, fileno, close, ...

    def sendall(self, data: bytes) -> None:
        """Send lines, and perhaps the beginning of one.  Another thread may be in recv()."""
        *lines, rest = data.split(b"\n")
        frames = [frame for line in lines for frame in self._frames(line, ends=True)]
        self._sock.sendall(b"".join(frames + (self._frames(rest, ends=False) if rest else [])))

    def send(self, data: bytes, *flags) -> int:
        self.sendall(data)
        return len(data)

    def recv(self, size: int, *flags) -> bytes:
        """Return what has come, b"" at the end."""
        while not self._came and self._read():
            pass
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def send_frame(self, data: bytes) -> None:
        """Send bytes as they are, which may be no right frame."""
        self._sock.sendall(data)

    def ping(self, data: bytes = b"") -> None:
        self.protocol.send_ping(data)
        self._flush()

    def take_control(self) -> None:
        """Read what is no line, such as a ping, and answer it."""
        assert self._read() and not self._came

    def say_goodbye(self, code: int = 1000) -> None:
        self.protocol.send_close(code)
        self._flush()

    def _frames(self, data: bytes, ends: bool) -> list[bytes]:
        """Return a message, or the next part of one, in frames."""
        opcode = Opcode.CONT if self._half else Opcode.TEXT if ends and is_utf8(data) else Opcode.BINARY
        self._half = not ends
        frames = []
        for start in range(0, len(data) or 1, FRAME_BYTES):
            fin = ends and start + FRAME_BYTES >= len(data)
            frames.append(Frame(opcode, data[start : start + FRAME_BYTES], fin).serialize(mask=True))
            opcode = Opcode.CONT
        return frames

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self._sock.sendall(data)

    def _read(self) -> bool:
        """Read a chunk and what is in it; return False at the end."""
        chunk = self._sock.recv(65536)
        if not chunk:
            return False
        self.protocol.receive_data(chunk)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif event.opcode is Opcode.CLOSE:
                self.close_frame = Close.parse(event.data)
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY):
                assert event.fin, "our server sends each line in one frame"
                self.messages.append((event.opcode, bytes(event.data)))
                self._came += event.data + b"\n"
        try:
            self._flush()  # pongs, and our half of the goodbye
        except OSError:
            pass  # NOTE: the server has gone already
        return True
