"""The IRC handler: one client's lines in, messages to it and to others out.

Step 5's line handler with another protocol.  What stays: a command runs under the world's lock from
its first look to its last put, and the outboxes that it touched are flushed once for each chunk.
What is new: a command has any number of replies, and one message goes to many.

me       what the commands call their handler: the client who sent this one
caps     capabilities: a message looks different to clients that asked for tags
label    with labeled-response, what ties the replies to their request
"""

import re
import time
from collections.abc import Iterable, Iterator

from extras.broadcast.turns import TurnHandler
from extras.irc.capabilities import LabelledResponse, Looks, dress
from extras.irc.lines import TLS_HELLO, IrcConnection
from extras.irc.message import MAX_MESSAGE_BYTES, fit, format_message, frame
from extras.irc.message import is_utf8, parse_message, size
from extras.irc.proxy import read_header
from extras.irc.names import fold
from extras.irc.queries import tell_watchers
from extras.irc.replies import (
    ERR_INPUTTOOLONG, ERR_NEEDMOREPARAMS, ERR_NOTREGISTERED, ERR_UNKNOWNCOMMAND, Numeric,
)
from extras.irc.state import Channel, User
from extras.irc.verbs import EARLY, VERBS, WITHOUT_LOCK
from step1_echo.serving import log
from step4_framing.framing import LineTooLong
from step5_server.connection import Connection
from step5_server.outbox import Outbox

# What a browser begins with, however long its URL; and whoever else speaks HTTP.
HTTP = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) |\S+ \S+ HTTP/")
# No flood: a client asks with PING how long we take, and must not measure its own tokens.
FREE = {"PING", "PONG"}


