"""LIST: which channels there are, and the conditions that choose among them.

Source: RFC 2812 section 3.2.6, modern.ircdocs.horse "LIST message" and "ELIST Parameter".
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from functools import partial

from extras.irc.channels import is_secret_to
from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.more.replies import RPL_LIST, RPL_LISTEND, RPL_LISTSTART
from extras.irc.names import Name, fold, is_mask, mask
from extras.irc.state import Channel
from extras.irc.welcome import MAX_CONDITIONS


def list_channels(me: Client, conditions: str = "", server: str = "") -> Iterator[None]:
    """List channels, their size and topic; `>5`, `*tea*`, `!*bot*`, `C<60` and `T<60` choose.

    If there are names and masks, one of them must match; all other conditions must hold.  C and T are
    the minutes since the channel was made, and since its topic was set.
    RFC 2812 section 3.2.6, ELIST of 005.
    """
    me.reply(RPL_LISTSTART)
    tests = list(tests_of(conditions))
    for channel in list(me.world.channels.values()):
        yield
        # The channel may have ended since the list was made.
        is_shown = channel.members and not is_secret_to(me.user, channel)
        if is_shown and all(test(channel) for test in tests):
            me.reply(RPL_LIST, channel.name, len(channel.members), channel.topic)
    me.reply(RPL_LISTEND)


def tests_of(conditions: str) -> Iterator[Callable[[Channel], bool]]:
    """Turn the conditions of LIST into tests; a channel must pass all of them."""
    names, masks, unwanted = set(), [], []
    for text in list(filter(None, conditions.split(",")))[:MAX_CONDITIONS]:
        if found := re.fullmatch(r"([CT]?)([<>])([0-9]{1,9})", text):
            kind, sign, limit = found.groups()
            yield partial(is_measured, kind, sign, limit)
        elif text[0] == "!":
            unwanted.append(mask(text[1:]))
        elif is_mask(text):
            masks.append(mask(text))
        else:
            names.add(fold(text))
    if unwanted:
        yield lambda channel: not any(map(Name(channel.name).fits, unwanted))
    if names or masks:
        yield lambda channel: fold(channel.name) in names or any(map(Name(channel.name).fits, masks))


def is_measured(kind: str, sign: str, limit: str, channel: Channel) -> bool:
    """Return whether a number of the channel is above, or below, the limit."""
    number = measure(channel, kind)
    return number > int(limit) if sign == ">" else number < int(limit)


def measure(channel: Channel, kind: str) -> float:
    """Give the members, or the minutes since the making (C) or the topic (T), of a channel."""
    if kind == "":
        return len(channel.members)
    if kind == "T" and not channel.topic:
        return math.nan  # neither more nor less than any number
    return (time.time() - (channel.created_at if kind == "C" else channel.topic_at)) / 60


class ChannelList(Extension):
    """The command."""

    commands = {"LIST": command(list_channels)}
