"""Exercise: a bot, which serves tea."""

import threading

import pytest

from tests.wire import DEADLINE_S


@pytest.fixture
def bot(exercise):
    """A bot that is welcome, and in its channel."""
    bot = exercise.Bot("teapot", "#tea")
    bot.hello()
    assert bot.hear(b":irc.test 001 teapot :Welcome") == [b"JOIN #tea"]
    return bot


def test_it_says_who_it_is(exercise):
    nick, user = exercise.Bot("teapot", "#tea").hello()
    assert nick == b"NICK teapot" and user.startswith(b"USER ")


def test_it_answers_a_ping_with_the_same_token_before_it_is_welcome_and_after(exercise, bot):
    for one in (exercise.Bot("teapot", "#tea"), bot):
        assert one.hear(b"PING :7 cups") == [b"PONG :7 cups"]
        assert one.hear(b":irc.test PING token")[0].removeprefix(b"PONG ") in (b"token", b":token")


def test_it_takes_another_nick_until_one_is_free(exercise):
    bot = exercise.Bot("teapot", "#tea")
    assert bot.hear(b":irc.test 433 * teapot :Nickname is already in use") == [b"NICK teapot_"]
    assert bot.hear(b":irc.test 433 * teapot_ :Nickname is already in use") == [b"NICK teapot__"]


def test_it_serves_tea_in_the_channel_and_in_private(bot):
    assert bot.hear(b":alice!al@host PRIVMSG #tea !tea") == [b"NOTICE #tea :a cup of tea for alice"]
    assert bot.hear(b":alice!al@host PRIVMSG teapot :!tea") == [b"NOTICE alice :a cup of tea for alice"]
    assert bot.hear(b"@time=2026-01-01T00:00:00.000Z :bob!b@host PRIVMSG #tea :!tea") == [
        b"NOTICE #tea :a cup of tea for bob"
    ]


@pytest.mark.parametrize(
    "line",
    [
        b":bob!b@host NOTICE #tea :!tea",
        b":bob!b@host PRIVMSG #tea :hello",
        b":bob!b@host JOIN #tea",
        b":bob!b@host PRIVMSG #tea :I said !tea",
        b":irc.test 372 teapot :- !tea",
        b":bob!b@host KICK #tea alice",
        b"",
    ],
)
def test_it_is_silent_when_it_is_not_asked(bot, line):
    assert bot.hear(line) == []


def test_it_comes_back_when_it_is_kicked_also_under_another_nick(bot):
    assert bot.hear(b":bob!b@host KICK #tea teapot :no bots") == [b"JOIN #tea"]
    assert bot.hear(b":teapot!bot@host NICK :kettle") == []
    assert bot.hear(b":bob!b@host KICK #tea teapot :no bots") == []
    assert bot.hear(b":bob!b@host KICK #tea kettle :no bots") == [b"JOIN #tea"]


def test_it_knows_the_nick_that_the_server_has_given_it(exercise):
    bot = exercise.Bot("a_name_that_is_too_long", "#tea")
    bot.hear(b":irc.test 001 a_name :Welcome")
    assert bot.hear(b":bob!b@host KICK #tea a_name") == [b"JOIN #tea"]


def test_it_lives_on_a_real_server(exercise, irc):
    server = irc.start()
    alice = irc.client("alice", channel="#tea")
    bot = threading.Thread(target=exercise.run, args=(exercise.Bot("alice", "#tea"), server.server_address))
    bot.start()
    try:
        assert alice.read_until("JOIN")[-1].nick == "alice_"
        alice.send("PRIVMSG #tea :!tea")
        assert alice.read_until("NOTICE")[-1].text == "a cup of tea for alice"
    finally:
        server.stop()
        bot.join(DEADLINE_S)
    assert not bot.is_alive()
