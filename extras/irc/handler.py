"""The IRC handler: one client's lines in, messages to it and to others out.

Step 5's line handler with another protocol.  The same as there: a command runs under the world's lock
from beginning to end, and the outboxes that it has filled are flushed once for each chunk.
New: a command has any number of replies, and one message goes to many.

me       in the commands: the handler of the client that sent the command
caps     capabilities: a message looks different to clients that asked for tags
label    with labeled-response, says which request a reply belongs to
"""

import re
import time
from collections.abc import Iterable, Iterator

from extras.broadcast.turns import TurnHandler
from extras.irc.capabilities import LabelledResponse, Looks, dress
from extras.irc.lines import IrcCodec, IrcConnection
from extras.irc.message import MAX_MESSAGE_BYTES, encode, fit, format_message
from extras.irc.message import is_utf8, parse_message, size
from extras.irc.proxy import read_header
from extras.irc.names import fold
from extras.irc.queries import tell_watchers
from extras.irc.replies import (
    ERR_INPUTTOOLONG, ERR_NEEDMOREPARAMS, ERR_NOTREGISTERED, ERR_UNKNOWNCOMMAND, Numeric,
)
from extras.irc.state import Channel, Group, User, make_groups
from extras.irc.verbs import EARLY, VERBS, WITHOUT_LOCK
from step1_echo.serving import log
from step4_framing.framing import LineTooLong
from step5_server.connection import Connection
from step5_server.outbox import Outbox

# What a browser sends first, however long its URL, or any other program that speaks HTTP.
HTTP = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) |\S+ \S+ HTTP/")
# These are not counted: a client measures our answer time with PING, and must not be slowed down.
FREE = {"PING", "PONG"}


