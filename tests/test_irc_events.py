"""Events and how they are worded; capabilities, labels, and the hooks of an extension."""

import contextlib
import re
from types import SimpleNamespace

import pytest

from extras.irc import event as event_module
from extras.irc.bans import LISTS
from extras.irc.command import Command, command
from extras.irc.event import Answer, Event, Wording
from extras.irc.extension import Capability, Extension
from extras.irc.message import MAX_PARAMS
from extras.irc.naive_server import HastyServer
from extras.irc.server import IrcServer
from extras.irc.state import FLAGS, STATUSES, USER_MODES, User
from extras.irc.verbs import VERBS
from extras.ircv3.every import EXTENSIONS
from extras.ircv3.labels import LabelledResponse
from extras.ircv3.naive_server import TrustingServer
from extras.ircv3.tags import message_tags, time_tag
from tests.chapter import ROOT
from tests.irc_wire import MORE, STANDARD, IrcWire
from tests.servers import running

TAGS = {"server-time": time_tag, "message-tags": message_tags}


def alice():
    user = User(None, "host")
    user.name = "al"
    user.call("alice")
    return user


def said(**more):
    return Event("PRIVMSG", "#tea", text="hi", source="alice!al@host", user=alice(), **more)


# --- wording --------------------------------------------------------------------------------------


def test_only_tags_that_were_asked_for_are_sent():
    wording, event = Wording(TAGS), said(tags={"+x": "y"})
    line = b":alice!al@host PRIVMSG #tea :hi"
    assert wording.lines(event, frozenset()) == (line,)
    assert wording.lines(event, frozenset(["echo-message"])) == (line,)
    assert wording.lines(event, frozenset(["message-tags"])) == (f"@msgid={event.id};+x=y ".encode() + line,)
    (got,) = wording.lines(event, frozenset(["server-time"]))
    assert re.fullmatch(rb"@time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z " + re.escape(line), got)


def test_an_event_is_worded_once_for_each_way_it_looks():
    """300 members with all-different capabilities were 300 wordings."""
    wording, event, lines = Wording(TAGS), said(), []
    every = [*TAGS, *(f"other-{n}" for n in range(8))]
    for n in range(1 << len(every)):
        caps = frozenset(cap for bit, cap in enumerate(every) if n >> bit & 1)
        (line,) = wording.lines(event, caps)
        assert (b"time=" in line) == ("server-time" in caps)
        assert (b"msgid=" in line) == ("message-tags" in caps)
        lines.append(line)
    assert len(set(map(id, lines))) == 4


def test_who_asks_for_ever_new_capabilities_fills_no_memory():
    wording = Wording(TAGS)
    for n in range(3 * event_module.MAX_LOOKS):
        wording.lines(said(), frozenset([str(n)]))
    assert len(wording._looks) <= event_module.MAX_LOOKS


def test_an_event_says_who_gets_it_and_who_gets_others_instead():
    wording = Wording({})
    away = Event("AWAY", source="a!b@c", need="away-notify")
    assert wording.lines(away, frozenset()) == ()
    assert wording.lines(away, frozenset(["away-notify"])) == (b":a!b@c AWAY",)
    join = Event("JOIN", "#tea", source="a", instead={"more": (Event("JOIN", "#tea", "*", source="a"), away)})
    assert wording.lines(join, frozenset()) == (b":a JOIN #tea",)
    assert wording.lines(join, frozenset(["more"])) == (b":a JOIN #tea *", b":a!b@c AWAY")
    assert wording.lines(join.marked(batch="1"), frozenset(["more"])) == (
        b"@batch=1 :a JOIN #tea *",
        b"@batch=1 :a!b@c AWAY",
    )


def test_both_forms_of_an_event_have_one_id_and_one_time():
    longer = Event("JOIN", "#tea", "alice", text="Alice", user=alice(), time=1.0)
    join = Event("JOIN", "#tea", user=alice(), time=2.0, instead={"extended-join": (longer,)})
    caps, wording = frozenset(TAGS), Wording(TAGS)
    for event in join, join.marked(label="7"):
        (short,), (long,) = wording.lines(event, caps), wording.lines(event, caps | {"extended-join"})
        assert short.split()[0] == long.split()[0] and join.id.encode() in long


def test_an_id_is_nobody_elses_and_stays_when_the_event_is_marked():
    events = [said() for _ in range(1000)]
    assert len({event.id for event in events}) == 1000
    assert events[0].marked(label="1").id == events[0].id


# --- labels ---------------------------------------------------------------------------------------


