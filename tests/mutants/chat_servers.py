"""Chat servers, each wrong in one way: python chat_servers.py NAME PORT"""

import contextlib
import os
import socket
import socketserver
import struct
import sys
import threading
import time
import unicodedata

from catalogue import Catalogue

from step1_echo.serving import run
from step3_protocol.protocol import NAME, ProtocolError, format_line, parse_line
from step4_framing.framing import LineBuffer, LineTooLong
from step5_server.codec import LineCodec
from step5_server.registry import NameTaken, Registry
from step5_server.server import ChatHandler, ChatServer

CHAT_SERVERS = Catalogue()
caught_by = CHAT_SERVERS.caught_by


class Mutant(ChatHandler):
    """A correct handler; each mutant changes one thing."""

    buffer_class = LineBuffer
    max_line_bytes = 1024

    def codec(self):
        bases = (LineCodec,) if self.buffer_class is LineBuffer else (self.buffer_class, LineCodec)
        return type("Codec", bases, {})(self.max_line_bytes)


def server_with(**changes):
    """Return a ChatServer with some attributes changed."""
    return type("MutantServer", (ChatServer,), changes)


# Lines


class RawBuffer(LineBuffer):
    """It keeps what was fed as it came."""

    data = b""

    def feed(self, chunk):
        self.data += chunk


class ChunkBuffer(RawBuffer):
    def next_line(self):
        chunk, self.data = self.data, b""
        return chunk.rstrip(b"\r\n") if chunk else None


@caught_by("test_requests_may_be_cut_and_glued")
class OneRecvIsOneLine(Mutant):
    """It takes what one recv() returned for one line."""

    buffer_class = ChunkBuffer


class CarriageReturnBuffer(RawBuffer):
    def next_line(self):
        if b"\n" not in self.data:
            return None
        line, _, self.data = self.data.partition(b"\n")
        return line


@caught_by("test_lines_may_end_in_cr_lf")
class KeepsTheCarriageReturn(Mutant):
    """It takes \\n off, and leaves the \\r that telnet sends."""

    buffer_class = CarriageReturnBuffer


@caught_by("test_a_thousand_pipelined_requests_get_their_replies_in_order")
class AnswersTheFirstLineOnly(Mutant):
    """It answers one line for each recv(), and leaves the others until more comes."""

    test_file = "test_step4_framing.py"

    def handle(self):
        while chunk := self.request.recv(65536):
            self.answer(chunk.split(b"\n")[0].removesuffix(b"\r"))
            self.conn.deliver()


@caught_by("test_a_line_of_1024_bytes")
class CountsTheLineEnd(Mutant):
    """It counts the \\n as part of the 1024 bytes."""

    max_line_bytes = 1023


@caught_by("test_a_line_too_long")
class HasNoLimit(Mutant):
    """It takes lines of any length."""

    max_line_bytes = 10**9


class HastyBuffer(RawBuffer):
    skipping = False

    def next_line(self):
        while b"\n" in self.data:
            line, _, self.data = self.data.partition(b"\n")
            was_skipping, self.skipping = self.skipping, False
            if not was_skipping:
                return line.removesuffix(b"\r")
        if len(self.data) > 1024:
            self.data, was_skipping, self.skipping = b"", self.skipping, True
            if not was_skipping:
                raise LineTooLong
        return None


@caught_by("test_a_line_of_1024_bytes")
class CountsHalfOfTheLineEnd(Mutant):
    """It finds a line of 1024 bytes and its \\r too long, while the \\n is on its way."""

    buffer_class = HastyBuffer


class PatientBuffer(LineBuffer):
    def __init__(self, max_line_bytes):
        self.pieces, self.lines = [], []

    def feed(self, chunk):
        self.pieces.append(chunk)
        if b"\n" in chunk:
            *lines, rest = b"".join(self.pieces).split(b"\n")
            self.lines += lines
            self.pieces = [rest]

    def next_line(self):
        line = self.lines.pop(0).removesuffix(b"\r") if self.lines else b""
        if len(line) > 1024:
            raise LineTooLong
        return line or None


