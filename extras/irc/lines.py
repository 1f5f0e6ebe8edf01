"""IRC's lines: step 4's buffer and broadcast's connection, with two differences.

A line may be longer, because of tags; and a CR alone also ends a line.  Source: RFC 1459 section
2.3 wants CR LF, section 8 knows clients that send only one of them.
"""

import os
import socket
import time
from collections.abc import Iterable
from typing import Any

from extras.broadcast.fan_out import FanOutConnection
from extras.irc.message import MAX_LINE_BYTES
from step5_server.codec import LineCodec
from step5_server.outbox import Outbox


class IrcCodec(LineCodec):
    """A line ends with CR, LF or CR LF; a CR LF cut in two makes an empty line, which is ignored."""

    def __init__(self) -> None:
        super().__init__(MAX_LINE_BYTES)

    # frame(line) gives the line as it goes on the wire.  As a text with a gap it is all C's work.
    frame = b"%b\r\n".__mod__  # type: ignore[assignment]  # nobody writes frame(line=...), which it does not know

    def feed(self, chunk: bytes) -> None:
        # CR LF first: otherwise each message is followed by an empty line, as costly as a short command.
        super().feed(chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


class IrcConnection(FanOutConnection):
    """A connection whose lines are IRC's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_reading = False  # else what the peer has said may still wait for us
        self.pinged_at = 0.0  # by the server; if the peer has sent anything since, it has answered

    def receive(self) -> bytes:
        """Return the next chunk; meanwhile the server can see that we are ready for it."""
        self.is_reading = True
        try:
            return super().receive()
        finally:
            self.is_reading = False

    def forgive(self, deaf_s: float) -> None:
        """Do not count the time in which we did not read, since our PING too.  Thread: any."""
        super().forgive(deaf_s)
        self.pinged_at += deaf_s

    def send_lines(self, lines: Iterable[bytes]) -> None:
        """Queue several lines for our own peer at once, after what it is to hear before."""
        data = b"".join(map(self.codec.frame, lines))
        self.reply_room -= len(data)
        self.send_to_all({self.outbox}, data)

    def send_to_all(self, outboxes: set[Outbox], data: bytes) -> None:
        """Queue framed lines for several peers, behind what was meant for them before."""
        self.put_held()
        for outbox in outboxes:
            outbox.put(data)
        self.touched |= outboxes

    def rest(self, seconds: float) -> None:
        """Read nothing for a time, then look whether the peer has reset the connection meanwhile.

        On Linux, what came before a reset can still be read: a user who has gone would keep her nick
        and go on talking.  An EOF is not a reset: what came before it counts.  Blocks: for that time.
        """
        time.sleep(seconds)
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.kick(os.strerror(error))
