"""Exercise: wait for one caller and talk to it."""

import re
import socket
import sys

import pytest

from tests.client_process import Client, Conversation


@pytest.fixture
def waiting(exercise):
    """The program, and the port where it listens."""
    with Client([sys.executable, exercise.__file__, "--port", "0"]) as program:
        program.out.wait_for(lambda seen: re.match(rb"listening on 127\.0\.0\.1:\d+\r?\n", seen), "listening on …")
        yield program, int(re.search(rb":(\d+)", program.out.seen)[1])


def test_the_two_talk_both_ways(waiting):
    program, port = waiting
    caller = Conversation(socket.create_connection(("127.0.0.1", port)))
    with caller.sock:
        caller.send(b"hello, it is me\n")
        program.wait_for(b"hello, it is me\n")
        program.type(b"I know\n")
        caller.expect(b"I know")
        program.end_input()
        assert caller.read_to_eof() == b""
        caller.send(b"goodbye")
    assert program.exit_status() == 0
    assert program.out.seen.endswith(b"goodbye")


def test_a_second_caller_is_refused(waiting):
    program, port = waiting
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"hello\n")
        program.wait_for(b"hello")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
