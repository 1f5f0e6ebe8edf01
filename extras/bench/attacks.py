"""The attacks: what one connection sends in each, and which users are there.

    def help_flood(me):
        me.log_in().pour(b"HELP\\n")

is a whole attack: extras/bench/attacker.py calls it for each attacker.  If it returns before the
time is over, or the server cuts it off, it is called again.  The table at the end says for each
attack which users are there before it begins.

me      the attacker: number, count (how many there are), user (the number in its name)
stage   the users who are there: people(300) logs in 300 who read what they get
"""

import base64
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from extras.bench.attacker import Attacker, Peer, Stage

VICTIM_BYTES_PER_S = 5e6
REFUSED = 1000  # peers that come when the server is full
ROOMS = 1000
CHANNELS = 20_000
TEXT = b"x" * 400
CAPABILITIES = (
    "away-notify batch echo-message extended-join message-tags multi-prefix server-time setname userhost-in-names"
)
# As many stars as our server accepts, with letters of an attacker's name; and as long as a line.
MASK = b"*0" * 14 + b"b" * 60
LONG_MASK = b"*0" * 200 + b"b"


# --- our own protocol -------------------------------------------------------------------------


def help_flood(me: Attacker) -> None:
    me.log_in().pour(b"HELP\n")


def to_oneself(me: Attacker) -> None:
    me.log_in().pour(b"MSG u%d %s\n" % (me.user, TEXT))


def to_the_victim(me: Attacker) -> None:
    me.log_in().pour(b"MSG u0 %s\n" % TEXT)


def to_all(me: Attacker) -> None:
    me.log_in().pour(b"ALL %s\n" % TEXT)


def who_flood(me: Attacker) -> None:
    me.log_in().pour(b"WHO\n")


def rooms_flood(me: Attacker) -> None:
    me.log_in().pour(b"ROOMS\n")


def rooms_unread(me: Attacker) -> None:
    me.log_in().pour(b"ROOMS\n", read=False)


def join_and_leave(me: Attacker) -> None:
    me.log_in().pour(b"JOIN r0\nLEAVE r0\n")


def come_and_go(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"LOGOUT\n")
    peer.read_until_closed()


