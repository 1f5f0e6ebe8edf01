"""IRC's lines: step 4's buffer and step 5's connection, with three differences.

A line may be longer, because of tags; a CR alone ends a line too; and a peer that begins with TLS
is known at once, though it may never send a line.  Source: RFC 1459 section 2.3 wants CR LF,
section 8 tells of the clients that send one of them.
"""

from extras.broadcast.fan_out import FanOutConnection
from extras.irc.message import MAX_LINE_BYTES
from step4_framing.framing import LineBuffer

TLS_HELLO = b"\x16"  # the type of a handshake record, RFC 8446 section 5.1; no command begins so


class IrcLineBuffer(LineBuffer):
    """Take CR, LF and CR LF for ends; a CR LF cut in two ends an empty line too: ignored."""

    def __init__(self, max_line_bytes: int):
        super().__init__(max_line_bytes)
        self._begun = False

    def feed(self, chunk: bytes) -> None:
        if chunk and not self._begun:
            self._begun = True
            if chunk.startswith(TLS_HELLO):
                chunk = TLS_HELLO + b"\n"  # a line now: its own end may be far away
        # CR LF first: an empty line after each message would cost as much as a short command.
        super().feed(chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


class IrcConnection(FanOutConnection):
    """A connection whose lines are IRC's."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._buffer = IrcLineBuffer(MAX_LINE_BYTES)
