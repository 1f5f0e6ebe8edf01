"""IRC under load, under attack and on its worst day."""

import contextlib
import itertools
import logging
import random
import socket
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extras.irc.names import fold
from extras.wiretap.relay import Spoiling
from tests.irc_wire import STANDARD, IrcWire, short

pytestmark = pytest.mark.long

CHANNELS = ["#a", "#b", "#c", "#d"]


class Watcher:
    """A client that keeps its own picture of its channels from nothing but what it is told."""

    def __init__(self, address, number, rounds):
        self.address, self.number, self.rounds = address, number, rounds
        self.random = random.Random(number)
        self.lives = 0
        self.errors = []
        self.enter()

    def enter(self):
        self.lives += 1
        self.nick = f"w{self.number}x{self.lives}"
        self.picture: dict[str, dict[str, set]] = {}  # channel -> nick -> status letters
        self.wire = IrcWire(self.address)
        self.wire.send(f"NICK {self.nick}\r\nUSER u 0 * :x")
        self.wire.read_until("376")
        self.ask("CAP REQ :multi-prefix")

    def ask(self, *lines):
        for message in self.wire.ask(*lines):
            self.see(message)

    def see(self, message):
        command, params, nick, picture = message.command, message.params, message.nick, self.picture
        if command == "353":
            for name in params[3].split():
                bare = name.lstrip("@%+")
                picture[params[2]][bare] = {"@%+".index(sign) for sign in name[: -len(bare)]}
        elif command == "JOIN":
            if nick == self.nick:
                assert params[0] not in picture, f"joined {params[0]} twice"
                picture[params[0]] = {}
            else:
                assert nick not in picture[params[0]], f"{nick} joined {params[0]} twice"
                picture[params[0]][nick] = set()
        elif command in ("PART", "KICK"):
            gone = nick if command == "PART" else params[1]
            assert nick in picture[params[0]], f"{command} by {nick}, who is not there"
            del picture[params[0]][gone]
            if gone == self.nick:
                del picture[params[0]]
        elif command == "QUIT":
            seen = [members.pop(nick) for members in picture.values() if nick in members]
            assert seen, f"QUIT of {nick}, who is nowhere"
        elif command == "NICK":
            seen = [members for members in picture.values() if nick in members]
            for members in seen:
                members[params[0]] = members.pop(nick)
            assert seen or nick == self.nick, f"NICK of {nick}, who is nowhere"
            if nick == self.nick:
                self.nick = params[0]
        elif command == "MODE" and params[0] in picture:
            names, sign = iter(params[2:]), "+"
            for letter in params[1]:
                if letter in "+-":
                    sign = letter
                else:
                    rank = "ohv".index(letter)
                    status = picture[params[0]][next(names)]
                    (status.add if sign == "+" else status.discard)(rank)
        elif command == "PRIVMSG":
            assert nick in picture[params[0]], f"a message to {params[0]} from {nick}, who is not there"

    def act(self):
        choice, channel = self.random.random(), self.random.choice(CHANNELS)
        others = [nick for nick in self.picture.get(channel, ()) if nick != self.nick]
        other = self.random.choice(others) if others else self.nick
        if choice < 0.3:
            self.ask(f"JOIN {channel}")
        elif choice < 0.4:
            self.ask(f"PART {channel}")
        elif choice < 0.55:
            self.ask(f"NICK w{self.number}x{self.lives}r{self.random.randrange(9)}")
        elif choice < 0.65:
            self.ask(f"KICK {channel} {other}")
        elif choice < 0.8:
            self.ask(f"MODE {channel} {self.random.choice(['+o', '-o', '+v', '-v', '+h-v'])} {other} {other}")
        elif choice < 0.97:
            self.ask(f"PRIVMSG {channel} :hello")
        else:
            self.wire.send("QUIT :again")
            self.wire.goodbye()
            self.wire.close()
            self.enter()

    def run(self, start, settled):
        try:
            start.wait()
            for _ in range(self.rounds):
                self.act()
            settled.wait()  # everything that anybody has done is queued for everybody by now
            self.ask()
        except Exception as error:  # noqa: BLE001 (for the main thread to show)
            self.errors.append(error)
            settled.abort()


def test_each_clients_picture_of_the_channels_is_the_servers(irc):
    server = irc.start()
    watchers = [Watcher(server.server_address, number, rounds=60) for number in range(30)]
    start, settled = threading.Barrier(30), threading.Barrier(30, timeout=60)
    threads = [threading.Thread(target=watcher.run, args=(start, settled)) for watcher in watchers]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # otherwise a command is nearly always done before another thread runs
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
    finally:
        sys.setswitchinterval(before)
    errors = [
        repr(error)
        for watcher in watchers
        for error in watcher.errors
        if not isinstance(error, threading.BrokenBarrierError)
    ]
    assert not errors
    world = server.registry
    for watcher in watchers:
        assert {c.name for c in world.user(watcher.nick).channels} == set(watcher.picture)
        for name, members in watcher.picture.items():
            truth = {
                user.nick: {"ohv".index(letter) for letter in letters}
                for user, letters in world.channel(name).members.items()
            }
            assert members == truth
    for watcher in watchers:
        watcher.wire.close()