def labelled(events, *caps):
    """Return the lines that become of the events that answer a request with the label 7."""
    got, wording, caps = [], Wording(TAGS), frozenset(caps)
    me = SimpleNamespace(
        caps=caps, server=SimpleNamespace(name="s"), put=lambda event: got.extend(wording.lines(event, caps))
    )
    response = LabelledResponse(me, "7")
    for event in events:
        response.add(event)
    response.end()
    return [re.sub(rb"(\+|-|batch=)\d+", rb"\g<1>N", line) for line in got]


def test_a_labelled_answer_is_an_ack_a_tag_or_a_batch():
    pong = Answer(":s PONG s :x")
    assert labelled([], "batch") == [b"@label=7 :s ACK"]
    assert labelled([pong], "batch") == [b"@label=7 :s PONG s :x"]
    assert labelled([pong, pong, pong], "batch") == [
        b"@label=7 :s BATCH +N labeled-response",
        *[b"@batch=N :s PONG s :x"] * 3,
        b":s BATCH -N",
    ]


def test_an_answer_that_is_a_batch_has_the_label_at_its_start():
    start, end = Event("BATCH", "+1", "x", source="s"), Event("BATCH", "-1", source="s")
    inside = Answer(":s PONG s :x").marked(batch="1")
    assert labelled([start, inside, end], "batch") == [
        b"@label=7 :s BATCH +N x",
        b"@batch=N :s PONG s :x",
        b":s BATCH -N",
    ]


def test_without_batch_only_one_event_can_have_the_label():
    one, two, three = (Answer(f":s {n}") for n in (1, 2, 3))
    assert labelled([]) == [b"@label=7 :s ACK"]
    assert labelled([one]) == [b"@label=7 :s 1"]
    assert labelled([one, two, three]) == [b":s 1", b":s 2", b":s 3"]


# --- rows and hooks -------------------------------------------------------------------------------


def test_a_row_is_read_from_the_function():
    def kick(me, names, nicks, reason=""): ...
    def ison(me, nick, *more): ...

    assert command(kick) == Command(kick, 2, 3, early=False, locked=True, free=False, only_utf8=False)
    assert command(ison, early=True)[1:] == (1, MAX_PARAMS, True, True, False, False)


class Parrot(Extension):
    """An extension that has a bit of everything."""

    channel_flags = "P"
    capabilities = (Capability("x.test/parrot", "says it again", value=lambda: "loud"),)

    def __init__(self, *args):
        super().__init__(*args)
        self.heard = []
        self.commands = {"PARROT": command(self.parrot, early=True)}

    @staticmethod
    def add_flags(flags):
        flags.add_argument("--parrot", default="hello")

    def tokens(self):
        return ["PARROT"]

    def parrot(self, me, text=""):
        """Say it again."""
        me.notice(text or self.options.parrot)

    def observe(self, event, place):
        self.heard.append((event.command, getattr(place, "name", place)))

    def why_not_nick(self, me, nick):
        from extras.irc.replies import ERR_NICKNAMEINUSE

        return (ERR_NICKNAMEINUSE, nick) if nick == "polly" else None

    def joined(self, me, channel):
        me.notice(f"welcome to {channel.name}")

    def service(self, nick):
        return (lambda me, text: me.notice(text, source=nick)) if nick == "ParrotServ" else None


@pytest.fixture
def parrots(irc):
    irc.start(extensions=(*EXTENSIONS, Parrot), options={"parrot": "ahoy"})
    return irc


def test_the_core_alone_lets_people_join_talk_and_leave(irc):
    irc.start(extensions=())
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    bob.send("NICK bobby\r\nPRIVMSG #tea :hi\r\nTOPIC #tea :x\r\nPART #tea\r\nPRIVMSG alice :psst\r\nQUIT")
    assert [m.command for m in bob.goodbye()] == ["NICK", "482", "PART", "ERROR"]
    assert alice.lines() == ["NICK bobby", "PRIVMSG #tea hi", "PART #tea", "PRIVMSG alice psst"]
    assert set(alice.codes(*STANDARD.keys() - VERBS.keys())) == {"421"}


def test_an_extension_adds_a_capability_a_command_a_mode_and_a_token(parrots):
    wire = parrots.wire()
    offered = [name for message in wire.ask("CAP LS 302") for name in message.text.split()]
    assert "x.test/parrot=loud" in offered
    wire.send("PARROT")
    assert wire.read().text == "ahoy"
    alice = parrots.client("alice", channel="#tea")
    assert any("PARROT" in message.params for message in alice.welcome if message.command == "005")
    assert alice.lines("MODE #tea +P") == ["MODE #tea +P"]
    assert "Say it again." in [message.text for message in alice.ask("HELP PARROT")]


