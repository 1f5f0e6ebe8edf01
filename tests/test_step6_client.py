"""Step 6: a chat client for people.  The test plays the server; the client is any command line."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step4_framing.framing import LineTooLong
from step5_server.server import ChatServer
from step6_client.chat_client import MAX_LINE_BYTES, ChatClient, Event, Reply
from step6_client.commands import Action, Commands, visible
from tests.client_process import DEADLINE_S, Client, Now, PlayedServer, command_line, lesson, pty, shown
from tests.lesson import LINES, PROTOCOL, REQUESTS, rule, show

try:
    import termios

    from tests.transcript import Screen
except ImportError:
    pass  # Windows: there the tests that need them are skipped

OURS = "{python} step6_client/client.py --host {host} --port {port}"

CODE = "step6_client/README.md#the-code-change-by-change"
UNASKED = f"{PROTOCOL}#what-the-server-may-say-before-it-closes-a-connection"

needs_terminal = pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
in_a_pipe_and_a_terminal = pytest.mark.parametrize(
    "terminal", [False, pytest.param(True, marks=needs_terminal)], ids=["pipe", "terminal"]
)


@pytest.fixture
def server(network):
    with PlayedServer() as server:
        server.port = network(("127.0.0.1", server.port))[1]
        yield server


def log_in(client, server, name=b"alice"):
    """Let the client give its name, accept it, and return the conversation."""
    peer = server.accept()
    client.type(name + b"\n")
    peer.answer(b"LOGIN " + name, b"OK welcome")
    return peer


# Logging in


@rule(
    "a name is asked for until the server accepts one",
    CODE,
    hint="The first line that is typed is a name: send LOGIN with it. After an ERR show why, and take the next "
    "line as a name again.",
)
@in_a_pipe_and_a_terminal
@pytest.mark.any_network
def test_a_name_is_asked_for_until_the_server_accepts_one(server, template, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = server.accept()
        for name, reply in [(b"alice", b"ERR name-taken there is one"), (b"4lice", b"ERR bad-name no digit first")]:
            client.type(name + b"\n")
            peer.answer(b"LOGIN " + name, reply)
            client.wait_for_any(*reply.split(b" ", 2)[1:])
        client.type(b"bob\n")
        peer.answer(b"LOGIN bob", b"OK welcome")
        client.type(b"/msg carol hello\n")
        peer.expect(b"MSG carol hello")


@rule(
    "an event before the reply to LOGIN is not the reply",
    REQUESTS,
    hint="Only a line that begins with OK or ERR is a reply. Every other line is an event, and may come at any time.",
)
@pytest.mark.any_network
def test_an_event_before_the_reply_to_the_login_is_not_the_reply(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"alice\n")
        peer.expect(b"LOGIN alice")
        peer.send(b"MSG bob early\n")
        client.wait_for(b"early")
        peer.send(b"ERR name-taken gone\n")
        client.wait_for_any(b"name-taken", b"gone")
        client.type(b"alice2\n")
        peer.expect(b"LOGIN alice2")


# Talking


@rule(
    "/msg bob hello sends MSG bob hello, and plain text goes on to bob",
    CODE,
    hint="Remember the name of the last /msg.",
)
@in_a_pipe_and_a_terminal
@pytest.mark.any_network
def test_plain_text_goes_on_to_the_user_of_the_last_msg(server, template, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type("/msg bob hello, bob\nhow are you?\n/msg carol h\u00e9\nand you, fox?\nmy fox\n".encode())
        for line in (
            "MSG bob hello, bob",
            "MSG bob how are you?",
            "MSG carol h\u00e9",
            "MSG carol and you, fox?",
            "MSG carol my fox",
        ):
            peer.answer(line.encode(), b"OK")


@rule(
    "what is neither a command nor text to somebody is explained, and not sent",
    CODE,
    hint="Before the first /msg there is nobody to send plain text to. And a slip such as /mgs must not become a "
    "message: what begins with / and is no command is not for bob.",
)
@pytest.mark.any_network
def test_what_cannot_be_sent_is_not_sent(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        for line, next_line in ((b"hello?", b"/msg bob hello"), (b"/mgs carol a secret", b"and you?")):
            peer.send(b"MSG dave before %s\n" % next_line)
            client.wait_for_line(b"dave", b"before " + next_line)
            before = len(client.printed)
            client.type(line + b"\n")
            client.out.wait_for(lambda seen: len(client.printed) > before, f"what is wrong with {show(line)}")
            client.type(next_line + b"\n")
            peer.answer(b"MSG bob " + next_line.removeprefix(b"/msg bob "), b"OK")


@rule(
    "/raw LINE sends the line as it is, and the reply is shown",
    CODE,
    hint="Send everything behind /raw and one space. If an OK has a text, show it.",
)
@pytest.mark.any_network
def test_raw_sends_the_line_as_it_is(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/raw JOIN  tea /and #more\n/raw help\n")
        peer.answer(b"JOIN  tea /and #more", b"OK")
        peer.answer(b"help", b"OK LOGIN MSG")
        client.wait_for(b"LOGIN MSG")


@rule(
    "what others say is shown, with their name",
    CODE,
    hint="MSG <sender> <text> from the server is a message: print the sender and the text on one line.",
)
def test_what_others_say_is_shown_with_their_name(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        peer.send(b"MSG bob good morning\n")
        client.wait_for_line(b"bob", b"good morning")
        if not re.search(rb"(?<![\w-])bob(?![\w-]).*good morning", client.printed):
            raise lesson("the name bob, as a word of its own, and the text", f"it printed {shown(client.printed)}")


@rule("what comes is shown once", CODE, hint="Print each line that comes in one place only.")
def test_what_comes_is_shown_once(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/raw tea\n")
        peer.answer(b"tea", b"OK said-the-kettle")
        peer.send(b"MSG bob said-bob\nNEWS said-nobody\n")
        client.type(b"/msg carol hello\n")
        peer.answer(b"MSG carol hello", b"ERR bad-text said-the-server")
        peer.send(b"MSG bob the end\n")
        client.wait_for_line(b"bob", b"the end")
        for once in b"said-the-kettle", b"said-bob", b"said-nobody", b"the end":
            if client.printed.count(once) != 1:
                raise lesson(f"{show(once)}, once", f"it printed {shown(client.printed)}")


@rule(
    "an event of up to 2048 bytes is shown whole",
    LINES,
    hint="An event names its sender, so it may be longer than the request that caused it, which is 1024 at most.",
)
def test_an_event_longer_than_any_request_is_shown_whole(server, template):
    head = b"MSG a_name_of_20_letters "
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        for size in 1025, 1043, 2048:  # 1043: the longest that a MSG can cause
            text = b"%d" % size + b"x" * (size - len(head) - 4)
            peer.send(head + text + b"\n")
            client.wait_for_line(b"a_name_of_20_letters", text)


@rule(
    "an ERR reply is shown",
    CODE,
    hint="Print the code or the text of each ERR: otherwise she believes that bob has got her message.",
)
@pytest.mark.any_network
def test_an_error_reply_is_shown(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hello\n")
        peer.answer(b"MSG bob hello", b"ERR no-such-user never heard of him")
        client.wait_for_any(b"no-such-user", b"never heard of him")


@rule(
    "an event between a request and its reply is shown, and so is the reply",
    REQUESTS,
    hint="Do not read one line and take it as the reply: read lines all the time, and tell them apart by their "
    "first word.",
)
@pytest.mark.any_network
def test_an_event_between_a_request_and_its_reply_is_shown(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hello\n")
        peer.expect(b"MSG bob hello")
        peer.send(b"MSG carol psst\nERR no-such-user he left\nMSG carol tell me\n")
        client.wait_for_line(b"carol", b"psst")
        client.wait_for_any(b"no-such-user", b"he left")
        client.wait_for_line(b"carol", b"tell me")


@rule(
    "an unknown event is shown, not lost",
    REQUESTS,
    hint="A newer server may know more verbs than your client: print a line that you do not know as it is.",
)
@pytest.mark.any_network
def test_an_unknown_event_is_shown(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        peer.send(b"PINEAPPLE on pizza\n")
        client.wait_for_line(b"PINEAPPLE", b"on", b"pizza")


@rule(
    "lines are shown the same, however they are cut into chunks",
    LINES,
    hint="A recv() returns bytes, not lines: collect them, and take out whole lines, as step 4 does. Decode whole lines.",
)
@pytest.mark.any_network
def test_lines_cut_anywhere_and_glued_are_the_same_lines(server, template):
    lines = "MSG bob d\u00e9j\u00e0 vu\nMSG bob second\r\nMSG carol third \u20ac\n".encode()
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        peer.send_cut(*re.findall(rb"[\x80-\xff\r\n]|[ -~]+", lines))  # in characters, and beside each \n
        peer.send(lines)
        client.wait_for_line(b"carol", "third \u20ac".encode(), times=2)
        client.wait_for_line(b"bob", "d\u00e9j\u00e0 vu".encode(), times=2)
        client.wait_for_line(b"bob", b"second", times=2)


@rule(
    "a \\r before the \\n is dropped",
    LINES,
    hint="A line may end with \\r\\n: take one \\r off the end of a whole line, before you look at its words.",
)
@pytest.mark.any_network
def test_lines_of_the_server_may_end_in_cr_lf(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"alice\n")
        peer.answer(b"LOGIN alice", b"OK\r")
        client.type(b"/msg bob hello\n")
        peer.answer(b"MSG bob hello", b"OK\r")
        peer.send(b"MSG bob with LF\nMSG bob with CR LF\r\nMSG bob the end\n")
        client.wait_for_line(b"bob", b"the end")
        ends = [re.search(rb"with %s([^\n]*)" % kind, client.printed) for kind in (b"LF", b"CR LF")]
        if not all(ends) or ends[0][1].rstrip(b"\r") != ends[1][1].rstrip(b"\r") or b"\r\n" in ends[1][0] + b"\n":
            raise lesson(
                "that a line which ends in \\r\\n is shown as one that ends in \\n",
                f"it printed {shown(client.printed)}",
            )


@rule(
    "only the first word of a line, and the code of an ERR, say what it is",
    REQUESTS,
    hint="Cut the line at its first space and compare the whole word: OKAY is not OK. What comes after it is for "
    "people, whatever it says.",
)
@pytest.mark.any_network
def test_the_text_of_a_reply_says_nothing(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = server.accept()
        client.type(b"alice\n")
        peer.expect(b"LOGIN alice")
        peer.send(b"OKAY then\nERRATIC thing\n")
        client.wait_for(b"ERRATIC")
        peer.send(b"ERR bad-name OK welcome\n")
        client.wait_for_any(b"bad-name", b"OK welcome")
        client.type(b"bob\n")
        peer.answer(b"LOGIN bob", b"OK ERR name-taken is what you need not fear")
        client.type(b"/msg carol hello\nmore\n")  # she is logged in, so this is no name
        peer.answer(b"MSG carol hello", b"OK")
        peer.answer(b"MSG carol more", b"OK")


@rule(
    "each line that is typed is sent once, whatever the server says to it",
    REQUESTS,
    hint="An ERR is the reply: show it, and leave it to her whether she tries again.",
)
@pytest.mark.parametrize("reply", [b"OK", b"ERR no-such-user who?", b"ERR unavailable try again", b"ERR bad-text no"])
def test_each_line_is_sent_once(server, template, reply):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/raw HELP\n")
        peer.answer(b"HELP", b"OK LOGIN MSG")
        client.type(b"/msg bob once\n")
        peer.expect(b"MSG bob once")
        peer.send(b"MSG carol are you there?\n" + reply + b"\nMSG carol hello?\n")
        client.wait_for_line(b"carol", b"hello?")
        client.type(b"/raw LEAVE tea\n")
        peer.answer(b"LEAVE tea", reply)
        client.end_input()
        peer.expect_end()
        peer.close()
        client.expect_status(0)


# The person's terminal


@rule(
    "a message that comes while she types leaves her half-typed line intact",
    CODE,
    hint="Clear the line, print the message, and draw the prompt again, with what is typed so far.",
)
@needs_terminal
@pytest.mark.any_network
def test_a_message_that_comes_while_she_types_leaves_her_line_intact(server, template):
    def rows(seen):
        screen = Screen()
        screen.feed(seen)
        return [screen.line(row) for row in range(screen.row + 1)]

    def half_typed(row, so_far="hel"):
        return re.search(rf"(^|\W)/msg bob {so_far}$", row) and row.count("/msg") == 1

    def shows(message, only):
        def as_it_should_be(seen):
            *above, last = rows(seen)
            shown = [row for row in above if re.search(rf"\bcarol\b.*\b{message}\b", row)]
            return half_typed(last) and len(shown) == 1 and not (only and "hel" in shown[0])

        return as_it_should_be

    with Client(command_line(template, server.port), terminal=True) as client:
        peer = log_in(client, server)
        peer.send(b"MSG carol early\n")  # so that nothing is on its way when she types
        client.wait_for(b"early")
        client.type(b"/msg bob hel")
        # The system may have shown it, too, if she types before the client has drawn its prompt.
        client.out.wait_for(lambda seen: rows(seen)[-1].endswith("/msg bob hel"), "what is typed, in the last row")
        peer.send(b"MSG carol psst\n")  # may come before the client has drawn its prompt
        client.out.wait_for(shows("psst", only=False), "the message, and the half-typed line in the last row")
        peer.send(b"MSG carol listen\n")
        client.out.wait_for(
            shows("listen", only=True), "the message in a row of its own, and the half-typed line in the last one"
        )
        client.type(b"l")
        client.out.wait_for(lambda seen: half_typed(rows(seen)[-1], "hell"), "one character more in the last row")
        before = len(client.printed)
        client.type(b"o\n")
        peer.expect(b"MSG bob hello")
        client.out.wait_for(
            lambda seen: b"o" in seen[before:] and "hello" not in rows(seen)[-1], "a new row for what she types next"
        )


@rule(
    "backspace takes the last character back",
    CODE,
    hint="If you read keys and not lines, you edit the line: take one character off, and draw it again.",
)
@needs_terminal
@pytest.mark.any_network
def test_backspace_takes_the_last_character_back(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hellp")
        client.wait_for(b"hellp")
        client.type(b"\x7fo!!")
        client.type(b"\x7f\x7f\n")
        peer.expect(b"MSG bob hello")


@rule(
    "no key is lost, however many messages come while she types",
    CODE,
    hint="When you draw the line again, do not throw away keys that are typed and not read yet.",
)
@needs_terminal
def test_no_key_is_lost_however_many_messages_come_while_she_types(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = log_in(client, server)
        for number, key in enumerate(b"/msg bob the quick brown fox"):
            client.type(bytes([key]))
            peer.send(b"MSG carol number %d.\n" % number)
        client.wait_for(b"number %d." % number)
        client.type(b"\n")
        peer.expect(b"MSG bob the quick brown fox")


HOSTILE = {  # what another user must not be able to do to a terminal or a line
    "clear the screen": b"\x1b[2J",
    "change the title": b"\x1b]0;owned\x07",
    "bell": b"\x07",
    "C1 control": "\x9b2J".encode(),
    "raw C1 byte": b"\x9b2J",
    "delete": b"\x7f",
    "null": b"\x00",
    "right to left": "\u202e".encode(),
    "isolate": "\u2066".encode(),
    "line separator": "\u2028".encode(),
}

CONTROL = ("clear the screen", "change the title", "bell", "null")  # what every client must keep from its terminal


@rule(
    "control characters that others send are shown, not executed",
    CODE,
    hint="Replace each control character in what you print, such as ESC (0x1b), by a visible form.",
)
@pytest.mark.parametrize(
    "line",
    [b"MSG bob tick %s tock", b"ERR no-such-user tick %s tock", b"NEWS tick %s tock", b"MSG tick%s tock"],
    ids=["message", "error", "unknown event", "name"],
)
@in_a_pipe_and_a_terminal
def test_what_others_send_cannot_drive_the_terminal(server, template, line, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = log_in(client, server)
        attacks = HOSTILE if template == OURS else {what: HOSTILE[what] for what in CONTROL}
        for number, attack in enumerate(attacks.values()):
            client.type(b"/raw x%d\n" % number)
            peer.expect(b"x%d" % number)
            peer.send(line % attack + b"\n" if line.startswith(b"ERR") else line % attack + b"\nOK\n")
        peer.send(b"MSG bob all done\n")
        client.wait_for(b"all done")
        for what, attack in attacks.items():
            if attack in client.printed:
                raise lesson(f"that {show(attack)} ({what}) is printed in some visible form", "it is printed as it is")
        if min(client.printed.count(b"tick"), client.printed.count(b"tock")) < len(attacks):
            raise lesson(f"that all {len(attacks)} lines are shown", f"it printed {shown(client.printed)}")


# The end


@rule(
    "at the end of the input the client half-closes, and still shows what comes",
    CODE,
    hint="After Ctrl-D or the end of a pipe: shutdown(SHUT_WR), then read and show until the server ends the "
    "connection; exit with status 0.",
)
@in_a_pipe_and_a_terminal
@pytest.mark.any_network
def test_the_end_of_input_half_closes_and_all_that_still_comes_is_shown(server, template, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob one\ntwo\n")
        for line in b"MSG bob one", b"MSG bob two":  # a client may wait for each reply
            peer.answer(line, b"OK")
        if terminal:
            client.press_ctrl_d(peer)
        else:
            client.end_input()
        peer.expect_end()
        peer.send(b"MSG bob and goodbye\n")
        client.wait_for_line(b"bob", b"and goodbye")
        peer.send(b"MSG carol me too\n")
        peer.close()
        client.expect_status(0)
        client.wait_for_line(b"carol", b"me too")


@rule(
    "in a pipe it reads commands and prints plain lines",
    CODE,
    hint="If standard input is not a terminal, draw no prompt and print no escape sequences.",
)
@pytest.mark.any_network
def test_a_whole_conversation_in_a_pipe_is_plain_lines(server, template):
    with Client(command_line(template, server.port)) as client:
        client.type(b"alice\n/msg bob one\ntwo\n")
        client.end_input()
        peer = server.accept()
        for line in b"LOGIN alice", b"MSG bob one", b"MSG bob two":
            peer.answer(line, b"OK")
        peer.expect_end()
        peer.send(b"MSG bob three\n")
        peer.close()
        client.expect_status(0)
        if b"\x1b" in client.printed or b"\r" in client.out.seen.replace(b"\r\n", b""):
            raise lesson("plain lines, without escape sequences", shown(client.printed))
        client.wait_for_line(b"bob", b"three")


@rule("/quit sends LOGOUT and ends with status 0", CODE, hint="Send LOGOUT, read to the end, exit with status 0.")
@in_a_pipe_and_a_terminal
@pytest.mark.any_network
def test_quit_logs_out_and_ends_well(server, template, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type(b"/quit\n")
        peer.answer(b"LOGOUT", b"OK bye")
        peer.half_close()
        peer.expect_end()  # the LOGOUT was the last, and came once
        client.expect_status(0)


@pytest.mark.ours
@in_a_pipe_and_a_terminal
def test_a_logout_that_was_sent_raw_ends_well_too(server, terminal):
    with Client(command_line(OURS, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type(b"/raw logout\n")  # and nothing after it: the client waits for a key
        peer.answer(b"logout", b"OK bye")
        peer.close()
        client.expect_status(0)


@rule(
    "when the server ends the connection, the client says so and exits with status 1",
    CODE,
    hint="If recv() returns nothing, or fails, the connection has ended: say so on a line, leave the terminal as "
    "it was, exit with status 1.",
)
@pytest.mark.parametrize("end", ["close", "reset"])
@in_a_pipe_and_a_terminal
def test_the_server_gone_is_told_and_ends_the_client(server, template, end, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob half a li")
        peer.send(b"MSG bob hello\n")
        client.wait_for(b"hello")
        before = len(client.printed)
        getattr(peer, end)()
        client.expect_failure(beyond=client.printed[:before])
        if terminal:
            modes = termios.tcgetattr(client.input)[3]
            if not (modes & termios.ECHO and modes & termios.ICANON):
                raise lesson("the terminal as it was", "it echoes no more what is typed, or gives keys and not lines")


@rule(
    "what the server says before it closes is shown",
    UNASKED,
    hint="An ERR may come without a request, before the end: show it like any other.",
)
@pytest.mark.any_network
def test_a_servers_last_words_are_shown(server, template):
    with Client(command_line(template, server.port)) as client:
        peer = log_in(client, server)
        peer.send(b"ERR shutting-down back at noon\n")
        peer.close()
        client.expect_failure(beyond=b"shutting-down back at noon")
        client.expect_told(b"shutting-down", b"back at noon")


@rule(
    "what the server says before it closes is shown, before the login too",
    UNASKED,
    hint="ERR server-full is not the reply to a LOGIN: show it, and exit with status 1 when the connection ends.",
)
@in_a_pipe_and_a_terminal
@pytest.mark.any_network
def test_the_server_gone_before_a_name_was_accepted_is_told(server, template, terminal):
    with Client(command_line(template, server.port), terminal) as client:
        peer = server.accept()
        peer.send(b"ERR server-full come back later\n")
        peer.close()
        client.expect_failure(beyond=b"server-full come back later")
        client.expect_told(b"server-full", b"come back later")


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
    "Ctrl-C ends the client, without a stack trace and with the terminal as it was",
    CODE,
    hint="Put the terminal's modes back however the program ends.",
)
@needs_terminal
def test_ctrl_c_leaves_without_a_traceback_and_with_the_terminal_as_it_was(server, template):
    with Client(command_line(template, server.port), terminal=True) as client:
        peer = log_in(client, server)
        peer.send(b"MSG bob hello\n")
        client.wait_for(b"hello")
        client.press_ctrl_c(before=b"half a li")
        client.exit_status()
        client.expect_no_trace()
        modes = termios.tcgetattr(client.input)[3]
        if not (modes & termios.ECHO and modes & termios.ICANON):
            raise lesson("the terminal as it was", "it echoes no more what is typed, or gives keys and not lines")


# Our own client: a learner's client need not do this


@pytest.mark.ours
@needs_terminal
@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_the_terminal_as_it_was(server, name):
    number = getattr(signal, name)
    with Client(command_line(OURS, server.port), terminal=True) as client:
        before = termios.tcgetattr(client.input)
        peer = log_in(client, server)
        client.wait_for(b"welcome")
        client.type(b"half a l")
        client.wait_for(b"half a l")
        client.process.send_signal(number)
        client.expect_status(128 + number)
        client.expect_no_trace()
        assert termios.tcgetattr(client.input) == before
        peer.expect_end()


@pytest.mark.ours
@needs_terminal
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(server):
    """It runs under a shell, since the kernel does not stop a program that no shell could wake."""
    shell = ["sh", "-i"]
    with Client(shell, terminal=True, env={"PS1": "shell:", "ENV": ""}) as client:
        client.wait_for(b"shell:")
        before = termios.tcgetattr(client.input)
        client.type(" ".join(command_line(OURS, server.port)).encode() + b"\n")
        peer = log_in(client, server)
        client.type(b"/msg bob half a l")
        client.wait_for(b"half a l")
        seen = len(client.out.seen)
        client.type(b"\x1a")
        client.out.wait_for(lambda all_seen: b"shell:" in all_seen[seen:], "the shell's prompt")
        assert termios.tcgetattr(client.input)[3] == before[3]
        seen = len(client.out.seen)
        client.type(b"fg\n")
        client.out.wait_for(lambda all_seen: b"half a l" in all_seen[seen:], "the half-typed line again")
        client.type(b"ine\n")
        peer.answer(b"MSG bob half a line", b"OK")
        client.type(b"/quit\n")
        peer.answer(b"LOGOUT", b"OK bye")
        peer.close()
        seen = len(client.out.seen)
        client.out.wait_for(lambda all_seen: b"shell:" in all_seen[seen - 6 :], "the shell's prompt")
        client.type(b"exit\n")
        client.exit_status()
        client.expect_no_trace()


@pytest.mark.ours
def test_the_name_may_be_given_on_the_command_line(server):
    with Client(command_line(OURS + " --name alice", server.port)) as client:
        peer = server.accept()
        peer.answer(b"LOGIN alice", b"OK welcome")
        client.type(b"/msg bob hi\n")
        peer.expect(b"MSG bob hi")


@pytest.mark.ours
def test_a_line_that_nobody_finished_is_not_shown_as_a_message(server):
    with Client(command_line(OURS, server.port)) as client:
        peer = log_in(client, server)
        peer.send(b"MSG bob I owe you 10")  # and then 00, perhaps
        peer.close()
        client.expect_failure(beyond=b"welcome")
        assert b"owe" not in client.printed


@pytest.mark.ours
def test_requests_that_the_server_never_answered_are_told(server):
    with Client(command_line(OURS, server.port)) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob one\ntwo\n")
        client.end_input()
        peer.answer(b"MSG bob one", b"OK")
        peer.read_to_eof()
        peer.close()
        client.expect_failure(beyond=b"welcome")
        assert b"MSG bob two" in client.printed and b"MSG bob one" not in client.printed


@pytest.mark.ours
@needs_terminal
def test_the_cursor_stays_where_it_was_in_the_line(server):
    pytest.importorskip("readline")
    with Client(command_line(OURS, server.port), terminal=True) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hllo\x02\x02\x02")  # Ctrl-B: back to behind the h
        peer.send(b"MSG carol psst\n")
        client.wait_for(b"psst")
        client.type(b"e\n")
        peer.expect(b"MSG bob hello")


@pytest.mark.ours
@needs_terminal
def test_the_arrow_up_brings_back_what_was_typed_before(server):
    pytest.importorskip("readline")
    with Client(command_line(OURS, server.port), terminal=True) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hello\n")
        peer.answer(b"MSG bob hello", b"OK noted")
        client.wait_for(b"noted")
        client.type(b"\x1b[A\n")
        peer.expect(b"MSG bob hello")


@pytest.mark.ours
@needs_terminal
def test_a_slow_terminal_shows_every_key(server):
    if "GNU" not in (pytest.importorskip("readline").__doc__ or ""):
        pytest.skip("libedit does not draw a line anew on Ctrl-L")
    keys, redraws = b"x" * 60, 4000
    ours, theirs = pty.openpty()
    process = Now.process = subprocess.Popen(
        command_line(OURS, server.port),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", "INPUTRC": os.devnull},
    )
    os.close(theirs)
    try:
        peer, shown_ = server.accept(), b""
        os.write(ours, b"alice\n")
        peer.answer(b"LOGIN alice", b"OK welcome")
        while b"welcome\r\n> " not in shown_:
            shown_ += os.read(ours, 100)
        os.write(ours, keys + b"\x0c" * redraws)  # Ctrl-L: each draws the line once more
        while shown_.count(b"x") < len(keys) * (redraws + 1) and select.select([ours], [], [], DEADLINE_S)[0]:
            shown_ += os.read(ours, 100)  # so little at a time that the client waits in write()
            process.send_signal(signal.SIGALRM)  # what comes ten times a second anyway
        assert shown_.count(b"x") == len(keys) * (redraws + 1)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.ours
@needs_terminal
def test_pasted_lines_are_as_many_requests(server):
    with Client(command_line(OURS, server.port), terminal=True) as client:
        peer = log_in(client, server)
        client.type(b"\x16\n".join([b"/msg bob one", b"two"]) + b"\n")  # Ctrl-V, newline: what a paste inserts
        peer.expect(b"MSG bob one")
        peer.expect(b"MSG bob two")


@pytest.mark.ours
@needs_terminal
@pytest.mark.parametrize("missing", ["readline", "ctypes"])
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_without_readline_or_its_library_nothing_typed_is_lost(server, missing, term):
    program = (
        f"import runpy, sys; sys.modules[{missing!r}] = None; "
        "runpy.run_path('step6_client/client.py', run_name='__main__')"
    )
    with Client([sys.executable, "-c", program, "--port", str(server.port)], True, {"TERM": term}) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hel")
        client.wait_for(b"bob hel")
        peer.send(b"MSG carol psst\n")
        client.wait_for(b"carol: psst")
        client.type(b"lo\n")
        peer.answer(b"MSG bob hello", b"OK")
        client.type(b"\x04")
        peer.expect_end()
        peer.close()
        client.expect_status(0)


@pytest.mark.ours
@in_a_pipe_and_a_terminal
def test_two_clients_talk_through_our_server(serve, network, terminal):
    port = network(serve(ChatServer).server_address)[1]
    with (
        Client(command_line(OURS + " --name alice", port), terminal) as alice,
        Client(command_line(OURS + " --name bob", port), terminal) as bob,
    ):
        alice.wait_for(b"welcome, alice")
        bob.wait_for(b"welcome, bob")
        alice.type(b"/msg bob hello\n")
        bob.wait_for(b"alice: hello")
        bob.type(b"/msg alice good morning\n/quit\n")
        alice.wait_for(b"bob: good morning")
        assert bob.exit_status() == 0
        alice.type(b"are you there?\n")
        alice.wait_for(b"no-such-user")


@pytest.mark.ours
def test_the_longest_text_to_the_shortest_name_arrives_whole(serve, connect):
    server = serve(ChatServer)
    sender, text = connect(server, "sender"), "x" * (1024 - len("MSG b "))
    sender.ask("LOGIN a_name_of_20_letters", "OK ...")
    with Client(command_line(OURS + " --name b", server.server_address[1])) as b:
        b.wait_for(b"welcome, b")
        sender.ask(f"MSG b {text}", "OK")
        b.wait_for(f"a_name_of_20_letters: {text}\n".encode())


# commands.py


@pytest.mark.ours
@pytest.mark.parametrize(
    "typed, action",
    [
        ("", Action()),
        ("   ", Action()),
        ("/msg bob hello", Action(send="MSG bob hello")),
        ("/msg bob  two  blanks ", Action(send="MSG bob  two  blanks ")),
        ("/raw  ALL /x", Action(send=" ALL /x")),
        ("/quit", Action(send="LOGOUT", ends=True)),
    ],
)
def test_typed_lines_become_requests(typed, action):
    commands = Commands()
    commands.target = ""
    assert commands.parse_input(typed) == action


@pytest.mark.ours
@pytest.mark.parametrize(
    "typed",
    [
        "/msg",
        "/msg bob",
        "/msg bob ",
        "/msg  bob",
        "/raw",
        "/raw  ",
        "/quit now",
        "/help me",
        "/nothing",
        "/",
        "//",
        "/MSG bob x",
        "plain text to nobody",
    ],
)
def test_what_cannot_be_sent_is_explained_and_not_sent(typed):
    commands = Commands()
    commands.target = ""
    action = commands.parse_input(typed)
    assert action.show.startswith("! ") and action == Action(show=action.show)


@pytest.mark.ours
def test_plain_text_is_a_name_until_one_is_accepted():
    commands = Commands()
    assert commands.prompt == "name: "
    assert commands.parse_input("alice") == Action(send="LOGIN alice", waits=True)
    commands.heed(Reply("LOGIN alice", False, "name-taken", ""))
    commands.parse_input("/msg bob hi")
    assert commands.parse_input("alice2").send == "LOGIN alice2"
    commands.heed(Reply("login alice2", True, "", ""))
    assert commands.prompt == "> "
    commands.parse_input("/msg bob hi")
    assert commands.prompt == "bob> "


@pytest.mark.ours
@in_a_pipe_and_a_terminal
def test_plain_text_goes_to_nobody_after_a_msg_that_was_refused(server, terminal):
    with Client(command_line(OURS, server.port), terminal) as client:
        peer = log_in(client, server)
        client.type(b"/msg bob hi\n/msg bobb hello\n")
        peer.answer(b"MSG bob hi", b"OK")
        peer.answer(b"MSG bobb hello", b"ERR no-such-user nobody")
        client.wait_for(b"no-such-user")
        client.type(b"are you there?\n/msg bobby hello\nso you are\n")
        client.wait_for(b"to whom?")
        peer.answer(b"MSG bobby hello", b"OK")
        peer.expect(b"MSG bobby so you are")


@pytest.mark.ours
@pytest.mark.parametrize(
    "request_, code, target",
    [
        ("MSG bob one", "no-such-user", ""),
        ("MSG bob", "no-such-user", ""),
        ("MSG bob one", "bad-text", "MSG bob"),
        ("MSG bobb one", "no-such-user", "MSG bob"),  # the reply to a line that she typed before
        ("", "too-slow", "MSG bob"),
    ],
)
def test_only_who_is_not_there_is_not_talked_to(request_, code, target):
    commands = Commands()
    commands.target = "MSG bob"
    commands.heed(Reply(request_, False, code, ""))
    assert commands.target == target


@pytest.mark.ours
def test_help_lists_every_command():
    shown = Commands().parse_input("/help").show
    assert [line.split()[0] for line in shown.splitlines()] == ["/" + word for word in Commands.COMMANDS]


@pytest.mark.ours
@pytest.mark.parametrize(
    "said, shown",
    [
        (Event("MSG bob hello  there "), "bob: hello  there "),
        (Event("MSG bob {} {0} %s"), "bob: {} {0} %s"),
        (Event("MSG bob"), "? MSG bob"),
        (Event("SPLINE a b"), "? SPLINE a b"),
        (Event("MSG bob \x1b[2J\x07"), r"bob: \x1b[2J\x07"),
        (Reply("MSG bob x", True, "", ""), ""),
        (Reply("HELP", True, "", "LOGIN MSG"), "* LOGIN MSG"),
        (Reply("MSG bob x", False, "no-such-user", "who?"), "! no-such-user: who?  [MSG bob x]"),
        (Reply("", False, "shutting-down", "bye"), "! shutting-down: bye"),
    ],
)
def test_what_the_server_says_becomes_text(said, shown):
    assert Commands().render(said) == shown


@pytest.mark.ours
@given(st.text())
def test_no_text_keeps_a_character_that_a_terminal_obeys(text):
    shown = visible(text)
    assert all(
        unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or char in "\t\u200c\u200d" for char in shown
    )
    if text.isprintable():
        assert shown == text


# chat_client.py


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ChatClient(ours), theirs


class FakeSocket:
    """Return the chunks that it was given, then EOF."""

    def __init__(self, chunks):
        self.chunks = iter(chunks)

    def recv(self, max_bytes):
        return next(self.chunks, b"")


@pytest.mark.ours
@pytest.mark.parametrize("pieces", ["whole", "byte by byte"])
def test_replies_go_to_their_requests_in_order_with_events_between(pair, pieces):
    client, peer = pair
    for request in "LOGIN alice", "MSG bob x", "FOO", "HELP":
        client.request(request)
    assert peer.recv(1000) == b"LOGIN alice\nMSG bob x\nFOO\nHELP\n"
    answer = (
        b"OK hi\r\nMSG bob early\n\nERR no-such-user gone away\nERR unknown-command what\n"
        b"MSG bob ERR is not a reply\nOK\nOK nobody asked\n"
    )
    chunks = [answer] if pieces == "whole" else [answer[i : i + 1] for i in range(len(answer))]
    client.sock = FakeSocket(chunks)
    assert list(iter(client.receive, None)) == [
        Reply("LOGIN alice", True, "", "hi"),
        Event("MSG bob early"),
        Reply("MSG bob x", False, "no-such-user", "gone away"),
        Reply("FOO", False, "unknown-command", "what"),
        Event("MSG bob ERR is not a reply"),
        Reply("HELP", True, "", ""),
        Event("OK nobody asked"),
    ]
    assert not client.unanswered


@pytest.mark.ours
@pytest.mark.parametrize("code", ["server-full", "login-timeout", "too-slow", "shutting-down"])
def test_last_words_answer_no_request(pair, code):
    client, peer = pair
    client.request("HELP")
    peer.sendall(b"ERR %s so long\nOK MSG\n" % code.encode())
    assert client.receive() == Reply("", False, code, "so long")
    assert client.receive() == Reply("HELP", True, "", "MSG")


@pytest.mark.ours
@pytest.mark.parametrize("line", ["", "\r", "MSG bob a\nMSG bob b", "x\n"])
def test_what_would_not_get_one_reply_is_not_sent(pair, line):
    client, peer = pair
    with pytest.raises(ValueError):
        client.request(line)
    client.half_close()
    assert peer.recv(100) == b"" and not client.unanswered


@pytest.mark.ours
def test_bytes_that_are_no_text_pass_out_and_are_spelled_out_coming_in(pair):
    client, peer = pair
    client.request(b"MSG bob \xff".decode("utf-8", "surrogateescape"))
    assert peer.recv(100) == b"MSG bob \xff\n"
    peer.sendall(b"NEWS \xff\n")
    assert client.receive() == Event(r"NEWS \xff")


@pytest.mark.ours
def test_a_line_over_the_limit_is_reported_and_the_next_one_is_fine(pair):
    client, peer = pair
    peer.sendall(b"x" * (MAX_LINE_BYTES + 1) + b"\nMSG bob hi\nMSG bob half")
    peer.close()
    with pytest.raises(LineTooLong):
        client.receive()
    assert client.receive() == Event("MSG bob hi")
    assert client.receive() is None
