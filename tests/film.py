"""Make the chapters' moving pictures: a transcript is replayed, and what its terminals show becomes an animated SVG.

From the command line: `python tests/film.py README.md`.  tests/README.md tells how a chapter asks for a picture.

piece    a part of a row in one colour: (its colour, its text)
row      a row of a window: its pieces, and how much of it is typed before one's eyes
picture  what is to be seen at one moment: (terminal, number of the row) -> row
run      pictures in a row in which a place shows the same: one element, which is visible for so long

All times are made up from the text, in whole milliseconds: so the same session gives the same file everywhere.
"""

import argparse
import re
import sys
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so tests.chapter is found
from extras.glass.film import runs
from tests.chapter import ROOT, fences, named_chapter
from tests.transcript import KEYS, Mismatch, replay

# Milliseconds.
START, END = 600, 6000  # before the first key; the finished session, before it begins again
COMMAND_KEY, KEY = 28, 75  # a key of a command, which nobody wants to wait for; a key of what is said
TURN, ENTER, NEXT = 650, 250, 120  # to look at another window; from Enter to the answer; from one line to the next
LINE, CHARACTER, MOST = 350, 16, 1800  # to read what was printed: for a line, for each character of it, at most
REMARK = 45  # to read a character of a comment
FLASH = 1400  # a new line is marked for so long

# Points.
COLUMN, ROW = 8.4, 20  # a character's width is told to the browser, so that any font will do
SIDE, BAR, GAP, CAPTION = 14, 30, 14, 34  # beside the text; a window's bar; between windows; below them, for comments
STACKED_ROWS = 26  # more do not fit on a screen one below the other: then two windows stand side by side
COLUMNS = {1: (52, 66), 2: (40, 48)}  # windows side by side -> the fewest and the most columns of each

# (In the light, in the dark), each 4.5 to 1 at least against its window.  Whoever speaks has a colour, the same in all
# chapters; servers and tools are grey.
PEOPLE = {
    "alice": ("#0a58ca", "#7ab8ff"),
    "bob": ("#a8460f", "#ffab70"),
    "carol": ("#146c2e", "#7fdc95"),
    "mallory": ("#a11d4b", "#ff92b2"),
}
FILLS = PEOPLE | {
    "plain": ("#24292f", "#dce3ea"),
    "command": ("#24292f", "#dce3ea"),
    "tool": ("#57606a", "#9aa4ae"),
    "dim": ("#656d76", "#8d97a2"),
    "window": ("#ffffff", "#11161d"),
    "bar": ("#eef1f4", "#1c232c"),
    "new": ("#bf8700", "#e3b341"),  # behind a line that has just been printed
}
EDGE = ("#c8cfd6", "#3a434e")
STYLE = """\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace}
text{white-space:pre}.name,.command{font-weight:600}text.caption{font:italic 14px system-ui,sans-serif}
.new{opacity:0}.typing,.focus{visibility:hidden}rect.focus{fill:none;stroke:currentColor;stroke-width:2}
"""
STILL = "@media(prefers-reduced-motion:reduce){*{animation:none!important}}"
NAMES = re.compile(rf"\b({'|'.join(PEOPLE)})\b|\.\.\.", re.IGNORECASE)
PROMPT = re.compile(r"\$ |\w*> |[\w ]+[?:] ?|")


@dataclass(frozen=True)
class Row:
    """A row of a window."""

    pieces: tuple  # of (colour, text)
    typed: int = 0  # so many characters at its end appear key by key
    key_ms: int = 0  # each takes so long
    late_ms: int = 0  # of a long line's second row: so much later than the first
    printed: bool = False

    def __len__(self):
        return sum(len(text) for _, text in self.pieces)

    def __bool__(self):  # an empty line is a row, too
        return True


def file_of(fence):
    """Return the file of a block's picture, or None if it asks for none."""
    asked = re.search(r" picture=(\S+)", fence.info)
    return fence.path.parent / asked[1] if asked else None


def colour_of(terminal, otherwise="plain"):
    return terminal if terminal in PEOPLE else otherwise


def printed(text):
    """Return the row of a printed line: the names have the colours of their owners."""
    pieces, at = [], 0
    for found in NAMES.finditer(text):
        pieces += [("plain", text[at : found.start()]), (found[1].lower() if found[1] else "dim", found[0])]
        at = found.end()
    return row_of(*pieces, ("plain", text[at:]), printed=True)


