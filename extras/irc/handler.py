"""The IRC handler: one client's lines in; each becomes a command, which is checked and carried out.

Step 5's line handler with another protocol.  The same as there: a command runs under the world's lock
from beginning to end, and the outboxes that it has filled are flushed once for each chunk.  New: a
command has any number of replies (client.py).
"""

import logging
import re
import time
from functools import partial

from extras.irc.client import Client, plain_host
from extras.irc.command import Command
from extras.irc.extension import Extension
from extras.irc.message import MAX_MESSAGE_BYTES, fit, is_utf8, split_message
from extras.irc.proxy import read_header
from extras.irc.registration import register
from extras.irc.replies import ERR_INPUTTOOLONG, ERR_NEEDMOREPARAMS, ERR_NOTREGISTERED, ERR_UNKNOWNCOMMAND
from step1_echo.serving import log
from step4_framing.framing import LineTooLong

# What a browser sends first, however long its URL, or any other program that speaks HTTP.
HTTP = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) |\S+ \S+ HTTP/")


class IrcHandler(Client):
    """Serve one client."""

    def setup(self) -> None:
        """Take a place; until NICK and USER, the client is not registered."""
        bad_proxy = ""
        if plain_host(self.client_address) in self.server.proxies:
            try:
                self.client_address = read_header(self.request) or self.client_address
            except (OSError, ValueError) as error:
                bad_proxy = str(error)
        super().setup()
        self._commands = self.server.commands
        self._is_logged = log.isEnabledFor(logging.INFO)
        self._paid_until = 0.0  # when the messages so far will have been paid for, by waiting
        if bad_proxy:
            log.warning("%s: no PROXY header: %s", self, bad_proxy)
            self.refusal = self.last_line("proxy", "PROXY header expected")
        if not self.refusal:
            with self.world.lock:
                self.world.strangers.add(self.user)
                for connected in self.server.extensions.hooks(Extension.connected):
                    connected(self)

    def done_with(self, what: str) -> None:
        """Registration need not wait for this any more; go on with it if that was the last."""
        self.waits.discard(what)
        register(self)

    def answer(self, line: bytes | LineTooLong) -> None:
        """Do what one line asks.  Thread: holds the world's lock."""
        if not self.user.registered and (why := why_not_irc(line)):
            log.warning("%s: %s: sent away", self, why)
            self.close_link(why)
            return
        whole = None if isinstance(line, LineTooLong) else line if len(line) <= MAX_MESSAGE_BYTES else fit(line)
        if whole is None:
            self.reply(ERR_INPUTTOOLONG)
            return
        if (parts := split_message(whole, self.server.utf8_only)) is None:
            return
        self.tags, _, name, params = parts
        command = self._commands.get(name)
        if self.server.flood and not (command and command.free):
            self._paid_until = max(self._paid_until, self.conn.heard_at) + self.server.message_s
            if self._paid_until > self.conn.heard_at + self.server.burst_s:
                self.slow_down()
        if self._is_logged:
            log.info("%s: %s", self, name if command else "unknown command")
        if not whole.isascii() and self.server.utf8_only and name != "NOTICE" and not is_utf8(whole):
            if command and command.only_utf8:
                command = command._replace(function=partial(refuse_bytes, name), least=0, most=0, early=True)
            else:
                text = "This is not UTF-8, and others see U+FFFD in it: set your client to UTF-8"
                self.standard("WARN", name if command else "*", "INVALID_UTF8", text=text)
        run = self.run_collected if self.tags else self.run
        if command and not command.locked:
            with self.unlocked():
                run(name, command, params)
        elif not self.outbox.ended:  # else somebody hung up on us while we waited
            run(name, command, params)

    def run_collected(self, name: str, command: Command | None, params: list[str]) -> None:
        """Run a command; if its tags want that, what collects the answer gets it."""
        if any(takes(self, name, params) for takes in self.server.extensions.hooks(Extension.takes)):
            return
        self.response = self.server.extensions.first(Extension.response, self, self.tags)
        if self.response is None:
            self.run(name, command, params)
            return
        try:
            self.run(name, command, params)
        finally:
            response, self.response = self.response, None
        if response:  # else the command has put it by
            response.end()

    def run(self, name: str, command: Command | None, params: list[str]) -> None:
        """Check that a command is known, is allowed and has its parameters, and call its function."""
        if command is None:
            # Do not answer a client that is not registered: it may be a server.
            if self.user.registered:
                self.reply(ERR_UNKNOWNCOMMAND, name)
        elif not self.user.registered and command.early is not True and command.early not in self.caps:
            self.reply(ERR_NOTREGISTERED)
        elif command.least and (len(params) < command.least or "" in params[: command.least]):
            self.reply(ERR_NEEDMOREPARAMS, name)
        else:
            self.server.command_counts[name] += 1
            answer = command.function(self, *params[: command.most])
            if answer is not None:
                self.carry_out(answer)

    def slow_down(self) -> None:
        """Do not read a client that sends too much: a burst of messages is free, then a rate holds."""
        wait_s = self._paid_until - self.server.burst_s - time.monotonic()
        if wait_s > 0:
            with self.unlocked():
                self.conn.deliver()  # send what there is before we wait
                self.conn.rest(wait_s)


def refuse_bytes(name: str, me: Client) -> None:
    """Stand in for a command that takes only UTF-8: its answer has the request's label, as any other."""
    me.standard("FAIL", name, "INVALID_UTF8", text="This is not UTF-8")


def why_not_irc(line: bytes | LineTooLong) -> str:
    """Return what is wrong with the line of a client that is not registered, if no IRC client sends that.

    A web page can make its reader's browser POST to us, with NICK, USER and PRIVMSG below the header:
    that comes from her address, inside her network.  So we close HTTP at its first line.
    """
    if isinstance(line, LineTooLong):
        return "Input line was too long"  # we have not seen its beginning
    return "This is IRC, not HTTP" if HTTP.match(line) else ""
