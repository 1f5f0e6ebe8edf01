"""Lessons: what a failing check tells, for whoever wrote the server or client under test.

rule      a sentence that every server, client or buffer must keep, and its place in our text
lesson    one rule broken: what was sent, what was expected, what came, and one hint
check     a test with a rule; it knows nothing of our own code, so it can judge anybody's
"""

import threading

import pytest

PROTOCOL = "step3_protocol/PROTOCOL.md"
LINES = f"{PROTOCOL}#lines"
REQUESTS = f"{PROTOCOL}#requests-and-replies"
VERBS = f"{PROTOCOL}#the-extras-verbs"
SHOWN_BYTES = 60  # of one chunk: enough to recognise it
SHOWN_STEPS = 24  # of the conversation: the last ones are those that matter


def rule(title: str, at: str, hint: str):
    """Mark a test as the check of one rule."""
    return pytest.mark.rule(title=title, at=at, hint=hint)


class Lesson(AssertionError):
    """A rule is broken."""

    def __init__(self, expected: str, came: str, story: "Story | None" = None, waited: bool = False):
        super().__init__(f"expected {expected}; came {came}")
        self.expected = expected
        self.came = came
        self.story = story  # anything with lines()
        self.waited = waited  # as long as we wait at all, and in vain

    def tell(self, title: str, at: str, hint: str = "", more: str = "") -> str:
        """Return the lesson as text, with `more` before the hint."""
        told = [f"rule      {title}", f"          {at}"]
        if self.story and (lines := self.story.lines()):
            told += ["", *lines]
        told += ["", f"expected  {indent(self.expected)}", f"came      {indent(self.came)}"]
        if more:
            told += ["", more]
        if hint:
            told += ["", f"hint      {hint}"]
        return "\n".join(told)


class Meanwhile(threading.Thread):
    """A call that goes on beside the test, in a thread of its own; join() raises what it raised."""

    def __init__(self, function, *args):
        super().__init__(target=function, args=args)
        self.error = None
        self.start()

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # not for the thread to print: its stack trace is no lesson
            self.error = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self.error:
            raise self.error


class Story:
    """What went to and fro in one test, between all its clients and the server."""

    def __init__(self, legend: str = "> sent to the server, < came from it, | cut here: another send"):
        self.legend = legend
        self.steps = []  # (who, ">" or "<" or "", bytes or text), all of the test

    def add(self, who: str, mark: str, what: bytes | str) -> None:
        self.steps.append((who, mark, what))

    def lines(self) -> list[str]:
        """Return the last steps as a person reads them; neighbours of one direction on one line."""
        told = []
        for who, mark, what in self.steps[-SHOWN_STEPS * 50 :]:
            text = what if isinstance(what, str) else show(what)
            if told and told[-1][:3] == [who, mark, text]:
                told[-1][3] += 1
            elif mark == ">" and told and told[-1][:2] == [who, ">"] and len(told[-1][2]) < 2 * SHOWN_BYTES:
                told[-1][2] += "|" + text
            else:
                told.append([who, mark, text, 1])
        if not told:
            return []
        width = max(len(who) for who, *_ in told)
        lines = [f"    {who:>{width}} {mark} {text}" + f"   ({times} times)" * (times > 1)
                 for who, mark, text, times in told[-SHOWN_STEPS:]]
        if len(told) > SHOWN_STEPS:
            lines.insert(0, "    ...")
        return [f"what happened ({self.legend})", *lines]


def difference(wanted: bytes, came: bytes) -> tuple[str, str]:
    """Return both as text; of long ones, what stands where they begin to differ."""
    wanted_text, came_text = show(wanted) or "nothing more", show(came) or "nothing"
    if max(len(wanted), len(came)) > SHOWN_BYTES:
        at = next((at for at, (one, other) in enumerate(zip(wanted, came)) if one != other), min(len(wanted), len(came)))
        wanted_text += f"\nat byte {at + 1}: {show(wanted[at : at + 20]) or 'the end'}"
        came_text += f"\nat byte {at + 1}: {show(came[at : at + 20]) or 'the end'}"
    return wanted_text, came_text


def show(data: bytes) -> str:
    """Return bytes as text: what can be read as it is, all else as an escape."""
    if len(data) > SHOWN_BYTES:
        return f"{show(data[:30])} ... {show(data[-15:])}   ({len(data)} bytes)"
    text = data.decode("utf-8", "surrogateescape")
    return "".join(map(show_character, text))


def show_character(char: str) -> str:
    if char.isprintable() and char != "\\":
        return char
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(char) - 0xdc00:02x}"
    return char.encode("unicode_escape").decode()


def indent(text: str) -> str:
    return text.replace("\n", "\n          ")