def begun(terminal, text):
    """Return the pieces of a row in which somebody types: the prompt, and perhaps half a line."""
    end = PROMPT.match(text).end()
    return ("dim", text[:end]), (colour_of(terminal), text[end:])


def row_of(*pieces, **more):
    return Row(tuple(piece for piece in pieces if piece[1]), **more)


def wrapped(row, columns):
    """Return a row as a terminal of so many columns shows it: as one row, or several."""
    found, untyped = [], len(row) - row.typed
    for start in range(0, max(1, len(row)), columns):
        end = min(start + columns, len(row))
        pieces, at = [], 0
        for colour, text in row.pieces:
            pieces.append((colour, text[max(0, start - at) : max(0, end - at)]))
            at += len(text)
        typed, late_ms = max(0, end - max(start, untyped)), max(0, start - untyped) * row.key_ms
        found.append(row_of(*pieces, typed=typed, key_ms=row.key_ms, late_ms=late_ms, printed=row.printed))
    return found


class Film:
    """The session as it is to be seen, in windows of so many columns at most."""

    def __init__(self, fence, seen, side_by_side):
        asked = re.search(r" windows=(\S+)", fence.info)
        self.names = asked[1].split(",") if asked else list(dict.fromkeys(step.terminal for step, _ in seen))
        self.seen = [(step, row) for step, row in seen if step.terminal in self.names]
        self.on_pty = "pty" in fence.info.split()
        self._lay_out(side_by_side)
        self.rows = {name: [] for name in self.names}  # as they are at the moment
        self.pictures = []  # of (when it begins, picture)
        self.typing = []  # of (terminal, begin, end)
        self.remarks = []  # of (text, begin, end)
        comments = [
            (number, line.lstrip(" #"))
            for number, line in enumerate(fence.body, fence.line_number + 1)
            if line.lstrip().startswith("#")
        ]
        self._play(comments)
        self.total = self.now + END
        self.heights = {name: 0 for name in self.names}  # in rows
        for name, number in (place for _, picture in self.pictures for place in picture):
            self.heights[name] = max(self.heights[name], number + 1)

    def _lay_out(self, side_by_side):
        """Find the windows' places and widths."""
        least, most = COLUMNS[side_by_side]
        columns = max(least, min(most, max(len(row) for _, row in self.seen)))
        self.columns = {name: columns for name in self.names}
        self.width = columns * COLUMN + 2 * SIDE  # of a window
        self.whole_width = side_by_side * (self.width + GAP) - GAP
        others, self.beside = self.names, []  # the names of windows that stand side by side, from the top down
        if len(self.names) % side_by_side:  # then the first, a server most of the time, is as wide as two
            self.beside, others = [self.names[:1]], self.names[1:]
            self.columns[self.names[0]] += int((self.width + GAP) / COLUMN)
        self.beside += [others[place : place + side_by_side] for place in range(0, len(others), side_by_side)]

    def _play(self, comments):
        self.now, to_read, last = 0, 0, None
        self._show(0)
        self.now = START
        for number, (step, row) in enumerate(self.seen, 1):
            if step.mark != "<" or comments and comments[0][0] < step.line_number:
                self.now += min(MOST, to_read)
                to_read = 0
            while comments and comments[0][0] < step.line_number:
                remark = comments.pop(0)[1]
                self.remarks.append((remark, self.now, self.now + REMARK * len(remark)))
                self.now = self.remarks[-1][2]
            if step.mark == "<":
                self.now += NEXT if last and last.mark == "<" else ENTER
                self.rows[step.terminal] += wrapped(printed(step.text), self.columns[step.terminal])
                self._show(number)
                to_read += LINE + CHARACTER * len(step.text)
            else:
                self.now += TURN if last and last.terminal != step.terminal else 0
                self._type(step, row, number)
            last = step

    def _type(self, step, row, number):
        """Show how a line or a key is typed, and then what the terminal shows below it."""
        is_key = step.mark == ">" and step.text in KEYS
        before, typed = row[: len(row) - len(step.text)], 0 if is_key else len(step.text)
        colour = "dim" if is_key else "command" if step.mark == "$" else colour_of(step.terminal)
        key_ms = COMMAND_KEY if step.mark == "$" else KEY
        rows = self.rows[step.terminal]
        kept = len(rows)
        new = row_of(*begun(step.terminal, before), (colour, step.text), typed=typed, key_ms=key_ms)
        rows += wrapped(new, self.columns[step.terminal])
        self._show(number, step.terminal)
        begin, self.now = self.now, self.now + typed * key_ms + (KEY if is_key else 0)
        self.typing.append((step.terminal, begin, self.now))
        goes_on = step.mark == "_" or is_key and before and self._awaited(number, step.terminal) == before
        if goes_on:  # she will type the rest of this line later
            del rows[kept:]
        self._show(number)

    def _awaited(self, number, name):
        """Return what stands below all that was printed: a prompt, or half a line; "" if there is nothing.

        number: so many steps are done.
        """
        last_and_next = [step for step, _ in self.seen[max(0, number - 1) : number + 1]]
        if [step.terminal for step in last_and_next] == [name, name] and last_and_next[1].mark == "<":
            return ""  # more is printed at once
        later = [(step, row) for step, row in self.seen[number:] if step.terminal == name]
        for place, (step, row) in enumerate(later):
            before = row[: len(row) - len(step.text)]
            if step.mark == "$":
                return before if place == 0 else ""
            if step.mark != "<":
                return before if self.on_pty or before != "> " else ""
        return ""

    def _show(self, number, typing=None):
        """Add the picture of this moment."""
        picture = {}
        for name, rows in self.rows.items():
            awaited = "" if name == typing else self._awaited(number, name)
            below = wrapped(row_of(*begun(name, awaited)), self.columns[name]) if awaited else []
            picture |= {(name, place): row for place, row in enumerate(rows + below)}
        self.pictures.append((self.now, picture))


