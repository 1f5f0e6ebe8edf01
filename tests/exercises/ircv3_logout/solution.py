"""Solution: log out, and stay."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.replies import Numeric
from extras.ircv3.every import EXTENSIONS

RPL_LOGGEDOUT = Numeric("901", "<nick!user@host> :You are now logged out", "IRCv3 sasl-3.1")


class Logout(Extension):
    """LOGOUT: our user has no account from now on, and the neighbours who asked for that are told."""

    def __init__(self, *args):
        super().__init__(*args)
        self.commands = {"LOGOUT": command(self.logout)}

    def logout(self, me: Client):
        """Log out, and stay."""
        user = me.user
        if user.account:
            user.account = ""
            me.reply(RPL_LOGGEDOUT, user.source)
            event = me.says("ACCOUNT", "*", need="account-notify")
            me.tell_user(user, event)
            me.tell_neighbours(user, event, afar=True)


ALL = (*EXTENSIONS, Logout)
