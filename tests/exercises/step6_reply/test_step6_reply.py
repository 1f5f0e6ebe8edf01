"""Exercise: /r TEXT answers the user who wrote last."""

import pytest

from step6_client.chat_client import Event, Reply


@pytest.fixture
def commands(exercise):
    commands = exercise.ReplyCommands()
    commands.target = ""  # logged in
    return commands


def test_it_answers_whoever_wrote_last(commands):
    commands.render(Event("MSG bob hello"))
    commands.render(Event("MSG carol hello too"))
    assert commands.parse_input("/r good morning").send == "MSG carol good morning"


def test_what_is_no_message_changes_nothing(commands):
    commands.render(Event("MSG bob hello"))
    commands.render(Event("ONLINE carol"))
    commands.render(Reply("MSG dave hello", False, "no-such-user", "who?"))
    assert commands.parse_input("/r good morning").send == "MSG bob good morning"


def test_messages_are_still_shown(commands):
    assert commands.render(Event("MSG bob hello")) == "bob: hello"


def test_with_nobody_to_answer_nothing_is_sent(commands):
    action = commands.parse_input("/r hello?")
    assert action.show and not action.send


def test_plain_text_then_goes_there_too(commands):
    commands.render(Event("MSG bob hello"))
    commands.parse_input("/r good morning")
    assert commands.parse_input("how are you?").send == "MSG bob how are you?"
