"""Commands: what a page may ask for, and the scenes.

command   a JSON object: {"do": "pause"}; "lane" says who is to do something: one of our own players
piece     bytes that are sent alone, and arrive as a chunk of their own
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from extras.glass.players import Player

if TYPE_CHECKING:
    from extras.glass.house import House  # which imports us

Command = dict[str, Any]

LONG_TEXT = 16384  # characters of a text or of data
MANY_LINES = 100_000  # of a flood: some seconds
MAX_RATE = 10_000  # steps a second: the slow motion of a test, in which nobody is to wait
GLUED = 10  # lines in one segment


def text_in(command: Command, key: str, default: str = "") -> str:
    """Return a text of a command.  Raises: ValueError."""
    text = command.get(key, default)
    if not isinstance(text, str) or len(text) > LONG_TEXT:
        raise ValueError(f"{key} is not a text, or too long")
    return text


def number_in(command: Command, key: str, default: float, low: float, high: float) -> float:
    """Return a number of a command.  Raises: ValueError."""
    value = command.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{key} is not a number from {low:g} to {high:g}")
    return value


def framed(text: str) -> bytes:
    """Return a line as a client sends it."""
    return text.encode("utf-8", "replace") + b"\n"


def usual_line(player: Player) -> str:
    """Return a line with something to see in it, which harms nobody else."""
    return f"MSG {player.name} café" if player.name else "HELP é"


def cut_at(data: bytes, cuts: object) -> list[bytes]:
    """Return the pieces of data between the offsets.  Raises: ValueError."""
    if not isinstance(cuts, list) or not all(type(cut) is int and 0 < cut < len(data) for cut in cuts):
        raise ValueError("cuts are offsets inside the data")
    ends = sorted({*cuts, len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends)]


def say(player: Player, command: Command) -> None:
    """Send a line."""
    player.do(player.send, [framed(text_in(command, "text"))])


def send(player: Player, command: Command) -> None:
    """Send bytes as they are, cut as asked."""
    try:
        data = text_in(command, "data").encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("data has one character a byte, none above 255") from None
    player.do(player.send, cut_at(data, command.get("cuts", [])))


def bytewise(player: Player, command: Command) -> None:
    """Send a line, each byte alone."""
    line = framed(text_in(command, "text", usual_line(player)))
    player.do(player.send, [bytes([byte]) for byte in line])


def glue(player: Player, command: Command) -> None:
    """Send many lines in one segment."""
    lines = command.get("lines", [text_in(command, "text", usual_line(player))] * GLUED)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError("lines is a list of texts")
    data = b"".join(map(framed, lines))
    if len(data) > LONG_TEXT:
        raise ValueError("lines are too long")
    player.do(player.send, [data])


def cut_in_char(player: Player, command: Command) -> None:
    """Send a line that is cut inside its first character of more than one byte."""
    line = framed(text_in(command, "text", usual_line(player)))
    # In UTF-8, the second byte of such a character is the first of this kind.  Source: RFC 3629, section 3
    at = next((at for at, byte in enumerate(line) if 0x80 <= byte < 0xC0), None)
    if at is None:
        raise ValueError("there is no character of more than one byte in it")
    player.do(player.send, cut_at(line, [at]))


def flood(player: Player, command: Command) -> None:
    """Send the same line again and again, as fast as the server reads."""
    text = text_in(command, "text", usual_line(player))
    if "to" in command:
        text = f"MSG {text_in(command, 'to')} " + "x" * int(number_in(command, "bytes", 100, 1, 1000))
    player.do(player.flood, framed(text), int(number_in(command, "lines", 1000, 1, MANY_LINES)))


def reset(player: Player, command: Command) -> None:
    """End as a crash would: now, not after what is still to be done."""
    player.drop_jobs()
    player.do(player.reset)


def silent(player: Player, command: Command) -> None:
    """Say nothing more."""
    player.drop_jobs()


PLAYS: dict[str, Callable[[Player, Command], None]] = {
    "say": say,
    "send": send,
    "bytewise": bytewise,
    "glue": glue,
    "cut_in_char": cut_in_char,
    "flood": flood,
    "reset": reset,
    "silent": silent,
    "half_close": lambda player, command: player.do(player.half_close),
    "stop_reading": lambda player, command: player.players.watch(player, False),
    "read_again": lambda player, command: player.players.watch(player, True),
}


def obey(house: "House", command: Any) -> Player | None:
    """Do what a page asks for; return whom `add` has made.  Raises: ValueError with what is wrong.

    Blocks: never, but for `server` and `scene`: until the server before has stopped.
    """
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        raise ValueError('a command is {"do": …}')  # noqa: TRY004 (as all that is wrong with a command)
    do, gate = command["do"], house.gate
    if do in ("pause", "run"):
        getattr(gate, do)()
    elif do == "step":
        gate.step(text_in(command, "thread") or None)
    elif do == "rate":
        gate.set_rate(number_in(command, "rate", 0, 0, MAX_RATE))
    elif do == "server":
        house.change(text_in(command, "server"))
    elif do == "scene":
        number = int(number_in(command, "scene", 1, 1, 100))
        house.direct(lambda director: director.start(number))
    elif do == "next":
        house.direct(lambda director: director.next())
    elif do == "add" or do == "silent" and "lane" not in command:
        return house.server.players.add(text_in(command, "name"))
    elif do in PLAYS:
        PLAYS[do](house.server.players.of(command.get("lane")), command)
    else:
        raise ValueError(f"there is no command {do!r}")
    return None
