"""Read the fenced blocks of a chapter, so that tests can compare them with the code.

A block opens with three backticks and an *info string*: the language and perhaps more, as in
`python step4_framing/framing.py`.
"""

import argparse
import difflib
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("step1_echo", "step2_client", "step3_protocol", "step4_framing", "step5_server", "step6_client")
SUBSTANCE_FOLDERS = (*STEPS, "extras", "tests")


@dataclass(frozen=True)
class Fence:
    """One fenced block."""

    path: Path  # the file it stands in
    line_number: int  # of the opening fence; the body's first line is the next one
    info: str  # what follows the backticks
    body: tuple  # of str: its lines

    @property
    def language(self):
        return self.info.split(" ")[0]

    def __str__(self):
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path.name
        return f"{path}:{self.line_number}"


def text_files():
    """Return every Markdown file of the project, but not a learner's own."""
    found = list(ROOT.glob("*.md"))
    for folder in SUBSTANCE_FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    return sorted(path for path in found if ROOT / "tests" / "mine" not in path.parents)


def named_chapter(text):
    """Return the path of a chapter that is named on a command line."""
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no {text}; name a chapter, such as step1_echo/README.md")
    return path


def fences(path):
    """Return the fenced blocks of a Markdown file. Raises: ValueError where one is never closed."""
    found, opened = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        fence = re.match(r" *(`{3,})(.*)$", line)
        if opened is None and fence:
            opened = number, fence[1], fence[2].strip()
            body = []
        elif opened and fence and fence[1].startswith(opened[1]) and not fence[2].strip():
            found.append(Fence(path, opened[0], opened[2], tuple(body)))
            opened = None
        elif opened:
            body.append(line)
    if opened:
        raise ValueError(f"{path}:{opened[0]}: this block is never closed")
    return found


def all_fences(*languages):
    """Return the blocks in these languages, of all text files."""
    return [fence for path in text_files() for fence in fences(path) if fence.language in languages]


def excerpt_fault(fence):
    """Return why a ```python PATH block is not a verbatim part of that file; None if it is."""
    _, _, name = fence.info.partition(" ")
    if not name:
        return "an excerpt names its file: ```python step1_echo/server.py (a session is ```pycon)"
    if not (ROOT / name).is_file():
        return f"there is no file {name}"
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    wanted = list(fence.body)
    if any(lines[at : at + len(wanted)] == wanted for at in range(len(lines))):
        return None
    best = max(
        range(len(lines)), key=lambda at: sum(one == other for one, other in zip(lines[at : at + len(wanted)], wanted))
    )
    return f"not a verbatim part of {name}:\n" + "\n".join(
        difflib.unified_diff(wanted, lines[best : best + len(wanted)], str(fence), f"{name}:{best + 1}", lineterm="")
    )
