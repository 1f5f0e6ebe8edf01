"""A film: events drawn as an animated SVG, which any browser shows, without a script.

frame   what is to be read at one moment: slot -> text; an event that changes nothing makes no frame
slot    a place in the picture: (row or None, what)
row     of a lane: 0, 1, … in the order in which they came to this server
run     frames in a row in which a slot has the same text: one element, which is visible for so long
"""

import textwrap
from html import escape
from typing import Any

from extras.glass.gate import Event
from extras.glass.watched import MAX_PENDING_BYTES

Slot = tuple[int | None, str]
Frame = tuple[float, dict[Slot, str]]  # and for how many seconds it is shown

FRAME_S = 0.5  # for each event: one can follow it
READ_S = 5.0  # when a step is done, for its text
MAX_FRAMES = 60  # a step: a flood has thousands of events, and the picture a limit of 300 kB
LAST_FRAMES = 8  # of those, the ones that are shown in any case: how it ended
SHOWN = 38  # characters of a chunk or line
WIDTH, LANE, TOP = 900, 92, 150  # points: the picture's width, a lane's height, what is above them
GAUGE = 150  # points: an outbox that is full
CAPTION_LINES = 4
# Okabe and Ito's colours: those who see no difference between red and green can tell them apart.
COLOURS = {
    "works": "#333333",
    "reads": "#0072b2",
    "wants": "#e69f00",
    "holds": "#009e73",
    "sends": "#d55e00",
    "waits": "#cc79a7",
    "gone": "#777777",
}
STATES = {
    "works": "works",
    "reads": "waits in recv",
    "wants": "wants the lock",
    "holds": "has the lock",
    "sends": "waits in send",
    "waits": "waits for a reader",
    "gone": "gone",
}
STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#111}.m{font:13px ui-monospace,monospace;white-space:pre}"
    ".s{fill:#555;font-size:12px}.t{font-size:19px;font-weight:600}"
)


def shown(data: str) -> str:
    """Return bytes (each a character of Latin-1) as they are shown: with marks for what cannot be printed."""
    text = data.encode("latin-1").decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\n", "⏎")
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


