"""A codec: from bytes to lines when we read, and from a line to bytes when we write.

This one is step 4's.  Others frame the same lines in another way: IRC ends them with CR LF, a
browser sends each in a WebSocket frame.  What reads and what writes does not know which it is.
"""

from collections.abc import Callable
from typing import Protocol

from step4_framing.framing import LineBuffer, frame_line


class Codec(Protocol):
    """What every codec has.  Thread: the connection's own, but for frame and goodbye, which any may use."""

    opened: bool  # whether lines may come: not before a handshake of the codec's own
    goodbye: bytes  # what follows our last line
    ended: bool  # whether the peer has said goodbye in a way of the codec's own

    @property
    def frame(self) -> Callable[[bytes], bytes]:
        """What makes of a line the bytes to send: lines for many are framed once for all with the same one."""

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their line."""

    def feed(self, chunk: bytes) -> bytes | None:
        """Store a chunk; return what has to be sent for it at once: WebSocket's pong to a ping, say."""

    def next_line(self) -> bytes | None:
        """Return the next whole line, or None until more is fed.  Raises: LineTooLong."""


class LineCodec(LineBuffer):
    """Lines that end with LF: feed() and next_line() are the buffer's, frame() is the way back."""

    frame = staticmethod(frame_line)
    opened = True
    goodbye = b""
    ended = False
