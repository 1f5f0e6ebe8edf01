"""Which names a nick or a channel may have, when two names are the same, and masks.  Pure.

Source: RFC 2812 sections 2.2 (case), 2.3.1 (grammar) and 2.5 (wildcards); RFC 2811 section 2.1
(channel names); modern.ircdocs.horse "Wildcard Expressions".
"""

import re
import string
from functools import lru_cache

CASEMAPPING = "rfc1459"  # 005 tells clients; both RFCs have this mapping
NICK_LENGTH = 30  # RFC 2812 says 9; 30 is what networks use today, and clients read it in 005
USER_LENGTH = 18  # so that nick!user@host is far shorter than a line; longer ones are cut
REALNAME_BYTES = 150  # leaves room in WHO, whose lines also contain nick, user, host and server
CHANNEL_LENGTH = 50  # RFC 2811 section 2.1
CHANNEL_TYPES = "#&"  # & means a channel of this server only; here all channels are

# Scandinavian terminals showed {|} and ~ as the small letters of [\] and ^.
FOLDS = str.maketrans(string.ascii_uppercase + "[]\\~", string.ascii_lowercase + "{}|^")

SPECIAL = re.escape("[]\\`_^{|}")
NICK = re.compile(rf"[A-Za-z{SPECIAL}][A-Za-z0-9{SPECIAL}-]*")
# No space, comma or control character, and nothing that changes the direction of a line, breaks it or
# is invisible (joiners may stay: Persian and emoji need them).  The RFCs forbid only NUL, BEL, CR and
# LF, but LIST shows a name to everybody, and a name that looks like #tea must be #tea.  U+FFFD stands
# for something that was removed before.
UNSEEN = r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd"
CHANNEL = re.compile(rf"[{CHANNEL_TYPES}][^\x00-\x20,\x7f-\x9f{UNSEEN}\udc80-\udc9f]*")

STAR, ANY = "\0", "\r"  # in a mask that is ready for use; no line contains these two
WILD = {"*": STAR, "?": ANY}


@lru_cache(maxsize=512)  # the same few names are used again and again
def fold(name: str) -> str:
    """Give a form that is the same for all spellings of one name."""
    return name.translate(FOLDS)


def each_once(names: str) -> list[str]:
    """Split `a,b,A` at its commas; two spellings of one name count once."""
    return list({fold(name): name for name in names.split(",")}.values())


def is_nick(name: str) -> bool:
    """Return whether a user may have this name."""
    return len(name) <= NICK_LENGTH and NICK.fullmatch(name) is not None


def is_channel(name: str) -> bool:
    """Return whether a channel may have this name."""
    return len(name) <= CHANNEL_LENGTH and CHANNEL.fullmatch(name) is not None


def mask(pattern: str) -> str:
    r"""Give a mask in the form that Name.fits() needs: one character for each token, in lower case.

    `*` is any characters and `?` one; `\*` and `\?` are themselves.
    """
    wild = re.sub(r"\\?[*?]", lambda found: WILD.get(found[0], found[0][-1]), pattern)
    return wild.translate(FOLDS)


class Name:
    """A name that can be compared with masks, each in one walk along the mask, for any number of stars.

    At each step we know all places in the name that may have been reached.  Such a set of places
    is a number: bit 3 means that three letters are behind us.  So nothing is ever tried again: the
    time for `*a*a*a*b` grows with its length, and does not double with each star.
    """

    def __init__(self, text: str):
        self._end = 1 << len(text)
        self._all = 2 * self._end - 1
        self._before: dict[str, int] = {}  # letter -> the places in front of this letter
        for place, letter in enumerate(text.translate(FOLDS)):
            self._before[letter] = self._before.get(letter, 0) | 1 << place

    def fits(self, mask: str) -> bool:
        """Return whether a mask matches the whole name."""
        reached = 1
        for token in mask:
            if token == STAR:
                reached = -(reached & -reached) & self._all  # the first of them, and all behind it
            elif token == ANY:
                reached = reached << 1 & self._all
            else:
                reached = (reached & self._before.get(token, 0)) << 1
            if not reached:
                return False
        return reached & self._end != 0


def fits(pattern: str, text: str) -> bool:
    """Return whether a mask, as it was typed, matches a name."""
    return Name(text).fits(mask(pattern))


def is_mask(pattern: str) -> bool:
    """Return whether this is a mask and not a plain name."""
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
