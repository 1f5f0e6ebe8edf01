"""Multiline: a message may have line breaks, or be longer than a line; its client sends it as a batch.

    C: BATCH +1 draft/multiline #tea
    C: @batch=1 PRIVMSG #tea :a poem
    C: @batch=1 PRIVMSG #tea :of two lines
    C: BATCH -1

It is delivered when it is complete, as one event.  The label of the answer is at the batch's start.
Source: IRCv3 multiline, client-batch.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from extras.irc.client import Client, Response
from extras.irc.command import command
from extras.irc.event import Event, Said
from extras.irc.extension import Capability, Extension
from extras.irc.message import size
from extras.irc.names import fold
from extras.irc.replies import ERR_UNKNOWNCOMMAND
from extras.irc.talk import speak
from extras.ircv3.many_lines import CAP, CONCAT, ManyLines, Part
from extras.ircv3.replay import as_word

# A page of text, and a poem.  A reader who does not know such messages gets up to 32 lines at once:
# not more than the burst that everybody may send.
MAX_BYTES, MAX_LINES = 4096, 32
REFERENCE = re.compile("[A-Za-z0-9-]{1,64}")  # IRCv3 batch


class Broken(Exception):
    """A batch that cannot become a message: the code of FAIL, what it is about, and words for a person."""


class Batch:
    """What a client has sent of a message."""

    def __init__(self, reference: str, target: str, tags: Mapping[str, str], response: Response | None):
        self.reference, self.target, self.tags, self.response = reference, target, tags, response
        self.command = ""
        self.parts: list[Part] = []
        self._bytes = 0
        self.is_broken = False  # its client knows; the rest of it is ignored

    def add(self, name: str, params: list[str], goes_on: bool) -> None:
        """Take a line.  Raises: Broken."""
        target, text, *_ = *params, "", ""
        if name not in ("PRIVMSG", "NOTICE") or self.command not in ("", name):
            raise Broken("MULTILINE_INVALID", "All lines of a message must be PRIVMSG, or all NOTICE")
        if fold(target) != fold(self.target):
            raise Broken("MULTILINE_INVALID_TARGET", as_word(self.target), as_word(target), "This is another target")
        if goes_on and not text:
            raise Broken("MULTILINE_INVALID", "A blank line cannot go on with the line before it")
        self.command = name
        self.parts.append(Part(text, goes_on and bool(self.parts)))
        self._bytes += size(text) + (len(self.parts) > 1 and not goes_on)
        if len(self.parts) > MAX_LINES:
            raise Broken("MULTILINE_MAX_LINES", str(MAX_LINES), "Too many lines")
        if self._bytes > MAX_BYTES:
            raise Broken("MULTILINE_MAX_BYTES", str(MAX_BYTES), "Too long")

    def check(self) -> None:
        """Raises: Broken, if it says nothing."""
        if not any(part.text for part in self.parts):
            raise Broken("MULTILINE_INVALID", "There is nothing but blank lines")


class Multiline(Extension):
    """draft/multiline."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        value = f"max-bytes={MAX_BYTES},max-lines={MAX_LINES}"
        self.capabilities = (Capability(CAP, "messages of several lines", value=lambda: value),)
        self.commands = {"BATCH": command(self.batch)}

    def takes(self, me: Client, name: str, params: list[str]) -> bool:
        reference = me.tags.get("batch")
        begun: Batch | None = me.state.get(Multiline)  # it goes on, whatever the client gives back meanwhile
        if reference is None or not me.user.registered or begun is None and CAP not in me.caps:
            return False
        # Without one, the line has an answer of its own.
        batch = begun or Batch("", "", {}, me.server.extensions.first(Extension.response, me, me.tags))
        if not batch.is_broken:
            with Answer(me, batch):
                if begun is None or name == "BATCH" or batch.reference != reference:
                    raise Broken("MULTILINE_INVALID", "There is no such batch")
                batch.add(name, params, CONCAT in me.tags)
        return True

    def batch(self, me: Client, reference: str, kind: str = "", target: str = "") -> None:
        """Begin or end a message of several lines.  IRCv3 client-batch."""
        if not {CAP, "batch"} <= me.caps and Multiline not in me.state:
            me.reply(ERR_UNKNOWNCOMMAND, "BATCH")
        elif reference[0] == "-":
            self.end(me, reference[1:])
        elif not REFERENCE.fullmatch(reference[1:]) or reference[0] != "+":
            me.standard("FAIL", "BATCH", "INVALID_REFTAG", as_word(reference[1:]), text="This cannot be a batch's name")
        elif kind != CAP:
            what = as_word(reference[1:]), as_word(kind)
            me.standard("FAIL", "BATCH", "UNKNOWN_TYPE", *what, text="Clients can send only draft/multiline")
        elif not target or "," in target or Multiline in me.state:
            why = "A message of several lines has one target, and one must end before the next begins"
            other = me.state.pop(Multiline, None)
            if other and other.response and not other.is_broken:
                with Answer(me, other):  # its label waits for one, too
                    raise Broken("MULTILINE_INVALID", why)
            me.standard("FAIL", "BATCH", "MULTILINE_INVALID", text=why)
        else:
            # Its label belongs to the answer to the whole: that comes at the end.
            me.state[Multiline] = Batch(reference[1:], target, me.tags, me.response)
            me.response = None

    def end(self, me: Client, reference: str) -> None:
        """Deliver a message, if all is well with it."""
        batch: Batch | None = me.state.pop(Multiline, None)
        if batch and batch.is_broken:
            return
        with Answer(me, batch):
            if batch is None or batch.reference != reference:
                raise Broken("MULTILINE_INVALID", "There is no such batch")
            batch.check()
            me.tags = batch.tags
            if len(batch.parts) == 1:
                speak(me, batch.command, batch.target, batch.parts[0].text)
            else:
                text = " ".join(part.text for part in batch.parts)  # for a service
                speak(me, batch.command, batch.target, text, partial(says_lines, batch.parts))
        if batch and batch.response and not batch.is_broken:
            batch.response.end()


class Answer:
    """Sends what is said inside as the answer to the message that began a batch; a Broken becomes a FAIL."""

    def __init__(self, me: Client, batch: Batch | None):
        self.me, self.batch = me, batch

    def __enter__(self) -> None:
        self._outer = self.me.response
        if self.batch and self.batch.response:
            self.me.response = self.batch.response

    def __exit__(self, kind: object, why: object, traceback: object) -> bool:
        if isinstance(why, Broken):
            code, *context, text = why.args
            self.me.standard("FAIL", "BATCH", code, *context, text=text)
            if self.batch:
                self.batch.is_broken = True
            if self.batch and self.batch.response:
                self.batch.response.end()
        self.me.response = self._outer
        return kind is Broken


def says_lines(parts: list[Part], me: Client, command: str, target: str, text: str | None) -> Event:
    """Give what our user says, as Said is for one line."""
    event = ManyLines(command, target, parts, source=me.user.source, user=me.user)
    event.tags = Said(me, command, target, "").tags
    return event
