"""What the learner has typed by some line of a chapter: the pieces that the chapters give her, put together.

piece   a block ```python tests/mine/NAME (to be added at the end) or ```diff tests/mine/NAME (to be changed)
rung    a file of ours that shows what her file looks like when a section ends: stepN_…/rungs/NAME_1.py

Lines are compared without the empty ones between them: those are put in here, as PEP 8 has them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.chapter import ROOT, STEPS, Fence, fences

MINE = "tests/mine/"
CHAPTERS = [ROOT / step / "README.md" for step in STEPS]
RUNGS = sorted(path for chapter in CHAPTERS for path in (chapter.parent / "rungs").glob("*.py"))
ANEW = "anew"  # the last word of a piece that begins its file once more


class CannotType(Exception):
    """A piece does not fit what was typed before."""


def is_piece(fence: Fence) -> bool:
    return fence.language in ("python", "diff") and fence.info.split(" ")[1:2] != [] and MINE in fence.info


def file_of(piece: Fence) -> str:
    """Return the name of the file that a piece belongs to: "echo.py"."""
    return piece.info.split(" ")[1].removeprefix(MINE)


def pieces(text: Path, line_number: float = float("inf")) -> Iterator[Fence]:
    """Return the pieces of all chapters up to a line of a text.

    A second text in a chapter's folder comes after the chapter; any other comes after them all.
    """
    for chapter in CHAPTERS:
        for fence in fences(chapter):
            if is_piece(fence) and (chapter != text or fence.line_number < line_number):
                yield fence
        if chapter.parent == text.parent:
            break


def typed(text: Path, line_number: float = float("inf")) -> dict[str, str]:
    """Return her files by that line: {name: text}.  Raises: CannotType."""
    files: dict[str, list[str]] = {}
    for piece in pieces(text, line_number):
        lines = files.setdefault(file_of(piece), [])
        body = [line.rstrip() for line in piece.body if line.strip(" +-")]
        if piece.language == "diff":
            change(lines, body, piece)
        else:
            if piece.info.endswith(f" {ANEW}"):
                lines.clear()
            lines += body
    return {name: laid_out(lines) for name, lines in files.items()}


def her_name(rung: Path) -> str:
    """Return the name of a rung in her folder: chat_server.py for chat_server_2.py."""
    return re.sub(r"_\d\.py$", ".py", rung.name)


LAST_RUNGS = {her_name(rung): rung for rung in RUNGS}  # of the rungs of one program the last one stays


def put_rungs(folder: Path, instead: dict[str, str] | None = None) -> None:
    """Put the last rungs into a folder, under her names; `instead` gives other texts, by these names."""
    for name, rung in LAST_RUNGS.items():
        text = (instead or {}).get(name) or rung.read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")


def change(lines: list[str], body: list[str], piece: Fence) -> None:
    """Replace the lines that begin with " " and "-" by those with " " and "+".  Raises: CannotType."""
    if not all(line[0] in " +-" for line in body):
        raise CannotType(f"{piece}: each line of a change begins with a blank, + or -")
    old = [line[1:] for line in body if line[0] != "+"]
    new = [line[1:] for line in body if line[0] != "-"]
    places = [at for at in range(len(lines)) if lines[at : at + len(old)] == old]
    if len(places) != 1:
        raise CannotType(f"{piece}: fits at {len(places)} places of\n" + laid_out(lines))
    lines[places[0] : places[0] + len(old)] = new


def laid_out(lines: list[str]) -> str:
    """Return the lines as a file's text, with empty ones where PEP 8 wants them."""
    text, before = "", ""
    for line in lines:
        indented = line.startswith(" ")
        if (
            before
            and (line.startswith(("def ", "class ")) or (before.startswith(" ") and not indented))
            and not line.startswith(("else", "elif", "except", "finally", ")", "]", "}"))
        ):
            text += "\n\n"
        elif (
            line.lstrip().startswith("def ")
            and not before.endswith(":")
            or before.startswith(("import ", "from "))
            and not line.startswith(("import ", "from "))
        ):
            text += "\n"
        text += line + "\n"
        before = line
    return text
