"""Step 2: a client that sends what is typed and prints what arrives, both at once."""

import sys

import pytest

from tests.client_process import Client, PlayedServer, command_line, pty
from tests.lesson import Meanwhile, rule

OURS = "{python} step2_client/client.py --host {host} --port {port}"

CODE = "step2_client/README.md#the-code-change-by-change"

needs_terminal = pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
in_a_pipe_and_a_terminal = pytest.mark.parametrize(
    "terminal", [False, pytest.param(True, marks=needs_terminal)], ids=["pipe", "terminal"]
)


@pytest.fixture
def server():
    with PlayedServer() as server:
        yield server


@rule(
    "what is typed is sent, what arrives is printed, both at once",
    CODE,
    hint="There are two things to wait for, the keyboard and the network: use a thread for each, or one loop that "
    "waits for both. Flush what you print.",
)
def test_what_is_typed_is_sent_and_what_arrives_is_printed(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"hello\n")
        peer.answer(b"hello", b"good evening")
        client.wait_for(b"good evening\n")
        client.type(b"again\n")
        peer.expect(b"again")


@rule(
    "what arrives is printed at once, with a line end or without",
    CODE,
    hint="Print each chunk as it comes, and flush. Wait neither for the end of a line nor for the keyboard.",
)
def test_the_server_may_speak_first_and_without_a_line_end(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        peer.send(b"login: ")
        client.wait_for(b"login: ")


@rule(
    "at the end of the input the client half-closes, and still prints what comes",
    CODE,
    hint="shutdown(SHUT_WR) says that you send nothing more. Then go on reading until the server ends the "
    "connection, and exit with status 0.",
)
def test_the_end_of_input_half_closes_and_the_rest_is_still_printed(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"hi\n")
        client.end_input()
        peer.expect_end(b"hi\n")
        peer.send(b"one\n", b"two\n")
        client.wait_for(b"two\n")
        peer.send(b"three")
        peer.close()
        client.expect_status(0)
        client.expect_printed(b"one\ntwo\nthree")


@rule(
    "bytes pass unchanged in both directions",
    CODE,
    hint="Read and write bytes: sys.stdin.buffer, not text. No decoding, no change of line ends.",
)
def test_bytes_pass_unchanged_both_ways(server, template):
    every_byte = bytes(range(256)) + b"\r\n"
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(every_byte)
        client.end_input()
        peer.expect_end(every_byte)
        peer.send(every_byte, *(bytes([byte]) for byte in every_byte))
        peer.close()
        client.expect_status(0)
        client.expect_printed(every_byte * 2)


@rule(
    "megabytes pass in both directions at once",
    CODE,
    hint="While you send, the server may be waiting for you to read: neither direction may wait for the other.",
)
def test_megabytes_in_both_directions_at_once_do_not_block_each_other(server, template):
    megabytes = b"0123456789abcde\n" * (4 * 65536)

    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        writers = [Meanwhile(peer.send, megabytes), Meanwhile(lambda: (client.type(megabytes), client.end_input()))]
        peer.expect_end(megabytes)
        for writer in writers:
            writer.join()
        peer.close()
        client.expect_status(0)
        client.expect_printed(megabytes)


@rule(
    "when the server ends the connection, the client says so and exits with status 1",
    CODE,
    hint="If recv() returns nothing, the server has ended the connection: say so and exit at once, do not wait for "
    "the keyboard.",
)
@pytest.mark.parametrize("end", ["close", "reset"])
@in_a_pipe_and_a_terminal
def test_the_server_gone_while_the_client_waits_for_input_is_told(server, template, end, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = server.accept()
        peer.send(b"hello\n")
        client.wait_for(b"hello")
        getattr(peer, end)()
        client.expect_failure(beyond=b"hello")


@rule(
    "a connection that is reset has failed, after the end of the input too",
    CODE,
    hint='recv() fails with "connection reset": what the server still had to say may be lost. Say so, and exit '
    "with status 1, whether there is more input or not.",
)
def test_a_reset_after_the_end_of_the_input_is_told(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"hello\n")
        client.end_input()
        peer.expect_end(b"hello\n")
        peer.reset()
        client.expect_failure()


@rule(
    "a refused connection is one clear line and status 1",
    CODE,
    hint="Catch the error of connect(), print one line, exit with status 1.",
)
@in_a_pipe_and_a_terminal
def test_a_refused_connection_is_one_clear_line(template, terminal):
    with PlayedServer(listening=False) as server, Client(command_line(template, server.port), terminal) as client:
        client.expect_failure()
        client.expect_one_line()


@rule(
    "a host that is not found is one clear line and status 1",
    CODE,
    hint="A name that cannot be looked up raises another error than a refused connection does: catch that too.",
)
@pytest.mark.parametrize("host", ["nosuch.invalid", "x" * 64 + ".invalid"])
def test_a_host_name_that_is_not_found_is_one_clear_line(template, host):
    if "{host}" not in template:
        pytest.skip("the command takes no {host}")
    with Client(command_line(template, 9000, host=host)) as client:
        client.expect_failure()
        assert len(client.printed.splitlines()) == 1


@rule("Ctrl-D half-closes", CODE, hint="On a terminal, Ctrl-D is the end of the input, as when a pipe ends.")
@needs_terminal
def test_ctrl_d_half_closes(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = server.accept()
        client.type(b"hi\n")
        peer.expect(b"hi")
        client.press_ctrl_d(peer)
        peer.expect_end()
        peer.send(b"still here\n")
        client.wait_for(b"still here")
        peer.close()
        client.expect_status(0)


@rule(
    "Ctrl-C ends the client, without a stack trace",
    CODE,
    hint="In Python, Ctrl-C raises KeyboardInterrupt: catch it where the program begins.",
)
@needs_terminal
def test_ctrl_c_ends_the_client_without_a_traceback(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = server.accept()
        peer.send(b"hello\n")
        client.wait_for(b"hello")
        client.press_ctrl_c()
        client.exit_status()
        client.expect_no_trace()


@pytest.mark.ours
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another error for a pipe without a reader")
def test_nobody_reading_the_output_ends_the_client_quietly(server):
    with Client(command_line(OURS, server.port), read_output=False) as client:
        server.accept().send(b"hello\n")
        assert client.exit_status() == 1
        assert client.err.seen == b""
