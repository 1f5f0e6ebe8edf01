"""Draw the GIL: which of several busy threads runs Python, and when.

    python extras/bench/gil.py gil.svg

Each thread parses chat lines and looks at the clock after each.  If two looks are close, it was
running in between; a gap means that another thread was running.
"""

import argparse
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step3_protocol is found

from step1_echo.serving import announce
from step1_echo.streams import mend_streams
from step3_protocol.protocol import parse_line

THREADS = 4
SECONDS = 0.12
GAP_S = 0.001  # parsing a line takes a hundredth of this
LEFT, LANE, WIDTH = 90, 34, 900  # pixels


def work(begin: float, runs: list[tuple[float, float]]) -> None:
    """Parse lines until the time is up; note each stretch without a gap."""
    last = since = time.perf_counter()
    while last < begin + SECONDS:
        parse_line(b"MSG bob hello there")
        now = time.perf_counter()
        if now - last > GAP_S:
            runs.append((since - begin, last - begin))
            since = now
        last = now
    runs.append((since - begin, last - begin))


def draw(lanes: list[list[tuple[float, float]]]) -> str:
    """Return a lane for each thread, filled while it ran."""
    scale = (WIDTH - LEFT - 20) / SECONDS
    height = 60 + LANE * len(lanes)
    title = (
        f"{len(lanes)} threads want to run Python, for {SECONDS * 1000:.0f} ms; blue: running."
        f"  Together: {cores_used(lanes):.2f} cores."
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">',
        "<style>text{font:13px sans-serif}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20">{title}</text>',
    ]
    for number, runs in enumerate(lanes):
        y = 36 + LANE * number
        parts.append(f'<text x="10" y="{y + 16}">thread {number + 1}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{scale * SECONDS:.0f}" height="24" fill="#eee"/>')
        for begin, end in runs:
            width = max(1, (end - begin) * scale)
            parts.append(
                f'<rect x="{LEFT + begin * scale:.1f}" y="{y}" width="{width:.1f}" height="24" fill="#2171b5"/>'
            )
    return "\n".join([*parts, "</svg>\n"])


def cores_used(lanes: list[list[tuple[float, float]]]) -> float:
    """Return how many threads were running at a time, on average."""
    return sum(end - begin for runs in lanes for begin, end in runs) / SECONDS


def main() -> int:
    """Let the threads run, and write the picture to the file that the command line names."""
    mend_streams()
    parser = argparse.ArgumentParser(description="Draw which of several busy threads runs Python.")
    parser.add_argument("file", type=Path, metavar="FILE.svg", help="where the picture goes")
    file = parser.parse_args().file
    lanes: list[list[tuple[float, float]]] = [[] for _ in range(THREADS)]
    begin = time.perf_counter() + 0.05  # when all have been started
    threads = [threading.Thread(target=work, args=(begin, runs)) for runs in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lanes = [[(max(0.0, a), b) for a, b in runs if b > 0] for runs in lanes]
    file.write_text(draw(lanes))
    announce(f"{THREADS} threads used {cores_used(lanes):.2f} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
