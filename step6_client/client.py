"""A person's chat client: /msg bob hello, then plain text goes on to bob; /help tells the rest."""

import queue
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so step4_framing is found

from step1_echo.streams import mend_streams
from step2_client.client import CannotConnect, argument_parser, complain, connect
from step4_framing.framing import LineTooLong
from step6_client.chat_client import ChatClient, Event, Reply
from step6_client.commands import Commands, verb_of, visible
from step6_client.terminal import Pipe, Stopped, Terminal, signals_held
from step6_client.trust import connect_tls

FAREWELL_S = 1  # for the receiving thread to see that we have hung up; it needs far less
TLS_HINT = "; if it expects TLS, use --tls"  # such a server is silent, or says "unavailable", and closes


class Session:
    """One person's stay: the main thread reads what she types, a second one shows what comes.

    leaving    nothing more is typed; we wait for the server to close as well
    goodbye    the end of the connection is no surprise: the server has said OK to a LOGOUT
    failure    why it ended otherwise, "" while all is well
    hint       what to add to that if the server has done nothing for us
    """

    def __init__(self, client: ChatClient, commands: Commands, screen: Pipe, hint: str = ""):
        self.client, self.commands, self.screen, self.hint = client, commands, screen, hint
        self.leaving = self.goodbye = False
        self.failure = ""
        self.logged_in = False
        # What the LOGIN that she waits for has been answered.
        self.answers: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def run(self, name: str = "") -> int:
        """Talk until either end has had enough; return the exit status."""
        receiver = threading.Thread(target=self.receive, daemon=True)
        try:
            with signals_held():  # all are for this thread
                receiver.start()
            try:
                self.read_input(name)
                self.leaving = True
                self.client.half_close()
            except OSError:
                pass  # NOTE: the server went while we sent; the receiver sees that too, and says why
            receiver.join()  # replies and events may still come, until the server closes as well
        except Stopped as stopped:
            self.failure = str(stopped)
        except KeyboardInterrupt as ending:
            self.leaving = True
            self.client.hang_up()
            receiver.join(FAREWELL_S)
            # What shells expect of a program that a signal ended; without a number it was Ctrl-C.
            return 128 + (ending.args[0] if ending.args else signal.SIGINT)
        return complain(self.failure) if self.failure else 0

    def read_input(self, name: str) -> None:
        """Do what is typed until the end of input or /quit; the name comes as if it were typed."""
        text: str | None = name
        while text is not None:
            for line in text.split("\n"):  # a line editor may return several, if they were pasted
                if self.enter(line):
                    return
            text = self.screen.read_line(self.commands.prompt)

    def enter(self, text: str) -> bool:
        """Do what one typed line says; return whether she leaves."""
        action = self.commands.parse_input(text)
        if action.show:
            self.screen.show(action.show)
        if action.send:
            self.answers = queue.SimpleQueue()
            self.client.request(action.send)
        if action.waits:
            self.answers.get()  # not Event.wait: Ctrl-C may come at any moment of it
        return action.ends

    def receive(self) -> None:
        """Show what the server says until it ends.  Thread: its own."""
        try:
            while said := self.next_said():
                if not (isinstance(said, Reply) and said.code == "unavailable"):
                    self.hint = ""
                self.take(said)
            self.failure = self.judge_end()
        except OSError as error:
            self.failure = f"lost the server: {error.strerror or error}"
        except Stopped as stopped:
            self.failure = str(stopped)
        if self.failure:
            self.failure += self.hint
        if not self.leaving:
            self.screen.stop(self.failure)

    def judge_end(self) -> str:
        """Say what is wrong with the server's closing the connection now, "" if nothing is."""
        gone = "the server closed the connection"
        if self.failure or not (self.leaving or self.goodbye):
            return gone
        if self.logged_in and self.client.unanswered:  # /raw may speak to other servers
            return f"{gone} and did not answer: {visible(self.client.unanswered[0])}"
        return ""

    def next_said(self) -> Reply | Event | None:
        """Return what the server says next, None at EOF."""
        while True:
            try:
                return self.client.receive()
            except LineTooLong:
                self.screen.show("! the server sent a line over the limit; it was thrown away")

    def take(self, said: Reply | Event) -> None:
        """Show a reply or an event, and do what follows from it."""
        if isinstance(said, Reply):
            self.commands.heed(said)  # first: what she types when she sees it already depends on it
        if text := self.commands.render(said):
            self.screen.show(text)
        if isinstance(said, Event):
            return
        verb = verb_of(said.request)
        if not said.request:
            self.failure = said.code  # last words: the server is about to close
        elif verb == "LOGIN":
            self.logged_in = self.logged_in or said.ok
            self.answers.put(said)
        elif verb == "LOGOUT" and said.ok:
            self.goodbye = True


def main(commands_class: type[Commands] = Commands) -> int:
    """Connect and chat; return the exit status."""
    mend_streams()
    parser = argument_parser("Chat.  /help lists the commands, Ctrl-D leaves.")
    parser.add_argument("--name", default="", help="log in by this name (else it is asked for)")
    parser.add_argument("--tls", action="store_true", help="talk encrypted, with a server that proves its name")
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="with --tls: trust the certificates in this file (PEM) "
        "and those that they sign, instead of those that the system trusts",
    )
    args = parser.parse_args()
    if args.ca and not args.tls:
        parser.error("--ca says whom to trust with TLS: it needs --tls")
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        sock = connect_tls(args.host, args.port, args.ca) if args.tls else connect(args.host, args.port)
    except CannotConnect as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130
    hint = "" if args.tls else TLS_HINT
    with sock:
        screen = Terminal() if at_terminal else Pipe()
        try:
            return Session(ChatClient(sock), commands_class(), screen, hint).run(args.name)
        finally:
            screen.close()


if __name__ == "__main__":
    sys.exit(main())
