"""CAP and what follows from it: extensions that a client asks for by name.

While a client negotiates, its registration waits for CAP END.  Source: IRCv3
capability-negotiation, message-tags, server-time, labeled-response, setname (ircv3.net/specs).
"""

import re
import time

from extras.irc.message import cut_text, format_message, format_tags
from extras.irc.names import REALNAME_BYTES
from extras.irc.registration import register
from extras.irc.replies import ERR_INVALIDCAPCMD

CAPABILITIES = {
    "away-notify": "AWAY of others in one's channels",
    "batch": "several messages that belong together",
    "cap-notify": "would tell of new capabilities; there never are any here",
    "echo-message": "one's own messages come back",
    "extended-join": "JOIN with the real name",
    "extended-monitor": "AWAY and SETNAME of those whom one monitors",
    "invite-notify": "INVITE of others to one's channels",
    "labeled-response": "what answers a request carries the request's label",
    "message-tags": "tags, and TAGMSG",
    "multi-prefix": "every status sign in NAMES and WHO, not the highest alone",
    "server-time": "the time of each message",
    "setname": "change one's real name",
    "userhost-in-names": "nick!user@host in NAMES",
}


def cap(me, subcommand: str, argument: str = ""):
    """Negotiate capabilities: LS, LIST, REQ and END.  IRCv3 capability-negotiation."""
    subcommand = subcommand.upper()
    if subcommand in ("LS", "REQ") and not me.user.registered:
        me.negotiating = True
    if subcommand == "LS":
        if re.fullmatch("[0-9]{3,9}", argument) and int(argument) >= 302:
            me.speaks_302 = True
        answer(me, "LS", " ".join(CAPABILITIES))
    elif subcommand == "LIST":
        answer(me, "LIST", " ".join(sorted(me.user.caps)))
    elif subcommand == "REQ":
        request(me, argument)
    elif subcommand == "END":
        if me.negotiating:
            me.negotiating = False
            register(me)
    else:
        me.reply(ERR_INVALIDCAPCMD, subcommand)


def request(me, argument: str):
    """Accept the whole list, or none of it; `-name` gives a capability back."""
    wanted = argument.split()
    known = all(name.removeprefix("-") in CAPABILITIES for name in wanted)
    if not known or me.speaks_302 and "-cap-notify" in wanted:  # 302 has it built in
        answer(me, "NAK", argument)
        return
    answer(me, "ACK", argument)
    caps = set(me.user.caps)
    for name in wanted:
        (caps.discard if name[0] == "-" else caps.add)(name.removeprefix("-"))
    me.user.caps = frozenset(caps)
    for channel in me.user.channels:
        channel.forget_audience()


def answer(me, subcommand: str, names: str):
    """Send a CAP answer, with the nick that the client has by now."""
    nick = me.user.nick or "*"
    me.send(format_message("CAP", nick, subcommand, text=names, source=me.server.name))


def setname(me, realname: str):
    """Change one's real name.  IRCv3 setname."""
    me.user.realname = cut_text(realname, REALNAME_BYTES)
    line = me.says("SETNAME", text=me.user.realname)
    me.tell_users([me.user], line, need="setname")
    me.tell_neighbours(me.user, line, need="setname", afar=True)


def dress(line: bytes, caps: frozenset[str], tags: dict[str, str] | None = None) -> bytes:
    """Put the tags in front of a line that a client with these capabilities understands."""
    worn = {}
    if "server-time" in caps:
        worn["time"] = server_time()
    if tags and "message-tags" in caps:
        worn |= tags
    return add_tags(line, worn)


class Looks:
    """One line in the forms that clients with different capabilities get; each form is made once.

    There are only four forms, however many capabilities the receivers have.
    """

    def __init__(self, line: bytes, tags: dict[str, str] | None = None):
        self.tags = tags
        self._line = line
        self._made: dict[tuple[bool, bool], bytes] = {}

    def to(self, caps: frozenset[str]) -> bytes:
        """Give the line for a client with these capabilities."""
        if not caps:
            return self._line
        look = "server-time" in caps, "message-tags" in caps
        if look not in self._made:
            self._made[look] = dress(self._line, caps, self.tags)
        return self._made[look]


def add_tags(line: bytes, tags: dict[str, str]) -> bytes:
    """Give the line with these tags in front of its own."""
    if not tags:
        return line
    front = format_tags(tags).encode("utf-8", "surrogateescape")
    return front[:-1] + b";" + line[1:] if line.startswith(b"@") else front + line


def server_time() -> str:
    """Give the time in the form of the tag `time`: UTC, ISO 8601, milliseconds."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


class LabelledResponse:
    """Mark the answer to one request: no line becomes an ACK, one line gets a tag, more become a batch.

    The first line waits until we know whether there is a second one; the others do not wait.
    A client that has not asked for batches gets several lines as they are.
    Source: IRCv3 labeled-response and batch.
    """

    def __init__(self, label: str, server: str, number: int, batches: bool = True):
        self._label, self._server, self._number = {"label": label}, server, str(number)
        self._batches = batches
        self._first: bytes | None = None
        self._is_many = False

    def add(self, line: bytes) -> list[bytes]:
        """Take a line of the answer; give what can be sent now."""
        if self._is_many:
            return [self._in_batch(line)]
        if self._first is None:
            self._first = line
            return []
        self._is_many = True
        if not self._batches:
            return [self._first, line]
        start = format_message("BATCH", "+" + self._number, "labeled-response", source=self._server)
        return [add_tags(start, self._label), self._in_batch(self._first), self._in_batch(line)]

    def end(self) -> bytes:
        """Give the line that ends the answer, or that is the whole answer."""
        if self._is_many:
            end = format_message("BATCH", "-" + self._number, source=self._server)
            return end if self._batches else b""
        return add_tags(self._first or format_message("ACK", source=self._server), self._label)

    def _in_batch(self, line: bytes) -> bytes:
        return add_tags(line, {"batch": self._number}) if self._batches else line
