"""Tags: what stands in front of a message, for clients that asked: its time, its id, what its sender adds.

    @time=2026-11-28T12:00:00.000Z;msgid=69c8f2-17;+typing=active :alice!al@host TAGMSG #tea

Source: IRCv3 message-tags (and TAGMSG), message-ids, server-time, echo-message, bot-mode.
"""

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.replies import ERR_UNKNOWNCOMMAND
from extras.irc.talk import speak

# What history keeps: so that one can ask for what came after it.
WITH_ID = {"PRIVMSG", "NOTICE", "TAGMSG", "JOIN", "PART", "QUIT", "KICK", "NICK", "MODE", "TOPIC", "RENAME", "BATCH"}
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Tags(Extension):
    """message-tags, server-time and echo-message."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (
            Capability("message-tags", "tags, and TAGMSG", tags=message_tags),
            Capability("server-time", "the time of each message", tags=time_tag),
            Capability("echo-message", "one's own messages come back"),
        )
        self.commands = {"TAGMSG": command(tagmsg)}


def tagmsg(me: Client, targets: str) -> None:
    """Send tags without a text (`+typing`) to clients that know tags.  IRCv3 message-tags."""
    if "message-tags" in me.caps:
        speak(me, "TAGMSG", targets, None)
    else:
        me.reply(ERR_UNKNOWNCOMMAND, "TAGMSG")


def message_tags(event: Event) -> Mapping[str, str]:
    """Give the id, whether a bot speaks, and what the sender has added."""
    if event.command not in WITH_ID or event.user is None:
        return event.tags
    tags = {"msgid": name} if (name := event.id) else {}
    if "B" in event.user.modes:
        tags["bot"] = ""
    return {**tags, **event.tags} if event.tags else tags


def time_tag(event: Event) -> Mapping[str, str]:
    """Give the time of an event."""
    return {"time": server_time(event.time)}


def server_time(moment: float) -> str:
    """Give a time as the tag `time` has it: UTC, ISO 8601, milliseconds."""
    milliseconds = int(moment * 1000)
    return f"{whole_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1)  # most events are of the same second as the one before
def whole_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def time_of(text: str) -> int | None:
    """Give the milliseconds of a time as server_time() writes it; None if it is none."""
    if not TIME.fullmatch(text):
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