class IrcHandler(TurnHandler):
    """Serve one client."""

    VERBS = VERBS
    connection_class = IrcConnection
    codec_class = IrcCodec

    def connect(self) -> Connection:
        """Return the connection, and set up what we know about this client."""
        conn = super().connect()
        self.world = self.registry
        host = plain_host(self.client_address)
        # A parameter must not begin with a colon, so ::1 becomes 0::1, the same address.
        self.user = User(self, conn.outbox, "0" + host if host[0] == ":" else host)
        self.negotiating = False  # between CAP LS and CAP END
        self.speaks_302 = False  # the version of CAP
        self.password = ""  # from PASS
        self.wanted_modes = ""
        self.failed_opers = 0
        self.end_reason = ""  # the text for those who are told that this user has gone
        self.tags: dict[str, str] = {}  # the label of the message that is being answered
        self._response: LabelledResponse | None = None  # the answer to it, if it has a label
        self._tokens = float(self.server.flood[0]) if self.server.flood else 0.0
        self._tokens_at = conn.opened_at  # when the tokens were counted
        return conn

    def setup(self):
        """Take a place; until NICK and USER, the client is not registered."""
        bad_proxy = ""
        if plain_host(self.client_address) in self.server.proxies:
            try:
                self.client_address = read_header(self.request) or self.client_address
            except (OSError, ValueError) as error:
                bad_proxy = str(error)
        super().setup()
        if bad_proxy:
            log.warning("%s: no PROXY header: %s", self, bad_proxy)
            self.refusal = self.last_line("proxy", "PROXY header expected")
        if not self.refusal:
            with self.world.lock:
                self.world.strangers.add(self.user)

    # --- lines in -----------------------------------------------------------------------------

    def answer(self, line: bytes | LineTooLong) -> None:
        """Do what one line asks.  Thread: holds the world's lock."""
        if not self.user.registered and (why := why_not_irc(line)):
            log.warning("%s: %s: sent away", self, why)
            self.close_link(why)
            return
        if isinstance(line, LineTooLong):
            self.reply(ERR_INPUTTOOLONG)
            return
        if len(line) > MAX_MESSAGE_BYTES and (line := fit(line)) is None:
            self.reply(ERR_INPUTTOOLONG)
            return
        message = parse_message(line, self.server.utf8_only)
        if message is None:
            return
        self.tags, _, command, params = message
        if self.server.flood and command not in FREE:
            self.wait_for_token()
        log.info("%s: %s", self, command if command in self.VERBS else "unknown command")
        if self.server.utf8_only and command != "NOTICE" and not is_utf8(line):
            self.warn_of_bytes(command)
        run = self.run_labelled if "label" in self.tags else self.run
        if command in WITHOUT_LOCK:
            with self.unlocked():
                run(command, params)
        elif not self.outbox.ended:  # else somebody hung up on us while we waited
            run(command, params)

    def warn_of_bytes(self, command: str) -> None:
        """Tell our client that others do not see its text as it sent it.  IRCv3 utf8-only."""
        words = command if command in self.VERBS else "*", "INVALID_UTF8"
        text = "This is not UTF-8, and others see U+FFFD in it: set your client to UTF-8"
        self.send(format_message("WARN", *words, text=text, source=self.server.name))

    def run_labelled(self, command: str, params: list[str]) -> None:
        """Run a command, and put its label on the answer.  IRCv3 labeled-response."""
        if "labeled-response" not in self.user.caps:
            self.run(command, params)
            return
        number = self.world.next_id()
        self._response = response = LabelledResponse(
            self.tags["label"], self.server.name, number, batches="batch" in self.user.caps
        )
        try:
            self.run(command, params)
        finally:
            self._response = None
        if end := response.end():
            self.conn.send(end)

    def run(self, command: str, params: list[str]) -> None:
        """Check that a command is known, is allowed and has its parameters, and call its function."""
        verb = self.VERBS.get(command)
        if verb is None:
            # Do not answer a client that is not registered: it may be a server.
            if self.user.registered:
                self.reply(ERR_UNKNOWNCOMMAND, command)
        elif not self.user.registered and command not in EARLY:
            self.reply(ERR_NOTREGISTERED)
        elif verb.least and (len(params) < verb.least or "" in params[: verb.least]):
            self.reply(ERR_NEEDMOREPARAMS, command)
        else:
            self.server.command_counts[command] += 1
            self.carry_out(verb.function(self, *params[: verb.most]))

    def wait_for_token(self) -> None:
        """Do not read a client that sends too much: a burst of messages is free, then a rate holds."""
        burst, per_second = self.server.flood
        now = time.monotonic()
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * per_second) - 1
        self._tokens_at = now
        if self._tokens < 0:
            with self.unlocked():
                self.conn.deliver()  # send what there is before we wait
                self.conn.rest(-self._tokens / per_second)
            self._tokens, self._tokens_at = 0.0, time.monotonic()  # the wait was for this message

    # --- messages out -------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        """Send one message to our own client."""
        if self.user.caps:
            line = dress(line, self.user.caps)
        self.send_dressed(line)

    def send_dressed(self, line: bytes) -> None:
        """Send a message that already has its tags; add the request's label, if it has one."""
        for marked in (line,) if self._response is None else self._response.add(line):
            self.conn.send(marked)

    def numeric(self, numeric: Numeric, *values, nick: str) -> bytes:
        """Give a numeric reply for the client with this nick."""
        return encode(numeric.line(self.server.name, nick, values))

    def reply(self, numeric: Numeric, *values) -> None:
        """Send a numeric reply to our own client."""
        self.send(self.numeric(numeric, *values, nick=self.user.nick or "*"))

    def reply_words(
        self, numeric: Numeric, values: tuple, words: Iterable[str], between: str = " "
    ) -> Iterator[None]:
        """Send a list of words in as many numerics as needed; none for an empty list.

        Each word is taken from `words` at the last moment, and none is kept during a pause: it might
        name a user who goes meanwhile.
        """
        without = numeric.line(self.server.name, self.user.nick, (*values, ""))
        room = MAX_MESSAGE_BYTES - size(without)
        line, used = [], 0
        for word in words:
            used += size(word) + 1
            if line and used > room:
                self.reply(numeric, *values, between.join(line))
                line, used = [], size(word) + 1
            line.append(word)
            if self.conn.replied_much:
                self.reply(numeric, *values, between.join(line))
                line, used = [], 0
                yield
        if line:
            self.reply(numeric, *values, between.join(line))

    def speaks(self, command: str, target: str, text: str | None) -> bytes:
        """Give a message of our user to a target; this is called more often than anything else."""
        if text is None:
            return self.says(command, target)
        return encode(f":{self.user.source} {command} {target} :{text}")

    def says(self, command: str, *params: str, text: str | None = None) -> bytes:
        """Give a message whose source is our user."""
        return format_message(command, *params, text=text, source=self.user.source)

    def tell(
        self,
        channel: Channel,
        line: bytes,
        but: User | None = None,
        need: str | None = None,
        lack: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Send one message to the members of a channel; to those with, or without, a capability."""
        # Our own copy goes through send_dressed(), because it may be the answer to a labelled request.
        mine = self.outbox if but is self.user or self._response is not None else None
        looks = Looks(line, tags)

        def line_for(group: Group) -> bytes:
            if need and need not in group.caps or lack and lack in group.caps:
                return b""
            return group.frame(looks.to(group.caps))

        self.conn.fan_out(channel.audience, line_for, but=mine)
        if mine and but is not self.user and self.user in channel.members:
            if (not need or need in self.user.caps) and (not lack or lack not in self.user.caps):
                self.send_dressed(looks.to(self.user.caps))

    def tell_users(
        self,
        users: Iterable[User],
        line: bytes,
        need: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Send one message to each of these users."""
        looks = Looks(line, tags)
        for user in users:
            if need and need not in user.caps:
                continue
            if user is self.user and not tags:
                self.send_dressed(looks.to(user.caps))
            else:
                self.conn.send_to(user.outbox, looks.to(user.caps))

    def tell_neighbours(
        self, user: User, line: bytes, need: str | None = None, afar: bool = False
    ) -> None:
        """Send one message, once, to each user who shares a channel with our user.

        A user who shares five channels is in five audiences, but in a set only once.  With `afar`, also
        send it to users who watch our user and want that (IRCv3 extended-monitor).
        """
        looks = Looks(line)
        groups = [group for channel in user.channels for group in channel.audience]
        if afar:
            watchers = self.world.watchers.get(fold(user.nick), ())
            groups += make_groups(one for one in watchers if "extended-monitor" in one.caps)
        outboxes: dict[tuple, set[Outbox]] = {}  # by the form of the line that they get, and its framing
        for group in groups:
            if not need or need in group.caps:
                outboxes.setdefault((looks.to(group.caps), group.frame), set()).update(group.outboxes)
        for (line, frame), hearers in outboxes.items():
            hearers.discard(user.outbox)
            if self.outbox in hearers:  # it may be the answer to a labelled request
                hearers.remove(self.outbox)
                self.send_dressed(line)
            self.conn.send_to_all(hearers, frame(line))

    def message_tags(self, worn: bool) -> dict[str, str]:
        """Give the tags for a message of our client: its own (`+...`), and an id.

        None, unless a receiver wants tags (`worn`), or our client has capabilities itself.
        """
        if not worn and not self.user.caps:
            return {}
        tags = {"msgid": f"{self.server.epoch}-{self.world.next_id()}"}
        if "B" in self.user.modes:
            tags["bot"] = ""
        if self.tags and "message-tags" in self.user.caps:
            tags |= {key: value for key, value in self.tags.items() if key.startswith("+")}
        return tags

    def echo(self, line: bytes, tags: dict[str, str]) -> None:
        """Give our client its own message back, if it wants that.  IRCv3 echo-message."""
        if "echo-message" in self.user.caps:
            self.send_dressed(dress(line, self.user.caps, tags))

    def may(self, channel: Channel, least: str) -> bool:
        """Return whether our user has at least this status; an operator of the server has every status."""
        return self.user.is_operator or channel.has_status(self.user, least)

    # --- the end ------------------------------------------------------------------------------

    def leave(self, user: User, reason: str) -> None:
        """Take a user off the server, ours or another one: tell its neighbours once, and hang up."""
        self.conn.put_held()  # the user still gets what was said before
        self.announce_quit(user, reason)
        user.handler.close_link(reason)

    def announce_quit(self, user: User, reason: str) -> None:
        """Tell all who share a channel, and forget the user.  Calling it twice does no harm."""
        if user.registered:
            line = format_message("QUIT", text=reason, source=user.source)
            self.tell_neighbours(user, line)
        was_registered, nick = user.registered, user.nick
        self.world.leave(user)
        if was_registered:
            tell_watchers(self, nick, online=False)

    def close_link(self, reason: str) -> None:
        """Say ERROR and hang up.  RFC 2812 section 3.7.4.  Thread: any, and holds the lock."""
        if not self.user.registered:
            self.world.leave(self.user)  # nobody needs to be told, and its nick is free at once
        self.server.retire(self)
        if not self.conn.closing:
            self.end_reason = reason
            self.conn.end_reason = ascii(reason)  # this one is for the log
            text = f"Closing Link: {self.user.host} ({reason})"
            self.conn.hang_up(format_message("ERROR", text=text))

    @staticmethod
    def last_line(code: str, text: str) -> bytes:
        """Return the ERROR for a connection for which there is no place."""
        return format_message("ERROR", text=f"Closing Link: * ({text or code})")

    def on_gone(self) -> None:
        """Remove the user too, and tell its neighbours."""
        reason = "Too slow" if self.outbox.overflowed else "Connection closed"
        self.announce_quit(self.user, self.end_reason or reason)


def plain_host(address: tuple) -> str:
    """Give the host of an address; for an IPv4 client of an IPv6 socket, in IPv4's form."""
    return address[0].removeprefix("::ffff:")


def why_not_irc(line: bytes | LineTooLong) -> str:
    """Return what is wrong with the line of a client that is not registered, if no IRC client sends that.

    A web page can make its reader's browser POST to us, with NICK, USER and PRIVMSG below the header:
    that comes from her address, inside her network.  So we close HTTP at its first line.
    """
    if isinstance(line, LineTooLong):
        return "Input line was too long"  # we have not seen its beginning
    return "This is IRC, not HTTP" if HTTP.match(line) else ""
