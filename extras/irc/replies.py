"""Every numeric reply that this server sends: its number, its parameters, its source.

A form is written as the specifications write it: each `<name>` is filled in, `<names...>` with
several parameters; what stands after ` :` is text for a person.  Every numeric begins with the
receiver's nick; the specifications leave that out, and so does this table.

Where the two disagree, the form is the living document's (modern.ircdocs.horse, "Numerics"), and not
RFC 2812's (section 5).  Where the living document leaves the texts open, they are RFC 2812's.
"""

import re
from operator import itemgetter
from typing import Any

NICK = "\0"  # in a page, in place of the receiver's nick: no line has this character
Reply = tuple[Any, ...]  # a numeric, and its values


class Numeric:
    """One numeric: its code, its form and its source."""

    def __init__(self, code: str, form: str, source: str):
        self.code, self.source = code, source
        places = re.findall("<([^>]*)>", form)
        self.names = list(dict.fromkeys(places))
        middles = re.findall("<([^>]*)>", form.partition(" :")[0]) if form[0] != ":" else []
        self._middles = [self.names.index(name) for name in middles if not name.endswith("...")]
        self._template = re.sub("<[^>]*>", "%s", form.replace("%", "%%"))
        # Which value stands in which place, if some stand in several.
        self._order = None if places == self.names else itemgetter(*map(self.names.index, places))

    def line(self, server: str, nick: str, values: tuple[object, ...]) -> str:
        """Give the reply, without its delimiter; `values` are in the order of the form's names.

        A value that cannot stand in the middle of a message (a peer asked for "a b") is `*`.
        """
        for index in self._middles:
            value = str(values[index])
            if not value or " " in value or value[0] == ":":
                values = (*values[:index], "*", *values[index + 1 :])
        if self._order is not None:
            values = self._order(values)
        return f":{server} {self.code} {nick} {self._template % values}"


def page(server: str, *replies: Reply) -> str:
    """Give replies as lines for any receiver: Client.reply_page() sends them."""
    return "\n".join([numeric.line(server, NICK, tuple(values)) for numeric, *values in replies])


MODERN = "modern.ircdocs.horse"
RFC2812 = "RFC 2812 section 5.1"  # the replies
ERRORS = "RFC 2812 section 5.2"  # the errors

# --- a session begins ---------------------------------------------------------------------------
RPL_WELCOME = Numeric("001", ":Welcome to the <network> Network, <nick!user@host>", MODERN)
RPL_YOURHOST = Numeric("002", ":Your host is <server>, running version <version>", RFC2812)
RPL_CREATED = Numeric("003", ":This server was created <date>", RFC2812)
RPL_MYINFO = Numeric("004", "<server> <version> <user modes> <channel modes> <with parameter>", MODERN)
RPL_ISUPPORT = Numeric("005", "<tokens...> :are supported by this server", MODERN)
RPL_UMODEIS = Numeric("221", "<modes>", RFC2812)
RPL_LUSERCLIENT = Numeric("251", ":There are <users> users and <m> invisible on <n> servers", MODERN)
RPL_LUSEROP = Numeric("252", "<n> :operator(s) online", RFC2812)
RPL_LUSERUNKNOWN = Numeric("253", "<n> :unknown connection(s)", RFC2812)
RPL_LUSERCHANNELS = Numeric("254", "<n> :channels formed", RFC2812)
RPL_LUSERME = Numeric("255", ":I have <clients> clients and <servers> servers", RFC2812)
RPL_LOCALUSERS = Numeric("265", "<now> <max> :Current local users <now>, max <max>", MODERN)
RPL_GLOBALUSERS = Numeric("266", "<now> <max> :Current global users <now>, max <max>", MODERN)
RPL_MOTDSTART = Numeric("375", ":- <server> Message of the day - ", RFC2812)
RPL_MOTD = Numeric("372", ":- <text>", RFC2812)
RPL_ENDOFMOTD = Numeric("376", ":End of MOTD command", RFC2812)
ERR_NOMOTD = Numeric("422", ":MOTD File is missing", ERRORS)
ERR_NOTREGISTERED = Numeric("451", ":You have not registered", ERRORS)
ERR_ALREADYREGISTERED = Numeric("462", ":You may not reregister", MODERN)
ERR_NONICKNAMEGIVEN = Numeric("431", ":No nickname given", ERRORS)
ERR_ERRONEUSNICKNAME = Numeric("432", "<nick> :Erroneous nickname", ERRORS)
ERR_NICKNAMEINUSE = Numeric("433", "<nick> :Nickname is already in use", ERRORS)
ERR_NOORIGIN = Numeric("409", ":No origin specified", ERRORS)
ERR_INVALIDCAPCMD = Numeric("410", "<subcommand> :Invalid CAP command", "IRCv3 client capabilities")

