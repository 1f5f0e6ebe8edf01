"""Lessons: what a failing check tells the person who wrote the server or client under test.

rule      a sentence that every server, client or buffer must keep, and its place in our text
lesson    one rule broken: what was sent, what was expected, what came, and one hint
check     a test with a rule; it knows nothing about our own code, so it can judge anybody's
"""

import textwrap
import threading

import pytest

PROTOCOL = "step3_protocol/PROTOCOL.md"
LINES = f"{PROTOCOL}#lines"
REQUESTS = f"{PROTOCOL}#requests-and-replies"
VERBS = f"{PROTOCOL}#the-extras-verbs"
HINT = textwrap.TextWrapper(
    79, initial_indent="hint      ", subsequent_indent=" " * 10, break_long_words=False, break_on_hyphens=False
)  # a terminal would cut it within a word
SHOWN_BYTES = 60  # of one chunk: enough to recognise it
SHOWN_STEPS = 24  # of the conversation: the last ones matter most


def rule(title: str, at: str, hint: str, race: bool = False):
    """Mark a test as the check of one rule; of a race, no check can say more than that it has not seen it."""
    return pytest.mark.rule(title=title, at=at, hint=hint, race=race)


class Lesson(AssertionError):
    """A rule is broken."""

    def __init__(
        self,
        expected: str,
        came: str,
        story: "Story | None" = None,
        waited: bool = False,
        error: Exception | None = None,
    ):
        super().__init__(f"expected {expected}; came {came}")
        self.expected = expected
        self.came = came
        self.story = story  # anything with lines()
        self.waited = waited  # nothing came, for as long as we wait
        self.error = error  # what a function under test raised

    def tell(self, title: str, at: str, hint: str = "", more: str = "", before: str = "") -> str:
        """Return the lesson as text, with `more` before the hint, and `before` at the beginning."""
        told = [before, ""] if before else []
        told += [f"rule      {title}", f"          {at}"]
        if self.story and (lines := self.story.lines()):
            told += ["", *lines]
        told += ["", f"expected  {indent(self.expected)}", f"came      {indent(self.came)}"]
        if more:
            told += ["", more]
        if hint:
            told += ["", HINT.fill(hint)]
        return "\n".join(told)


class NotYet(AttributeError):
    """A module under test lacks a name that a check needs."""


class Raised(str):
    """What came was an exception: the text of it."""

    def __new__(cls, error: Exception):
        told = super().__new__(cls, str(error) if isinstance(error, NotYet) else f"{type(error).__name__}: {error}")
        told.error = error
        return told


class Meanwhile(threading.Thread):
    """A call in a thread of its own, beside the test; join() raises what the call raised."""

    def __init__(self, function, *args):
        super().__init__(target=function, args=args)
        self.error = None
        self.start()

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 (else the thread would print a traceback, which is no lesson)
            self.error = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self.error:
            raise self.error


class Story:
    """Everything that the clients and the server of one test sent to each other."""

    def __init__(self, legend: str = "> sent to the server, < came from it, | cut here: another send"):
        self.legend = legend
        self.steps = []  # (who, ">" or "<" or "", bytes or text), all of the test

    def add(self, who: str, mark: str, what: bytes | str) -> None:
        self.steps.append((who, mark, what))

    def lines(self) -> list[str]:
        """Return the last steps as text; what is repeated, a step or two by turns, is told once."""
        told = []  # [who, mark, text, how often it came, how often it came together with the one before]
        for who, mark, what in self.steps[-SHOWN_STEPS * 50 :]:
            text = what if isinstance(what, str) else show(what)
            if told and told[-1][:3] == [who, mark, text]:
                told[-1][3] += 1
            elif mark == ">" and told and told[-1][:2] == [who, ">"] and len(told[-1][2]) < 2 * SHOWN_BYTES:
                told[-1][2] += "|" + text
            else:
                if told and told[-1][1] == "<" and [row[:4] for row in told[-2:]] == [row[:4] for row in told[-4:-2]]:
                    del told[-2:]
                    told[-1][4] += 1
                told.append([who, mark, text, 1, 1])
        if not told:
            return []
        width = max(len(who) for who, *_ in told)
        lines = [
            f"    {who:>{width}} {mark} {text}"
            + f"   ({times} times)" * (times > 1)
            + f"   (these two {rounds} times)" * (rounds > 1)
            for who, mark, text, times, rounds in told[-SHOWN_STEPS:]
        ]
        if len(told) > SHOWN_STEPS or len(self.steps) > SHOWN_STEPS * 50:
            lines.insert(0, "    ...")
        return [f"what happened ({self.legend})", *lines]


def difference(wanted: bytes, came: bytes) -> tuple[str, str]:
    """Return both as text; if they are long, only the part where they begin to differ."""
    wanted_text, came_text = show(wanted) or "nothing more", show(came) or "nothing"
    if max(len(wanted), len(came)) > SHOWN_BYTES:
        at = next(
            (at for at, (one, other) in enumerate(zip(wanted, came)) if one != other), min(len(wanted), len(came))
        )
        wanted_text += f"\nat byte {at + 1}: {show(wanted[at : at + 20]) or 'the end'}"
        came_text += f"\nat byte {at + 1}: {show(came[at : at + 20]) or 'the end'}"
    return wanted_text, came_text


def show(data: bytes) -> str:
    """Return bytes as text: readable characters as they are, all others as escapes."""
    if len(data) > SHOWN_BYTES:
        return f"{show(data[:30])} ... {show(data[-15:])}   ({len(data)} bytes)"
    text = data.decode("utf-8", "surrogateescape")
    return "".join(map(show_character, text))


def show_character(char: str) -> str:
    if char.isprintable() and char != "\\":
        return char
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def on_the_wire(error: OSError, who: str = "the server") -> str:
    """Return what has happened to the connection, as a person would say it."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there any more"
    if isinstance(error, ConnectionResetError):
        return f"{who} has reset the connection"
    if isinstance(error, (BrokenPipeError, ConnectionAbortedError)):
        return f"{who} has ended the connection"
    return f"{who} has ended the connection, it seems: {error.strerror or error}"


def indent(text: str) -> str:
    return text.replace("\n", "\n          ")
