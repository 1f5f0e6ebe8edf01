"""A client, as the commands see it: `me`.  What they say to it and to others goes out here.

A command says what happened, as an Event; here it becomes bytes, once for all who get the same.

session    one client's connection; its user nearly always has one
wording    what makes an event's lines for a set of capabilities
observer   an extension that notes events: it sees each in order, under the lock
"""

import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from extras.broadcast.hub import Group, with_listener
from extras.broadcast.turns import TurnHandler
from extras.irc.event import NONE, Answer, Event, next_number
from extras.irc.extension import Extension
from extras.irc.lines import IrcCodec, IrcConnection
from extras.irc.message import MAX_MESSAGE_BYTES, cut_words, encode, encode_page, format_message, size
from extras.irc.replies import NICK, Numeric
from extras.irc.state import Channel, User
from extras.irc.world import World
from step1_echo.serving import Address
from step5_server.codec import LineCodec
from step5_server.connection import Connection
from step5_server.outbox import Outbox

if TYPE_CHECKING:
    from extras.irc.server import IrcServer

SOME_WORDS = 50  # of a list: taken at once, between two looks whether its reader has to catch up
NOT_CONNECTED = "Not connected"  # why a user without sessions is away


class Response(Protocol):
    """What takes the events that answer a request."""

    def add(self, event: Event) -> None:
        """Take one."""

    def end(self) -> None:
        """There are no more."""


class PassedOn:
    """A response that is nobody's answer: each event goes somewhere else."""

    def __init__(self, add: Callable[[Event], None]):
        self.add = add

    def end(self) -> None:
        """Nobody waits for the end."""