# --- a line that is no request ------------------------------------------------------------------
ERR_INPUTTOOLONG = Numeric("417", ":Input line was too long", MODERN)
ERR_UNKNOWNCOMMAND = Numeric("421", "<command> :Unknown command", ERRORS)
ERR_NEEDMOREPARAMS = Numeric("461", "<command> :Not enough parameters", ERRORS)

# --- channels -----------------------------------------------------------------------------------
RPL_TOPIC = Numeric("332", "<channel> :<topic>", RFC2812)
RPL_NOTOPIC = Numeric("331", "<channel> :No topic is set", RFC2812)
RPL_TOPICWHOTIME = Numeric("333", "<channel> <nick> <time>", MODERN)
RPL_NAMREPLY = Numeric("353", "<symbol> <channel> :<names>", RFC2812)
RPL_ENDOFNAMES = Numeric("366", "<channel> :End of NAMES list", RFC2812)
ERR_NOSUCHCHANNEL = Numeric("403", "<channel> :No such channel", ERRORS)
ERR_CANNOTSENDTOCHAN = Numeric("404", "<channel> :Cannot send to channel", ERRORS)
ERR_TOOMANYCHANNELS = Numeric("405", "<channel> :You have joined too many channels", ERRORS)
ERR_NOTONCHANNEL = Numeric("442", "<channel> :You're not on that channel", ERRORS)
ERR_CHANNELISFULL = Numeric("471", "<channel> :Cannot join channel (+l)", ERRORS)
ERR_INVITEONLYCHAN = Numeric("473", "<channel> :Cannot join channel (+i)", ERRORS)
ERR_BANNEDFROMCHAN = Numeric("474", "<channel> :Cannot join channel (+b)", ERRORS)
ERR_BADCHANNELKEY = Numeric("475", "<channel> :Cannot join channel (+k)", ERRORS)
ERR_CHANOPRIVSNEEDED = Numeric("482", "<channel> :You're not channel operator", ERRORS)

# --- messages -----------------------------------------------------------------------------------
RPL_AWAY = Numeric("301", "<nick> :<text>", RFC2812)
RPL_UNAWAY = Numeric("305", ":You are no longer marked as being away", RFC2812)
RPL_NOWAWAY = Numeric("306", ":You have been marked as being away", RFC2812)
ERR_NOSUCHNICK = Numeric("401", "<nick> :No such nick/channel", ERRORS)
ERR_TOOMANYTARGETS = Numeric("407", "<target> :Too many recipients. No more delivered", ERRORS)
ERR_NORECIPIENT = Numeric("411", ":No recipient given (<command>)", ERRORS)
ERR_NOTEXTTOSEND = Numeric("412", ":No text to send", ERRORS)
ERR_NOTOPLEVEL = Numeric("413", "<mask> :No toplevel domain specified", ERRORS)
ERR_WILDTOPLEVEL = Numeric("414", "<mask> :Wildcard in toplevel domain", ERRORS)

# --- about the server ---------------------------------------------------------------------------
RPL_VERSION = Numeric("351", "<version> <server> :<comments>", RFC2812)
ERR_NOSUCHSERVER = Numeric("402", "<server> :No such server", ERRORS)

# --- operators ----------------------------------------------------------------------------------
ERR_NOPRIVILEGES = Numeric("481", ":Permission Denied- You're not an IRC operator", ERRORS)
