"""A plugin for Limnoria: read what was said in #tea before, and say it."""  # noqa: N999 (a plugin is called as its class)

from supybot import callbacks, ircmsgs


class Tea(callbacks.Plugin):
    """Reads history."""

    def do366(self, irc, message):
        irc.queueMsg(ircmsgs.IrcMsg("CHATHISTORY LATEST #tea * 10"))

    def doPrivmsg(self, irc, message):
        if message.args[1] == "the kettle is on":
            irc.queueMsg(ircmsgs.privmsg("#tea", f"I have read: {message.args[1]}"))


Class = Tea
