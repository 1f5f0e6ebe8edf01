"""REDACT: somebody takes back what was said, by its msgid; channel operators also what others have said.

    C: REDACT #tea 69c8f2-17 :wrong window
    S: :alice!al@host REDACT #tea 69c8f2-17 :wrong window

Whoever is just being sent the message from history does not get it any more.  Whoever has it already
is told, if its client knows redaction; it cannot be made to forget.
Source: IRCv3 message-redaction.
"""

import time
from queue import Full
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.replies import ERR_UNKNOWNCOMMAND
from extras.irc.state import Channel, User
from extras.ircv3 import messages
from extras.ircv3.database import DatabaseError
from extras.ircv3.history import TO_ONE, History, reader_key
from extras.ircv3.messages import Buffer, Row
from extras.ircv3.replay import as_word, event_of

CAP = "draft/message-redaction"
WINDOW_S = 24 * 3600  # for one's own words: a mistake is noticed by then, and what stood longer was answered


class Redaction(Extension):
    """draft/message-redaction."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (Capability(CAP, "messages that were taken back"),)
        self.commands = {"REDACT": command(self.redact)}

    def start(self) -> None:
        self.history = self.server.extensions[History]

    def redact(self, me: Client, target: str, message_id: str, reason: str = "") -> None:
        """Take a message back.  IRCv3 message-redaction."""
        if CAP not in me.caps:
            me.reply(ERR_UNKNOWNCOMMAND, "REDACT")
            return
        about = as_word(target), as_word(message_id)
        buffer = self.history.buffer(me, target)
        try:
            with me.unlocked():
                row = self.history.read(lambda db: messages.find(db, buffer, message_id)) if buffer else None
            code, *context, text = self.why_not(me, target, buffer, row) or ("", "")
            where = self.world.channel(target) or self.world.user(target)  # now: it may be renamed meanwhile
            if not code:
                self.history.redact(me, message_id)
        except (DatabaseError, Full):
            code, *context, text = "INTERNAL_ERROR", "History is temporarily unavailable"
        if code:
            me.standard("FAIL", "REDACT", code, *about[: 1 if code == "INVALID_TARGET" else 2], *context, text=text)
        else:
            self.announce(me, where, target, message_id, cut_text(reason, MAX_TEXT_BYTES))

    def why_not(self, me: Client, target: str, buffer: Buffer | None, row: Row | None) -> tuple[str, ...] | None:
        """Give the code and the words if our user may not take back this message.

        The database was asked without the lock: the user may have left meanwhile, or is no operator now.
        """
        now = self.history.buffer(me, target)
        if buffer is None or now is None or now[:3] != buffer[:3]:
            return "INVALID_TARGET", "You cannot take back messages there"
        if row is None or row.id in self.history.redacted or event_of(row).command not in TO_ONE:
            return "UNKNOWN_MSGID", "There is no such message, or it is too old"
        channel = self.world.channel(target)
        if channel and buffer.reader == b"" and me.may(channel, "h"):
            return None
        if row.author != reader_key(me.user):
            return "REDACT_FORBIDDEN", "Only its author, or an operator of the channel, can take it back"
        if row.time < (time.time() - WINDOW_S) * 1000:
            return "REDACT_WINDOW_EXPIRED", str(WINDOW_S), "It is too late to take it back"
        return None

    def announce(self, me: Client, where: Channel | User | None, target: str, message_id: str, reason: str) -> None:
        """Tell those who know redaction, ourselves too."""
        shown = where.name if isinstance(where, Channel) else where.nick if where else target
        event: Event = me.says("REDACT", shown, message_id, text=reason or None, need=CAP)
        if isinstance(where, Channel):
            me.tell(where, event)
        else:
            me.tell_users(dict.fromkeys(each for each in (where, me.user) if each), event)
