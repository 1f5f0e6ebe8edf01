"""Dialects: how a user logs in and talks, for each protocol that we can measure.

A user is a number here, and there is only one room.  All methods return bytes, ready to send.

mark     a byte that ends every text of a message and occurs nowhere else: so `chunk.count(MARK)`
         counts messages, wherever the chunk was cut
entry    a byte in the name of the room that people enter and leave, which occurs nowhere else that
         its members are sent: so `chunk.count(ENTRY)` counts who comes and goes
fence    a request whose answer is known: when the answer is here, so is all that was sent before
"""

import base64
import re
from collections.abc import Callable

ENTRY = b"Z"  # a room's name may hold only letters and digits
MARK = b"|"  # not in names, numerics, replies or messages of the day, and a single byte


class Dialect:
    """What a dialect says.  A name is declared here without a value: hasattr() finds only what a dialect can do."""

    logged_in: re.Pattern[bytes]  # ends the answer to `login`
    fence: bytes
    fenced: re.Pattern[bytes]  # ends its answer
    refused: re.Pattern[bytes]  # an answer that says no
    quit: bytes
    join: bytes  # into the one room; b"" where nobody need do so
    enter: bytes  # the room that people enter and leave
    leave: bytes
    want_tags: bytes
    have_tags: re.Pattern[bytes]  # ends the answer to it
    login: Callable[[int], bytes]
    tell: Callable[[int, bytes], bytes]
    say: Callable[[bytes], bytes]
    entered_and_left: Callable[[int], tuple[re.Pattern[bytes], re.Pattern[bytes]]]


class Chat(Dialect):
    """Our own protocol, step 5: no rooms."""

    logged_in = re.compile(rb"OK [^\n]*\n")
    fence = b"HELP\n"
    fenced = re.compile(rb"OK [^\n]*HELP[^\n]*\n")
    refused = re.compile(rb"ERR [^\n]*")
    quit = b"LOGOUT\n"
    join = b""

    def login(self, user: int) -> bytes:
        """Return what logs a user in."""
        return b"LOGIN u%d\n" % user

    def tell(self, user: int, text: bytes) -> bytes:
        """Return a message to one user."""
        return b"MSG u%d %s\n" % (user, text)


class Broadcast(Chat):
    """Our own protocol with ALL: everybody is in the one room."""

    def say(self, text: bytes) -> bytes:
        """Return a message to the room."""
        return b"ALL %s\n" % text


class Rooms(Chat):
    """Our own protocol with rooms."""

    join = b"JOIN bench\n"
    enter, leave = b"JOIN %s\n" % ENTRY, b"LEAVE %s\n" % ENTRY

    def entered_and_left(self, user: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
        """Return what ends the answers to `enter` and `leave`."""
        return re.compile(rb"OK"), re.compile(rb"OK")

    def say(self, text: bytes) -> bytes:
        """Return a message to the room."""
        return b"SAY bench %s\n" % text


class FramedRooms(Rooms):
    """The same by WebSocket: a reply has no line end, and the next message begins with the head of a frame."""

    logged_in = re.compile(rb"OK ")
    fenced = re.compile(rb"OK [^\x81]*HELP")
    refused = re.compile(rb"ERR [^\x81]*")


class ClusterRooms(Rooms):
    """The same, when several servers are one chat.

    HELP is answered by the server that it is sent to, however far that one is behind.  Whoever has been
    let into a room has read so in the log; so all that was written before has come.
    """

    fence = b"JOIN fence\nLEAVE fence\n"
    fenced = re.compile(rb"MEMBERS fence [^\n]*\n")


class Irc(Dialect):
    """IRC.  Source: RFC 2812."""

    # 376 ends the message of the day, 422 says that there is none: the greeting ends with one of them.
    logged_in = re.compile(rb" (376|422) [^\n]*\n")
    fence = b"PING fence\r\n"
    fenced = re.compile(rb" PONG [^\n]*\n")
    refused = re.compile(rb"(^|\n)(:\S+ 4(?!22)\d\d |ERROR )[^\n]*")
    quit = b"QUIT\r\n"
    join = b"JOIN #bench\r\n"
    enter, leave = b"JOIN #%s\r\n" % ENTRY, b"PART #%s\r\n" % ENTRY

    def entered_and_left(self, user: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
        """Return what ends the answers to `enter` and `leave`: the end of the names, her own PART."""
        return re.compile(rb" 366 "), re.compile(rb":u%d!\S+ PART " % user)

    def login(self, user: int) -> bytes:
        """Return what logs a user in."""
        return b"NICK u%d\r\nUSER u%d 0 * :u%d\r\n" % (user, user, user)

    def tell(self, user: int, text: bytes) -> bytes:
        """Return a message to one user."""
        return b"PRIVMSG u%d :%s\r\n" % (user, text)

    def say(self, text: bytes) -> bytes:
        """Return a message to the room."""
        return b"PRIVMSG #bench :%s\r\n" % text


class Ircv3(Irc):
    """The same, for servers that put tags before a line for those who want them."""

    want_tags = b"CAP REQ :server-time message-tags\r\n"
    have_tags = re.compile(rb" ACK ")


class IrcWithAccount(Irc):
    """The same; each user logs in with SASL, all of them to one account."""

    def __init__(self, name: str, password: str):
        secret = base64.b64encode(f"\0{name}\0{password}".encode())
        self._authenticate = b"CAP REQ sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE %s\r\n" % secret

    def login(self, user: int) -> bytes:
        """Return what logs a user in."""
        return self._authenticate + super().login(user) + b"CAP END\r\n"


class FramedIrc(Irc):
    """The same by WebSocket: a line has no CR LF."""

    logged_in = re.compile(rb" (376|422) ")
    fenced = re.compile(rb" PONG ")


class Relay(Dialect):
    """relay.c: a user is the number of its connection, everybody is in the one room."""

    logged_in = re.compile(rb"!login\n")
    fence = b"!fence\n"
    fenced = re.compile(rb"!fence\n")
    refused = re.compile(rb"(?!)")  # it never refuses a user
    quit = b""  # the EOF is enough
    join = b""

    def login(self, user: int) -> bytes:
        """Return a line that comes back."""
        return b"!login\n"

    def tell(self, user: int, text: bytes) -> bytes:
        """Return a message to one user."""
        return b"%d %s\n" % (user, text)

    def say(self, text: bytes) -> bytes:
        """Return a message to everybody else."""
        return b"*%s\n" % text
