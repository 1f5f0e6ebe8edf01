"""The desk: the page's files and its WebSocket.  Events go out, commands come in.

A page that cannot keep up, or at full speed nobody's page, gets each event: then `skipped` says how
many are left out, and what is so now follows.  So what a page shows may leave out, but is never old.

list      what goes out at once: a JSON list of events
command   a JSON object: {"do": "pause"}
"""

import functools
import json
import threading
import time
from pathlib import Path

from extras.tls.doors import DoorHandler
from extras.web.website import Website
from extras.web.websocket import WebSocketCodec, text_frame
from step1_echo.serving import POLL_INTERVAL_S
from step5_server.codec import LineCodec
from step5_server.line_server import LineServer

PAGE = Path(__file__).parent / "page"
LISTS_A_SECOND = 60  # as often as a screen is drawn
MAX_EVENTS = 300  # in a list: more would take the page longer than it has until the next
MAX_COMMAND_BYTES = 65536
MAX_PAGES = 20
NEVER_S = 1e9
LONG_TEXT = 16384  # characters of a text or of data
FEW_KIB = 65536  # unsent: then the page is late, and gets nothing more until it is not


def command_text(command: dict, key: str, default: str = "") -> str:
    """Return a text of a command.  Raises: ValueError."""
    text = command.get(key, default)
    if not isinstance(text, str) or len(text) > LONG_TEXT:
        raise ValueError(f"{key} is not a text, or too long")
    return text


def number(command: dict, key: str, default: float, low: float, high: float) -> float:
    """Return a number of a command.  Raises: ValueError."""
    value = command.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{key} is not a number from {low:g} to {high:g}")
    return value


def line_of(command: dict, default: str, key: str = "text") -> bytes:
    """Return a line of a command, with its end."""
    return command_text(command, key, default).encode("utf-8", "replace") + b"\n"


def default_line(player) -> str:
    """Return a line with something to see in it, which harms nobody else."""
    return f"MSG {player.name} café" if player.name else "HELP"


def cut_at(data: bytes, cuts) -> list[bytes]:
    """Return the pieces of data between the offsets.  Raises: ValueError."""
    if not isinstance(cuts, list) or not all(type(cut) is int and 0 < cut < len(data) for cut in cuts):
        raise ValueError("cuts are offsets inside the data")
    ends = sorted({*cuts, len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends)]


def play(server, player, do: str, command: dict) -> None:
    """Let a player do something.  Raises: ValueError."""
    if do == "say":
        player.do(player.send, [line_of(command, "")])
    elif do == "send":
        try:
            data = command_text(command, "data").encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError("data has one character a byte, none above 255") from None
        player.do(player.send, cut_at(data, command.get("cuts", [])))
    elif do == "bytewise":
        player.do(player.send, [bytes([byte]) for byte in line_of(command, default_line(player))])
    elif do == "glue":
        lines = command.get("lines") or [command_text(command, "text", default_line(player))] * 10
        if not isinstance(lines, list) or len(lines) > 1000:
            raise ValueError("lines is a list of texts")
        player.do(player.send, [b"".join(line_of({"text": line}, "") for line in lines)])
    elif do == "cut_in_char":
        data = line_of(command, default_line(player) if player.name else "HELP é")
        at = next((at for at, byte in enumerate(data) if 0x80 <= byte < 0xC0), 0)  # of UTF-8, the second byte
        if not at:
            raise ValueError("there is no character of more than one byte in it")
        player.do(player.send, [data[:at], data[at:]])
    elif do in ("stop_reading", "read_again"):
        server.players.watch(player, do == "read_again")
    elif do == "flood":
        count = int(number(command, "count", 1000, 1, 100_000))
        player.do(player.flood, line_of(command, default_line(player)), count)
    elif do == "reset":
        player.drop_jobs()
        player.do(player.reset)
    elif do == "half_close":
        player.do(player.half_close)
    elif do == "silent":
        player.drop_jobs()
    else:
        raise ValueError(f"there is no command {do!r}")


