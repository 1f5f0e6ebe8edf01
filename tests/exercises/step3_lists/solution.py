"""Solution: send a list of names in lines of at most 1024 bytes: `USERS alice bob carol …`."""

MAX_LINE_BYTES = 1024


def list_lines(verb: str, names: list[str]) -> list[bytes]:
    """Return as few lines as possible; each has the verb and some of the names, in their order."""
    lines = []
    for name in names:
        word = b" " + name.encode()  # a limit in bytes is counted in bytes
        if not lines or len(lines[-1]) + len(word) > MAX_LINE_BYTES:
            lines.append(verb.encode())
        lines[-1] += word
    return lines
