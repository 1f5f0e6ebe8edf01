"""Exercise: a robot that answers each message with the same words backwards."""

import socket
import threading

import pytest

from step6_client.chat_client import ChatClient


@pytest.fixture
def server(exercise):
    """The server's side of the robot's connection."""
    ours, theirs = socket.socketpair()
    client = ChatClient(ours)
    robot = threading.Thread(target=lambda: (exercise.run(client), client.half_close()))
    robot.start()
    theirs.settimeout(10)
    with ours, theirs, theirs.makefile("rw", newline="\n") as file:
        assert file.readline() == "LOGIN robot\n"
        ask(file, "OK welcome, robot\n")
        yield file
        theirs.shutdown(socket.SHUT_WR)
        robot.join(10)
    assert not robot.is_alive(), "the robot does not end when the server does"


def ask(server, lines):
    server.write(lines)
    server.flush()


def test_a_message_is_answered_backwards(server):
    ask(server, "MSG bob hello there\n")
    assert server.readline() == "MSG bob ereht olleh\n"


def test_replies_and_other_events_are_not_answered(server):
    ask(server, "MSG bob one\nOK\nONLINE carol\nERR no-such-user he left\nMSG carol two\n")
    assert server.readline() == "MSG bob eno\n"
    assert server.readline() == "MSG carol owt\n"


def test_it_does_not_talk_to_itself(server):
    ask(server, "MSG robot level\nMSG bob done\n")
    assert server.readline() == "MSG bob enod\n"