@caught_by("test_a_line_too_long_is_not_held")
class HoldsALongLine(Mutant):
    """It looks how long a line is when it has all of it."""

    test_file = "test_step4_framing.py"
    buffer_class = PatientBuffer


@caught_by("test_the_limit_counts_bytes")
class CountsCharacters(Mutant):
    """It measures the line when it is decoded."""

    test_file = "test_step4_framing.py"
    max_line_bytes = 10**9

    def answer(self, line):
        super().answer(LineTooLong() if len(line.decode(errors="replace")) > 1024 else line)


@caught_by("test_a_line_too_long")
class AnswersALongLineTwice(Mutant):
    """It says line-too-long when the line is too long, and once more at its end."""

    def answer(self, line):
        super().answer(line)
        if isinstance(line, LineTooLong):
            super().answer(line)


@caught_by("test_a_line_too_long")
class ClosesAfterALongLine(Mutant):
    """It ends the connection because of one long line."""

    def answer(self, line):
        super().answer(line)
        if isinstance(line, LineTooLong):
            self.conn.hang_up()


@caught_by("test_lines_end_with_a_bare_newline")
class WritesCarriageReturns(Mutant):
    """It ends its lines with \\r\\n."""

    def send(self, line):
        super().send(line + b"\r")


@caught_by("test_one_reply_each_in_order")
class AnswersEmptyLines(Mutant):
    """It takes an empty line for an unknown command."""

    def answer(self, line):
        super().answer(line or b" ")


@caught_by("test_a_text_arrives_as_it_was_sent")
class SplitsLinesAsPythonDoes(Mutant):
    """It uses str.splitlines(), for which there are ten more line ends."""

    def answer(self, line):
        if isinstance(line, LineTooLong):
            return super().answer(line)
        for part in line.decode(errors="surrogateescape").splitlines():
            super().answer(part.encode(errors="surrogateescape"))


class GenerousBuffer(RawBuffer):
    def next_line(self):
        if b"\n" not in self.data:
            return None
        line, _, self.data = self.data.partition(b"\n")
        return line.rstrip(b"\r")


@caught_by("test_a_bad_text_is_refused")
class TakesAllCarriageReturnsOff(Mutant):
    """It uses rstrip(), so that a \\r of the text is lost."""

    buffer_class = GenerousBuffer


@caught_by("test_a_line_of_spaces_gets_an_err")
class IgnoresLinesOfSpaces(Mutant):
    """It strips a line before it looks whether it is empty."""

    def answer(self, line):
        super().answer(b"" if not isinstance(line, LineTooLong) and not line.strip() else line)


class Tidied(Mutant):
    """It changes a line before it looks at it."""

    def answer(self, line):
        super().answer(line if isinstance(line, LineTooLong) else self.tidy(line))


@caught_by("test_words_have_one_space_between_them")
class SplitsAtAnyWhiteSpace(Tidied):
    """It takes the words of LOGIN with split(), so that some more lines are good."""

    def tidy(self, line):
        return b" ".join(line.split()) if line.strip().upper().startswith(b"LOGIN") else line


@caught_by("test_words_have_one_space_between_them")
class IgnoresWhatItDoesNotNeed(Tidied):
    """It takes the first argument of LOGIN, and does not look for more."""

    def tidy(self, line):
        return b" ".join(line.split(b" ")[:2]) if line.upper().startswith(b"LOGIN") else line


@caught_by("test_a_text_arrives_as_it_was_sent")
class ComposesCharacters(Tidied):
    """It normalizes the text, so that it is not what was sent."""

    def tidy(self, line):
        return unicodedata.normalize("NFC", line.decode(errors="surrogateescape")).encode(errors="surrogateescape")


# Requests and replies


