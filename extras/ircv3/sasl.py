"""AUTHENTICATE: log in, mostly before the registration, in one of three ways.

    PLAIN          the name and the password, as they are
    SCRAM-SHA-256  a proof that one knows the password
    EXTERNAL       the certificate that the client has shown at the beginning of TLS

mechanism  one of these ways: a generator, which takes the client's messages and yields our answers; it
           returns the name of the account
message    bytes, sent in Base64 and in pieces of 400 letters; the last piece is shorter
Source: IRCv3 sasl-3.1 and sasl-3.2; RFC 4616 (PLAIN), RFC 4422 appendix A (EXTERNAL).
"""

import base64
from collections.abc import Callable, Generator
from queue import Full
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.names import fold
from extras.irc.replies import Numeric
from extras.ircv3.database import DatabaseError
from extras.ircv3.login import SASL, Login
from extras.ircv3.scram import Exchange, ScramError
from extras.ircv3.secure import asks_for_certificates, fingerprint
from extras.ircv3.storage import Storage

RPL_SASLSUCCESS = Numeric("903", ":SASL authentication successful", SASL)
ERR_SASLFAIL = Numeric("904", ":SASL authentication failed", SASL)
ERR_SASLTOOLONG = Numeric("905", ":SASL message too long", SASL)
ERR_SASLABORTED = Numeric("906", ":SASL authentication aborted", SASL)
ERR_SASLALREADY = Numeric("907", ":You have already authenticated using SASL", SASL)
RPL_SASLMECHS = Numeric("908", "<mechanisms> :are available SASL mechanisms", SASL)

PIECE = 400
MAX_LETTERS = 4 * PIECE  # three times what the longest name and password need
Mechanism = Generator[bytes, bytes, str | None]


class Wrong(Exception):
    """The client is not who it says, or does not say it as the mechanism wants it."""


class Attempt:
    """A login that has begun."""

    def __init__(self, mechanism: Mechanism):
        self.mechanism, self.letters = mechanism, ""


class Sasl(Extension):
    """The capability sasl, and AUTHENTICATE."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (Capability("sasl", "log in", value=lambda: ",".join(self.mechanisms())),)
        self.commands = {"AUTHENTICATE": command(self.authenticate, early=True)}

    def start(self) -> None:
        self.accounts = self.server.extensions[Storage].accounts
        self.login = self.server.extensions[Login]

    def completes(self, me: Client) -> None:
        if me.state.pop(Sasl, None):
            me.reply(ERR_SASLABORTED)

    def authenticate(self, me: Client, text: str) -> None:
        """Log in: first the mechanism, then its messages, or * to give up.  IRCv3 sasl-3.1."""
        attempt = me.state.get(Sasl)
        if text == "*":
            self.end(me, ERR_SASLABORTED)
        elif len(text) > PIECE:
            self.end(me, ERR_SASLTOOLONG)
        elif attempt is None:
            self.begin(me, text.upper())
        elif len(attempt.letters) + len(text) > MAX_LETTERS:
            self.end(me, ERR_SASLFAIL)
        else:
            attempt.letters += text if text != "+" else ""
            if len(text) < PIECE:
                letters, attempt.letters = attempt.letters, ""
                self.go_on(me, attempt, letters)

    def begin(self, me: Client, name: str) -> None:
        """Start a mechanism."""
        negotiates = "CAP" in me.waits  # some clients ask for the capability later
        if not ("sasl" in me.caps or negotiates) or name not in self.mechanisms():
            me.reply(RPL_SASLMECHS, ",".join(self.mechanisms()))
            self.end(me, ERR_SASLFAIL)
            return
        attempt = me.state[Sasl] = Attempt(self.mechanisms()[name](me))
        self.answer(me, next(attempt.mechanism))

    def go_on(self, me: Client, attempt: Attempt, letters: str) -> None:
        """Give the mechanism a whole message."""
        answer = account = failure = None
        with me.unlocked():  # a hash and the database take time
            try:
                answer = attempt.mechanism.send(base64.b64decode(letters, validate=True))
            except StopIteration as finished:
                account = finished.value
            except (Wrong, ScramError, DatabaseError, Full, ValueError) as error:  # the last: Base64, UTF-8
                failure = error
        if me.outbox.ended:
            return  # somebody has hung up on it meanwhile
        if answer is not None:
            self.answer(me, answer)
        elif account:
            self.end(me, RPL_SASLSUCCESS if self.login.log_in(me, account) else ERR_SASLALREADY)
        elif isinstance(failure, (DatabaseError, Full)):
            text = "Accounts are temporarily unavailable: try again later"
            me.standard("FAIL", "AUTHENTICATE", "TEMPORARILY_UNAVAILABLE", text=text)
            self.end(me, ERR_SASLFAIL)
        else:
            self.end(me, ERR_SASLFAIL)
            self.login.failed(me, "SASL")

    def answer(self, me: Client, message: bytes) -> None:
        """Send a message of the mechanism's."""
        letters = base64.b64encode(message).decode()
        for start in range(0, len(letters) + 1, PIECE):  # one that fills its last piece has an empty one more
            me.send(Event("AUTHENTICATE", letters[start : start + PIECE] or "+"))

    def end(self, me: Client, numeric: Numeric) -> None:
        """Say how the attempt has ended."""
        me.state.pop(Sasl, None)
        me.reply(numeric)

    # --- the mechanisms: they run without the lock ----------------------------------------------

    def mechanisms(self) -> dict[str, Callable[[Client], Mechanism]]:
        """Give those that can be used here."""
        ways: dict[str, Callable[[Client], Mechanism]] = {"PLAIN": self.plain, "SCRAM-SHA-256": self.scram}
        if asks_for_certificates(self.server):
            ways["EXTERNAL"] = self.external
        return ways

    def plain(self, me: Client) -> Mechanism:
        """RFC 4616: as whom to act, who it is, the password; a zero byte between them."""
        authzid, name, password = (yield b"").decode().split("\0")
        if not name or not password or not may_act(authzid, name):
            raise Wrong
        return self.accounts.check(name, password, me.user.address)

    def scram(self, me: Client) -> Mechanism:
        """RFC 5802; see scram.py."""
        exchange = Exchange((yield b""))
        account, keys = self.accounts.keys(exchange.name)
        proof = yield exchange.challenge(keys)
        yield exchange.verify(proof)
        return account if may_act(exchange.authzid, exchange.name) else None

    def external(self, me: Client) -> Mechanism:
        """RFC 4422 appendix A: as whom to act, or nothing."""
        authzid = (yield b"").decode()
        account = self.accounts.by_fingerprint(fingerprint(me))
        return account if account and may_act(authzid, account) else None


def may_act(authzid: str, name: str) -> bool:
    """Tell whether who proves to be `name` may act as `authzid`: everybody only as herself."""
    return not authzid or fold(authzid) == fold(name)
