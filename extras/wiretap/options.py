"""Read the wiretap's command line."""

import argparse

from step1_echo.serving import port_number


def address(text: str) -> tuple[str, int]:
    """Return (host, port) of "HOST:PORT"; an IPv6 host must be in brackets: "[::1]:9000"."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host) != bracketed:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9000 or [::1]:9000")
    return (host[1:-1] if bracketed else host), port_number(port)


def listen_address(text: str) -> tuple[str, int]:
    """Return (host, port) of "[HOST:]PORT"."""
    return address(text if ":" in text else f"127.0.0.1:{text}")


def whole(text: str) -> int:
    """Return a whole number, 1 or more."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")


def duration(text: str) -> float:
    """Return a number of 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if 0 <= number < float("inf"):
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")


def parse_args() -> argparse.Namespace:
    """Return the options; a wrong one ends the program with a line that says what is wrong."""
    parser = argparse.ArgumentParser(
        description="Show what passes between a client and a server, and disturb it if asked."
    )
    add = parser.add_argument
    add(
        "--listen", metavar="[HOST:]PORT", type=listen_address, required=True,
        help="where clients connect to the tap; port 0 takes any free port",
    )  # fmt: skip
    add("--to", metavar="HOST:PORT", type=address, required=True, help="where the server is")
    add("--save", metavar="FILE", help="also write what is shown to FILE (a new one), as JSON lines")
    add = parser.add_argument_group(
        "to disturb the stream, as networks do", "No byte is changed, and only --cut loses any."
    ).add_argument
    add("--slice", metavar="N", type=whole, help="pass on at most N bytes at a time")
    add(
        "--glue", metavar="MS", type=duration, default=0,
        help="collect for MS milliseconds, then pass all of it on as one",
    )  # fmt: skip
    add(
        "--delay", metavar="MS", type=duration, default=0,
        help="pass each chunk on MS milliseconds later, and slices MS apart",
    )  # fmt: skip
    add(
        "--stall", metavar="SECONDS", type=duration, default=0,
        help="once the server sends something, read nothing from it for SECONDS: "
        "a slow consumer",
    )  # fmt: skip
    add(
        "--cut", metavar="N", type=whole,
        help="after N bytes in both directions together, reset both ends (RST)",
    )  # fmt: skip
    args = parser.parse_args()
    if args.listen == args.to:
        parser.error("--listen and --to are the same address: the tap would call itself")
    return args
