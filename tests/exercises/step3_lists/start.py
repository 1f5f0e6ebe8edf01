"""Exercise: send a list of names in lines of at most 1024 bytes: `USERS alice bob carol …`."""

MAX_LINE_BYTES = 1024


def list_lines(verb: str, names: list[str]) -> list[bytes]:
    """Return as few lines as possible; each has the verb and some of the names, in their order."""
    # TODO: this is one line, however long
    return [" ".join([verb, *names]).encode()]