def test_a_refused_nick_is_asked_for_again_when_registering(parrots):
    wire = parrots.wire()
    assert [message.command for message in wire.ask("NICK polly", "USER p 0 * :P")] == ["433"]
    wire.send("NICK dolly")
    assert wire.read().command == "001"
    wire.read_until("376")
    assert wire.codes("NICK polly") == ["433"]


def test_hooks_see_what_happens_in_order(parrots):
    alice, bob = parrots.client("alice", channel="#tea"), parrots.client("bob")
    heard = parrots.server.extensions[Parrot].heard
    heard.clear()
    assert bob.ask("JOIN #tea")[-1].text == "welcome to #tea"
    bob.ask("PRIVMSG #tea :hi", "PRIVMSG alice :psst", "TOPIC #tea :x", "NICK bobby")
    bob.send("QUIT")
    alice.read_until("QUIT")
    assert [(name, getattr(place, "name", place)) for name, place in heard] == [
        ("JOIN", "#tea"),
        ("PRIVMSG", "#tea"),
        ("PRIVMSG", "alice"),
        ("NICK", "bob"),
        ("NICK", "#tea"),
        ("QUIT", "#tea"),
    ]
    assert alice.lines("PRIVMSG ParrotServ :hi") == ["NOTICE alice hi"]


# --- wrong on purpose -----------------------------------------------------------------------------


@pytest.mark.parametrize("server_class, is_right", [(IrcServer, True), (HastyServer, False)])
def test_a_naive_server_writes_for_the_sender_and_not_for_the_reader(server_class, is_right):
    with running(server_class(("127.0.0.1", 0))) as server, contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(IrcWire(server.server_address)) for _ in range(2))
        bob.ask("NICK bob", "USER bob 0 * :Bob", "JOIN #tea")
        alice.ask("CAP REQ :server-time extended-join", "NICK alice", "USER al 0 * :Al", "CAP END", "JOIN #tea")
        (joined,) = bob.ask("PRIVMSG #tea :what time is it?")
        (said,) = alice.ask()
        assert ("time" in joined.tags) != is_right and ("Al" in joined.params) != is_right
        assert ("time" in said.tags) == is_right


@pytest.mark.parametrize("server_class, is_right", [(IrcServer, True), (TrustingServer, False)])
def test_on_a_naive_server_anybody_has_anybodys_account(server_class, is_right):
    with running(server_class(("127.0.0.1", 0))) as server, contextlib.ExitStack() as stack:
        mallory, bob = (stack.enter_context(IrcWire(server.server_address)) for _ in range(2))
        bob.ask("CAP REQ :message-tags account-tag", "NICK bob", "USER bob 0 * :Bob", "CAP END", "JOIN #tea")
        mallory.ask("CAP REQ :message-tags", "NICK alice_", "USER al 0 * :Al", "CAP END", "JOIN #tea")
        mallory.ask("@account=alice PRIVMSG #tea :it is me")
        assert ("account" in bob.ask()[-1].tags) != is_right


# --- what the texts tell --------------------------------------------------------------------------


def test_the_reference_tells_every_standard_command_and_mode():
    text = (ROOT / "extras/irc/REFERENCE.md").read_text(encoding="utf-8")
    row = {name: cells for name, cells in re.findall(r"^\| ([\w ]+) \| (.*) \|$", text, re.MULTILINE)}
    assert set(re.findall("[A-Z]{2,}", row["commands"])) - {"WHOX"} == set(STANDARD)
    assert set(re.findall("`(.)`", row["channel modes"])) == set(LISTS + "kl" + FLAGS) | set(STATUSES)
    assert set(re.findall("`(.)`", row["user modes"])) == set(USER_MODES)


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: extension.__name__)
def test_the_chapter_has_a_row_for_every_extension(extension):
    module = extension.__module__.rpartition(".")[2]
    if extension in MORE:
        text = (ROOT / "extras/irc/REFERENCE.md").read_text(encoding="utf-8")
        assert f"[{module}.py](more/{module}.py)" in text, "add a row to the modules"
        return
    text = (ROOT / "extras/ircv3/README.md").read_text(encoding="utf-8")
    assert f"[{module}.py]({module}.py)" in text, "add a row to section 8"


def test_the_chapter_names_every_capability(irc):
    text = (ROOT / "extras/ircv3/README.md").read_text(encoding="utf-8")
    assert not [name for name in irc.start().extensions.capabilities if f"`{name}`" not in text]