class Drawing:
    """A film as SVG."""

    def __init__(self, film):
        self.film = film
        self.rules = {}  # the animations: what it does -> its name

    def svg(self, title, description):
        """Return the whole file."""
        film = self.film
        parts, y, width = [], 0, film.whole_width
        for names in film.beside:
            height = BAR + 16 + ROW * max(film.heights[name] for name in names)
            for place, name in enumerate(names):
                across = width if len(names) == 1 else film.width
                parts += self._window(name, place * (film.width + GAP), y, across, height)
            y += height + GAP
        for text, begin, end in film.remarks:
            for number, line in enumerate(textwrap.wrap(text, int(width / COLUMN))):
                at = f'x="{width / 2:.1f}" y="{y + 14 + number * ROW}" text-anchor="middle"'
                parts.append(f'<text class="caption dim"{self._shown(begin, end)} {at}>{escape(line)}</text>')
        height = y - GAP + (CAPTION if film.remarks else 0)
        lines = [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title text"'
            + f' width="{width:.0f}" height="{height}" viewBox="0 0 {width:.1f} {height}" xml:space="preserve">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="text">{escape(description)}</desc>',
            f"<style>\n{STYLE}{colours(0)}\n@media(prefers-color-scheme:dark){{{colours(1)}}}",
            *(f"@keyframes {name}{{{rule}}}" for rule, name in self.rules.items()),
            f"{STILL}\n</style>",
            *parts,
            "</svg>\n",
        ]
        return "\n".join(lines)

    def _window(self, name, x, y, width, height):
        film = self.film
        frame = f'x="1" y="1" width="{width - 2:.1f}" height="{height - 2}" rx="8"'
        yield f'<svg x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}">'
        bar = f"M1.5 {BAR}V9a7.5 7.5 0 0 1 7.5-7.5H{width - 9:.1f}a7.5 7.5 0 0 1 7.5 7.5V{BAR}z"
        yield f'<rect class="window edge" {frame}/><path class="bar" d="{bar}"/>'
        who = colour_of(name, "tool")
        yield f'<circle class="{who}" cx="{SIDE + 5}" cy="{BAR / 2 + 1}" r="5"/>'
        yield f'<text class="name {who}" x="{SIDE + 18}" y="{BAR / 2 + 6}">{escape(name or "terminal")}</text>'
        begins = [begin for begin, _ in film.pictures] + [film.total]
        for number in range(film.heights[name]):
            for first, last, row in runs([picture.get((name, number)) for _, picture in film.pictures]):
                yield self._row(row, width, BAR + 8 + number * ROW, begins[first], begins[last + 1])
        typed = [(begin, end) for terminal, begin, end in film.typing if terminal == name]
        if typed:
            moments = "".join(
                f"{self._at(a)}{{visibility:visible}}{self._at(b)}{{visibility:hidden}}" for a, b in typed
            )
            yield f'<rect class="focus {who}"{self._moves(moments)} {frame}/>'
        yield "</svg>"

    def _row(self, row, width, y, begin, end):
        """Return a row that is seen from begin to end."""
        begin += row.late_ms
        parts, column = [], 0
        if row.printed:
            marks = (
                f"{self._at(begin)}{{opacity:.22;animation-timing-function:ease-out}}"
                f"{self._at(begin + FLASH)}{{opacity:0}}"
            )
            place = f'x="4" y="{y}" width="{width - 8:.1f}" height="{ROW}"'
            parts.append(f'<rect class="new"{self._moves(marks)} {place}/>')
        for colour, text in row.pieces:
            if word := text.strip():  # some browsers leave out a space at the end
                x = SIDE + (column + text.index(word)) * COLUMN
                place = f'x="{x:.1f}" y="{y + 15}" textLength="{len(word) * COLUMN:.1f}"'
                parts.append(f'<text class="{colour}" {place}>{escape(word)}</text>')
            column += len(text)
        if row.typed:  # a cover as wide as what is typed, with the caret before it, moves on with each key
            x, length = SIDE + (column - row.typed) * COLUMN, row.typed * COLUMN
            typed = begin + row.typed * row.key_ms
            keys = (
                f"{self._at(begin)}{{visibility:visible;transform:none;animation-timing-function:steps({row.typed})}}"
                f"{self._at(typed)}{{visibility:hidden;transform:translateX({length:.1f}px)}}"
            )
            parts.append(
                f'<g class="typing"{self._moves(keys)}><rect class="window" x="{x:.1f}" y="{y}"'
                f' width="{length + COLUMN:.1f}" height="{ROW}"/><rect class="{row.pieces[-1][0]}" x="{x:.1f}"'
                f' y="{y + 2}" width="{COLUMN}" height="{ROW - 4}"/></g>'
            )
        return f"<g{self._shown(begin, end)}>{''.join(parts)}</g>"

    def _at(self, moment):
        """Return a moment as a share of the whole, in hundredths of a per cent: 3 ms of half a minute."""
        share = min(10000, moment * 10000 // self.film.total)
        return f"{share // 100}.{share % 100:02}%"

    def _moves(self, moments, rest=""):
        """Return the attribute of an element that changes at these moments, each time round."""
        name = self.rules.setdefault(moments, f"k{len(self.rules)}")
        return f' style="{rest}animation:{name} {self.film.total}ms step-end infinite"'

    def _shown(self, begin, end):
        """Return the attribute of an element that is seen from begin to end."""
        if end >= self.film.total:
            return self._moves(f"0%{{visibility:hidden}}{self._at(begin)}{{visibility:visible}}") if begin else ""
        moments = f"{self._at(begin)}{{visibility:visible}}{self._at(end)}{{visibility:hidden}}"
        return self._moves(moments, "visibility:hidden;")


def colours(which):
    """Return the rules for the light (0) or the dark (1)."""
    fills = "".join(f".{name}{{fill:{pair[which]};color:{pair[which]}}}" for name, pair in FILLS.items())
    return f"{fills}.edge{{stroke:{EDGE[which]}}}"


def svg(fence, seen):
    """Return the picture of a block, from what its replay has shown."""
    film = Film(fence, seen, 1)
    if sum(film.heights.values()) > STACKED_ROWS:
        film = Film(fence, seen, 2)
    return Drawing(film).svg(
        f"A session in {len(film.names)} terminals: {', '.join(film.names)}", "\n".join(fence.body)
    )


def fault(fence, seen):
    """Return why the file of a block's picture is not the one that its replay gives, or None."""
    path = file_of(fence)
    if path.is_file() and path.read_text(encoding="utf-8") == svg(fence, seen):
        return None
    name = fence.path.relative_to(ROOT).as_posix()
    return f"{path.relative_to(ROOT)} does not show what {fence} does: make it anew with python tests/film.py {name}"


def main():
    parser = argparse.ArgumentParser(description="Make the moving pictures of chapters anew.")
    parser.add_argument("chapters", nargs="+", type=named_chapter, help="step1_echo/README.md, say")
    chapters = parser.parse_args().chapters
    asking = [fence for path in chapters for fence in fences(path) if file_of(fence)]
    if not asking:
        parser.error("no block of these chapters asks for a picture; tests/README.md tells how")
    for fence in asking:
        try:
            picture = svg(fence, replay(fence))
        except Mismatch as mismatch:  # the old picture stays
            return f"{fence}: what happens is not what it says, so there is nothing to show\n{mismatch}"
        file_of(fence).write_text(picture, encoding="utf-8", newline="\n")
        print(f"{fence}: {file_of(fence).name}, {len(picture.encode()) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
