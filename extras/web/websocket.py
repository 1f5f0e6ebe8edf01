"""WebSocket: a codec, for a connection whose lines come and go as messages of RFC 6455.

    browser → HTTP request ("Upgrade: websocket")   → 101, or a file of the page, or a refusal
    browser → frames → messages → lines             one message is one line
    a line  → frame  → browser

The frames are taken apart and put together by the library `websockets`, by its layer that knows no
socket.  No extension is agreed on (no compression): so a frame depends on its line alone, and what
goes to fifty members is framed once.

message   what one side sends with one call: text, or bytes; no delimiter, since it has a length
frame     a piece of a message, or all of it, with a header of 2 to 14 bytes
control   a frame that is no message: ping, pong, close
"""

import codecs
import logging
from collections.abc import Callable, Mapping
from typing import Any

from extras.web.website import Website, http_answer
from step5_server.codec import Codec

try:
    from websockets.exceptions import WebSocketException
    from websockets.frames import Close, Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import State
    from websockets.server import ServerProtocol

    HAS_LIBRARY = True
except ImportError:  # everything else runs without it; who needs it says so: missing_library()
    HAS_LIBRARY = False

# A frame is kept until it is whole.  A message in several frames is not: its line is the buffer's
# business, and if it is too long, the buffer says so, and the next message counts again.
MAX_FRAME_BYTES = 65536
MAX_REQUEST_BYTES = 16384  # an upgrade takes some 500, and cookies of other servers on this host

quiet = logging.getLogger("chat.websockets")
quiet.setLevel(logging.ERROR)  # the library would tell of each connection; the handler does so already


def missing_library() -> str:
    """Return what to tell a user on whose machine the library is missing; "" if it is there."""
    if HAS_LIBRARY:
        return ""
    return "WebSocket needs a library that is not installed: pip install -r extras/web/requirements.txt"


def text_frame(line: bytes) -> bytes:
    """Frame a line of UTF-8."""
    return Frame(Opcode.TEXT, line).serialize(mask=False)


def replacing_text_frame(line: bytes) -> bytes:
    """Frame a line that may hold bytes that are not UTF-8: no text message may."""
    return text_frame(line.decode("utf-8", "replace").encode())


def binary_frame(line: bytes) -> bytes:
    """Frame any bytes."""
    return Frame(Opcode.BINARY, line).serialize(mask=False)


def ping_frame() -> bytes:
    """Return the frame that the other side must answer with a pong."""
    return Frame(Opcode.PING, b"").serialize(mask=False)


def close_frame(code: int = 1000) -> bytes:
    """Return the frame after which we send no more.  Source: RFC 6455 section 7.4.1 for the code."""
    return Frame(Opcode.CLOSE, Close(code, "").serialize()).serialize(mask=False)


def refusal(line: bytes) -> bytes:
    """Frame last words for a peer that is not through with its request: HTTP is all it knows."""
    return http_answer(503, "text/plain; charset=utf-8", line + b"\n")


Frames = Mapping[str, Callable[[bytes], bytes]]  # a subprotocol, "" for none -> how a line is framed then
TEXT_ONLY: Frames = {"": text_frame}


