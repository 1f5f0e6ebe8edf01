"""Python's tracebacks in what a program under test printed, each as one line: its own place and what went wrong.

crash     one traceback: "line 9 of echo.py: NameError: name 'chunck' is not defined"
peer's    an exception that says only that the other end has gone: no mistake of the program
"""

import re
import traceback
from pathlib import PurePath
from typing import NamedTuple

FRAME = re.compile(r'\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')
LIBRARY = re.compile(r"[/\\][Ll]ib(64)?[/\\]|^<")  # a file that she has not written
PEERS = {"ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError", "KeyboardInterrupt"}
# A mistake in the program's text shows whatever is tested: the hint of the check would only mislead.
IN_THE_TEXT = {
    "NameError",
    "UnboundLocalError",
    "AttributeError",
    "TypeError",
    "ImportError",
    "ModuleNotFoundError",
    "SyntaxError",
    "IndentationError",
    "TabError",
}
# Before and after the tracebacks that threading and socketserver print.
AROUND = re.compile(r"-{40}|Exception occurred during processing of request from .*|Exception in thread .*:")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Python 3.13 colours a traceback in a terminal
SHOWN_LINES = 12  # of what a program printed: the last ones
SHOWN_COLUMNS = 120  # of each
CHAIN = ("During handling of the above exception", "The above exception was the direct cause")


class Crash(NamedTuple):
    place: str  # "line 9 of echo.py", or nothing
    kind: str  # "NameError"
    text: str  # what Python says of it

    def __str__(self):
        return ": ".join(filter(None, (self.place, self.kind, self.text)))

    @property
    def explains_itself(self) -> bool:
        return self.kind in IN_THE_TEXT and "NoneType" not in self.text  # None may be what the check is about


def shorten(printed: str) -> tuple[str, list[Crash]]:
    """Return what a program printed, with one line for each traceback, and the crashes that are no peer's doing."""
    told, crashes, lines = [], [], COLOUR.sub("", printed).splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].endswith("Traceback (most recent call last):"):  # a prompt may stand before it
            if not AROUND.fullmatch(lines[at]):
                told.append(lines[at])
            at += 1
            continue
        end = next((end for end in range(at + 1, len(lines)) if not lines[end].startswith(" ")), None)
        if end is None:  # it has not been printed to its end
            break
        crash = read(lines[at + 1 : end], lines[end])
        at = end + 1
        if any(line.startswith(CHAIN) for line in lines[at : at + 2]):
            at += 3  # what comes next is what it has led to
            continue
        told.append(str(crash))
        if crash.kind not in PEERS:
            crashes.append(crash)
    return "\n".join(told), crashes


def crash_of(error: BaseException, is_hers) -> Crash:
    """Return the crash that an exception in our own process is; is_hers(path) says which files count."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_hers(frame.filename)]
    place = f"line {frames[-1].lineno} of {PurePath(frames[-1].filename).name}" if frames else ""
    return Crash(place, type(error).__name__, str(error))


def quote(who: str, told: str) -> str:
    """Return the last lines of what a program printed, as text for a person."""
    lines = told.splitlines()[-SHOWN_LINES:]
    return "\n".join(
        [
            f"{who} printed, at the end:" if lines else f"{who} printed nothing",
            *("    " + (line if len(line) <= SHOWN_COLUMNS else line[:SHOWN_COLUMNS] + " ...") for line in lines),
        ]
    )


def read(frames: list[str], last: str) -> Crash:
    """Return the crash of a traceback: its frames, and its last line."""
    places = [found for line in frames if (found := FRAME.match(line))]
    hers = [place for place in places if not LIBRARY.search(place["file"])] or places
    name = re.split(r"[/\\]", hers[-1]["file"])[-1] if hers else ""
    kind, _, text = last.partition(": ")
    return Crash(f"line {hers[-1]['line']} of {name}" if hers else "", kind.rpartition(".")[2], text)
