r"""Draw chunks as rows of text, and save them as JSON lines.

    #1 client → server       +0.3 ms     20 bytes │LOGIN alice\n
                                                  │MSG bob h│

A bar opens every row of a chunk; a closing bar stands only at the end of the chunk.  What is
not printable is written as Python would write it, \n \r \t \x1b, with \\ for a backslash: so
every byte can be seen, and nothing that a peer sends is a command to the terminal.

    #1 client → server       +0.3 ms     81 bytes │TLS application data, 76 bytes│

A peer that begins with TLS is told by its records: nobody could read their bytes.
"""

import json
import os
import re
import threading
import time
from typing import Any, TextIO

from extras.wiretap.tls_records import Records
from step1_echo.streams import tell

BAR = "│"
ARROWS = {"client": "client → server ", "server": "client ← server ", None: ""}  # by sender
COLOURS = {"client": "\x1b[32m", "server": "\x1b[36m", None: "\x1b[33m"}  # green cyan yellow
DIM, PLAIN = "\x1b[2m", "\x1b[0m"
ESCAPE = re.compile(r"\\(x..|.)")  # what readable() writes in place of a byte
LINE = re.compile(rb"[^\n]*\n|[^\n]+")  # the last may have no end
MAX_SHOWN_BYTES = 2048  # of one chunk: two of the chat's longest lines; --save keeps all
MAX_SHOWN_RECORDS = 20  # of one chunk: half a screen


def readable(data: bytes) -> str:
    r"""Return bytes as printable text: UTF-8 as it is, everything else as Python's escapes.

    A character that is cut in two at the end of a chunk is shown as its bytes, \xc3 and \xa9.
    """
    text = data.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")
    return "".join(char if char.isprintable() and char != BAR else repr(char.encode())[2:-1] for char in text)


def draw(chunk: bytes) -> list[str]:
    """Return a row for each line of a chunk; the middle of a very long chunk is left out."""
    if len(chunk) <= MAX_SHOWN_BYTES:
        rows = [readable(line) for line in LINE.findall(chunk)]
    else:
        half = MAX_SHOWN_BYTES // 2
        rows = draw(chunk[:half]) + [f"({len(chunk) - 2 * half} bytes more)"] + draw(chunk[-half:])
    return rows


def draw_tls(records: Records, chunk: bytes) -> list[str]:
    """Return a row for each TLS record in a chunk, and as bytes what is none."""
    rows, rest = records.take(chunk)
    if len(rows) > MAX_SHOWN_RECORDS:
        half = MAX_SHOWN_RECORDS // 2
        rows[half:-half] = [f"({len(rows) - 2 * half} records more)"]
    return rows + draw(rest)


class Display:
    """Where the rows of all connections go: a text stream, a file of JSON lines, or neither."""

    def __init__(self, out: TextIO | None = None, save: TextIO | None = None, colour: bool = False):
        self.out, self.save, self.colour = out, save, colour
        # Guards out and save, so that the rows of a chunk stay together.  Under it we may
        # wait for a terminal that its user has stopped with Ctrl-S.  Then all connections
        # wait too, and lose nothing: TCP makes the senders wait in turn.
        self.lock = threading.Lock()

    def show(self, text: str, record: dict[str, Any]) -> None:
        """Write one item to both.  Thread: any."""
        with self.lock:
            if self.out:
                write(self.out, text + "\n")
            if self.save:
                write(self.save, json.dumps(record) + "\n")


def write(stream: TextIO, text: str) -> None:
    """Write and flush; if the stream takes no more, say so once and go on without it.

    The reader of our pipe may end (`| head`), or the disk may be full: that is no reason for
    the tap to drop its connections.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        tell(f"cannot write to {stream.name} any more: {error.strerror}")
        # What the stream still holds, and everything later, goes to the null device.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Trace:
    """What is seen of one connection: its number, and the time since its last item."""

    def __init__(self, display: Display, number: int):
        self.display, self.number = display, number
        self.last = time.monotonic()
        self.records = {"client": Records(), "server": Records()}

    def chunk(self, sender: str, chunk: bytes) -> None:
        """Show what the tap has just passed on for `sender`, in one send()."""
        if not (self.display.out or self.display.save):
            return  # in the tests a tap may send millions of slices that nobody looks at
        rows = draw_tls(self.records[sender], chunk)
        record = {
            "size": len(chunk),
            # A character for each byte, 0 to 255: encode("latin-1") gives the bytes back.
            "bytes": chunk.decode("latin-1"),
        }
        self.show("chunk", sender, f"{len(chunk):6} bytes ", rows, record)

    def event(self, kind: str, sender: str | None = None, detail: str = "") -> None:
        """Show what is not bytes: open, no server, stall, cut, EOF, RST, closed."""
        what = f"{kind}: {detail}" if detail else kind
        self.show(kind, sender, what, [], {"detail": detail} if detail else {})

    def show(self, kind: str, sender: str | None, what: str, rows: list[str], record: dict[str, Any]) -> None:
        now = time.monotonic()
        since_ms = (now - self.last) * 1000
        self.last = now
        since = f"{since_ms:+10.1f} ms " if sender else ""
        label = f"#{self.number} {ARROWS[sender]}"
        margin = "\n" + " " * len(label + since + what)
        drawing = margin.join(BAR + row for row in rows) + BAR if rows else ""
        if self.display.colour:
            label = COLOURS[sender] + label + PLAIN
            drawing = ESCAPE.sub(DIM + r"\g<0>" + PLAIN, drawing)
        head = {"connection": self.number, "event": kind, "from": sender, "since_ms": since_ms}
        self.display.show(label + since + what + drawing, head | record)
