"""IRC's lines: step 4's buffer and step 5's connection, with three differences.

A line may be longer, because of tags; a CR alone ends a line too; and a peer that begins with TLS
is known at once, though it may never send a line.  Source: RFC 1459 section 2.3 wants CR LF,
section 8 tells of the clients that send one of them.
"""

import os
import socket
import time

from extras.broadcast.fan_out import FanOutConnection
from extras.irc.message import MAX_LINE_BYTES
from step4_framing.framing import LineBuffer
from step5_server.outbox import Outbox

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
        self.pinged_at = 0.0  # by the server; the peer has answered if it was heard since

    def forgive(self, deaf_s: float) -> None:
        """Count from our PING, too, without the time in which we could not hear.  Thread: any."""
        super().forgive(deaf_s)
        self.pinged_at += deaf_s

    def send_to_all(self, outboxes: set[Outbox], data: bytes) -> None:
        """Queue framed lines for other peers, after what they are to hear before."""
        self.put_held()
        for outbox in outboxes:
            outbox.put(data)
        self.touched |= outboxes

    def rest(self, seconds: float) -> None:
        """Read nothing for so long, then see if the peer has reset the connection meanwhile.

        What came before a reset can still be read, on Linux: a ghost would keep its nick and talk
        on.  An EOF is no reset: what came before it counts.  Blocks: for so long.
        """
        time.sleep(seconds)
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.kick(os.strerror(error))