class IrcHandler(TurnHandler):
    """Serve one client."""

    VERBS = VERBS
    connection_class = IrcConnection

    def connect(self) -> Connection:
        """Return the connection, and begin what we know of this client."""
        conn = super().connect()
        self.world = self.registry
        self.rfc2812: bool = self.server.rfc2812
        host = plain_host(self.client_address)
        # A parameter must not begin with a colon; 0::1 is the same address.
        self.user = User(self, conn.outbox, "0" + host if host[0] == ":" else host)
        self.negotiating = False  # between CAP LS and CAP END
        self.speaks_302 = False  # the version of CAP
        self.password = ""  # as PASS gave it
        self.wanted_modes = ""
        self.failed_opers = 0
        self.end_reason = ""  # for those who are told that this user is gone
        self.tags: dict[str, str] = {}  # of the message that is being answered
        self._response: LabelledResponse | None = None  # to it, if it has a label
        self._tokens = float(self.server.flood[0]) if self.server.flood else 0.0
        self._tokens_at = conn.opened_at  # when they were counted
        return conn

    def setup(self):
        """Take a place; until NICK and USER the client is a stranger."""
        bad_proxy = ""
        if plain_host(self.client_address) in self.server.proxies:
            try:
                self.client_address = read_header(self.request) or self.client_address
            except (OSError, ValueError) as error:
                bad_proxy = str(error)
        super().setup()
        if bad_proxy:
            log.warning("%s: no PROXY header: %s", self, bad_proxy)
            self.refusal = self.last_words("proxy", "PROXY header expected")
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
        """Tell our client that others do not see what it has sent.  IRCv3 utf8-only."""
        words = command if command in self.VERBS else "*", "INVALID_UTF8"
        text = "This is not UTF-8, and others see U+FFFD in it: set your client to UTF-8"
        self.send(format_message("WARN", *words, text=text, source=self.server.name))

    def run_labelled(self, command: str, params: list[str]) -> None:
        """Run a command, and put its label on what answers it.  IRCv3 labeled-response."""
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
        """See that a command is known, allowed and gets what it needs, and call its function."""
        verb = self.VERBS.get(command)
        if verb is None:
            # To a stranger nothing is said: it may be a server.
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
        """Slow a flooder down by not reading it: a burst of messages is free, then a rate holds."""
        burst, per_second = self.server.flood
        now = time.monotonic()
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * per_second) - 1
        self._tokens_at = now
        if self._tokens < 0:
            with self.unlocked():
                self.conn.deliver()  # what was said so far is on its way while we wait
                self.conn.rest(-self._tokens / per_second)
            self._tokens, self._tokens_at = 0.0, time.monotonic()  # the wait has paid for this one

    # --- messages out -------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        """Send one message to our own client."""
        if self.user.caps:
            line = dress(line, self.user.caps)
        self.send_dressed(line)

    def send_dressed(self, line: bytes) -> None:
        """Send a message that has its tags; with its request's label, if that has one."""
        for marked in (line,) if self._response is None else self._response.add(line):
            self.conn.send(marked)

    def numeric(self, numeric: Numeric, *values, nick: str) -> bytes:
        """Give a numeric as it goes to the client of this nick."""
        return frame(numeric.line(self.server.name, nick, values, self.rfc2812))

    def reply(self, numeric: Numeric, *values) -> None:
        """Send a numeric reply to our own client."""
        self.send(self.numeric(numeric, *values, nick=self.user.nick or "*"))

    def reply_words(
        self, numeric: Numeric, values: tuple, words: Iterable[str], between: str = " ", end: str = ""
    ) -> Iterator[None]:
        """Send a list as the text of as many numerics as it takes; none for an empty one.

        Each word is asked for at the last moment.  None is kept over a pause: it might name
        somebody who has gone in the meantime.
        """
        without = numeric.line(self.server.name, self.user.nick, (*values, ""), self.rfc2812)
        room = MAX_MESSAGE_BYTES - size(without)
        line, used = [], 0
        for word in words:
            used += size(word) + 1
            if line and used + len(end) > room:
                self.reply(numeric, *values, between.join(line) + end)
                line, used = [], size(word) + 1
            line.append(word)
            if self.conn.replied_much:
                self.reply(numeric, *values, between.join(line) + end)
                line, used = [], 0
                yield
        if line:
            self.reply(numeric, *values, between.join(line) + end)

    def speaks(self, command: str, target: str, text: str | None) -> bytes:
        """Give a message of our user to a target; most of what a server does is to make these."""
        if text is None:
            return self.says(command, target)
        return frame(f":{self.user.source} {command} {target} :{text}")

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
        # Our own copy goes through send_dressed(), for it may be the answer to a labelled request.
        mine = self.outbox if but is self.user or self._response is not None else None
        looks = Looks(line, tags)
        for group in channel.audience:
            caps = group.caps
            if need and need not in caps or lack and lack in caps:
                continue
            self.conn.fan_out(group, looks.to(caps), but=mine)
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
        """Send one message to everyone who shares a channel with the user, once each.

        Who is in five of the same channels is in five audiences: sets count it once.  With `afar`,
        also to who watches the user and has asked for that (IRCv3 extended-monitor).
        """
        looks = Looks(line)
        outboxes: dict[bytes, set[Outbox]] = {}  # by what they get
        groups = [(group.caps, group.outboxes) for channel in user.channels for group in channel.audience]
        if afar:
            watchers = self.world.watchers.get(fold(user.nick), ())
            groups += [(one.caps, (one.outbox,)) for one in watchers if "extended-monitor" in one.caps]
        for caps, group in groups:
            if not need or need in caps:
                outboxes.setdefault(looks.to(caps), set()).update(group)
        for data, hearers in outboxes.items():
            hearers.discard(user.outbox)
            if self.outbox in hearers:  # it may be the answer to a labelled request
                hearers.remove(self.outbox)
                self.send_dressed(data)
            self.conn.send_to_all(hearers, data)

    def message_tags(self, worn: bool) -> dict[str, str]:
        """Give the tags of what our client says: its own (`+...`), and an id.

        None, unless they are `worn` by whoever hears it, or our client has capabilities itself.
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
        """Tell if our user has at least this status; who runs the server has every status."""
        return self.user.is_operator or channel.has_status(self.user, least)

    # --- the end ------------------------------------------------------------------------------

    def leave(self, user: User, reason: str) -> None:
        """Take a user off the server, ours or another: tell its neighbours once, and hang up."""
        self.conn.put_held()  # what was said before is for the user too
        self.announce_quit(user, reason)
        user.handler.close_link(reason)

    def announce_quit(self, user: User, reason: str) -> None:
        """Tell whoever shares a channel, and forget the user.  Twice does no harm."""
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
            self.world.leave(self.user)  # nobody has to be told, and its nick is free at once
        self.server.retire(self)
        if not self.conn.closing:
            self.end_reason = reason
            self.conn.end_reason = ascii(reason)  # this one is for the log
            text = f"Closing Link: {self.user.host} ({reason})"
            self.conn.hang_up(format_message("ERROR", text=text))

    @staticmethod
    def last_words(code: str, text: str) -> bytes:
        """Return the ERROR for a connection that finds no place."""
        return format_message("ERROR", text=f"Closing Link: * ({text or code})")

    def on_gone(self) -> None:
        """Let the user go too, and tell its neighbours."""
        reason = "Too slow" if self.outbox.overflowed else "Connection closed"
        self.announce_quit(self.user, self.end_reason or reason)


def plain_host(address: tuple) -> str:
    """Give the host of an address; of an IPv4 client of an IPv6 socket as IPv4 writes it."""
    return address[0].removeprefix("::ffff:")


def why_not_irc(line: bytes | LineTooLong) -> str:
    """Tell what is wrong with a stranger's line, if no IRC client says such a thing.

    A web page can make its reader's browser POST to us, and write NICK, USER and PRIVMSG below the
    header: with her address, from inside her network.  So HTTP ends at its first line.
    """
    if isinstance(line, LineTooLong):
        return "Input line was too long"  # we have not seen how it began
    if line.startswith(TLS_HELLO):
        return "This port is without TLS"
    return "This is IRC, not HTTP" if HTTP.match(line) else ""
