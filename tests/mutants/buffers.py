"""Line buffers, each wrong in one way, for --python step4=tests/mutants/buffers.py:NAME"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the catalogue, however this file is loaded

from catalogue import Catalogue

from step4_framing.framing import MAX_LINE_BYTES, LineTooLong

BUFFERS = Catalogue()
caught_by = BUFFERS.caught_by


class Simple:
    """A buffer in a few lines, right but for its speed; each mutant changes one thing."""

    def __init__(self, max_line_bytes=MAX_LINE_BYTES):
        self.max_line_bytes = max_line_bytes
        self.data = b""
        self.skipping = False

    def feed(self, chunk):
        self.data += chunk

    def next_line(self):
        while b"\n" in self.data:
            line, _, self.data = self.data.partition(b"\n")
            line = self.trim(line)
            if self.skipping:
                self.skipping = False
            elif self.too_long(line):
                raise LineTooLong
            else:
                return line
        if self.skipping or self.too_long(self.trim(self.data)):
            self.data = b""
            if not self.skipping:
                self.skipping = True
                raise LineTooLong
        return None

    def trim(self, line):
        return line.removesuffix(b"\r")

    def too_long(self, line):
        return len(line) > self.max_line_bytes


@caught_by("test_any_cut_gives_the_lines_of_the_whole")
class TakesAChunkForALine(Simple):
    """It returns what is there."""

    def next_line(self):
        line, self.data = self.data.strip(b"\r\n"), b""
        return line or None


@caught_by("test_any_cut_gives_the_lines_of_the_whole")
class LooksForTheEndInTheNewChunkOnly(Simple):
    """It sees CR LF only where both come in one chunk."""

    def feed(self, chunk):
        self.data += chunk.replace(b"\r\n", b"\n")

    def trim(self, line):
        return line


@caught_by("test_any_cut_gives_the_lines_of_the_whole")
class TakesAllCarriageReturnsOff(Simple):
    """It uses rstrip(), which takes more than one."""

    def trim(self, line):
        return line.rstrip(b"\r")


@caught_by("test_the_limit_counts_the_line_without_its_delimiter")
class CountsTheCarriageReturn(Simple):
    """It finds a line of the limit and its CR too long, while the LF is on its way."""

    def trim(self, line):
        return line if line is self.data else line.removesuffix(b"\r")


@caught_by("test_the_limit_counts_the_line_without_its_delimiter")
class ChecksPartialLinesOnly(Simple):
    """It finds a line too long only while it waits for its end: it depends on the cuts."""

    def next_line(self):
        if b"\n" in self.data and not self.skipping:
            line, _, self.data = self.data.partition(b"\n")
            return self.trim(line)
        return super().next_line()


@caught_by("test_any_cut_gives_the_lines_of_the_whole")
class LosesTheLineAfterALongOne(Simple):
    """It throws away all that it holds, the next line too."""

    def next_line(self):
        try:
            return super().next_line()
        except LineTooLong:
            self.data = b""
            raise


@caught_by("test_a_200_megabyte_line_costs_the_limit_and_one_exception")
class HoldsALongLine(Simple):
    """It says that a line is too long when it has all of it."""

    def next_line(self):
        return super().next_line() if b"\n" in self.data else None


@caught_by("test_a_200_megabyte_line_costs_the_limit_and_one_exception")
class SaysTooLongAgainAndAgain(Simple):
    """It reports each piece of a long line."""

    def next_line(self):
        self.skipping = False
        return super().next_line()


@caught_by("test_a_hundred_times_the_bytes_take_about_a_hundred_times_the_work")
class CopiesTheRestForEachLine(Simple):
    """It is right, and slow: partition() copies all that is left, for each line."""


@caught_by("test_cases_that_one_should_know")
class NeverSaysNone(Simple):
    """It returns empty lines for ever."""

    def next_line(self):
        return super().next_line() or b""
