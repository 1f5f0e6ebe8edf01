"""Solution: KNOCK: ask to be let into a channel by invitation."""

import sys
import time
from pathlib import Path
from weakref import WeakKeyDictionary

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.replies import ERR_CANNOTSENDTOCHAN, ERR_NOSUCHCHANNEL, Numeric
from extras.irc.server import EXTENSIONS, IrcServer, parser
from extras.irc.state import Channel
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
        self.knocked_at: WeakKeyDictionary[Channel, float] = WeakKeyDictionary()  # ends with the channel

    def knock(self, me: Client, name: str, text: str = "has asked for an invite."):
        """Ask the operators of a channel to be let in."""
        channel = me.world.channel(name)
        if channel is None or channel.is_hidden and me.user not in channel.members:
            me.reply(ERR_NOSUCHCHANNEL, name)
        elif me.user in channel.members:
            me.reply(ERR_KNOCKONCHAN, channel.name)
        elif "i" not in channel.flags:
            me.reply(ERR_CHANOPEN, channel.name)
        elif channel.is_banned(me.user):
            me.reply(ERR_CANNOTSENDTOCHAN, channel.name)
        elif time.monotonic() - self.knocked_at.get(channel, -KNOCK_EVERY_S) < KNOCK_EVERY_S:
            me.reply(ERR_TOOMANYKNOCK, channel.name)
        else:
            self.knocked_at[channel] = time.monotonic()
            text = cut_text(text, MAX_TEXT_BYTES)
            for user in channel.members:
                if channel.has_status(user, "o"):
                    values = channel.name, me.user.source, text
                    me.tell_user(user, me.numeric(RPL_KNOCK, *values, nick=user.nick))
            me.reply(RPL_KNOCKDLVR, channel.name)


class KnockServer(IrcServer):
    """Serve IRC, with KNOCK."""

    def __init__(self, *args, extensions=(*EXTENSIONS, Knock), **settings):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(KnockServer, parser()))