def test_every_message_arrives_once_and_in_one_order(irc):
    users, messages = 12, 100
    clients = [irc.client(f"u{n}", channel="#tea") for n in range(users)]
    for client in clients:
        client.ask()
    heard = {}

    def talk(number):
        client = clients[number]
        client.send("\r\n".join(f"PRIVMSG #tea :{number} {n}" for n in range(messages)))
        heard[number] = [client.read().text for _ in range((users - 1) * messages)]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for a in range(users):
        assert len(set(heard[a])) == (users - 1) * messages
        for b in range(a):
            both = [{text for text in heard[n] if text.split()[0] not in (str(a), str(b))} for n in (a, b)]
            assert both[0] == both[1]
            assert [t for t in heard[a] if t in both[0]] == [t for t in heard[b] if t in both[0]]


SPOILED = {"sliced": Spoiling(slice_bytes=1, slice_gap_s=0.0005), "glued": Spoiling(glue_s=0.002)}


@pytest.mark.parametrize("spoiling", SPOILED.values(), ids=SPOILED)
def test_a_session_is_the_same_however_the_network_cuts_it(irc, spoiling):
    irc.start(utf8_only=False)
    irc.spoil(spoiling)
    alice, bob = irc.client("alice", caps="server-time"), irc.client("bob")
    assert alice.codes("JOIN #tea", "TOPIC #tea :\u2615") == ["JOIN", "353", "366", "TOPIC"]
    assert bob.lines("JOIN #tea", "PRIVMSG #tea :\u00e9\udce9")[:2] == ["JOIN #tea", "332 #tea \u2615"]
    assert [short(m) for m in alice.ask("KICK #tea bob", "NICK al")] == [
        "JOIN #tea",
        "PRIVMSG #tea \u00e9\udce9",
        "KICK #tea bob alice",
        "NICK al",
    ]
    bob.send("QUIT\r\nPING x")
    assert [m.command for m in bob.goodbye()] == ["KICK", "ERROR"]


# --- bad input --------------------------------------------------------------------------------------

WORDS = (
    "a b carol a,b,carol #x #y &z #x,#y,a #x,#x @#x %+#x $* $*.test * *a? !*x >1 C<5 T>0 0 -1 5 "
    "99999999999 + - +o -o+v +b -b +beI +k -k +l +ikl-nt+z +C +m +i-w+B o u m l LS LIST REQ END NEW "
    "irc.test *.test a!b@c ::x %tcuihsnfdlaor,1 %n C L S secret root multi-prefix -multi-prefix,x "
    ":multi-prefix :message-tags :batch :labeled-response :echo-message :server-time \x1b \u00e9 "
).split()
COMMANDS = sorted(set(STANDARD) - {"DIE"})
TAGS = ["", "", "", "@label=1 ", "@+x=y ", "@ ", "@;=; ", "@a ", "@label= "]
TEXTS = ["", " :", " :a b", " :\x01PING\x01", " ::", " :#x,#y"]
LINE = st.builds(
    lambda tags, command, words, text: tags + " ".join([command, *words]) + text,
    st.sampled_from(TAGS),
    st.sampled_from(COMMANDS)
    | st.text(max_size=4).filter(lambda word: word.upper() != "DIE"),  # it tries words of ours
    st.lists(st.sampled_from(WORDS) | st.text(st.characters(blacklist_categories=["Cs"]), max_size=4), max_size=5),
    st.sampled_from(TEXTS),
)
PIECES = [b"\r", b"\n", b"\0", b" ", b":", b"@", b"\xff\xf4", b"\xc3", b"JOIN #x", b"NICK ", b"x" * 600]
BYTES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=20)


@pytest.fixture
def observer(irc):
    """Somebody who must not be disturbed."""
    return irc.client("observer", channel="#x")


def no_bugs(caplog) -> bool:
    return not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_no_sequence_of_commands_is_a_bug_or_ends_anothers_session(irc, observer, caplog):
    @settings(deadline=None)
    @given(st.lists(LINE, min_size=1, max_size=15), st.lists(LINE, min_size=1, max_size=15))
    def attempt(first, second):
        for nick, lines in (("a", first), ("b", second)):
            wire = irc.client(nick, channel="#x")
            with contextlib.suppress(OSError):
                text = "\r\n".join(["OPER root secret", *lines, "QUIT", ""])
                wire.sock.sendall(text.encode(errors="replace"))
            wire.goodbye()
            wire.close()
        observer.ask("PRIVMSG observer :still here")
        assert no_bugs(caplog)

    attempt()


