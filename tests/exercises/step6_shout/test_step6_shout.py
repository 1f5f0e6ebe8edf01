"""Exercise: /shout NAME TEXT sends the text in capitals."""

import pytest


@pytest.fixture
def commands(exercise):
    commands = exercise.ShoutCommands()
    commands.target = ""  # logged in
    return commands


def test_the_text_is_sent_in_capitals_and_the_name_as_it_is(commands):
    assert commands.parse_input("/shout bob hello,  bob").send == "MSG bob HELLO,  BOB"


def test_plain_text_then_goes_there_in_small_letters(commands):
    commands.parse_input("/shout bob hello")
    assert commands.parse_input("sorry").send == "MSG bob sorry"


def test_without_a_text_its_usage_is_shown(commands):
    assert commands.parse_input("/shout bob").show == "! usage: /shout NAME TEXT"


def test_help_knows_it(commands):
    line = next(line for line in commands.parse_input("/help").show.splitlines() if line.startswith("/shout"))
    assert line.removeprefix("/shout NAME TEXT").strip(), "a docstring says what it does"
