"""Many clients at once: log them in, let them talk, and collect what each one gets."""

from extras.broadcast.experiment import Unlocked
from step5_server.codec import LineCodec
from tests.wire import Wire


def log_in(connect, server, *names: str) -> list[Wire]:
    """Return a client for each name; what they heard about one another is read."""
    wires = [connect(server) for _ in names]
    for wire, name in zip(wires, names):
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
    for wire in wires:
        wire.request("HELP")
    return wires


def talk(wires: list[Wire], lines_of: list[list[str]]) -> list[list[str]]:
    """Send all clients' lines, a few of each at a time; return the events that each one hears.

    In big chunks, other users would rarely come in between.
    Each line must get its OK, and each client one event for each line of the others.
    """
    total = sum(len(lines) for lines in lines_of)
    for start in range(0, max(map(len, lines_of)), 3):
        for wire, lines in zip(wires, lines_of):
            wire.send("".join(line + "\n" for line in lines[start : start + 3]).encode())
    all_events = []
    for wire, lines in zip(wires, lines_of):
        heard = [wire.read_line() for _ in range(total)]
        oks = [line for line in heard if line.split(" ")[0] == "OK"]
        assert len(oks) == len(lines), f"{len(oks)} OKs for {len(lines)} lines"
        all_events.append([line for line in heard if line not in oks])
    for wire in wires:  # what is still queued for somebody would stand before this reply
        assert wire.request("HELP").events == []
    return all_events


def follow(lines: list[str], name: str, listed: str, came: str, left: str) -> tuple[set, list]:
    """Return the users that `name` must think are here after these lines, and the lines that cannot be true.

    A user who is here cannot come, and one who is not here cannot leave.
    """
    here, wrong = set(), []
    for line in lines:
        verb, *words = line.split()
        if verb == listed:
            here = set(words) - {name}
        elif verb == came:
            if words[-1] in here | {name}:
                wrong.append(line)
            here.add(words[-1])
        elif verb == left:
            if words[-1] not in here:
                wrong.append(line)
            here.discard(words[-1])
    return here, wrong


def without_lock(server_class: type) -> type:
    """Return the server, with requests that are no longer critical sections."""

    class UnlockedHandler(server_class.handler_class):
        def setup(self):
            super().setup()
            self.registry = Unlocked(self.registry)

    class UnlockedServer(server_class):
        handler_class = UnlockedHandler

    return UnlockedServer


class Walkon:
    """A user without a connection, to fill a server with thousands."""

    def __init__(self, name: str):
        self.name = name
        self.outbox, self.codec = self, LineCodec()

    def put(self, data: bytes) -> None:
        pass

    def flush(self) -> None:
        pass
