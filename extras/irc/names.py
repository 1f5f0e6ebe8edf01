"""What a nick or a channel may be called, when two names are one, and masks.  Pure.

Source: RFC 2812 sections 2.2 (case), 2.3.1 (grammar) and 2.5 (wildcards); RFC 2811 section 2.1
(channel names); modern.ircdocs.horse "Wildcard Expressions".
"""

import re
import string
from functools import lru_cache

CASEMAPPING = "rfc1459"  # told to clients in 005; the one mapping that both RFCs know
NICK_LENGTH = 30  # RFC 2812 says 9; 30 is what networks use today, and clients read it in 005
USER_LENGTH = 18  # keeps nick!user@host well inside a line; longer ones are cut
REALNAME_BYTES = 150  # leaves room in WHO, whose line also has nick, user, host and server
# What a mask of nick!user@host needs; and so much more would make a search dear.
MAX_WILDCARDS = 16
CHANNEL_LENGTH = 50  # RFC 2811 section 2.1
CHANNEL_TYPES = "#&"  # & is a channel of this server only, which here they all are

# Scandinavia again: its terminals showed {|} and ~ for the small forms of [\] and ^.
FOLDS = str.maketrans(string.ascii_uppercase + "[]\\~", string.ascii_lowercase + "{}|^")

SPECIAL = re.escape("[]\\`_^{|}")
NICK = re.compile(rf"[A-Za-z{SPECIAL}][A-Za-z0-9{SPECIAL}-]*")
# No space, comma or control character, raw or in UTF-8, and nothing that turns a line round, breaks
# it or cannot be seen (joiners may stay: Persian and emoji are spelt with them).  The RFCs forbid
# only NUL, BEL, CR and LF, but LIST shows a name to everybody, and what looks like #tea shall be
# #tea.  U+FFFD stands for what has been refused already.
UNSEEN = r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd"
CHANNEL = re.compile(rf"[{CHANNEL_TYPES}][^\x00-\x20,\x7f-\x9f{UNSEEN}\udc80-\udc9f]*")


@lru_cache(maxsize=512)  # the same few names come again and again
def fold(name: str) -> str:
    """Give the form that is equal for two spellings of one name."""
    return name.translate(FOLDS)


def is_nick(name: str) -> bool:
    """Tell if a user may be called this."""
    return len(name) <= NICK_LENGTH and NICK.fullmatch(name) is not None


def is_channel(name: str) -> bool:
    """Tell if a channel may be called this."""
    return len(name) <= CHANNEL_LENGTH and CHANNEL.fullmatch(name) is not None


class Piece:
    """What stands between two stars of a mask: runs of letters, each at its place, and gaps (`?`)."""

    def __init__(self, runs: list[str]):
        self.size = len("?".join(runs))
        self._runs, at = [], 0
        for run in runs:
            if run:
                self._runs.append((at, run))
            at += len(run) + 1

    def fits(self, name: str, at: int) -> bool:
        """Tell if the piece stands at this place of the name."""
        for offset, run in self._runs:
            if not name.startswith(run, at + offset):
                return False
        return 0 <= at <= len(name) - self.size

    def find(self, name: str, start: int) -> int:
        """Give the first place from `start` on where the piece stands, or -1."""
        offset, run = self._runs[0] if self._runs else (0, "")
        at = name.find(run, start + offset) - offset
        while at >= start:
            if self.fits(name, at):
                return at
            at = name.find(run, at + 1 + offset) - offset
        return -1


class Mask:
    r"""A mask: `*` is any characters, `?` one, `\*` and `\?` themselves; case folds.

    The pieces between stars are looked for from left to right, each once and at the first
    place where it fits: a later place could never help, so nothing is ever tried again.
    `*a*a*a*b` takes as long as it is, not two to the power of it.  With more than MAX_WILDCARDS
    it fits nothing.
    """

    def __init__(self, pattern: str):
        pieces = [[""]]
        for token in re.findall(r"\\[*?]|.", pattern, re.DOTALL):
            if token == "*":
                pieces.append([""])
            elif token == "?":
                pieces[-1].append("")
            else:
                pieces[-1][-1] += token[-1].translate(FOLDS)
        self._head, *self._middle = [Piece(runs) for runs in pieces]
        self._tail = self._middle.pop() if self._middle else None
        self.is_simple = wildcards(pattern) <= MAX_WILDCARDS

    def matches(self, name: str) -> bool:
        """Tell if the mask fits the whole name."""
        name, at = fold(name), self._head.size
        if not self.is_simple or not self._head.fits(name, 0):
            return False
        if self._tail is None:
            return len(name) == at
        for piece in self._middle:
            found = piece.find(name, at)
            if found < 0:
                return False
            at = found + piece.size
        start = len(name) - self._tail.size
        return start >= at and self._tail.fits(name, start)


def wildcards(pattern: str) -> int:
    """Count the stars and question marks of a mask."""
    return pattern.count("*") + pattern.count("?")


def is_mask(pattern: str) -> bool:
    """Tell a mask from a plain name."""
    return "*" in pattern or "?" in pattern


def complete_mask(text: str) -> str:
    """Fill a ban up to nick!user@host: `bob` is bob!*@*, and `*.org` is *!*@*.org."""
    nick, bang, rest = text.partition("!")
    if not bang:
        if "@" in text:
            nick, rest = "*", text
        elif "." in text or ":" in text:
            nick, rest = "*", "*@" + text
    user, _, host = rest.partition("@")
    return f"{nick or '*'}!{user or '*'}@{host or '*'}"