class Model:
    """What is known after the events so far, as texts."""

    def __init__(self) -> None:
        self.server = ""
        self.names: dict[int, str] = {}  # of the server's lanes, those that are gone too
        self.rows: dict[int, int] = {}
        self.bounds: dict[int, int | None] = {}  # row -> bytes; None where there is no outbox
        self.slots: dict[Slot, str] = {}
        self.done = False  # is the step done?

    def name(self, lane: Any) -> str:
        """Return what a lane or a thread is called."""
        return "nobody" if lane is None else self.names.get(lane) or (f"#{lane}" if isinstance(lane, int) else lane)

    def see(self, event: Event) -> None:
        """Take in one event."""
        show = getattr(self, f"_{event['kind']}", None)
        if show:
            show(event)

    def _mode(self, event: Event) -> None:
        if event["server"] != self.server:  # another one: of this nothing is known yet
            self.server, self.names, self.rows = event["server"], {}, {}
            self.bounds = {}
            self.slots = {slot: text for slot, text in self.slots.items() if slot[1] in ("title", "text")}
        self.slots[None, "mode"] = f"server: {event['server']}"

    def _scene(self, event: Event) -> None:
        if event["scene"]:
            self.done = event["done"]
            self.slots[None, "title"] = event["title"]
            self.slots[None, "text"] = event["text"]

    def _connected(self, event: Event) -> None:
        self.names[event["lane"]] = ""
        self.rows[event["lane"]] = len(self.rows)
        self.slots[self.rows[event["lane"]], "name"] = f"#{event['lane']}"

    def _named(self, event: Event) -> None:
        self.names[event["lane"]] = event["name"]
        self.slots[self.rows[event["lane"]], "name"] = f"#{event['lane']} {event['name']}"

    def _gone(self, event: Event) -> None:
        for what in ("chunk", "kept", "does", "outbox", "gauge"):
            self.slots.pop((self.rows[event["lane"]], what), None)
        self.slots[self.rows[event["lane"]], "state"] = "gone"

    def _state(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "state"] = event["state"]

    def _chunk(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "chunk"] = f"│{shown(event['data'])}│"

    def _kept(self, event: Event) -> None:
        lines = f"{event['lines']} whole, " if event["lines"] else ""
        self.slots[self.rows[event["lane"]], "kept"] = lines + (shown(event["rest"]) or "no rest")

    def _line(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "does"] = f"line {shown(event.get('line') or 'too long')}"

    def _table(self, event: Event) -> None:
        found = {True: ": taken", False: ": free", None: ""}[event.get("found")]
        self.slots[self.rows[event["lane"]], "does"] = f"{event['does']} {event['name']}{found}"

    def _reply(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "does"] = f"reply {shown(event['line'])}"

    def _put(self, event: Event) -> None:
        self._outbox(event)

    def _sent(self, event: Event) -> None:
        self._outbox(event)
        self.slots[self.rows[event["lane"]], "sent"] = f"one send: {event['bytes']} bytes"

    def _outbox(self, event: Event) -> None:
        """Show how much waits for this peer."""
        row, waiting = self.rows[event["lane"]], (event.get("queued") or 0) + (event.get("unsent") or 0)
        bound = self.bounds[row] = event.get("bound", self.bounds.get(row, MAX_PENDING_BYTES))
        self.slots[row, "outbox"] = f"{waiting} bytes wait" if waiting else "nothing waits"
        if bound:
            self.slots[row, "gauge"] = str(min(GAUGE, GAUGE * waiting // bound or 2) if waiting else 0)

    def _drainer(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "drainer"] = "a drainer waits for her" if event["runs"] else ""

    def _cut(self, event: Event) -> None:
        self.slots[self.rows[event["lane"]], "drainer"] = "slow consumer: cut off"

    def _lock(self, event: Event) -> None:
        queue = ", ".join(map(self.name, event["queue"])) or "nobody"
        self.slots[None, "lock"] = f"the lock: {self.name(event['holder'])} has it; {queue} in the queue"

    def _postman(self, event: Event) -> None:
        outboxes = ", ".join(map(self.name, event.get("outboxes") or ()))
        self.slots[None, "postman"] = f"the postman walks: {outboxes}" if outboxes else "the postman sleeps"


def frames(events: list[Event]) -> list[Frame]:
    """Return the pictures, each with the seconds for which it is shown."""
    model = Model()
    film: list[Frame] = []
    step: list[Frame] = []
    for event in events:
        before = dict(model.slots)
        model.see(event)
        if model.slots != before:
            step.append((FRAME_S, dict(model.slots)))
        if event["kind"] == "scene" and model.done and step:
            few = sampled(step)
            film += few[:-1] + [(READ_S, few[-1][1])]
            step, model.done = [], False
    return film


def sampled(step: list[Frame]) -> list[Frame]:
    """Return at most MAX_FRAMES of a step: its end, and of the rest some, at equal distances."""
    if len(step) <= MAX_FRAMES:
        return step
    early, late = step[:-LAST_FRAMES], step[-LAST_FRAMES:]
    wanted = MAX_FRAMES - LAST_FRAMES
    return [early[place * len(early) // wanted] for place in range(wanted)] + late


def svg(events: list[Event]) -> str:
    """Return the film of these events."""
    film = frames(events)
    ends, total = [], 0.0
    for seconds, _ in film:
        total += seconds
        ends.append(total)
    starts = [0.0, *ends[:-1]]
    height = TOP + 10 + LANE * max(1 + slot[0] for _, picture in film for slot in picture if slot[0] is not None)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(film[0][1].get((None, 'title'), ''))}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for slot in sorted({slot for _, picture in film for slot in picture}, key=str):
        for first, last, text in runs([picture.get(slot, "") for _, picture in film]):
            always = first == 0 and last == len(film) - 1
            shows = "" if always else visible(starts[first] / total, ends[last] / total, total)
            drawn = draw(slot, text, TOP + LANE * (slot[0] or 0))
            parts.append(drawn if always else f'<g visibility="hidden">{shows}{drawn}</g>')
    return "\n".join([*parts, "</svg>", ""])


def runs(texts: list[str]) -> list[tuple[int, int, str]]:
    """Return (first, last, text) for each stretch of equal texts, without the empty ones."""
    found, first = [], 0
    for place in range(1, len(texts) + 1):
        if place == len(texts) or texts[place] != texts[first]:
            if texts[first]:
                found.append((first, place - 1, texts[first]))
            first = place
    return found


def visible(start: float, end: float, total: float) -> str:
    """Return what makes an element visible from start to end (shares of the whole), each time round."""
    values = ["hidden", "visible", "hidden"]
    times = [0.0, start, end]
    if start == 0:
        values, times = values[1:], times[1:]
    if end >= 1:
        values, times = values[:-1], times[:-1]
    listed = ";".join(f"{moment:.4f}" for moment in times)
    return (
        f'<animate attributeName="visibility" values="{";".join(values)}" keyTimes="{listed}"'
        f' dur="{total:.1f}s" calcMode="discrete" repeatCount="indefinite"/>'
    )


def words(x: int, y: int, text: str, kind: str = "") -> str:
    """Return a text at a place."""
    return f'<text x="{x}" y="{y}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(text)}</text>'


def draw(slot: Slot, text: str, y: int) -> str:
    """Return the element of a slot, in the row that begins at y."""
    what = slot[1]
    if what == "title":
        return words(16, 28, text, "t")
    if what == "mode":
        return words(WIDTH - 130, 28, text, "s")
    if what == "text":
        lines = textwrap.wrap(text, 118)[:CAPTION_LINES]
        return "".join(words(16, 52 + 18 * number, each) for number, each in enumerate(lines))
    if what == "lock":
        return f'<rect x="16" y="122" width="500" height="24" rx="4" fill="#f3e9c6"/>{words(24, 139, text)}'
    if what == "postman":
        return words(540, 139, text)
    if what == "name":
        line = f'<path d="M16 {y + 8}H{WIDTH - 16}" stroke="#bbb"/>'
        return line + words(16, y + 30, text) + words(200, y + 26, "chunk", "s") + words(200, y + 50, "keeps", "s")
    if what == "state":
        mark = f'<rect x="16" y="{y + 40}" width="150" height="24" rx="12" fill="{COLOURS.get(text, "#777")}"/>'
        ink = "#111" if text in ("wants", "waits") else "#fff"  # white could not be read on these
        label = escape(STATES.get(text, text))
        return f'{mark}<text x="28" y="{y + 57}" style="fill:{ink};font-weight:600">{label}</text>'
    if what == "gauge":
        edge = f'<rect x="640" y="{y + 40}" width="{GAUGE}" height="12" fill="none" stroke="#555"/>'
        return f'{edge}<rect x="640" y="{y + 40}" width="{text}" height="12" fill="#d55e00"/>'
    x, down, kind = {
        "chunk": (246, 26, "m"),
        "kept": (246, 50, "m"),
        "does": (246, 74, "m"),
        "outbox": (640, 26, ""),
        "sent": (640, 72, "s"),
        "drainer": (640, 88, "s"),
    }[what]
    return words(x, y + down, text, kind)
