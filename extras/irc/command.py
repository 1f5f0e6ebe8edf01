"""A row of the table of commands: what is to be known of a command besides its function.

    def kick(me, names, nicks, reason=""):  ...     KICK <names> <nicks> [<reason>]

`me` is the Client that sent it.  A parameter without a default must be there (otherwise 461); more
parameters than the function has are left out.  A command with a long answer is a generator: at each
`yield` it may have to wait for its reader, and others come in between.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import NamedTuple

from extras.irc.message import MAX_PARAMS

Function = Callable[..., Iterator[None] | None]


class Command(NamedTuple):
    """One command."""

    function: Function
    least: int  # parameters that must be there
    most: int  # parameters that it looks at
    # Also before registration, or for who has this capability; otherwise that is answered with 451.
    early: bool | str
    locked: bool  # runs under the world's lock; one that does not takes it for what it changes
    free: bool  # does not count as a message of a client that sends too much
    only_utf8: bool  # with other bytes it is refused; of others, these bytes become U+FFFD


def command(
    function: Function, early: bool | str = False, locked: bool = True, free: bool = False, only_utf8: bool = False
) -> Command:
    """Give the row of a function, or of an extension's method; the numbers are read from it."""
    _, *parameters = inspect.signature(function).parameters.values()
    least = sum(
        parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        for parameter in parameters
    )
    takes_all = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    most = MAX_PARAMS if takes_all else len(parameters)
    return Command(function, least, most, early, locked, free, only_utf8)
