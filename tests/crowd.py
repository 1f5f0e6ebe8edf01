"""Many clients at once: log them in, let them talk, and gather what each one hears."""

import contextlib
import sys

from tests.wire import Wire


@contextlib.contextmanager
def eager_threads():
    """Let Python change threads as often as it can, so that races happen here and now."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def log_in(connect, server, *names: str) -> list[Wire]:
    """Return a client for each name; what they heard about one another is read."""
    wires = [connect(server) for _ in names]
    for wire, name in zip(wires, names):
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
    for wire in wires:
        wire.request("HELP")
    return wires


def talk(wires: list[Wire], lines_of: list[list[str]]) -> list[list[str]]:
    """Send each client's lines, all at once; return the events that each one hears.

    Each line must get its OK, and each client one event for each line of the others.
    """
    total = sum(len(lines) for lines in lines_of)
    for wire, lines in zip(wires, lines_of):
        wire.send("".join(line + "\n" for line in lines).encode())
    all_events = []
    for wire, lines in zip(wires, lines_of):
        heard = [wire.read_line() for _ in range(total)]
        assert heard.count("OK") == len(lines)
        all_events.append([line for line in heard if line != "OK"])
    for wire in wires:  # what is still queued for somebody would stand before this reply
        assert wire.request("HELP").events == []
    return all_events