@caught_by("test_an_unknown_verb_before_login")
class AsksForALoginFirst(Mutant):
    """It says ERR not-logged-in to a verb that it does not know."""

    def _reply(self, line):
        if not self.name and line.startswith(b"ERR unknown-command"):
            line = b"ERR not-logged-in who are you?"
        super()._reply(line)


@caught_by("test_one_reply_each_in_order")
class MistakesFirst(Mutant):
    """It sends an ERR at once, and an OK when it has looked at the whole chunk."""

    def send(self, line):
        if line.startswith(b"OK"):
            self.__dict__.setdefault("later", []).append(line)
        else:
            super().send(line)

    def answer(self, line):
        super().answer(line)
        if not self.conn.codec._lines:
            for reply in self.__dict__.pop("later", []):
                super().send(reply)


@caught_by("test_one_reply_each_in_order")
class SaysOkTwice(Mutant):
    """It answers MSG with an OK when it is queued, and one more when it is sent."""

    def do_MSG(self, name, text):
        super().do_MSG(name, text)
        self.send(b"OK sent")


@caught_by("test_each_mistake_gets_its_code_and_the_connection_goes_on")
class ClosesAfterAMistake(Mutant):
    """It ends the connection after an ERR."""

    def _reply(self, line):
        super()._reply(line)
        if line.startswith(b"ERR"):
            self.conn.hang_up()


@caught_by("test_each_mistake_gets_its_code_and_the_connection_goes_on")
class HasItsOwnCodes(Mutant):
    """It says ERR syntax-error for what is ERR bad-arguments."""

    def _reply(self, line):
        super()._reply(line.replace(b"ERR bad-arguments", b"ERR syntax-error"))


@caught_by("test_each_mistake_gets_its_code_and_the_connection_goes_on")
class ReplacesWhatIsNotText(Mutant):
    """It decodes with errors="replace", so that a broken message goes out changed."""

    def answer(self, line):
        super().answer(line if isinstance(line, LineTooLong) else line.decode(errors="replace").encode())


@caught_by("test_a_verb_counts_in_any_case")
class KnowsCapitalsOnly(Mutant):
    """It knows LOGIN, and not login."""

    def answer(self, line):
        if not isinstance(line, LineTooLong) and line.split(b" ")[0] != line.split(b" ")[0].upper():
            line = b"UNKNOWN"
        super().answer(line)


@caught_by("test_help_lists_the_verbs")
class HelpsOnManyLines(Mutant):
    """It puts each verb on a line of its own."""

    def do_HELP(self):
        self.ok("these are the commands:")
        for verb in self.VERBS:
            self.send(verb.encode())


@caught_by("test_before_login")
class LetsStrangersTalk(Mutant):
    """It takes MSG from who has not logged in."""

    def answer(self, line):
        if not self.name and not isinstance(line, LineTooLong) and line.upper().startswith(b"MSG"):
            self.name = "stranger"
            super().answer(line)
            self.name = ""
        else:
            super().answer(line)


# Names


@caught_by("test_a_good_name_is_accepted")
class RefusesLongNames(Mutant):
    """It takes names of 1 to 19 characters."""

    def do_LOGIN(self, name):
        if len(name) > 19:
            raise ProtocolError("bad-name", "19 at most")
        super().do_LOGIN(name)


@caught_by("test_a_bad_name_is_refused")
class TakesLettersOfAnyAlphabet(Mutant):
    """It asks str.isalpha(), which says yes to more than a to z."""

    def do_LOGIN(self, name):
        if (
            name[:1].isalpha()
            and name.replace("-", "").replace("_", "").isalnum()
            and len(name) <= 20
            and not self.name
        ):
            self.registry.claim(name, self)
            self.name = name
            return self.ok()
        super().do_LOGIN(name)


@caught_by("test_a_name_is_taken_in_any_case")
class CapitalsMakeANewName(Mutant):
    """For it Alice and alice are two users."""

    server_class = server_with(registry_class=type("R", (Registry,), {"key": staticmethod(str)}))


