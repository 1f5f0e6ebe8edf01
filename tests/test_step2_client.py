"""Step 2: a client that sends what is typed and prints what arrives, both at once."""

import socket
import sys
import threading

import pytest

from tests.client_process import Client, PlayedServer, command_line, pty

OURS = "{python} step2_client/client.py --host {host} --port {port}"
NAIVE = OURS.replace("client.py", "naive_client.py")

needs_terminal = pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
in_a_pipe_and_a_terminal = pytest.mark.parametrize(
    "terminal", [False, pytest.param(True, marks=needs_terminal)], ids=["pipe", "terminal"])


@pytest.fixture
def template(request):
    return request.config.getoption("--client", default=None) or OURS


@pytest.fixture
def server():
    with PlayedServer() as server:
        yield server


def test_what_is_typed_is_sent_and_what_arrives_is_printed(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"hello\n")
        peer.answer(b"hello", b"good evening")
        client.wait_for(b"good evening\n")
        client.type(b"again\n")
        peer.expect(b"again")


def test_the_server_may_speak_first_and_without_a_line_end(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        peer.send(b"login: ")
        client.wait_for(b"login: ")


def test_the_end_of_input_half_closes_and_the_rest_is_still_printed(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"hi\n")
        client.end_input()
        assert peer.read_to_eof() == b"hi\n"
        peer.send(b"one\n", b"two\n")
        client.wait_for(b"two\n")
        peer.send(b"three")
        peer.close()
        assert client.exit_status() == 0
        assert client.out.seen == b"one\ntwo\nthree"


def test_bytes_pass_unchanged_both_ways(server, template):
    every_byte = bytes(range(256))
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(every_byte)
        client.end_input()
        assert peer.read_to_eof() == every_byte
        peer.send(*(bytes([byte]) for byte in every_byte))
        peer.close()
        assert client.exit_status() == 0
        assert client.out.seen == every_byte


def test_megabytes_in_both_directions_at_once_do_not_block_each_other(server, template):
    megabytes = b"0123456789abcde\n" * (4 * 65536)

    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        writers = [threading.Thread(target=peer.send, args=(megabytes,)),
                   threading.Thread(target=lambda: (client.type(megabytes), client.end_input()))]
        for writer in writers:
            writer.start()
        assert peer.read_to_eof() == megabytes
        for writer in writers:
            writer.join()
        peer.close()
        assert client.exit_status() == 0
        assert client.out.seen == megabytes


@pytest.mark.parametrize("end", ["close", "reset"])
@in_a_pipe_and_a_terminal
def test_the_server_gone_while_the_client_waits_for_input_is_told(server, template, end, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = server.accept()
        peer.send(b"hello\n")
        client.wait_for(b"hello")
        getattr(peer, end)()
        client.expect_failure(beyond=b"hello")


@in_a_pipe_and_a_terminal
def test_a_refused_connection_is_one_clear_line(template, terminal):
    with PlayedServer(listening=False) as server:
        with Client(command_line(template, server.port), terminal) as client:
            client.expect_failure()
            assert len(client.printed.splitlines()) == 1


@pytest.mark.parametrize("host", ["nosuch.invalid", "x" * 64 + ".invalid"])
def test_a_host_name_that_is_not_found_is_one_clear_line(template, host):
    with Client(command_line(template, 9000, host=host)) as client:
        client.expect_failure()
        assert len(client.printed.splitlines()) == 1


@needs_terminal
def test_ctrl_d_half_closes(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = server.accept()
        client.type(b"hi\n")
        peer.expect(b"hi")
        client.type(b"\x04")
        assert peer.read_to_eof() == b""
        peer.send(b"still here\n")
        client.wait_for(b"still here")
        peer.close()
        assert client.exit_status() == 0


@needs_terminal
def test_ctrl_c_ends_the_client_without_a_traceback(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = server.accept()
        peer.send(b"hello\n")
        client.wait_for(b"hello")
        client.type(b"\x03")
        client.exit_status()
        assert b"Traceback" not in client.printed


@pytest.mark.ours
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another error for a pipe without a reader")
def test_nobody_reading_the_output_ends_the_client_quietly(server):
    with Client(command_line(OURS, server.port), read_output=False) as client:
        server.accept().send(b"hello\n")
        assert client.exit_status() == 1
        assert client.err.seen == b""


@pytest.mark.ours
def test_the_naive_client_does_not_notice_the_servers_end(server):
    with Client(command_line(NAIVE, server.port)) as client:
        peer = server.accept()
        peer.sock.shutdown(socket.SHUT_WR)  # the server has ended its half, and we watch what still comes
        client.type(b"are you there?\n")
        peer.expect(b"are you there?")
        client.type(b"hello?\n")
        peer.expect(b"hello?")


@pytest.mark.ours
def test_the_naive_client_is_one_answer_late_once_the_server_speaks_first(server):
    with Client(command_line(NAIVE, server.port)) as client:
        peer = server.accept()
        peer.send(b"welcome\n")
        client.type(b"hello\n")
        peer.expect(b"hello")
        client.wait_for(b"welcome")
        peer.send(b"the answer to hello\n")
        client.type(b"goodbye\n")
        peer.expect(b"goodbye")
        client.wait_for(b"the answer to hello")
        peer.send(b"the answer to goodbye\n")
        client.end_input()
        assert client.exit_status() == 0
        assert client.out.seen == b"welcome\nthe answer to hello\n"
