"""Standard input, output and error, in whatever state they are given to us.

A program cannot choose them: whoever starts it may have closed one (`2>&-`), put a full disk or
a pipe without a reader behind it, or left it in non-blocking mode (some ssh and some shells do).
Every program of this tutorial calls `mend_streams` first.
"""

import contextlib
import os
import sys
from typing import TextIO


class CannotWrite(Exception):
    """A stream takes no more of what we write; says why in one line."""


def mend_streams() -> None:
    """Open what is closed, and let reads and writes wait.

    Python has None for a closed stream, and the system would give its number to our next socket.
    """
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        if getattr(sys, name) is None:
            # It gets the lowest free number: this one.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, it stays open
        elif hasattr(os, "set_blocking"):
            with contextlib.suppress(OSError):  # NOTE: Windows has modes for pipes only
                os.set_blocking(number, True)


def write(stream: TextIO, data: bytes | str) -> None:
    """Write all of it, at once.  Raises: CannotWrite.

    Past Python's buffers: these keep what could not be written, try again when the program
    ends, and turn its exit status into 120.
    """
    if isinstance(data, str):
        data = data.encode(stream.encoding, "backslashreplace")  # for terminals that lack a character
    raw = getattr(stream.buffer, "raw", stream.buffer)  # the same where `python -u` has no buffers
    try:
        while data:
            data = data[raw.write(data) :]
    except OSError as error:
        raise CannotWrite(f"cannot write to {stream.name} any more: {error.strerror}") from error


def tell(text: str) -> None:
    """Write a remark to standard error; without a reader there, nobody can be told."""
    with contextlib.suppress(CannotWrite):
        write(sys.stderr, text + "\n")