class WebSocketCodec:
    """HTTP request, then frames in; lines out, and frames.  Around the codec of the lines themselves.

    `frames` maps the subprotocols that a client may choose to how a line is framed then; "" is for
    a client that chooses none of them.
    Thread: one only, the connection's own; `frame` may be called by any.
    """

    def __init__(self, inner: Codec, website: Website, frames: Frames = TEXT_ONLY):
        self.opened = False
        self.ended = False
        self.goodbye = b""
        self.frame: Callable[[bytes], bytes] = refusal
        self.pinged_at = 0.0  # the sweep's; if anything has come since, the peer lives
        self._inner = inner
        self._website = website
        self._frames = frames
        self._protocol = ServerProtocol(
            # The first of the client's list that we have.
            select_subprotocol=lambda _, offered: next((name for name in offered if name in frames), None),
            max_size=(None, MAX_FRAME_BYTES),
            logger=quiet,
        )
        self._request_bytes = 0
        self._utf8: codecs.IncrementalDecoder | None = None  # of the message that is coming, if it is text
        self._failed = False  # no message counts any more, not even one of the same chunk

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their message, or of the request."""
        return len(self._protocol.reader.buffer) + self._inner.pending

    def next_line(self) -> bytes | None:
        """Return the next whole line, or None until more is fed.  Raises: LineTooLong."""
        return self._inner.next_line()

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk; return what has to be sent for it at once: an answer, or pongs."""
        answer = b""
        # A frame may stand right behind the request: line by line, the library meets it afterwards.
        while chunk and not (self.opened or self.ended):
            end = chunk.find(b"\n") + 1 or len(chunk)
            answer += self._feed_request(chunk[:end])
            chunk = chunk[end:]
        if chunk and not self.ended:
            answer += self._feed_frames(chunk)
        return answer

    def _feed_request(self, part: bytes) -> bytes:
        """Take a line of the request, or a part of one; return the answer if it is complete."""
        if not self._request_bytes and not part[:1].isalpha():
            return self._refuse(400)  # TLS perhaps, whose hello has no line that ends
        self._request_bytes += len(part)
        if self._request_bytes > MAX_REQUEST_BYTES:
            return self._refuse(431)
        self._protocol.receive_data(part)
        if self._protocol.handshake_exc:
            return self._refuse(400)
        for request in self._protocol.events_received():
            assert isinstance(request, Request)  # frames come afterwards
            return self._answer(request)
        return b""

    def _answer(self, request: "Request") -> bytes:
        """Open the WebSocket, or give a file, or refuse."""
        try:
            host, origin = request.headers.get("Host"), request.headers.get("Origin")
        except (WebSocketException, LookupError):  # one of them twice
            return self._refuse(400)
        if host is None:
            return self._refuse(400)
        if "Upgrade" not in request.headers:
            self.ended = True
            method = getattr(request, "method", "GET")  # old versions of the library take only this
            return self._website.answer(method, request.path, host)
        if not self._website.admits(origin, host):
            return self._refuse(403)
        self._protocol.send_response(self._protocol.accept(request))
        self.opened = self._protocol.state is State.OPEN
        self.ended = not self.opened
        if self.opened:
            self.frame = self._frames[self._protocol.subprotocol or ""]
            self.goodbye = close_frame()
        return b"".join(self._protocol.data_to_send())

    def _refuse(self, status: int) -> bytes:
        """Answer a request that we do not want, and end."""
        self.ended = True
        words = REFUSALS[status]
        return http_answer(status, "text/plain; charset=utf-8", words.encode() + b"\n")

    def _feed_frames(self, chunk: bytes) -> bytes:
        """Take frames, or parts of them; pass the lines on."""
        protocol = self._protocol
        protocol.receive_data(chunk)
        self._inner.feed(b"".join(map(self._part_of_line, protocol.events_received())))
        answer = b"".join(protocol.data_to_send())
        if protocol.state is not State.OPEN:
            # Our close frame, as the library has just made it, must stand behind all that we say.
            self.ended = True
            self.goodbye, answer = answer, b""
        return answer

    def _part_of_line(self, frame: Any) -> bytes:
        """Return what this Frame adds to the lines: its bytes, and the line's end if it ends a message."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self._failed:
            return b""
        if frame.opcode is not Opcode.CONT:
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if frame.opcode is Opcode.TEXT else None
        if self._utf8:
            try:
                self._utf8.decode(frame.data, final=frame.fin)
            except UnicodeDecodeError:  # RFC 6455 section 8.1
                self._protocol.fail(1007, "no UTF-8")
                self._failed = True
                return b""
        data: bytes = frame.data
        return data + b"\n" if frame.fin else data


REFUSALS = {
    400: "This port speaks HTTP and WebSocket, and this was neither.",
    403: "Pages from another origin may not connect; --origin lets one in.",
    431: "A request that is too long.",
}
