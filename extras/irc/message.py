"""IRC messages: bytes to Message and back.  Pure: no socket, no state.

    @time=2026-01-01T00:00:00Z :alice!al@host PRIVMSG #tea :hello there
    `-- tags                  `-- source      `-- command, `-- params: two, the last with a colon

Source: RFC 2812 section 2.3.1 (the grammar), modern.ircdocs.horse "Message Format", IRCv3
message-tags.  Text is UTF-8 on the wire.  Bytes that are not (old clients speak Latin-1) become
placeholders (lone surrogates) through `surrogateescape`, and the same bytes again on the way out,
unless clean() removes them; everything else is real text, so `?` in a mask is one letter, not one byte.
"""

import re
from typing import NamedTuple

# RFC 2812 section 2.3: 512 bytes with the CR LF, so 510 without.
MAX_MESSAGE_BYTES = 510
# IRCv3 message-tags: what a client may send before its message, "@" and " " included.
MAX_TAGS_BYTES = 4096
# The longest line that we store: tags that a *server* may send, and a message.  A longer line is
# thrown away unread (417).
MAX_LINE_BYTES = 8191 + MAX_MESSAGE_BYTES
MAX_PARAMS = 15  # RFC 2812 section 2.3
# For a topic, a reason or an away text: what names and addresses leave of 510.
MAX_TEXT_BYTES = 390

# IRCv3 message-tags, "Escaping values".
ESCAPES = {";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n"}
NO_UTF8 = re.compile("[\udc80-\udcff]")  # what surrogateescape turns such bytes into
# Commands to a terminal, which are invisible: C0, DEL and C1.  Those with a meaning in IRC stay: CTCP
# (01), tab, bold (02), colours (03, 04), plain (0f), monospace (11), reverse (16), italics, strike
# and underline (1d, 1e, 1f).  Source: modern.ircdocs.horse/formatting.
CONTROLS = r"\x00\x05-\x08\x0a-\x0e\x10\x12-\x15\x17-\x1c\x7f-\x9f"
UNSAFE = re.compile(f"[{CONTROLS}]")
UNSAFE_OR_RAW = re.compile(rf"[{CONTROLS}\udc80-\udcff]")
SPECIAL = re.compile(r"[; \\\r\n]")  # to look for them costs a fifth of str.translate()
UNESCAPES = {escaped[1]: char for char, escaped in ESCAPES.items()}


class Message(NamedTuple):
    """One parsed line; `source` is "" if there was none."""

    tags: dict[str, str]
    source: str
    command: str
    params: list[str]


def parse_message(line: bytes, utf8_only: bool = False) -> Message | None:
    """Split a line, without its delimiter, and clean it; None if it has no command.

    Any bytes at all give a Message or None: it never raises.
    """
    parts = split_message(line, utf8_only)
    return Message(*parts) if parts else None


def split_message(line: bytes, utf8_only: bool = False) -> tuple[dict[str, str], str, str, list[str]] | None:
    """Do the same for who takes the parts at once: a plain tuple is made in a third of the time."""
    text = line.decode("utf-8", "surrogateescape")
    tags, source = {}, ""
    if text[:1] in " @":  # rare: most messages begin with their command
        text = text.lstrip(" ")
        if text[:1] == "@":
            tag_text, _, text = text[1:].partition(" ")
            tags, text = parse_tags(clean(tag_text)), text.lstrip(" ")
    if not text.isprintable():  # nearly every message is; this is the fastest check that Python has
        text = clean(text, utf8_only)
    if text[:1] == ":":
        source, _, text = text[1:].partition(" ")
        text = text.lstrip(" ")
    head, colon, last = text.partition(" :")
    params = head.split(" ")  # split() would also split at tabs
    if "" in params:
        params = [word for word in params if word]
        if not params:
            return None
    command = params.pop(0)
    if colon:
        params.append(last)
    if len(params) > MAX_PARAMS:  # RFC 2812 section 2.3.1: the 15th is all the rest
        params[MAX_PARAMS - 1 :] = [" ".join(params[MAX_PARAMS - 1 :])]
    return tags, source, command.upper() if command.isascii() else command, params


def clean(text: str, utf8_only: bool = False) -> str:
    """Replace by U+FFFD what a terminal would obey; with `utf8_only`, also what is not UTF-8.

    We do not just leave it out: so a name with U+FFFD is refused, and in a text one can see it.
    """
    return (UNSAFE_OR_RAW if utf8_only else UNSAFE).sub("\ufffd", text)


