"""Clients, each wrong in one way: python clients.py NAME HOST PORT

A mutant is a function that changes one thing in our client, before its main() runs.
"""

import os
import socket
import sys

from catalogue import Catalogue

import step2_client.client as step2
import step6_client.client as step6
from step6_client.chat_client import ChatClient, Reply
from step6_client.commands import Action, Commands
from step6_client.terminal import Pipe, Terminal

STEP_2 = Catalogue()
STEP_6 = Catalogue()


# Step 2: bytes from here to there and back


@STEP_2.caught_by("test_the_end_of_input_half_closes_and_the_rest_is_still_printed")
def closes_at_the_end_of_input():
    """It closes the connection in both directions when there is no more input."""
    socket.socket.shutdown = lambda sock, how, shutdown=socket.socket.shutdown: shutdown(sock, socket.SHUT_RDWR)


@STEP_2.caught_by("test_the_end_of_input_half_closes_and_the_rest_is_still_printed")
def never_half_closes():
    """It does not tell the server that there is no more input."""
    socket.socket.shutdown = lambda sock, how: None


@STEP_2.caught_by("test_the_server_may_speak_first_and_without_a_line_end")
def prints_whole_lines_only():
    """It leaves what it prints in a buffer until a line ends."""
    show, held = step2.show, bytearray()

    def show_lines(chunk):
        held.extend(chunk)
        end = held.rfind(b"\n") + 1
        show(bytes(held[:end]))
        del held[:end]

    step2.show = show_lines


@STEP_2.caught_by("test_bytes_pass_unchanged_both_ways")
def decodes_what_it_prints():
    """It prints text, and puts a question mark for what is none."""
    step2.show = lambda chunk, show=step2.show: show(chunk.decode(errors="replace").encode())


@STEP_2.caught_by("test_the_server_gone_while_the_client_waits_for_input_is_told")
def waits_for_the_keyboard():
    """It does not notice that the server has gone until something is typed."""
    step2.complain = lambda text: sys.stdin.readline() and 1


@STEP_2.caught_by("test_a_refused_connection_is_one_clear_line")
def does_not_catch_a_refusal():
    """It ends with a stack trace where nobody listens."""

    def connect(host, port):
        try:
            return socket.create_connection((host, port))
        except OSError as error:
            raise RuntimeError("no connection") from error

    step2.connect = connect


# Step 6: a chat client for people


class OneRecvOneLine:
    """A buffer that takes a chunk for a line."""

    def __init__(self, max_line_bytes):
        self.chunks = []

    def feed(self, chunk):
        self.chunks.append(chunk.rstrip(b"\r\n"))

    def next_line(self):
        return self.chunks.pop(0) if self.chunks else None


@STEP_6.caught_by("test_lines_cut_anywhere_and_glued_are_the_same_lines")
def takes_a_chunk_for_a_line():
    """It takes what one recv() returned for one line."""
    sys.modules["step6_client.chat_client"].LineBuffer = OneRecvOneLine


@STEP_6.caught_by("test_what_others_send_cannot_drive_the_terminal")
def prints_control_characters():
    """It prints what others send as it is."""
    sys.modules["step6_client.commands"].visible = str


@STEP_6.caught_by("test_an_event_before_the_reply_to_the_login_is_not_the_reply")
def takes_the_next_line_for_the_reply():
    """It believes that what comes after a request is its reply."""

    def understand(self, line, understand=ChatClient._understand):
        if self.unanswered and line.split(" ")[0] not in ("OK", "ERR"):
            return Reply(self.unanswered.popleft(), True, "", line)
        return understand(self, line)

    ChatClient._understand = understand


@STEP_6.caught_by("test_an_unknown_event_is_shown")
def drops_unknown_events():
    """It shows what it knows."""
    Commands._render_event = lambda self, line, render=Commands._render_event: (
        render(self, line) if line.startswith("MSG ") else ""
    )


@STEP_6.caught_by("test_an_event_longer_than_any_request_is_shown_whole")
def throws_long_events_away():
    """It takes no line that is longer than a request may be."""
    sys.modules["step6_client.chat_client"].MAX_LINE_BYTES = 1024


@STEP_6.caught_by("test_an_error_reply_is_shown")
def drops_errors():
    """It takes any reply for an OK."""
    Commands.render = lambda self, said, render=Commands.render: (
        "" if isinstance(said, Reply) and said.request.startswith("MSG") else render(self, said)
    )