def obey(server, command: dict) -> None:
    """Do what a page asks for.  Blocks: never.  Raises: ValueError with what is wrong."""
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        raise ValueError('a command is {"do": …}')
    do, gate = command["do"], server.gate
    if do in ("pause", "step", "run"):
        getattr(gate, do)()
    elif do == "rate":
        gate.set_rate(number(command, "rate", 0, 0, 1000))
    elif do == "add":
        server.players.add(command_text(command, "name") or None)
    elif do == "silent" and "lane" not in command:
        server.players.add(None)
    elif do == "scene":
        director(server).begin(int(number(command, "scene", 1, 1, 100)))
    elif do == "next":
        director(server).next()
    else:
        play(server, server.players.of(command.get("lane")), do, command)


def director(server):
    """Return who plays the scenes on this server."""
    if "director" not in vars(server):
        from extras.glass.scenes import Director  # it uses this file

        server.director = Director(server)
    return server.director


class DeskHandler(DoorHandler):
    """Serve a browser: a file, or a page's WebSocket."""

    codec_class = functools.partial(LineCodec, max_line_bytes=MAX_COMMAND_BYTES)

    def setup(self):
        super().setup()
        self.name = "page"  # nobody logs in here
        self.shower: threading.Thread | None = None

    def codec(self):
        """Return what makes commands of bytes, and bytes of lists."""
        return WebSocketCodec(super().codec(), self.server.website, {"": text_frame})

    def handle(self):
        """Open the WebSocket, and serve it."""
        if self.open():
            self.shower = threading.Thread(target=self.show, name="shower", daemon=True)
            self.shower.start()
            super().handle()

    def finish(self):
        """Show nothing more."""
        self.outbox.end()
        gate = self.server.watched.gate
        with gate.moment:
            gate.news.notify_all()
        if self.shower:
            self.shower.join()
        super().finish()

    def answer(self, line) -> None:
        """Obey a command."""
        try:
            self.server.watched.obey(json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            self.conn.send(json.dumps([{"kind": "refused", "text": str(error)}]).encode())

    @staticmethod
    def last_line(code: str, text: str) -> bytes:
        """Return why the desk has ended it."""
        return json.dumps([{"kind": "refused", "text": text or code}]).encode()

    def on_gone(self) -> None:
        """Free nothing: a page is nobody."""

    def show(self) -> None:
        """Send lists as long as the page is there.  Thread: the shower."""
        gate = self.server.watched.gate
        shown = 0
        is_new = True
        while not self.outbox.ended:
            with gate.moment:
                if not is_new:
                    gate.news.wait_for(lambda: gate.count > shown or self.outbox.ended)
                if self.outbox.ended:
                    return
                events = self.list_from(gate, shown, is_new)
                shown, is_new = gate.count, False
            line = json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()
            self.outbox.put(self.conn.codec.frame(line))
            self.outbox.flush()
            self.outbox.wait_until_below(FEW_KIB)
            self.server.ended.wait(1 / LISTS_A_SECOND)  # and no sooner the next

    @staticmethod
    def list_from(gate, shown: int, is_new: bool) -> list[dict]:
        """Return what a page has not seen, or what is so now if that is too much.  Holds the moment."""
        count = gate.count - shown
        if not is_new and count <= MAX_EVENTS:
            return gate.events(shown)
        skipped = {"n": gate.count, "t": 0.0, "kind": "skipped", "lane": None, "thread": "desk", "count": count}
        return [skipped, *gate.present()]


class Desk(LineServer):
    """Serve pages: a port of its own, and a lock and threads of its own."""

    handler_class = DeskHandler

    def __init__(self, address: tuple[str, int], watched):
        """Listen at the address, for the server that is watched.  Raises: OSError."""
        self.watched = watched
        self.website = Website(PAGE)
        self.ended = threading.Event()
        super().__init__(address, max_clients=MAX_PAGES, login_timeout_s=NEVER_S)
        self._acceptor: threading.Thread | None = None

    def start(self, poll_interval: float = POLL_INTERVAL_S) -> None:
        """Accept from now on, in a thread of our own."""
        self._acceptor = threading.Thread(
            target=self.serve_forever, args=(poll_interval,), name="desk", daemon=True
        )
        self._acceptor.start()

    def end(self) -> None:
        """Send the pages away.  Blocks: a moment."""
        self.ended.set()
        if not self._acceptor:
            self.server_close()
            return
        self.stop()
        self._acceptor.join()