def is_utf8(line: bytes) -> bool:
    """Return whether a line is UTF-8."""
    return not NO_UTF8.search(line.decode("utf-8", "surrogateescape"))


def fit(line: bytes) -> bytes | None:
    """Cut a line, without its delimiter, to the length of a message; None if there are too many tags.

    A client shows what it has sent before it knows whether it arrived.  If we refused the whole line,
    its user would believe that all of it was read.  Nobody types tags by hand, so those are refused.
    """
    tags_bytes = (line.find(b" ") + 1 or len(line)) if line.startswith(b"@") else 0
    return None if tags_bytes > MAX_TAGS_BYTES else cut(line, tags_bytes + MAX_MESSAGE_BYTES)


def parse_tags(text: str) -> dict[str, str]:
    """Split `key=value;key`; a key without a value has the value "".

    A tag that is not UTF-8 is left out: IRCv3 message-tags forbids it, but the message is fine.
    """
    pairs = (tag.partition("=") for tag in text.split(";") if not NO_UTF8.search(tag))
    return {key: _unescape(value) for key, _, value in pairs if key}


def _unescape(value: str) -> str:
    # An unknown escape loses its backslash, and so does one at the end.
    return re.sub(r"\\([\s\S]?)", lambda escape: UNESCAPES.get(escape[1], escape[1]), value)


def format_tags(tags: dict[str, str]) -> str:
    """Give `@key=value;key ` with the closing space, or "" for no tags."""
    if not tags:
        return ""
    return (
        "@" + ";".join([f"{key}={SPECIAL.sub(_escape, value)}" if value else key for key, value in tags.items()]) + " "
    )


def _escape(special: re.Match[str]) -> str:
    return ESCAPES[special[0]]


def format_message(command: str, *params: str, source: str = "", text: str | None = None) -> bytes:
    """Give the line of a message: at most 510 bytes, without its delimiter.

    `text` is a last parameter for people: it always gets a colon, as in `PRIVMSG bob :hi`.  A last
    parameter that is a name gets one only if it needs one: `JOIN #tea`.
    Raises: ValueError for what no line can contain (our mistake, never a peer's).
    """
    if text is None and params and (not params[-1] or " " in params[-1] or params[-1][0] == ":"):
        params, text = params[:-1], params[-1]
    for param in params:
        if not param or " " in param or param[0] == ":":
            raise ValueError(f"only the last parameter may look like {param!r}")
    words = [command, *params]
    if source:
        words.insert(0, ":" + source)
    if text is not None:
        words.append(":" + text)
    return encode(" ".join(words))


def encode(line: str) -> bytes:
    """Encode a line, and cut it to its limit.

    Raises: ValueError for a line break or NUL inside: it would make a second message.
    """
    if "\n" in line or "\r" in line or "\0" in line:
        raise ValueError(f"a message is one line: {line!r}")
    data = line.encode("utf-8", "surrogateescape")
    return data if len(data) <= MAX_MESSAGE_BYTES else cut(data, MAX_MESSAGE_BYTES)


def encode_page(page: str) -> list[bytes]:
    """Encode lines with LF between them, and cut each to its limit."""
    lines = page.encode("utf-8", "surrogateescape").split(b"\n")
    return [line if len(line) <= MAX_MESSAGE_BYTES else cut(line, MAX_MESSAGE_BYTES) for line in lines]


def size(text: str) -> int:
    """Give the bytes that a text takes on the wire."""
    return len(text.encode("utf-8", "surrogateescape"))


def cut_text(text: str, limit: int) -> str:
    """Cut a text to `limit` bytes."""
    return cut(text.encode("utf-8", "surrogateescape"), limit).decode("utf-8", "surrogateescape")


def cut_words(words: str, limit: int, between: str = " ") -> list[str]:
    """Cut a list of words into lines of up to `limit` bytes, between two of them; a longer word is a line, too."""
    lines = []
    while size(words) > limit and between in words:
        end = cut_text(words, limit + 1).rfind(between)
        end = end if end > 0 else words.index(between)
        lines.append(words[:end])
        words = words[end + 1 :]
    return [*lines, words]


def cut(data: bytes, limit: int) -> bytes:
    """Cut to `limit` bytes, never inside a UTF-8 character."""
    if len(data) <= limit:
        return data
    end = limit
    while end > limit - 3 and data[end] & 0xC0 == 0x80:  # a continuation byte: back to its first
        end -= 1
    return data[: end if data[end] & 0xC0 != 0x80 else limit]
