"""Talk to a web port from the terminal, and see what goes over the wire.

Each line that is typed is sent as a message.  What goes out begins with →, what comes with ←: first
the request and its answer, then frames, their first bytes in hexadecimal.

    → 81 84 37 fa 21 3d  text, masked: HELP
      |  |  `- the mask: four random bytes
      |  `- 80: masked; 04: four bytes
      `- 80: the last frame of its message; 01: text
"""

import argparse
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step1_echo is found

from extras.web.websocket import HAS_LIBRARY, missing_library
from step1_echo.serving import CTRL_C_STATUS
from step1_echo.streams import CannotWrite, mend_streams, tell, write

if HAS_LIBRARY:
    from websockets.client import ClientProtocol
    from websockets.frames import Close, Frame, Opcode
    from websockets.http11 import Response
    from websockets.protocol import State
    from websockets.typing import Origin
    from websockets.uri import parse_uri

    ANSWERS = {Opcode.PING: Opcode.PONG, Opcode.CLOSE: Opcode.CLOSE}  # what the protocol answers by itself

SHOWN_HEADERS = {"host", "origin", "upgrade", "connection", "sec-websocket-key", "sec-websocket-accept"}
HEADER_BYTES = {126: 4, 127: 10}  # of a frame, for lengths that do not fit into its second byte


def show_http(arrow: str, head: bytes) -> None:
    """Print the first line of a request or an answer, and its headers that matter here."""
    first, *headers = head.decode("latin-1").split("\r\n")
    write(sys.stdout, f"{arrow} {first}\n")
    for header in headers:
        if header.partition(":")[0].lower() in SHOWN_HEADERS:
            write(sys.stdout, f"{arrow} {header}\n")


def show_frame(arrow: str, frame: "Frame", wire: bytes) -> None:
    """Print the bytes of a frame's header, and what the frame says."""
    masked = bool(wire[1] & 0x80)
    size = HEADER_BYTES.get(wire[1] & 0x7F, 2) + 4 * masked
    what = frame.opcode.name.lower() + ", masked" * masked
    text = str(Close.parse(frame.data)) if frame.opcode is Opcode.CLOSE else bytes(frame.data).decode(errors="replace")
    write(sys.stdout, f"{arrow} {wire[:size].hex(' ')}  {what}: {text}\n")


class Talk:
    """One connection.

    Thread: two, one that types and one that listens; `lock` guards the protocol, which both use.
    """

    def __init__(self, url: str, origin: str | None):
        """Connect, and ask for a WebSocket.  Raises: OSError."""
        where = urlsplit(url)
        self.sock = socket.create_connection((where.hostname, where.port or 80))
        self.protocol = ClientProtocol(
            parse_uri(url.replace("http", "ws", 1)), origin=Origin(origin) if origin else None
        )
        self.lock = threading.Lock()
        self.answered = threading.Event()
        self.protocol.send_request(self.protocol.connect())
        for data in self.protocol.data_to_send():
            show_http("→", data)
            self.sock.sendall(data)

    def say(self, opcode: "Opcode", data: bytes) -> None:
        """Send a message, or our goodbye.  Raises: OSError."""
        with self.lock:
            if self.protocol.state is not State.OPEN:
                return  # it was refused, or has ended
            if opcode is Opcode.CLOSE:
                self.protocol.send_close(1000)
            else:
                self.protocol.send_text(data)
            self.send_what_is_due([Frame(opcode, data)])

    def send_what_is_due(self, frames: "list[Frame]") -> None:
        """Send these frames as the protocol has made them, and show them.  Holds the lock."""
        for frame, wire in zip(frames, filter(None, self.protocol.data_to_send())):
            show_frame("→", frame, wire)
            self.sock.sendall(wire)

    def listen(self) -> None:
        """Show what comes, until the end of the connection.  Thread: a second one."""
        try:
            while chunk := self.sock.recv(65536):
                with self.lock:
                    self.protocol.receive_data(chunk)
                    events = self.protocol.events_received()
                    if self.protocol.handshake_exc and not events:
                        raise ConnectionAbortedError("the answer is no HTTP: is this a web port?")
                    for event in events:
                        if isinstance(event, Response):
                            show_http(
                                "←", f"HTTP/1.1 {event.status_code} {event.reason_phrase}\r\n{event.headers}".encode()
                            )
                            self.answered.set()
                        elif isinstance(event, Frame):
                            show_frame("←", event, event.serialize(mask=False))
                    frames = [event for event in events if isinstance(event, Frame)]
                    self.send_what_is_due(
                        [Frame(ANSWERS[frame.opcode], frame.data) for frame in frames if frame.opcode in ANSWERS]
                    )
        except OSError as error:
            tell(error.strerror or str(error))
        finally:
            self.answered.set()


def http_url(text: str) -> str:
    """Take an address that we can connect to; for argparse."""
    try:
        where = urlsplit(text)
        if where.scheme == "http" and where.hostname and where.port != 0:
            return text
    except ValueError:
        pass  # NOTE: a port that is no number, or half an IPv6 address
    raise argparse.ArgumentTypeError(f"{text!r} is not of the form http://HOST:PORT")


def main() -> int:
    """Do what the command line asks; return the exit status."""
    mend_streams()
    parser = argparse.ArgumentParser(description="Talk to a web port, and see what goes over the wire.")
    parser.add_argument("url", type=http_url, help="what the server says after `open`, such as http://127.0.0.1:9080")
    parser.add_argument("--origin", metavar="URL", help="pretend to be a page from there")
    args = parser.parse_args()
    if complaint := missing_library():
        tell(complaint)
        return 1
    try:
        talk = Talk(args.url, args.origin)
        listener = threading.Thread(target=talk.listen, daemon=True)
        listener.start()
        talk.answered.wait()
        for line in sys.stdin if talk.protocol.state is State.OPEN else ():
            talk.say(Opcode.TEXT, line.rstrip("\n").encode())
        talk.say(Opcode.CLOSE, Close(1000, "").serialize())
        listener.join()
    except OSError as error:
        tell(f"{args.url}: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        return CTRL_C_STATUS
    return 0 if talk.protocol.close_rcvd else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotWrite as error:
        tell(str(error))
        sys.exit(1)
