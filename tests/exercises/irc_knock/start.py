"""Exercise: KNOCK: ask to be let into a channel by invitation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.replies import ERR_CANNOTSENDTOCHAN, ERR_NOSUCHCHANNEL, Numeric
from extras.irc.server import EXTENSIONS, IrcServer, parser
from step1_echo.serving import main

KNOCK_EVERY_S = 60.0  # for one channel, whoever knocks: operators have other things to do

# No specification has them; this is what the servers that know KNOCK agree on.
RPL_KNOCK = Numeric("710", "<channel> <nick!user@host> :<text>", "Solanum")
RPL_KNOCKDLVR = Numeric("711", "<channel> :Your KNOCK has been delivered.", "Solanum")
ERR_TOOMANYKNOCK = Numeric("712", "<channel> :Too many KNOCKs (channel).", "Solanum")
ERR_CHANOPEN = Numeric("713", "<channel> :Channel is open.", "Solanum")
ERR_KNOCKONCHAN = Numeric("714", "<channel> :You are already on that channel.", "Solanum")


class Knock(Extension):
    """`KNOCK #tea :it is cold out here`: the operators of the channel get 710, whoever knocks gets 711.

    Otherwise she gets, in this order: 403 if there is no such channel or it is hidden, 714 if she is in
    it, 713 if it is not by invitation, 404 if she is banned, 712 if somebody knocked less than
    KNOCK_EVERY_S ago.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.commands = {"KNOCK": command(self.knock)}

    def knock(self, me: Client, name: str, text: str = "has asked for an invite."):
        """Ask the operators of a channel to be let in."""
        me.reply(RPL_KNOCKDLVR, name)  # TODO


class KnockServer(IrcServer):
    """Serve IRC, with KNOCK."""

    def __init__(self, *args, extensions=(*EXTENSIONS, Knock), **settings):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(KnockServer, parser()))
