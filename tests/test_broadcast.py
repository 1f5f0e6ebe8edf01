"""Broadcast: ALL reaches everybody else, once, and in one order."""

import contextlib

import pytest

from extras.broadcast import experiment
from extras.broadcast.client import BroadcastCommands
from extras.broadcast.fan_out import FanOutConnection, put_to
from extras.broadcast.hub import Audience, Hub
from extras.broadcast.server import BroadcastServer
from extras.broadcast.turns import TurnHandler
from step6_client.chat_client import Event
from tests.crowd import Walkon, talk, without_lock
from tests.interleave import explore
from tests.lesson import VERBS, rule
from tests.servers import Chat
from tests.stage import Stage

pytestmark = pytest.mark.any_network

TALKERS = [f"talker{n}" for n in range(12)]


@pytest.fixture
def chat(serve, connect):
    return new_chat(serve(BroadcastServer), connect)


def new_chat(server, connect):
    chat = Chat(server, connect)
    chat._sift = lambda line: chat.without_news(chat.with_our_news(line))
    return chat


@rule(
    "ALL reaches every other user, with its sender and its text, and gets OK",
    VERBS,
    hint="Send ALL <sender> <text> to each logged-in user but the sender, the text with all its spaces.",
)
def test_all_reaches_every_other_user_and_not_its_sender(chat):
    alice, bob, carol = (chat.login(name) for name in ("Alice", "bob", "carol"))
    alice.ask("all  hello  there ", "OK ...")
    for wire in (bob, carol):
        wire.expect(f"ALL {alice.name}  hello  there ")
    for wire in (alice, bob, carol):
        wire.fence()


@rule("ALL gets OK even if nobody else is there", VERBS, hint="If there is nobody to send to, that is no mistake.")
def test_all_with_nobody_else_there_is_fine(chat):
    alice = chat.login("alice")
    alice.ask("ALL anybody?", "OK ...")
    alice.fence()


@rule(
    "a client that has not logged in cannot send to all, and gets no ALL",
    VERBS,
    hint="Send to connections that have a name, not to all; before login ALL gets ERR not-logged-in.",
)
def test_who_has_not_logged_in_neither_speaks_nor_hears(chat):
    alice, stranger = chat.login("alice"), chat.connect("stranger")
    stranger.ask("ALL hello", "ERR not-logged-in ...")
    alice.ask("ALL hello", "OK ...")
    stranger.fence()
    alice.fence()


@rule(
    "a user who has left gets no more ALL, and the others still get it",
    VERBS,
    hint="Take a user who leaves off the list. If a send to one user fails, the loop over all must go on.",
)
def test_who_has_left_hears_no_more(chat):
    alice, bob, carol, dave = (chat.login(name) for name in ("alice", "bob", "carol", "dave"))
    bob.ask("LOGOUT", "OK ...")
    bob.compare(b"", bob.read_to_eof())
    dave.reset()
    alice.ask("ALL hello", "OK ...")
    carol.expect(f"ALL {alice.name} hello")
    alice.fence()


@rule(
    "a bad message to all gets its code, and reaches nobody",
    VERBS,
    hint="Check the text as MSG does, before you send it to anybody.",
)
@pytest.mark.parametrize(
    "line, codes",
    [
        ("ALL", "ERR bad-arguments ..."),
        ("ALL   ", "ERR bad-text ... / ERR bad-arguments ..."),
        ("ALL \x1b[2J", "ERR bad-text ..."),
        (b"ALL \xff\n", "ERR bad-encoding ..."),
    ],
    ids=["no text", "blanks", "escape", "no UTF-8"],
)
def test_a_bad_message_reaches_nobody(chat, line, codes):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.ask(line, codes)
    bob.fence()


def test_help_lists_it(chat):
    assert "ALL" in chat.connect().request("HELP").reply.split()


@pytest.mark.direct
@rule(
    "all users get the ALL events in the same order",
    VERBS,
    hint="Put one message into all queues in one step, so that no other thread's message comes in between.",
    race=True,
)
def test_all_users_hear_one_order(chat):
    """Twelve talk at once, and each hears the others (not herself) in the order that the listener hears."""
    wires = [chat.login(name) for name in (*TALKERS, "listener")]
    lines_of = [[f"ALL {n}" for n in range(150)] for _ in TALKERS] + [[]]
    *heard_by, heard_by_listener = talk(wires, lines_of)
    for wire, heard in zip(wires, heard_by):
        expected = [event for event in heard_by_listener if event.split()[1] != wire.name]
        assert heard == expected, "two users heard two messages in different orders"


# Two at once, in all orders (see tests/interleave.py)


def talk_at_once(server_class):
    """Let two talk to all.  Raises: AssertionError, if two who listen hear different orders."""

    def scene():
        stage = Stage(server_class, "alice", "bob", "carol", "dave")

        def check(saw):
            assert sorted(stage.heard("carol")) == ["ALL alice 1", "ALL alice 2", "ALL bob 3"]
            assert stage.heard("carol") == stage.heard("dave"), "they heard different orders"

        return {"alice": lambda: stage.say("alice", "ALL 1", "ALL 2"), "bob": lambda: stage.say("bob", "ALL 3")}, check

    return explore(scene, TurnHandler.answer_lines, FanOutConnection.put_held, put_to)


def test_two_who_talk_at_once_are_heard_in_one_order():
    talk_at_once(BroadcastServer)


def test_without_the_lock_the_orders_differ():
    with pytest.raises(AssertionError, match="they heard different orders"):
        talk_at_once(without_lock(BroadcastServer))


def test_the_experiment_shows_it_each_time(monkeypatch):
    monkeypatch.setattr(experiment, "MESSAGES", 3)
    assert experiment.try_out(experiment.WithoutLock)[0] > 1
    monkeypatch.setattr(experiment, "UNLUCKY_S", 0.05)  # with the lock it is over in vain
    assert experiment.try_out(experiment.AsItIs)[0] == 1


def come_at_once(hub_class):
    """Let one come while another goes.  Raises: AssertionError, if the audience is not who is here then."""

    def scene():
        hub, alice, bob = hub_class(), Walkon("alice"), Walkon("bob")
        hub.claim("alice", alice)

        def check(saw):
            assert saw == {"alice": True, "bob": None}
            assert list(hub.everyone.members) == hub.members() == [bob]
            assert [group.outboxes for group in hub.everyone.groups] == [(bob,)], "who hears is not who is here"

        return {"alice": lambda: hub.release("alice", alice), "bob": lambda: hub.claim("bob", bob)}, check

    return explore(scene, Hub, Audience)


def test_who_hears_is_who_is_here():
    come_at_once(Hub)


def test_without_the_lock_somebody_who_has_gone_would_hear():
    class Unlocked(Hub):
        def __init__(self):
            super().__init__()
            self.lock = contextlib.nullcontext()

    with pytest.raises(AssertionError):
        come_at_once(Unlocked)


# The client


def test_slash_all_says_it_to_everybody():
    commands = BroadcastCommands()
    assert commands.parse_input("/all hello  there").send == "ALL hello  there"
    assert commands.parse_input("/all").show == "! usage: /all TEXT"
    assert commands.render(Event("ALL bob hello  there")) == "bob to all: hello  there"
    assert "/all TEXT" in commands.parse_input("/help").show
