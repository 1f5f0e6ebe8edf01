"""The picture: bars for each workload, and curves over the number of users, as one SVG file.

Written by hand, since SVG is text: a <rect> is a bar, a <polyline> is a curve.
x and y count pixels from the upper left corner.
"""

import math
import statistics
from collections.abc import Callable
from xml.sax.saxutils import escape

from extras.bench.report import Report, family, title_of, written
from extras.bench.workloads import WORKLOADS

WIDTH, LABEL, BAR, ROW = 900, 155, 230, 22  # the page, the names, the longest bar, a line of bars
CURVE_HEIGHT = 220
MAX_TIMES_MEDIAN = 4  # a longer bar is cut, and has an arrow
OURS = {"step5", "broadcast", "rooms", "irc"}
COLOURS = {
    "step5": "#6baed6",
    "broadcast": "#4292c6",
    "rooms": "#2171b5",
    "irc": "#08519c",
    "ngircd": "#d94801",
    "inspircd": "#fd8d3c",
    "ergo": "#41ab5d",
    "miniircd": "#bbbbbb",
    "irc.server": "#888888",
    "relay": "#555555",
}
STYLE = "text{font:13px sans-serif;fill:#222} .h{font-weight:bold} .s{font-size:11px;fill:#666}"


def draw(report: Report) -> str:
    """Return the report as an SVG document."""
    parts, y = [], 30
    parts.append(text(10, y, "  ·  ".join(map(str, report.about.values())), "s"))
    y += 14
    for name in report.rounds:
        if family(name) == name:
            bars, y = draw_bars(report, name, y + 24)
            parts += bars
    for prefix, number, title in (
        ("idle/", "cpu_us", "CPU us for a round trip of one pair, by users connected"),
        ("idle/", "p50_ms", "median latency in ms of that round trip"),
        ("idle/", "kb_per_connection", "kB of memory for each connection"),
        ("growth/", "cpu_us", "CPU us for a delivery, by members of the room"),
    ):
        curves = {
            server: points for server in all_servers(report) if len(points := curve(report, prefix, server, number)) > 1
        }
        if curves:
            lines, y = draw_curves(title, curves, y + 30)
            parts += lines
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 20}">'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", background, *parts, "</svg>\n"])


def draw_bars(report: Report, workload: str, y: int) -> tuple[list[str], int]:
    """Draw one workload: on the left how much, on the right what it costs."""
    kind = WORKLOADS[workload]
    parts = [text(10, y, f"{workload}: {kind.title}", "h")]
    y += 20
    columns = (
        (LABEL + 10, "per_second", "{:,.0f}", f"{kind.unit} a second (more is better)"),
        (LABEL + BAR + 190, "cpu_us", "{:.2f}", "server CPU us for each (less is better)"),
    )
    parts += [text(x, y, title, "s") for x, _, _, title in columns]
    for server in report.rounds[workload]:
        y += ROW
        parts.append(text(10, y, title_of(server), "h" if server in OURS else ""))
        for x, number, form, _ in columns:
            values = [report.median(workload, s, number) or 0 for s in report.rounds[workload]]
            # One server that costs fifty times as much must not make all other bars invisible.
            longest = min(max(values), MAX_TIMES_MEDIAN * statistics.median(values)) or 1
            value = report.median(workload, server, number)
            width = BAR * min(1, (value or 0) / longest)
            parts.append(f'<rect x="{x}" y="{y - 13}" width="{width:.1f}" height="16" fill="{colour(server)}"/>')
            cut = "\N{BLACK RIGHT-POINTING TRIANGLE} " if (value or 0) > longest else ""
            parts.append(text(x + width + 6, y, cut + written(value, form)))
    return parts, y + 10


def draw_curves(title: str, curves: dict[str, list[tuple[int, float]]], y: int) -> tuple[list[str], int]:
    """Draw curves over logarithmic axes, which show a factor as the same distance everywhere."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [v for points in curves.values() for _, v in points]
    left, right, top, bottom = LABEL, WIDTH - 160, y + 20, y + 20 + CURVE_HEIGHT
    low, high = min(ys) / 1.3, max(ys) * 1.3
    place_x = scale(min(xs), max(xs), left, right)
    place_y = scale(low, high, bottom, top)
    parts = [text(10, y, title, "h")]
    parts.append(f'<polyline points="{left},{top} {left},{bottom} {right},{bottom}" fill="none" stroke="#999"/>')
    parts += [text(place_x(x) - 8, bottom + 16, f"{x:,}", "s") for x in sorted(set(xs))]
    for tick in ticks(low, high):
        parts.append(text(left - 60, place_y(tick) + 4, f"{tick:g}", "s"))
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{place_y(tick):.1f}" y2="{place_y(tick):.1f}" stroke="#eee"/>'
        )
    label_y: float = top
    for server, points in sorted(curves.items(), key=lambda item: -item[1][-1][1]):
        dots = " ".join(f"{place_x(x):.1f},{place_y(v):.1f}" for x, v in points)
        parts.append(f'<polyline points="{dots}" fill="none" stroke="{colour(server)}" stroke-width="2.5"/>')
        # Two curves may end in one place; their names must not.
        label_y = max(label_y + 15, place_y(points[-1][1]) + 4)
        parts.append(text(right + 8, label_y, f"{title_of(server)}: {short(points[-1][1])}"))
    return parts, bottom + 20


def curve(report: Report, prefix: str, server: str, number: str) -> list[tuple[int, float]]:
    """Return the points of one curve: the level in the workload's name, and the median there."""
    points = [
        (int(name.removeprefix(prefix)), report.median(name, server, number))
        for name in report.rounds
        if name.startswith(prefix)
    ]
    return [(x, value) for x, value in points if value]


def all_servers(report: Report) -> dict[str, None]:
    """Return the servers in the order in which they were measured."""
    return {server: None for servers in report.rounds.values() for server in servers}


def scale(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    """Return a function from low..high to begin..end, logarithmic."""
    return lambda v: begin + (end - begin) * math.log(v / low) / math.log(high / low)


def ticks(low: float, high: float) -> list[float]:
    """Return the 1, 2 and 5 times powers of ten between low and high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]


def short(value: float) -> str:
    """Return a number in a short form for people."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def colour(server: str) -> str:
    """Return the server's colour: ours are blue."""
    return COLOURS.get(server, "#2ca02c")


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Return a text element."""
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{style}">{escape(words)}</text>'
