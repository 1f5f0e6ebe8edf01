"""Make lines of limited length from a list of any length.  No socket here."""

from collections.abc import Iterable, Iterator

from step3_protocol.protocol import format_line
from step4_framing.framing import MAX_LINE_BYTES


def list_lines(names: Iterable[str], *head: str) -> Iterator[bytes]:
    """Yield lines "USERS alice bob …", each within MAX_LINE_BYTES; none for no names.

    Names are ASCII, so one character is one byte.
    """
    text, begin = " ".join(names), 0
    room = MAX_LINE_BYTES - len(" ".join(head)) - 1
    while len(text) - begin > room:
        end = text.rindex(" ", begin, begin + room + 1)
        yield format_line(*head, text[begin:end])
        begin = end + 1
    if text:
        yield format_line(*head, text[begin:])
