"""The fan-out: held back or not, everybody gets the same lines in the same order."""

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st

from extras.broadcast.fan_out import FanOutConnection
from extras.broadcast.hub import Audience
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from extras.broadcast.short_chunks import SHORT_CHUNK_BYTES
from step5_server.codec import LineCodec
from step5_server.connection import CHUNK_BYTES
from step5_server.outbox import Outbox
from step5_server.stream import Stream
from tests.crowd import log_in
from tests.irc_wire import short

NAMES = ["alice", "bob", "carol", "dave"]


class Peer:
    """A socket that does nothing."""

    def setsockopt(self, *args):
        pass

    def send(self, data, flags=0):
        return len(data)


class Talker(Peer):
    """A socket whose peer says these chunks; it notes how much is asked for."""

    def __init__(self, *chunks):
        self.chunks, self.asked = list(chunks), []

    def recv(self, size):
        self.asked.append(size)
        return self.chunks.pop(0)


class StarCodec(LineCodec):
    """Another way to frame lines."""

    frame = staticmethod(lambda line: b"*" + line + b"*")


class Member:
    """A user in an audience, and what was put into her outbox, one item for each put()."""

    def __init__(self, outbox):
        self.outbox = outbox
        self.items = []
        outbox.put = self.items.append

    @property
    def heard(self):
        return b"".join(self.items)


class Scene:
    """Alice's connection and three others, in two audiences; carol's lines are framed in another way."""

    def __init__(self, plain=LineCodec, star=StarCodec):
        self.conn = FanOutConnection(Stream(Peer()), plain(), ("127.0.0.1", 1))
        codecs = [plain(), star(), plain()]
        outboxes = [self.conn.outbox, *(Outbox(Stream(Peer()), codec) for codec in codecs)]
        self.members = dict(zip(NAMES, map(Member, outboxes)))
        self.rooms = {"tea": Audience(), "chess": Audience()}
        for name, member in self.members.items():
            self.rooms["tea"].add(member)
            if name != "bob":
                self.rooms["chess"].add(member)

    def do(self, what, where, line):
        """Do one of alice's steps."""
        if what == "say":
            self.conn.fan_out(self.rooms[where].groups, lambda group: group.frame(line), but=self.conn.outbox)
        elif what == "tell all":
            self.conn.fan_out(self.rooms[where].groups, lambda group: group.frame(line))
        elif what == "reply":
            self.conn.send(line)
        elif what == "write":
            self.conn.send_to(self.members["carol"].outbox, line)
        elif what == "come and go":
            room, bob = self.rooms[where], self.members["bob"]
            (room.remove if bob in room.members else room.add)(bob)


class Reference(Scene):
    """The same, but every line is put at once, into each outbox separately."""

    def do(self, what, where, line):
        hearers = {
            "say": self.rooms[where].members,
            "tell all": self.rooms[where].members,
            "reply": [self.members["alice"]],
            "write": [self.members["carol"]],
        }
        for member in hearers.get(what, []):
            if what != "say" or member is not self.members["alice"]:
                member.items.append(member.outbox.codec.frame(line))
        if what == "come and go":
            super().do(what, where, line)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "say", "say", "tell all", "reply", "write", "come and go"]),
            st.sampled_from(["tea", "tea", "chess"]),
        )
    )
)
def test_everybody_hears_what_she_would_hear_if_nothing_were_held(steps):
    scene, reference = Scene(), Reference()
    for number, (what, where) in enumerate(steps):
        for each in (scene, reference):
            each.do(what, where, b"%d" % number)
    scene.conn.put_held()
    for name in NAMES:
        assert scene.members[name].heard == reference.members[name].heard
    unflushed = {name for name in NAMES if scene.members[name].items}
    assert unflushed <= {name for name in NAMES if scene.members[name].outbox in scene.conn.touched}


def test_sixty_lines_to_a_room_are_one_put_for_each_member():
    scene = Scene()
    for number in range(60):
        scene.do("say", "tea", b"%d" % number)
        scene.do("reply", "tea", b"OK")
    scene.conn.put_held()
    assert [len(scene.members[name].items) for name in NAMES] == [60, 1, 1, 1]