@STEP_6.caught_by("test_plain_text_goes_on_to_the_user_of_the_last_msg")
def forgets_whom_she_talks_to():
    """It wants /msg for each line."""
    Commands.do_msg = lambda self, name, text: Action(send=f"MSG {name} {text}")


@STEP_6.caught_by("test_raw_sends_the_line_as_it_is")
def tidies_raw_lines():
    """It splits a /raw line, and joins it again."""
    Commands.do_raw = lambda self, line: Action(send=" ".join(line.split()))


@STEP_6.caught_by("test_a_name_is_asked_for_until_the_server_accepts_one")
def asks_for_the_name_once():
    """It takes what is typed after the first name for a message, though the server has said ERR."""

    def heed(self, reply):
        self.target = "" if self.target == "LOGIN" else self.target

    Commands.heed = heed


@STEP_6.caught_by("test_lines_of_the_server_may_end_in_cr_lf")
def keeps_carriage_returns():
    """It takes off the \\n of a line, and not the \\r before it."""

    class Lines:
        def __init__(self, max_line_bytes):
            self.data = b""

        def feed(self, chunk):
            self.data += chunk

        def next_line(self):
            if b"\n" not in self.data:
                return None
            line, self.data = self.data.split(b"\n", 1)
            return line

    sys.modules["step6_client.chat_client"].LineBuffer = Lines


@STEP_6.caught_by("test_the_text_of_a_reply_says_nothing")
def takes_okay_for_ok():
    """It asks whether a line begins with OK."""
    ChatClient._understand = lambda self, line, understand=ChatClient._understand: understand(
        self, line.replace("OKAY", "OK", 1)
    )


@STEP_6.caught_by("test_the_text_of_a_reply_says_nothing")
def reads_the_text():
    """It asks whether there is a code that it knows anywhere in the line."""
    ChatClient._understand = lambda self, line, understand=ChatClient._understand: understand(
        self, f"ERR {line}" if "name-taken" in line else line
    )


@STEP_6.caught_by("test_each_line_is_sent_once")
def tries_again():
    """It sends a request again, when the server says that it cannot do it now."""

    def receive(self, receive=ChatClient.receive):
        said = receive(self)
        if isinstance(said, Reply) and said.code == "unavailable":
            self.request(said.request)
        return said

    ChatClient.receive = receive


@STEP_6.caught_by("test_a_message_that_comes_while_she_types_leaves_her_line_intact")
def prints_into_her_line():
    """It prints what comes wherever the cursor is."""
    Terminal.show = lambda self, text: self._write(f"{text}\r\n")


@STEP_6.caught_by("test_the_server_gone_is_told_and_ends_the_client")
def ends_as_if_all_were_well():
    """It says that the server has gone, and ends with status 0."""
    step6.complain = lambda text, complain=step6.complain: complain(text) * 0


@STEP_6.caught_by("test_the_server_gone_is_told_and_ends_the_client")
def stays_when_the_server_has_gone():
    """It goes on waiting for the keyboard."""
    Pipe.stop = lambda self, why: None


@STEP_6.caught_by("test_the_end_of_input_half_closes_and_all_that_still_comes_is_shown")
def leaves_at_the_end_of_input():
    """It does not wait for what the server still has to say."""
    ChatClient.half_close = ChatClient.hang_up


@STEP_6.caught_by("test_a_whole_conversation_in_a_pipe_is_plain_lines")
def draws_a_prompt_in_a_pipe():
    """It writes a prompt and escape sequences where nobody types."""

    def read_line(self, prompt, read_line=Pipe.read_line):
        sys.stdout.write(f"\r\x1b[K{prompt}")
        sys.stdout.flush()
        return read_line(self, prompt)

    Pipe.read_line = read_line


@STEP_6.caught_by("test_a_servers_last_words_are_shown")
def keeps_last_words_to_itself():
    """It does not show an ERR that nobody asked for."""
    Commands.render = lambda self, said, render=Commands.render: (
        "" if isinstance(said, Reply) and not said.request else render(self, said)
    )
    step6.Session.judge_end = lambda self: "the server closed the connection"


@STEP_6.caught_by("test_quit_logs_out_and_ends_well")
def quits_without_a_word():
    """It just ends at /quit."""
    Commands.do_quit = lambda self: os._exit(0)


def main():
    name, host, port = sys.argv[1:]
    mutate = STEP_2.get(name) or STEP_6[name]
    mutate()
    sys.argv[1:] = ["--host", host, "--port", port]
    return step2.main() if name in STEP_2 else step6.main()


if __name__ == "__main__":
    sys.exit(main())