class Client(TurnHandler):
    """One session, and what its commands may say.  Thread: holds the world's lock."""

    connection_class = IrcConnection
    codec_class: type[LineCodec] = IrcCodec
    conn: IrcConnection
    registry: World
    server: "IrcServer"
    # What holds until something else is said.
    caps: frozenset[str] = frozenset()
    tags: Mapping[str, str] = NONE  # of the message that is being answered
    wanted_modes = ""
    wanted_nick = ""  # the one it has asked for, if it has not got one
    shared_user: User | None = None  # somebody who is here, and may be the same person
    away: str | None = None  # what AWAY says of this session; of the user: see show_away()
    speaks_302 = False  # the version of CAP
    end_reason = ""  # the text for those who are told that this user has gone
    response: Response | None = None  # what collects the answer to this request, if it has a label
    _marks: Mapping[str, str] = NONE  # for what is sent inside a batch

    def connect(self) -> Connection:
        """Return the connection, and set up what we know about this client."""
        conn = super().connect()
        self.world = self.registry
        self.wording = self.server.extensions.wording
        self.observers = self.server.extensions.hooks(Extension.observe)
        self.speech_rules = self.server.extensions.hooks(Extension.why_not_speak)
        self.private_rules = self.server.extensions.hooks(Extension.why_not_speak_to)
        host = plain_host(self.client_address)
        # A parameter must not begin with a colon, so ::1 becomes 0::1, the same address.
        self.user = User(self, "0" + host if host[0] == ":" else host)
        self.listener = self.caps, conn.outbox
        self.waits = {"NICK", "USER"}  # what registration waits for
        self.state: dict[type, Any] = {}  # what an extension keeps for this session
        return conn

    def set_caps(self, caps: Iterable[str]) -> None:
        """Take what the client has asked for: others' messages look different to it from now on."""
        # One that is still to become a session of its user does not hear anything yet.
        channels = self.user.channels if self in self.user.sessions else ()
        for channel in channels:
            channel.let_go(self)
        self.caps = frozenset(caps)
        self.listener = self.caps, self.outbox
        for channel in channels:
            channel.let_hear(self)

    # --- to our own client --------------------------------------------------------------------

    def send(self, event: Event) -> None:
        """Send an event to our client; add its request's label, if it has one."""
        if event.need and event.need not in self.caps:
            return  # it says nothing to our client, so it is no answer either: that is an ACK
        if self._marks:
            event = event.marked(**self._marks)
        if self.response is None:
            self.put(event)
        else:
            self.response.add(event)

    def put(self, event: Event) -> None:
        """Queue the lines of an event for our client."""
        for line in self.wording.lines(event, self.caps):
            self.conn.send(line)

    def push(self, event: Event) -> None:
        """Send an event to our client at once, out of turn.  Thread: any, and holds the lock."""
        for line in self.wording.lines(event, self.caps):
            self.outbox.put(self.conn.codec.frame(line))
        self.outbox.flush()

    def reply(self, numeric: Numeric, *values: object) -> None:
        """Send a numeric reply to our own client."""
        line = numeric.line(self.server.name, self.user.nick or "*", values)
        if self.caps or self.response is not None:
            self.send(Answer(line))
        else:  # there is nothing to put in front of it
            self.conn.send(encode(line))

    def reply_page(self, page: str) -> None:
        """Send replies that are written already, but for our client's nick: see page() in replies.py."""
        page = page.replace(NICK, self.user.nick or "*")
        if self.response is not None or self._marks:
            for line in page.split("\n"):
                self.send(Answer(line))
            return
        lines = encode_page(page)
        if self.caps:
            (front,) = self.wording.lines(Answer(""), self.caps)  # the same tags for all
            lines = [front + line for line in lines]
        self.conn.send_lines(lines)

    def numeric(self, numeric: Numeric, *values: object, nick: str) -> Event:
        """Give a numeric reply for the client with this nick."""
        return Answer(numeric.line(self.server.name, nick, values))

    def standard(self, kind: str, command: str, code: str, *context: str, text: str) -> None:
        """Send a FAIL, WARN or NOTE.  IRCv3 standard-replies."""
        self.send(Event(kind, command, code, *context, text=text, source=self.server.name))

    def notice(self, text: str, source: str = "") -> None:
        """Tell our client something that has no numeric, in words for a person."""
        self.send(Event("NOTICE", self.user.nick or "*", text=text, source=source or self.server.name))

    def reply_words(
        self, numeric: Numeric, values: tuple[str, ...], words: Iterable[str], between: str = " "
    ) -> Iterator[None]:
        """Send a list of words in as many numerics as needed; none for an empty list.

        The words are taken from `words` at the last moment, and none is kept during a pause: it might
        name a user who goes meanwhile.
        """
        without = numeric.line(self.server.name, self.user.nick, (*values, ""))
        room = MAX_MESSAGE_BYTES - size(without) - 1
        words, line = iter(words), ""
        while some := between.join(itertools.islice(words, SOME_WORDS)):
            line += between + some if line else some
            *whole, line = cut_words(line, room, between)
            for each in whole:
                self.reply(numeric, *values, each)
            if self.conn.reply_room < 0:
                self.reply(numeric, *values, line)
                line = ""
                yield
        if line:
            self.reply(numeric, *values, line)

    @contextlib.contextmanager
    def batch(self, kind: str, *params: str) -> Iterator[None]:
        """Mark what is sent inside as one batch, if our client knows batches.  IRCv3 batch."""
        if "batch" not in self.caps:
            yield
            return
        name, outer = str(next_number()), self._marks
        self.send(Event("BATCH", "+" + name, kind, *params, source=self.server.name))
        self._marks = {"batch": name}
        try:
            yield
        finally:
            self._marks = outer
            self.send(Event("BATCH", "-" + name, source=self.server.name))

    # --- to others ----------------------------------------------------------------------------

    def says(self, command: str, *params: str, text: str | None = None, **more: Any) -> Event:
        """Give an event whose source is our user."""
        user = self.user
        return Event(command, *params, text=text, source=user.source, user=user, **more)

    def tell(self, channel: Channel, event: Event, but_me: bool = False) -> None:
        """Send an event to the members of a channel."""
        # Our own copy goes through send(), because it may be the answer to a labelled request.
        mine = self.outbox if but_me or self.response is not None else None
        wording = self.wording

        def line_for(group: Group) -> bytes:
            if event.is_plain and not group.look:  # as nearly always
                return group.frame(event.line)
            return b"".join(map(group.frame, wording.lines(event, group.look)))

        self.conn.fan_out(channel.audience, line_for, but=mine)
        if mine and not but_me and self.user in channel.members:
            self.send(event)
        for observe in self.observers:
            observe(event, channel)

    def tell_users(self, users: Iterable[User], event: Event) -> None:
        """Send an event to each of these users; if we are one of them, it may be our request's answer."""
        for user in users:
            self.tell_user(user, event)

    def tell_user(self, user: User, event: Event, is_answer: bool = True) -> None:
        """Send an event to all sessions of a user; if it is our own, it may be our request's answer."""
        for session in user.sessions:
            if session.caps or not event.is_plain or session is self and is_answer:
                self.tell_session(session, event, is_answer)
            else:  # as nearly always
                self.conn.send_to(session.outbox, event.line)
        for observe in self.observers:
            observe(event, user)

    def tell_neighbours(self, user: User, event: Event, afar: bool = False) -> None:
        """Send an event, once, to each user who shares a channel with this user, but not to it.

        A user who shares five channels is in five audiences, but in a set only once.  With `afar`, also
        send it to those elsewhere who want to know.
        """
        groups = [group for channel in user.channels for group in channel.audience]
        for friends in self.server.extensions.hooks(Extension.friends) if afar else ():
            for session in friends(user):
                groups += with_listener((), *session.listener)
        # By the lines that they get, and their framing.
        outboxes: dict[tuple[tuple[bytes, ...], Callable[[bytes], bytes]], set[Outbox]] = {}
        for group in groups:
            if lines := self.wording.lines(event, group.look):
                outboxes.setdefault((lines, group.frame), set()).update(group.outboxes)
        own = {session.outbox for session in user.sessions}
        for (lines, frame), hearers in outboxes.items():
            hearers -= own
            if self.outbox in hearers:  # it may be the answer to a labelled request
                hearers.remove(self.outbox)
                self.send(event)
            self.conn.send_to_all(hearers, b"".join(map(frame, lines)))
        for observe in self.observers:
            for channel in user.channels:
                observe(event, channel)

    def echo(self, event: Event, elsewhere: bool = True) -> None:
        """Give our user its own message back: here if our client wants that (IRCv3 echo-message).

        Its other sessions have not sent it, so they get it, unless they have it already.
        """
        if "echo-message" in self.caps:
            self.send(event)
        if elsewhere:
            self.tell_elsewhere(event)

    def tell_elsewhere(self, event: Event) -> None:
        """Send an event to the other sessions of our user."""
        for session in self.user.sessions:
            if session is not self:
                self.tell_session(session, event)

    def tell_session(self, session: "Client", event: Event, is_answer: bool = True) -> None:
        """Send an event to one session, ours or another one."""
        if session is self and is_answer:
            self.send(event)
        else:
            for line in self.wording.lines(event, session.caps):
                self.conn.send_to(session.outbox, line)

    def speaking_for(self, session: "Client") -> "Client":
        """Give a double of another session: what it sends goes to that session's client, from our thread."""
        double = copy.copy(session)
        double.response = PassedOn(functools.partial(self.tell_session, session))
        double._marks = {}
        return double

    def show_away(self) -> None:
        """Work out whether our user is away: if all its sessions are, or it has none.  Tell who wants to know."""
        user = self.user
        said = [session.away for session in user.sessions]
        if None in said:
            away = None
        else:
            # `*` is no reason, but that of a client that connects by itself (IRCv3 pre-away).
            newest = self.away if self in user.sessions and self.away != "*" else None
            away = newest or user.away or (said[-1] if said else NOT_CONNECTED)
        if away != user.away:
            user.away = away
            event = Event("AWAY", text=away, source=user.source, user=user, need="away-notify")
            self.tell_neighbours(user, event, afar=True)
            self.tell_elsewhere(event)

    def may(self, channel: Channel, least: str) -> bool:
        """Return whether our user has at least this status; an operator of the server has every status."""
        return self.user.is_operator or channel.has_status(self.user, least)

    # --- the end ------------------------------------------------------------------------------

    def done_with(self, what: str) -> None:
        """Registration need not wait for this any more; go on with it if that was the last."""
        raise NotImplementedError

    def leave(self, user: User, reason: str) -> None:
        """Take a user off the server, ours or another one: tell its neighbours once, and hang up."""
        self.conn.put_held()  # the user still gets what was said before
        sessions = list(user.sessions)
        self.announce_quit(user, reason)
        for session in sessions:
            session.close_link(reason)

    def announce_quit(self, user: User, reason: str) -> None:
        """Tell all who share a channel, and forget the user.  Calling it twice does no harm."""
        if user.registered:
            self.tell_neighbours(user, Event("QUIT", text=reason, source=user.source, user=user))
        was_registered, nick = user.registered, user.nick
        self.world.leave(user)
        if was_registered:
            self.tell_watchers(nick, online=False)
            for left in self.server.extensions.hooks(Extension.left):
                left(user)

    def tell_watchers(self, nick: str, online: bool) -> None:
        """Tell those who watch a nick that it is taken, or free again."""
        for seen in self.server.extensions.hooks(Extension.seen):
            seen(self, nick, online)

    def close_link(self, reason: str) -> None:
        """Say ERROR and hang up.  RFC 2812 section 3.7.4.  Thread: any, and holds the lock."""
        if self.user in self.world.strangers:
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

    def detach(self) -> bool:
        """Take our session from its user; tell whether that was done: without any, only some users stay."""
        user = self.user
        stays = user.registered and (
            len(user.sessions) > 1 or any(keeps(self, user) for keeps in self.server.extensions.hooks(Extension.keeps))
        )
        if stays:
            user.detach(self)
            self.show_away()
        return stays

    def end_session(self, reason: str) -> None:
        """End our session, and hang up: if its user does not stay, all who share a channel are told."""
        if self.detach():
            self.close_link(reason)
        else:
            self.leave(self.user, reason)

    def on_gone(self) -> None:
        """End our session; remove the user, too, if it was the last, and tell its neighbours."""
        for gone in self.server.extensions.hooks(Extension.gone):
            gone(self)
        reason = self.end_reason or ("Too slow" if self.outbox.overflowed else "Connection closed")
        user = self.user
        if user.registered and (self not in user.sessions or self.detach()):
            return
        self.announce_quit(user, reason)


def plain_host(address: Address) -> str:
    """Give the host of an address; for an IPv4 client of an IPv6 socket, in IPv4's form."""
    return address[0].removeprefix("::ffff:")