def refused_and_trickling(me: Attacker) -> None:
    """Stay connected though the server is full, and send a byte now and then; connect again if closed."""
    peers: list[Peer] = []
    while True:
        while len(peers) < max(1, REFUSED // me.count):
            peers.append(me.connect())
        peers = [peer for peer in peers if me.trickle(peer)]
        time.sleep(0.1)


def endless_line(me: Attacker) -> None:
    me.log_in().pour(b"x" * 65536)


def byte_by_byte(me: Attacker) -> None:
    peer = me.log_in()
    while True:
        for byte in b"HELP\n":
            peer.send(bytes([byte]))


def ask_and_die(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"ROOMS\n" * 2000)
    peer.die()


# --- IRC ----------------------------------------------------------------------------------------


def forty(letter: bytes = b"a") -> list[bytes]:
    """Return the names of the forty channels that one user may be in: twenty of each kind."""
    return [b"%c%s%d" % (kind, letter, n) for kind in b"#&" for n in range(20)]


def irc_join_masks(me: Attacker) -> None:
    me.log_in().pour(b"JOIN %s\r\n" % b",".join(forty()))


def irc_join_masks_anew(me: Attacker) -> None:
    """Take a new name each time, so that what the server remembers about the old one is of no use."""
    join = b"JOIN %s\r\n" % b",".join(forty())
    me.log_in().pour(b"".join(b"NICK %c%d\r\n%s" % (letter, me.user, join) for letter in b"ab"))


def irc_away(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"JOIN #big\r\n")
    peer.pour(b"AWAY :gone\r\nAWAY\r\n")


def irc_who(me: Attacker) -> None:
    me.log_in().pour(b"WHO ?\r\n")


def irc_nick(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"JOIN #big\r\n")
    peer.pour(b"NICK a%d\r\nNICK b%d\r\n" % (me.user, me.user))


def irc_dressed(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"JOIN #big\r\n")
    peer.pour(b"PRIVMSG #big :hello\r\n")


def irc_pass(me: Attacker) -> None:
    """A hundred connections in all, made by one attacker or by sixteen."""
    peers = [me.connect() for _ in range(max(1, 100 // me.count))]
    while True:
        for peer in peers:
            peer.send(b"PASS wrong\r\nNICK a%d\r\nUSER a 0 * :a\r\n" % random.randrange(10**6))
        for peer in peers:
            peer.read_until_closed()


def irc_sasl(me: Attacker) -> None:
    """A hundred connections that guess the passwords of accounts; each is closed after five guesses."""
    peers = [me.connect() for _ in range(max(1, 100 // me.count))]
    while True:
        for peer in peers:
            secret = base64.b64encode(b"\0alice\0%d" % random.randrange(10**6))
            peer.send(b"CAP REQ sasl\r\n" + b"AUTHENTICATE PLAIN\r\nAUTHENTICATE %s\r\n" % secret * 5)
        for peer in peers:
            peer.read_until_closed()


def irc_register(me: Attacker) -> None:
    """Make accounts."""
    peers = [me.connect() for _ in range(max(1, 100 // me.count))]
    while True:
        for peer in peers:
            peer.send(b"REGISTER a%d * secret\r\nQUIT\r\n" % random.randrange(10**9))
        for peer in peers:
            peer.read_until_closed()


def irc_mode_letters(me: Attacker) -> None:
    me.log_in().pour((b"MODE #a0 " + b"b" * 490 + b"\r\n") * 10)


def irc_list(me: Attacker) -> None:
    me.log_in().pour(b"LIST\r\n")


def irc_masks(me: Attacker) -> None:
    """Fill every list of forty channels."""
    peer = me.log_in()
    channels = forty(b"m%d-" % me.number)
    peer.send(b"".join(b"JOIN %s\r\n" % name for name in channels))
    peer.pour(
        b"".join(
            b"MODE %s +%c %s%d\r\n" % (name, letter, "\N{GRINNING FACE}".encode() + b"x" * 60, number)
            for number in range(100)
            for letter in b"beI"
            for name in channels
        )
    )


def irc_invite(me: Attacker) -> None:
    """Invite to channels that end at once."""
    peer = me.log_in()
    peer.pour(
        b"".join(
            b"JOIN #%d-%d\r\nINVITE u0 #%d-%d\r\nPART #%d-%d\r\n" % ((me.user, number) * 3) for number in range(2000)
        )
    )


def irc_to_oneself(me: Attacker) -> None:
    me.log_in().pour(b"PRIVMSG u%d :%s\r\n" % (me.user, TEXT))


def irc_to_the_victim(me: Attacker) -> None:
    me.log_in().pour(b"PRIVMSG u0 :%s\r\n" % TEXT)


def irc_http(me: Attacker) -> None:
    peer = me.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nNICK a%d\r\nUSER a 0 * :a\r\nPRIVMSG u0 :hello\r\n" % me.user)
    peer.read_until_closed()


def irc_come_and_go(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"QUIT\r\n")
    peer.read_until_closed()


def irc_ask_and_die(me: Attacker) -> None:
    peer = me.log_in()
    peer.send(b"LIST\r\n" * 2000)
    peer.die()


# --- the stage --------------------------------------------------------------------------------------


Setup = Callable[[Stage], None]  # logs in those who are there


def nobody(stage: Stage) -> None:
    """Nobody but the attackers and those who are measured."""


def people(number: int, setup: Callable[[int], bytes] = lambda user: b"") -> Setup:
    """Users who only read."""
    return lambda stage: stage.people(stage.size(number), setup)


def victim(bytes_per_s: float) -> Setup:
    """User 0, who reads at this pace."""
    return lambda stage: stage.add_victim(bytes_per_s)


def many_rooms(stage: Stage) -> None:
    """300 users in 1,000 rooms."""
    users, rooms = stage.size(300), stage.size(ROOMS)
    stage.people(users, lambda user: b"".join(b"JOIN r%d\n" % room for room in range(user, rooms, users)))


def masks(mask: bytes) -> Setup:
    """Close the forty channels to all but 100 masks each; each channel has an owner."""

    def setup(stage: Stage) -> None:
        names, number = forty(), stage.size(97)  # a burst of 100 lines is free
        stage.people(
            len(names),
            lambda user: (
                b"JOIN %s\r\nMODE %s +i\r\n" % (names[user], names[user])
                + b"".join(b"MODE %s +I %s%d\r\n" % (names[user], mask, n) for n in range(number))
            ),
        )

    return setup


def in_one_channel(number: int, capabilities: Callable[[int], list[str]] = lambda user: []) -> Setup:
    """Users in #big, each with her capabilities."""

    def setup(user: int) -> bytes:
        wanted = " ".join(capabilities(user)).encode()
        return (b"CAP REQ :%s\r\n" % wanted if wanted else b"") + b"JOIN #big\r\n"

    return lambda stage: stage.people(stage.size(number), setup)


def each_another(user: int) -> list[str]:
    """Return capabilities that no other user has: there are 512 ways to choose of nine."""
    return [name for bit, name in enumerate(CAPABILITIES.split()) if user >> bit & 1]


def many_channels(stage: Stage) -> None:
    """20,000 channels; each of the owners has forty."""

    def setup(user: int) -> bytes:
        names = forty(b"%d-" % user)
        return b"".join(b"JOIN %s\r\n" % b",".join(names[n : n + 10]) for n in range(0, 40, 10))

    stage.people(stage.size(CHANNELS // 40), setup)


def bans(stage: Stage) -> None:
    """A channel with a long list of bans."""
    stage.people(
        1,
        lambda user: (
            b"JOIN #a0\r\n" + b"".join(b"MODE #a0 +b %d!%s\r\n" % (n, b"x" * 60) for n in range(stage.size(97)))
        ),
    )


class Attack(NamedTuple):
    """One attack, by the name that the command line gives it."""

    title: str
    servers: str  # the servers that understand it; by default the first is attacked
    run: Callable[[Attacker], None]
    stage: Setup = nobody
    server_args: tuple[str, ...] = ()
    password: bytes = b""  # what the users on the stage must send


STEP5 = "step5 broadcast presence rooms"
# Of "secret", made with `extras/irc/server.py hash-password`.
HASH = (
    "scrypt:Amb/eVR/7PGRG/rvzZXyP0L4oaHqmRiiL5A818Xkap8Faov433xA4kBp5TDi7CmwkdR00DeOyI40tHtYE7bcc"
    "KEca45uRo64UGDHD0Qrc3k="
)
ATTACKS = {
    "help": Attack("HELP without waiting for the answers", STEP5, help_flood),
    "self": Attack("messages to oneself", STEP5, to_oneself),
    "deaf": Attack("messages to a victim who does not read", STEP5, to_the_victim, victim(0)),
    "victim": Attack("messages to a victim who reads 5 MB/s", STEP5, to_the_victim, victim(VICTIM_BYTES_PER_S)),
    "all": Attack("ALL to 200 listeners", "broadcast presence rooms", to_all, people(200)),
    "who": Attack("WHO with 300 users", "presence rooms", who_flood, people(300)),
    "rooms": Attack("ROOMS with 300 users in 1,000 rooms", "rooms", rooms_flood, many_rooms),
    "rooms-unread": Attack("the same, and the answers are not read", "rooms", rooms_unread, many_rooms),
    "flips": Attack("JOIN and LEAVE in a room of 300", "rooms", join_and_leave, people(300, lambda user: b"JOIN r0\n")),
    "logins": Attack("log in, log out, again and again", STEP5, come_and_go),
    "refused": Attack(
        "1,000 peers beyond --max-clients 10, who trickle bytes",
        STEP5,
        refused_and_trickling,
        people(6),
        ("--max-clients=10",),
    ),
    "endless": Attack("a line that does not end", STEP5, endless_line),
    "bytes": Attack("HELP, a byte at a time", STEP5, byte_by_byte),
    "die": Attack("ROOMS 2,000 times, then die", "rooms", ask_and_die, many_rooms),
    "irc-masks-join": Attack("JOIN 40 channels with 100 masks each", "irc", irc_join_masks, masks(MASK)),
    "irc-masks-anew": Attack("the same, under a new name each time", "irc", irc_join_masks_anew, masks(MASK)),
    "irc-long-masks-join": Attack(
        "JOIN 40 channels with 100 masks of 400 bytes each", "irc", irc_join_masks, masks(LONG_MASK)
    ),
    "irc-away": Attack("AWAY with 200 neighbours", "irc", irc_away, in_one_channel(200, lambda user: ["away-notify"])),
    "irc-who": Attack("WHO ? with 300 users", "irc", irc_who, people(300)),
    "irc-nick": Attack("NICK there and back with 200 neighbours", "irc", irc_nick, in_one_channel(200)),
    "irc-dressed": Attack(
        "a channel of 300, no two with the same capabilities", "irc", irc_dressed, in_one_channel(300, each_another)
    ),
    "irc-pass": Attack(
        "100 strangers guess a password that is hashed",
        "irc",
        irc_pass,
        server_args=("--password=" + HASH,),
        password=b"secret",
    ),
    "irc-sasl": Attack("100 strangers guess the passwords of accounts", "irc", irc_sasl),
    "irc-register": Attack(
        "100 strangers make accounts", "irc", irc_register, server_args=("--register-limit=1000000",)
    ),
    "irc-mode": Attack("MODE #c bbbb... (490 letters)", "irc", irc_mode_letters, bans),
    "irc-list": Attack("LIST with 20,000 channels", "irc", irc_list, many_channels),
    "irc-masks": Attack("40 channels x 3 lists x 100 masks", "irc", irc_masks),
    "irc-invite": Attack("invitations to channels that end", "irc", irc_invite, victim(VICTIM_BYTES_PER_S)),
    "irc-self": Attack("messages to oneself", "irc", irc_to_oneself),
    "irc-victim": Attack("messages to a victim who reads 5 MB/s", "irc", irc_to_the_victim, victim(VICTIM_BYTES_PER_S)),
    "irc-http": Attack("a browser that POSTs", "irc", irc_http),
    "irc-logins": Attack("log in, QUIT, again and again", "irc", irc_come_and_go),
    "irc-die": Attack("LIST 2,000 times, then die", "irc", irc_ask_and_die, many_channels),
    "irc-endless": Attack("a line that does not end", "irc", endless_line),
}
