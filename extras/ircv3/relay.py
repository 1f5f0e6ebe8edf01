"""RELAYMSG: a bridge brings what people say elsewhere, each under her own name.

    C: RELAYMSG #tea smt/discord :hello
    S: @draft/relaymsg=bridge :smt/discord!relay@irc.example.net PRIVMSG #tea :hello

Such a name has a slash, and so it is nobody's here.  Only operators of the channel may do it.
Source: the specification in Ergo's docs/SPECS; draft/relaymsg.
"""

import re
from typing import Any

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.names import NICK_LENGTH, SPECIAL
from extras.irc.replies import ERR_NOSUCHCHANNEL, ERR_NOTONCHANNEL
from extras.irc.state import Author
from extras.irc.talk import why_not_speak

NAME = "draft/relaymsg"
PART = rf"[\w{SPECIAL}.-]+"
NICK = re.compile(f"{PART}(/{PART})+", re.ASCII)


class Relay(Extension):
    """draft/relaymsg."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.capabilities = (Capability(NAME, "who has brought a message from elsewhere", lambda: "/", relay_tag),)
        self.commands = {"RELAYMSG": command(relaymsg)}


def relaymsg(me: Client, name: str, nick: str, text: str) -> None:
    """Say what somebody has said elsewhere."""
    channel = me.world.channel(name)
    if channel is None:
        me.reply(ERR_NOSUCHCHANNEL, name)
    elif channel not in me.user.channels:
        me.reply(ERR_NOTONCHANNEL, channel.name)
    elif not me.may(channel, "o"):
        me.standard("FAIL", "RELAYMSG", "PRIVS_NEEDED", text="Only operators of the channel may do that")
    elif not NICK.fullmatch(nick) or len(nick) > NICK_LENGTH:
        me.standard("FAIL", "RELAYMSG", "INVALID_NICK", text="A name from elsewhere is like this: smt/discord")
    else:
        # It has no account, whoever has brought it.
        elsewhere = Author(account="", modes=(), signed_on=me.user.signed_on)
        source = f"{nick}!relay@{me.server.name}"
        event = Event("PRIVMSG", channel.name, text=text, source=source, user=elsewhere, tags={NAME: me.user.nick})
        if refusal := why_not_speak(me, channel, event):
            me.reply(*refusal)
        else:
            me.tell(channel, event)


def relay_tag(event: Event) -> dict[str, str]:
    """Give the nick of the bridge."""
    return {NAME: event.tags[NAME]} if NAME in event.tags else {}