class FailingHandler(BroadcastHandler):
    """It has a bug, in what is said about it."""

    def do_ALL(self, text):
        super().do_ALL(text)
        if text == "bug":
            raise ZeroDivisionError


class FailingServer(BroadcastServer):
    handler_class = FailingHandler


def test_a_bug_of_ours_loses_nothing_that_came_before_it(serve, connect):
    alice, bob = log_in(connect, serve(FailingServer), "alice", "bob")
    alice.send(b"ALL one\nALL two\nALL bug\nALL three\n")
    assert [bob.read_line() for _ in range(3)] == ["ALL alice one", "ALL alice two", "ALL alice bug"]
    alice.read_to_eof()
    bob.fence()


def test_a_line_is_framed_once_for_each_way_of_framing():
    framed = []

    class Plain(LineCodec):
        frame = staticmethod(lambda line: framed.append(Plain) or line)

    class Star(LineCodec):
        frame = staticmethod(lambda line: framed.append(Star) or line)

    Scene(Plain, Star).do("say", "tea", b"hello")
    assert framed == [Plain, Star]


def told(wire):
    """Return what has come for an IRC client."""
    return [short(message) for message in wire.ask()]


def test_what_was_said_to_a_channel_comes_before_what_was_said_to_one(irc):
    alice, bob = irc.client("alice", channel="#c"), irc.client("bob", channel="#c")
    alice.ask()
    alice.ask("PRIVMSG #c :one", "PRIVMSG bob :two", "PRIVMSG #c :three", "PART #c", "PRIVMSG bob :four")
    assert told(bob) == ["PRIVMSG #c one", "PRIVMSG bob two", "PRIVMSG #c three", "PART #c", "PRIVMSG bob four"]


def test_what_was_said_before_a_kill_reaches_who_is_killed(irc):
    alice, bob = irc.client("alice", channel="#c"), irc.client("bob", channel="#c")
    alice.ask("OPER root secret")
    alice.ask("PRIVMSG #c :one", "PRIVMSG #c :two", "KILL bob :enough")
    assert [short(message) for message in bob.goodbye()][:3] == ["PRIVMSG #c one", "PRIVMSG #c two", "KILL bob enough"]


def test_what_was_said_before_a_password_is_reckoned_does_not_wait_for_it(irc, monkeypatch):
    """OPER releases the lock, so what came before it must be in the outboxes by then."""
    alice, bob = irc.client("alice", channel="#c"), irc.client("bob", channel="#c")
    alice.ask()
    heard = []

    def is_password(*args):
        heard.extend(told(bob))  # needs the lock: nobody else waits for our hash either
        return False

    monkeypatch.setattr("extras.irc.more.operators.is_password", is_password)
    assert "464" in alice.codes("PRIVMSG #c :one", "OPER root wrong", "PRIVMSG #c :two")
    assert heard == ["PRIVMSG #c one"]
    assert told(bob) == ["PRIVMSG #c two"]


def test_who_said_little_the_last_time_is_asked_for_little():
    full = b"x" * (SHORT_CHUNK_BYTES - 1) + b"\n"
    talker = Talker(b"hello\n", full, b"x" * 2000, full[1:], b"")
    conn = FanOutConnection(Stream(talker), LineCodec(), ("127.0.0.1", 1))
    while conn.read():
        pass
    assert talker.asked == [SHORT_CHUNK_BYTES, SHORT_CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES, SHORT_CHUNK_BYTES]


def test_who_has_gone_is_not_kept_in_memory_by_who_said_something_to_her():
    scene = Scene()
    scene.do("say", "tea", b"hello")
    scene.conn.put_held()
    bob = scene.members.pop("bob")
    scene.rooms["tea"].remove(bob)
    outbox = weakref.ref(bob.outbox)
    scene.conn.touched.clear()  # as deliver() does
    del bob
    gc.collect()
    assert outbox() is None
