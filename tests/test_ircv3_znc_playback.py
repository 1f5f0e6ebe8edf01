"""znc.in/playback: a client asks as it asks a bouncer, and gets what CHATHISTORY would give."""

import pytest

from extras.ircv3.storage import Storage
from extras.ircv3.tags import time_of
from tests.ircv3_accounts import client, register
from tests.test_ircv3_chathistory import say
from tests.test_ircv3_redaction import meanwhile

CAPS = "batch message-tags server-time echo-message znc.in/playback draft/message-redaction"
pytestmark = pytest.mark.usefixtures("cheap")


def played(wire, request):
    wire.ask()
    return [
        message.text
        for message in wire.ask(request)
        if message.command == "PRIVMSG" and message.params[0] != "*playback"
    ]


def seconds(message):
    return time_of(message.tags["time"]) / 1000


@pytest.fixture
def alice(irc):
    register(irc, "alice", "bob")
    bob = client(irc, "bob", caps=CAPS, channel="#tea")
    alice = client(irc, "alice", caps=CAPS, channel="#tea")
    eve = irc.client("eve", CAPS, "#milk")
    eve.ask("PRIVMSG #milk :not yours", "PRIVMSG bob :nor this")
    alice.said = [
        message for word in ("one", "two", "three") for message in say(bob, "#tea", word) if message.text == word
    ]
    say(bob, "alice", "secret")
    return alice


@pytest.mark.parametrize("front", ["PRIVMSG *playback :", "ZNC *PLAYBACK "])
def test_all_or_one_window_is_played(front, alice):
    assert played(alice, front + "PLAY *") == ["one", "two", "three", "secret"]
    assert played(alice, front + "play #TEA") == ["one", "two", "three"]
    assert played(alice, front + "play Bob") == ["secret"]
    assert played(alice, front + "play #tea 0 1") == []
    assert played(alice, front + f"play * {seconds(alice.said[-1]) + 1000}") == []


def test_the_times_themselves_are_left_out(alice):
    first, last = seconds(alice.said[0]), seconds(alice.said[-1])
    after = [message.text for message in alice.said if seconds(message) > first]
    before = [message.text for message in alice.said if seconds(message) < last]
    assert played(alice, f"PRIVMSG *playback :play #tea {first}") == after
    assert played(alice, f"PRIVMSG *playback :play #tea {first - 1} {last}") == before


@pytest.mark.parametrize(
    "words",
    ["", "PLAY", "PLAY #milk", "PLAY nobody' 1", "PLAY * nan", "PLAY * 1e999", "PLAY * -1", "STOP *", "PLAY * x"],
)
def test_what_makes_no_sense_is_answered_with_what_does(words, alice):
    assert [message.text for message in alice.ask(f"ZNC *playback {words}") if message.command == "NOTICE"] == [
        "PLAY <channel or nick>|* [<seconds> [<seconds>]]"
    ]


def test_what_is_taken_back_meanwhile_or_of_a_channel_that_one_leaves_is_not_played(irc, alice):
    meanwhile(
        irc, lambda: irc.server.registry.part(irc.server.registry.user("alice"), irc.server.registry.channel("#tea"))
    )
    assert played(alice, "ZNC *playback PLAY *") == ["secret"]


def test_without_a_database_one_is_told(irc, alice):
    irc.server.extensions[Storage].database.close()
    alice.ask()
    assert [message.text for message in alice.ask("ZNC *playback PLAY *")] == ["History is temporarily unavailable"]