@pytest.mark.parametrize("seed", range(2))
def test_no_command_in_ten_thousand_is_a_bug(irc, caplog, seed):
    """Hypothesis finds the shortest sequence; this one finds the rare one."""
    observer, chance = irc.client("observer", channel="#x"), random.Random(seed)
    for _ in range(50):
        lines = ["OPER root secret", "JOIN #x,#y,&z"]
        for _ in range(200):
            words = chance.choices(WORDS, k=chance.choice([0, 1, 1, 2, 2, 3, 4]))
            command = chance.choice(sorted({*COMMANDS} - {"KILL", "OPER", "QUIT"}))  # which end it early
            lines.append(chance.choice(TAGS) + " ".join([command, *words]) + chance.choice(TEXTS))
        wire = irc.client(chance.choice(["a", "b", "carol"]))
        with contextlib.suppress(OSError):
            wire.sock.sendall("\r\n".join([*lines, "QUIT", ""]).encode())
        wire.goodbye()
        wire.close()
    observer.ask("PRIVMSG observer :still here")
    assert no_bugs(caplog)


def test_no_bytes_however_cut_are_a_bug_or_end_anothers_session(irc, observer, caplog):
    @settings(deadline=None)
    @given(BYTES, st.lists(st.integers(0, 300)), st.booleans())
    def attempt(pieces, cuts, registered):
        data = b"".join(pieces)
        bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        wire = irc.client("mallory") if registered else irc.wire()
        with contextlib.suppress(OSError):
            for start, end in itertools.pairwise(bounds):
                wire.sock.sendall(data[start:end])
            wire.sock.sendall(b"\r\nQUIT\r\n")
        wire.goodbye()
        wire.close()
        observer.ask()
        assert no_bugs(caplog)

    attempt()


def test_a_line_of_20_megabytes_costs_one_reply(irc):
    alice = irc.client("alice")
    for _ in range(20):
        alice.send(b"x" * 1_000_000)
    alice.send(b"\r\n")
    assert alice.codes() == ["417"]


def test_ten_thousand_commands_at_once_are_answered_in_order(irc):
    alice = irc.client("alice")
    thread = threading.Thread(target=alice.send, args=(b"".join(b"PING %d\r\n" % n for n in range(10_000)),))
    thread.start()
    assert [alice.read().text for _ in range(10_000)] == [str(n) for n in range(10_000)]
    thread.join()


# --- bad days ---------------------------------------------------------------------------------------


def test_who_asks_and_never_reads_harms_nobody(irc):
    clients = [irc.client(f"n{n}", channel="#tea") for n in range(30)]
    mute, others = clients[0], clients[1:]
    mute.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    mute.sock.settimeout(0.3)
    with contextlib.suppress(OSError):
        for _ in range(2000):
            mute.send(b"WHO #tea\r\n" * 500)  # until it is no longer read
    for client in others[:3]:
        assert client.codes("WHO #tea")[-1] == "315"
    assert irc.server.registry.user("n0").sessions[0].outbox.pending_bytes < 2_000_000


@pytest.mark.usefixtures("impatient")
def test_a_slow_reader_delays_nobody_and_is_dropped_at_the_bound(irc):
    irc.start(max_pending_bytes=100_000)
    alice, _slow, bob = (irc.client(nick, channel="#tea") for nick in ("alice", "slow", "bob"))
    alice.ask(), bob.ask()
    line = "PRIVMSG #tea :" + "x" * 400
    for _ in range(200):
        alice.ask(*[line] * 100)
        got = bob.ask()
        assert [m.command for m in got].count("PRIVMSG") == 100
        if len(got) > 100:
            break
    assert [short(m) for m in got if m.command != "PRIVMSG"] == ["QUIT Too slow"]


@pytest.mark.parametrize("registered", [False, True])
def test_a_reset_at_any_point_frees_the_name(irc, registered):
    observer = irc.client("observer", channel="#tea")
    for _ in range(20):
        wire = irc.client("ghost", channel="#tea") if registered else irc.wire()
        wire.send("NICK ghost\r\nWHO *")
        wire.reset()
        if registered:
            assert [m.command for m in observer.read_until("QUIT")] == ["JOIN", "QUIT"]
        else:
            while observer.codes("NICK ghost") != ["NICK"]:
                pass
            observer.ask("NICK observer")
    assert set(irc.server.registry.users) == {irc.server.registry.user("observer")}
    assert fold("#TEA") in irc.server.registry.channels


def test_a_half_closed_connection_still_gets_its_replies(irc):
    wire = irc.wire()
    wire.send("NICK alice\r\nUSER u 0 * :x\r\nJOIN #tea\r\nLIST")
    wire.sock.shutdown(socket.SHUT_WR)
    assert [m.command for m in wire.goodbye()][-4:] == ["366", "321", "322", "323"]
