"""Make lines of limited length from a list of any length.  No socket here."""

from collections.abc import Iterable, Iterator

from step3_protocol.protocol import format_line
from step4_framing.framing import MAX_LINE_BYTES


def list_lines(names: Iterable[str], *head: str) -> Iterator[bytes]:
    """Yield lines "USERS alice bob …", each within MAX_LINE_BYTES; none for no names.

    Names are ASCII, so one character is one byte.
    """
    empty = len(" ".join(head))
    words, size = [], empty
    for name in names:
        if size + 1 + len(name) > MAX_LINE_BYTES:
            yield format_line(*head, " ".join(words))
            words, size = [], empty
        words.append(name)
        size += 1 + len(name)
    if words:
        yield format_line(*head, " ".join(words))
