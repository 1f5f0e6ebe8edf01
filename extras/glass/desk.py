"""The desk: the page's files and its WebSocket.  Events go out, commands come in.

While more happens than a page can take, it does not get each event: `skipped` says how
many are left out, and what is so now follows.  So what a page shows may leave out, but is never old.

list      what goes out at once: a JSON list of events
command   a JSON object: {"do": "pause"}
"""

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from extras.glass.gate import Event, Gate
from extras.tls.doors import DoorHandler
from extras.web.website import Website
from extras.web.websocket import WebSocketCodec, text_frame
from step1_echo.serving import POLL_INTERVAL_S
from step4_framing.framing import LineTooLong
from step5_server.codec import Codec, LineCodec
from step5_server.line_server import LineServer

if TYPE_CHECKING:
    from extras.glass.house import House  # which imports us

PAGE = Path(__file__).parent / "page"
LISTS_A_SECOND = 60  # as often as a screen is drawn
MAX_EVENTS = 300  # in a list: more would take the page longer than it has until the next
MAX_COMMAND_BYTES = 65536
MAX_PAGES = 20
NEVER_S = 1e9  # until a page must log in: it need not
FEW_KIB = 65536  # unsent: then the page is late, and gets nothing more until it is not


class DeskCodec(LineCodec):
    """Lines that may be longer than a chat's."""

    def __init__(self) -> None:
        super().__init__(MAX_COMMAND_BYTES)


class DeskHandler(DoorHandler):
    """Serve a browser: a file, or a page's WebSocket."""

    codec_class = DeskCodec
    server: "Desk"

    def setup(self) -> None:
        super().setup()
        self.name = "page"  # nobody logs in here
        self.shower: threading.Thread | None = None

    def codec(self) -> Codec:
        """Return what makes commands of bytes, and bytes of lists."""
        return WebSocketCodec(super().codec(), self.server.website, {"": text_frame})

    def handle(self) -> None:
        """Open the WebSocket, and serve it."""
        if self.open():
            self.shower = threading.Thread(target=self.show, name="shower", daemon=True)
            self.shower.start()
            super().handle()

    def finish(self) -> None:
        """Show nothing more."""
        self.outbox.end()
        gate = self.server.house.gate
        with gate.moment:
            gate.news.notify_all()
        if self.shower:
            self.shower.join()
        super().finish()

    def answer(self, line: bytes | LineTooLong) -> None:
        """Obey a command."""
        try:
            self.server.house.obey(json.loads(line))  # type: ignore[arg-type]  # LineTooLong: a TypeError
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
        gate = self.server.house.gate
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
    def list_from(gate: Gate, shown: int, is_new: bool) -> list[Event]:
        """Return what a page has not seen, or what is so now if that is too much.  Holds the moment."""
        count = gate.count - shown
        if not is_new and count <= MAX_EVENTS:
            return gate.events(shown)
        skipped = {"n": gate.count, "t": 0.0, "kind": "skipped", "lane": None, "thread": "desk", "count": count}
        return [skipped, *gate.present()]


class Desk(LineServer):
    """Serve pages: a port of its own, and a lock and threads of its own."""

    handler_class = DeskHandler

    def __init__(self, address: tuple[str, int], house: "House"):
        """Listen at the address, for the house that it shows.  Raises: OSError."""
        self.house = house
        self.website = Website(PAGE)
        self.ended = threading.Event()
        super().__init__(address, max_clients=MAX_PAGES, login_timeout_s=NEVER_S)
        self._acceptor: threading.Thread | None = None

    def start(self, poll_interval: float = POLL_INTERVAL_S) -> None:
        """Accept from now on, in a thread of our own."""
        self._acceptor = threading.Thread(target=self.serve_forever, args=(poll_interval,), name="desk", daemon=True)
        self._acceptor.start()

    def end(self) -> None:
        """Send the pages away.  Blocks: a moment."""
        self.ended.set()
        if not self._acceptor:
            self.server_close()
            return
        self.stop()
        self._acceptor.join()