@caught_by("test_names_are_shown_as_typed_and_found_in_any_case")
class ShowsNamesInSmallLetters(Mutant):
    """It keeps the name as it compares it."""

    def do_LOGIN(self, name):
        super().do_LOGIN(name.lower() if NAME.fullmatch(name) else name)


@caught_by("test_a_second_login_is_refused")
class SaysOkToTheSameNameAgain(Mutant):
    """It says OK to a LOGIN with the name that she has already."""

    def do_LOGIN(self, name):
        if self.name and name.lower() == self.name.lower():
            return self.ok()
        super().do_LOGIN(name)


@caught_by("test_a_second_login_is_refused")
class LetsUsersChangeTheirNames(Mutant):
    """It takes a second LOGIN."""

    def do_LOGIN(self, name):
        self.on_gone()
        self.name = ""
        super().do_LOGIN(name)


class LooksAndThenTakes(Registry):
    def claim(self, name, member):
        if self.get(name):
            raise NameTaken(name)
        time.sleep(0.005)
        self._members[self.key(name)] = name, member


@caught_by("test_one_of_many_gets_the_name")
class GivesOneNameToTwo(Mutant):
    """It looks whether the name is free, and takes it later, with no lock held."""

    server_class = server_with(registry_class=LooksAndThenTakes)

    def answer(self, line):
        request = None
        with contextlib.suppress(ProtocolError, TypeError):
            request = parse_line(line, self.VERBS, False)
        if request and request.verb == "LOGIN" and not self.name:
            self._replies = 0
            self.registry.lock.release()
            try:
                return self.do_LOGIN(*request.args)
            except ProtocolError as error:
                return self._reply(format_line("ERR", error.code, error.text))
            finally:
                self.registry.lock.acquire()
        super().answer(line)


@caught_by("test_a_refused_login_is_no_login")
class TakesARefusedLoginForALogin(Mutant):
    """It sets the name first, and leaves it there when the LOGIN is refused."""

    def do_LOGIN(self, name):
        try:
            super().do_LOGIN(name)
        except ProtocolError:
            self.name = self.name or name
            raise


@caught_by("test_a_name_is_freed")
class KeepsTheNamesOfTheGone(Mutant):
    """It frees a name at LOGOUT, and not when the connection just ends."""

    def on_gone(self):
        if self.conn.closing:
            super().on_gone()


@caught_by("test_a_name_is_freed")
class KeepsTheNamesOfTheCrashed(Mutant):
    """It forgets the name when recv() returns nothing, and not when it fails."""

    def on_gone(self):
        if self.conn.end_reason in ("EOF", "LOGOUT"):
            super().on_gone()


# Leaving


@caught_by("test_logout_ends_the_connection")
class StaysAfterLogout(Mutant):
    """It says OK to LOGOUT, and does not close the connection."""

    def do_LOGOUT(self):
        self.ok("bye")
        self.on_gone()
        self.name = ""


@caught_by("test_logout_ends_the_connection")
class LeavesWithoutAWord(Mutant):
    """It closes the connection at LOGOUT, and does not say OK."""

    def do_LOGOUT(self):
        self._replies = 1
        self.on_gone()
        self.conn.hang_up()


@caught_by("test_a_refused_login_frees_nobodys_name")
class FreesANameItDidNotGet(Mutant):
    """It remembers the name before the LOGIN has succeeded, and frees it at the end."""

    asked_for = None

    def do_LOGIN(self, name):
        self.asked_for = name
        super().do_LOGIN(name)

    def on_gone(self):
        if self.asked_for:
            self.registry._members.pop(self.registry.key(self.asked_for), None)


@caught_by("test_a_refused_second_login_frees_only_her_own_name")
class FreesTheNameItAskedForLast(FreesANameItDidNotGet):
    """It frees the name of another user, if a second LOGIN has asked for it."""

    def on_gone(self):
        if self.name:
            super().on_gone()
            self.registry.release(self.name, self)


