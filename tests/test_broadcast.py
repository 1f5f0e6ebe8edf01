"""Broadcast: ALL reaches everybody else, once, and in one order."""

import pytest

from extras.broadcast.client import BroadcastCommands
from extras.broadcast.server import BroadcastServer
from step6_client.chat_client import Event
from tests.conftest import Chat
from tests.crowd import eager_threads, talk, without_lock
from tests.lesson import VERBS, rule

TALKERS = [f"talker{n}" for n in range(12)]


@pytest.fixture
def chat(serve, connect):
    return new_chat(serve(BroadcastServer), connect)


def new_chat(server, connect):
    chat = Chat(server, connect)
    chat._sift = lambda line: chat.without_news(chat.with_our_news(line))
    return chat


@rule("ALL reaches every other user, with its sender and its text, and gets OK", VERBS,
      hint="Send ALL <sender> <text> to each logged-in user but the sender, the text with all its spaces.")
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


@rule("a client that has not logged in cannot send to all, and gets no ALL", VERBS,
      hint="Send to connections that have a name, not to all; before login ALL gets ERR not-logged-in.")
def test_who_has_not_logged_in_neither_speaks_nor_hears(chat):
    alice, stranger = chat.login("alice"), chat.connect("stranger")
    stranger.ask("ALL hello", "ERR not-logged-in ...")
    alice.ask("ALL hello", "OK ...")
    stranger.fence()
    alice.fence()


@rule("a user who has left gets no more ALL, and the others still get it", VERBS,
      hint="Take a user who leaves off the list. If a send to one user fails, the loop over all must go on.")
def test_who_has_left_hears_no_more(chat):
    alice, bob, carol, dave = (chat.login(name) for name in ("alice", "bob", "carol", "dave"))
    bob.ask("LOGOUT", "OK ...")
    bob.compare(b"", bob.read_to_eof())
    dave.reset()
    alice.ask("ALL hello", "OK ...")
    carol.expect(f"ALL {alice.name} hello")
    alice.fence()


@rule("a bad message to all gets its code, and reaches nobody", VERBS, hint="Check the text as MSG does, before you send it to anybody.")
@pytest.mark.parametrize("line, codes", [
    ("ALL", "ERR bad-arguments ..."), ("ALL   ", "ERR bad-text ... / ERR bad-arguments ..."), ("ALL \x1b[2J", "ERR bad-text ..."),
    (b"ALL \xff\n", "ERR bad-encoding ...")], ids=["no text", "blanks", "escape", "no UTF-8"])
def test_a_bad_message_reaches_nobody(chat, line, codes):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.ask(line, codes)
    bob.fence()


def test_help_lists_it(chat):
    assert "ALL" in chat.connect().request("HELP").reply.split()


def orders_agree(chat) -> bool:
    """Let twelve talk at once; return whether all got the same order (each without her own lines)."""
    wires = [chat.login(name) for name in (*TALKERS, "listener")]
    lines_of = [[f"ALL {n}" for n in range(150)] for _ in TALKERS] + [[]]
    with eager_threads():
        *heard_by, heard_by_listener = talk(wires, lines_of)
    for wire in wires:
        wire.close()
    return all(
        heard == [event for event in heard_by_listener if event.split()[1] != wire.name]
        for wire, heard in zip(wires, heard_by)
    )


@pytest.mark.direct
@rule("all users get the ALL events in the same order", VERBS,
      hint="Put one message into all queues in one step, so that no other thread's message comes in between.")
def test_all_users_hear_one_order(chat):
    assert orders_agree(chat), "two users heard two messages in different orders"


@pytest.mark.direct
def test_without_the_lock_the_orders_differ(connect, serve):
    # Ten tries, since a race does not happen each time; nearly always one is enough.
    assert not all(orders_agree(new_chat(serve(without_lock(BroadcastServer)), connect)) for _ in range(10))


# The client


def test_slash_all_says_it_to_everybody():
    commands = BroadcastCommands()
    assert commands.parse_input("/all hello  there").send == "ALL hello  there"
    assert commands.parse_input("/all").show == "! usage: /all TEXT"
    assert commands.render(Event("ALL bob hello  there")) == "bob to all: hello  there"
    assert "/all TEXT" in commands.parse_input("/help").show
