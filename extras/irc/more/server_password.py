"""PASS: a server with --password lets in only who knows it.

Source: RFC 2812 section 3.1.1.
"""

import argparse
from queue import Full

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.more.passwords import TOO_MANY, is_password
from extras.irc.more.replies import ERR_PASSWDMISMATCH
from extras.irc.replies import ERR_ALREADYREGISTERED


def password(me: Client, text: str) -> None:
    """PASS: send the server's password, before anything else.  RFC 2812 section 3.1.1."""
    if me.user.registered:
        me.reply(ERR_ALREADYREGISTERED)
    else:
        # If there are several, the last counts.  It is checked once, when everything else is there:
        # to try again, one needs a new connection.
        me.state[ServerPassword] = text


class ServerPassword(Extension):
    """PASS, and --password."""

    commands = {"PASS": command(password, early=True)}

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument("--password", default="", help="the password that clients must give, or its hash")

    def completes(self, me: Client) -> None:
        if secret := self.options.password:
            try:
                with me.unlocked():  # a hash takes time
                    is_right = is_password(me.state.get(ServerPassword, ""), secret, me.user.address)
            except Full:
                me.close_link(TOO_MANY)
                return
            if not me.outbox.ended and not is_right:  # else somebody has hung up on it meanwhile
                me.reply(ERR_PASSWDMISMATCH)
                me.close_link("Bad password")