@caught_by("test_what_follows_a_logout_does_not_count")
class ObeysTheLinesBehindALogout(Mutant):
    """It goes through all lines of a chunk, and then looks whether one of them was LOGOUT."""

    def answer_lines(self):
        while (line := self.conn.next_line()) is not None:
            with self.registry.lock:
                self.answer(line)


@caught_by("test_what_follows_a_logout_does_not_count")
class ListensAfterALogout(Mutant):
    """It says OK to LOGOUT, ends its own side, and obeys what still comes."""

    def do_LOGOUT(self):
        self.ok("bye")
        self.on_gone()
        self.conn.deliver()
        self.request.shutdown(socket.SHUT_WR)


@caught_by("test_half_a_line_at_the_end_is_not_obeyed")
class ObeysHalfALine(Mutant):
    """It takes what is left at EOF for a line, as a loop over a file's lines does."""

    def finish(self):
        if self.conn.end_reason == "EOF":
            self.conn.codec.feed(b"\n")
            self.answer_lines()
        super().finish()


@caught_by("test_half_a_line_at_eof_is_not_a_request")
class ObeysHalfALineOfStep4(ObeysHalfALine):
    """The same, judged by the checks of step 4."""

    test_file = "test_step4_framing.py"


@caught_by("test_requests_before_a_half_close_are_answered")
class ResetsAfterAHalfClose(Mutant):
    """It ends the connection of a client that has half-closed with a reset."""

    def on_gone(self):
        super().on_gone()
        if self.conn.end_reason == "EOF":
            self.conn.deliver()
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()
            self.outbox._give_up()


# Messages


@caught_by("test_a_message_reaches_its_user_and_no_one_else")
class TellsEverybody(Mutant):
    """It sends a private message to all."""

    def do_MSG(self, name, text):
        super().do_MSG(name, text)
        for member in self.registry.members():
            if member not in (self, self.registry.get(name)):
                self.send_to(member, format_line("MSG", self.name, text))


@caught_by("test_a_text_arrives_as_it_was_sent")
class SplitsTheText(Mutant):
    """It splits the line into words, and joins them again."""

    def do_MSG(self, name, text):
        super().do_MSG(name, " ".join(text.split()) or text)


@caught_by("test_a_text_arrives_as_it_was_sent")
class TrimsTheText(Mutant):
    """It takes the blanks off the text's ends."""

    def do_MSG(self, name, text):
        super().do_MSG(name, text.strip() or text)


@caught_by("test_a_message_to_oneself")
class RefusesTalkingToOneself(Mutant):
    """It looks for the receiver among the others."""

    def do_MSG(self, name, text):
        if self.registry.get(name) is self:
            raise ProtocolError("no-such-user", "that is you")
        super().do_MSG(name, text)


@caught_by("test_a_bad_text_is_refused")
class LetsControlCharactersThrough(Mutant):
    """It delivers escape sequences."""

    def do_MSG(self, name, text):
        member = self.registry.get(name)
        if member is None or not text.strip():
            return super().do_MSG(name, text)
        self.send_to(member, format_line("MSG", self.name, text))
        self.ok()


@caught_by("test_a_bad_text_is_refused")
class LetsDeleteThrough(Mutant):
    """For it the control characters are those below the space."""

    def do_MSG(self, name, text):
        member = self.registry.get(name)
        if member is None or "\x7f" not in text:
            return super().do_MSG(name, text)
        self.send_to(member, format_line("MSG", self.name, text))
        self.ok()


@caught_by("test_a_bad_text_is_refused")
class DeliversEmptyTexts(Mutant):
    """It sends a message without a text."""

    def do_MSG(self, name, text):
        member = self.registry.get(name)
        if member is None or text:
            return super().do_MSG(name, text)
        self.send_to(member, f"MSG {self.name} ".encode())
        self.ok()


