"""A service: a name that nobody has, and that one can send orders to, as if it were a user.

    C: PRIVMSG NickServ :HELP
    S: :NickServ!NickServ@irc.example.net NOTICE alice :HELP: this.

order   what one sends: a method whose docstring is its help
"""

from collections.abc import Callable
from queue import Full
from typing import Any

from extras.irc.client import Client
from extras.irc.command import Command, Function, command
from extras.irc.extension import Extension
from extras.irc.names import fold
from extras.irc.replies import ERR_NICKNAMEINUSE, Reply
from extras.ircv3.database import DatabaseError


class Service(Extension):
    """What all services have in common."""

    name = ""
    short = ""  # for NS HELP
    unavailable = ""  # what it says when the database cannot do it

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        row = command(self.speak)
        self.commands = {self.name.upper(): row, self.short: row}
        self.orders: dict[str, Command] = {}

    def add_orders(self, *orders: Function) -> None:
        """Take methods as orders."""
        self.orders |= {order.__name__.upper(): command(order) for order in orders}

    def service(self, nick: str) -> Callable[[Client, str], None] | None:
        return self.hear if fold(nick) == fold(self.name) else None

    def why_not_nick(self, me: Client, nick: str) -> Reply | None:
        return (ERR_NICKNAMEINUSE, nick) if fold(nick) == fold(self.name) else None

    def speak(self, me: Client, *words: str) -> None:
        """Speak to a service: its order HELP tells what it knows."""
        self.hear(me, " ".join(words))

    def hear(self, me: Client, text: str) -> None:
        """Do what a message says.  There may be a password in it: it goes into no log, and no answer."""
        name, *words = text.split() or ["HELP"]
        order = self.orders.get(name.upper())
        if order is None:
            self.say(me, "I know HELP, and what it tells.")
        elif not order.least <= len(words) <= order.most:
            self.say(me, f"So it is written: {summary(order)}")
        else:
            try:
                order.function(me, *words)
            except (DatabaseError, Full):
                self.say(me, self.unavailable)

    def say(self, me: Client, text: str) -> None:
        """Answer."""
        me.notice(text, source=self.source)

    @property
    def source(self) -> str:
        return f"{self.name}!{self.name}@{self.server.name}"

    def help(self, me: Client, *unused: str) -> None:
        """HELP: this."""
        for order in self.orders.values():
            self.say(me, summary(order))


def summary(order: Command) -> str:
    """Give an order's one line of help."""
    return order.function.__doc__ or ""
