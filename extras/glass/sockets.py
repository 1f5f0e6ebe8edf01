"""A socket that tells what comes and what the kernel takes."""

import contextlib
import select
import socket
import struct
from typing import Any

from extras.glass.gate import Gate, Lane, text_of
from step5_server.outbox import MSG_DONTWAIT

with contextlib.suppress(ImportError):  # Windows lacks them, and what missing_system() looks for
    import fcntl
    import termios


def missing_system() -> str:
    """Return what to tell a user whose system cannot do this; "" if it can."""
    if MSG_DONTWAIT is not None and hasattr(select, "poll"):
        return ""
    return "the glass needs Linux or macOS: Windows cannot ask a socket to send what it can without waiting"


def kernel_bytes(sock: socket.socket) -> int | None:
    """Return what the kernel holds for the peer: not sent, or not acknowledged.  None where it does not tell.

    Source: tcp(7), SIOCOUTQ, which Linux's ioctl(2) has by the number of TIOCOUTQ.
    """
    try:
        held: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return held
    except (OSError, ValueError):
        return None  # NOTE: macOS, or the socket is closed


class TellingSocket:
    """A socket that tells what comes and what the kernel takes; all else it leaves to the real one."""

    def __init__(self, sock: socket.socket, gate: Gate, lane: Lane):
        self._sock, self.gate, self.lane = sock, gate, lane
        self.lingers = False  # what comes from now on is thrown away

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set an option, but not the one by which the kernel gives up a peer that does not read.

        In slow motion a peer that reads in two minutes is not slow.
        """
        if (level, option) != (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None)):
            self._sock.setsockopt(level, option, value)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what has come, and tell it.  Blocks: as ever."""
        gate, lane = self.gate, self.lane
        gate.state("reads")
        try:
            chunk = self._sock.recv(size, flags)
        except TimeoutError:
            raise
        except OSError as error:
            gate.tell("reset", lane, error=error.strerror or str(error))
            raise
        with gate.moment:
            if chunk:
                gate.tell("chunk", lane, data=text_of(chunk), **{"dropped": True} if self.lingers else {})
            else:
                gate.tell("eof", lane)
            gate.state("works")
            lane.heard_bytes += len(chunk)
            lane.heard.notify_all()
        gate.stop()
        return chunk

    def send(self, data: bytes | memoryview, flags: int = MSG_DONTWAIT or 0) -> int:
        """Give the kernel what it takes at once, and tell how much that was.  Raises: OSError.

        Sending and telling are one: an answer to it cannot be told before it.
        """
        with self.gate.moment:
            try:
                sent = self._sock.send(data, flags)
            except BlockingIOError:
                self.tell_sent(0)
                raise
            self.lane.unsent = max(self.lane.unsent - sent, 0)
            self.tell_sent(sent)
        return sent

    def tell_sent(self, count: int, **facts: Any) -> None:
        """Tell what the kernel has taken, and what waits still.  Holds the moment."""
        self.gate.me.due = True
        self.gate.outbox("sent", self.lane, bytes=count, kernel=kernel_bytes(self._sock), **facts)

    def sendall(self, data: bytes) -> None:
        """Send all of it, as the real one does: as much as the kernel takes, and wait for more room."""
        gate, lane = self.gate, self.lane
        if not lane.has_outbox:
            with gate.moment:
                lane.unsent += len(data)
                gate.outbox("put", lane, by=gate.who(), data=text_of(data))
            gate.stop()
        gate.state("sends", to=lane.number)
        room = select.poll()
        room.register(self._sock.fileno(), select.POLLOUT)
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[self.send(rest) :]
                except BlockingIOError:
                    room.poll()
                gate.stop_if_due()
        except OSError:
            with gate.moment:
                if not lane.has_outbox:
                    lane.unsent = max(lane.unsent - len(rest), 0)
                    self.tell_sent(0, dropped=len(rest))
            raise
        finally:
            gate.state("works")