@caught_by("test_a_message_to_nobody")
class AgreesToTalkToNobody(Mutant):
    """It says OK though nobody has that name."""

    def do_MSG(self, name, text):
        if self.registry.get(name) is None:
            return self.ok()
        super().do_MSG(name, text)


@caught_by("test_messages_arrive_in_order_once_each")
class DeliversTheNewestFirst(Mutant):
    """It keeps what is waiting on a stack."""

    def do_MSG(self, name, text):
        member = self.registry.get(name)
        if member is None:
            return super().do_MSG(name, text)
        waiting = self.__dict__.setdefault("waiting", [])
        waiting.append((member, format_line("MSG", self.name, text)))
        self.ok()
        if not self.conn.codec._lines:
            while waiting:
                self.send_to(*waiting.pop())


@caught_by("test_messages_arrive_in_order_once_each")
class DropsEveryHundredth(Mutant):
    """It loses a message now and then."""

    count = 0

    def send_to(self, member, line):
        DropsEveryHundredth.count += 1
        if DropsEveryHundredth.count % 100:
            super().send_to(member, line)


@caught_by("test_lines_of_several_senders_do_not_mix")
class MixesLines(Mutant):
    """It writes a line in two halves, and other threads come between."""

    def do_MSG(self, name, text):
        member = self.registry.get(name)
        if member is None or member is self:
            return super().do_MSG(name, text)
        self.ok()
        line = format_line("MSG", self.name, text) + b"\n"
        self.half = member, line[len(line) // 2 :]
        self.conn.send_to(member.outbox, line[: len(line) // 2])

    def answer(self, line):
        super().answer(line)
        if half := self.__dict__.pop("half", None):
            self.registry.lock.release()
            time.sleep(0.001)
            self.registry.lock.acquire()
            self.conn.send_to(half[0].outbox, half[1])


@caught_by("test_what_waits_for_one_client_is_bounded")
class KeepsWithoutABound(Mutant):
    """It keeps all that a client does not read."""

    def connect(self):
        conn = super().connect()
        conn.outbox.max_pending_bytes = 10**12
        return conn


@caught_by("test_what_waits_for_one_client_is_bounded")
class DropsWhatDoesNotFit(Mutant):
    """It says OK to a message for a client with a full queue, and drops it."""

    def send_to(self, member, line):
        if member.outbox.pending_bytes < 300_000:
            super().send_to(member, line)


@caught_by("test_what_a_client_asks_for_and_does_not_read_is_bounded")
class KeepsRepliesWithoutABound(KeepsWithoutABound):
    """It goes on reading a client that does not read its replies."""

    def connect(self):
        conn = super().connect()
        conn.wait_for_peer = conn.wait_for_readers = lambda: None
        return conn


# Many users


@caught_by("test_a_silent_client_keeps_nobody_waiting")
class OneClientAtATime(Mutant):
    """It has one thread for all, which stays with a client until the end."""

    server_class = server_with(process_request=socketserver.BaseServer.process_request)


@caught_by("test_a_crash_harms_nobody_else")
class DiesOfACrash(Mutant):
    """It ends when a user is gone without a LOGOUT."""

    def on_gone(self):
        if self.name and self.conn.closing_since is None:
            os._exit(1)
        super().on_gone()


@caught_by("test_users_come_and_go")
class NeverGivesAPlaceBack(Mutant):
    """It counts who comes, and not who goes, and has 60 places."""

    taken = threading.Semaphore(60)

    def setup(self):
        super().setup()
        if not self.taken.acquire(blocking=False):
            self.refusal = self.last_line("server-full", "no more places")


def main():
    mutant = CHAT_SERVERS[sys.argv[1]]
    server_class = getattr(mutant, "server_class", ChatServer)
    server_class = type("Server", (server_class,), {"handler_class": mutant})
    return run(server_class(("127.0.0.1", int(sys.argv[2]))))


if __name__ == "__main__":
    sys.exit(main())
