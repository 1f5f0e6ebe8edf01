"""Every numeric reply that this server sends: its number, its parameters, its source.

A form is written as the specifications write it: each `<name>` is filled in, `<names...>` with
several parameters; what stands after ` :` is text for a person.  Every numeric begins with the
receiver's nick; the specifications leave that out, and so does this table.

Where the two disagree, the form is the living document's (modern.ircdocs.horse, "Numerics"), and not
RFC 2812's (section 5).  Where the living document leaves the texts open, they are RFC 2812's.
"""

import re


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
        self._order = None if places == self.names else [self.names.index(name) for name in places]

    def line(self, server: str, nick: str, values: tuple) -> str:
        """Give the reply, without its delimiter; `values` are in the order of the form's names.

        A value that cannot stand in the middle of a message (a peer asked for "a b") is `*`.
        """
        for index in self._middles:
            value = str(values[index])
            if not value or " " in value or value[0] == ":":
                values = (*values[:index], "*", *values[index + 1:])
        if self._order is not None:
            values = tuple(values[index] for index in self._order)
        return f":{server} {self.code} {nick} {self._template % values}"


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
ERR_PASSWDMISMATCH = Numeric("464", ":Password incorrect", ERRORS)
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
RPL_LISTSTART = Numeric("321", "Channel :Users  Name", MODERN)
RPL_LIST = Numeric("322", "<channel> <members> :<topic>", RFC2812)
RPL_LISTEND = Numeric("323", ":End of LIST", RFC2812)
RPL_INVITING = Numeric("341", "<nick> <channel>", MODERN)
RPL_INVITELIST = Numeric("336", "<channel>", MODERN)
RPL_ENDOFINVITELIST = Numeric("337", ":End of INVITE list", MODERN)
ERR_NOSUCHCHANNEL = Numeric("403", "<channel> :No such channel", ERRORS)
ERR_CANNOTSENDTOCHAN = Numeric("404", "<channel> :Cannot send to channel", ERRORS)
ERR_TOOMANYCHANNELS = Numeric("405", "<channel> :You have joined too many channels", ERRORS)
ERR_USERNOTINCHANNEL = Numeric("441", "<nick> <channel> :They aren't on that channel", ERRORS)
ERR_NOTONCHANNEL = Numeric("442", "<channel> :You're not on that channel", ERRORS)
ERR_USERONCHANNEL = Numeric("443", "<nick> <channel> :is already on channel", ERRORS)
ERR_CHANNELISFULL = Numeric("471", "<channel> :Cannot join channel (+l)", ERRORS)
ERR_INVITEONLYCHAN = Numeric("473", "<channel> :Cannot join channel (+i)", ERRORS)
ERR_BANNEDFROMCHAN = Numeric("474", "<channel> :Cannot join channel (+b)", ERRORS)
ERR_BADCHANNELKEY = Numeric("475", "<channel> :Cannot join channel (+k)", ERRORS)
ERR_CHANOPRIVSNEEDED = Numeric("482", "<channel> :You're not channel operator", ERRORS)

# --- modes --------------------------------------------------------------------------------------
RPL_CHANNELMODEIS = Numeric("324", "<channel> <modes...>", RFC2812)
RPL_CREATIONTIME = Numeric("329", "<channel> <time>", MODERN)
RPL_BANLIST = Numeric("367", "<channel> <mask> <nick> <time>", MODERN)
RPL_ENDOFBANLIST = Numeric("368", "<channel> :End of channel ban list", RFC2812)
RPL_EXCEPTLIST = Numeric("348", "<channel> <mask> <nick> <time>", MODERN)
RPL_ENDOFEXCEPTLIST = Numeric("349", "<channel> :End of channel exception list", RFC2812)
RPL_INVEXLIST = Numeric("346", "<channel> <mask> <nick> <time>", MODERN)
RPL_ENDOFINVEXLIST = Numeric("347", "<channel> :End of channel invite list", RFC2812)
ERR_UNKNOWNMODE = Numeric("472", "<letter> :is unknown mode char to me for <channel>", ERRORS)
ERR_BANLISTFULL = Numeric("478", "<channel> <letter> :Channel list is full", ERRORS)
ERR_INVALIDMODEPARAM = Numeric("696", "<target> <letter> <parameter> :<why>", MODERN)
ERR_UMODEUNKNOWNFLAG = Numeric("501", ":Unknown MODE flag", ERRORS)
ERR_USERSDONTMATCH = Numeric("502", ":Cannot change mode for other users", ERRORS)

# --- messages -----------------------------------------------------------------------------------
RPL_AWAY = Numeric("301", "<nick> :<text>", RFC2812)
RPL_UNAWAY = Numeric("305", ":You are no longer marked as being away", RFC2812)
RPL_NOWAWAY = Numeric("306", ":You have been marked as being away", RFC2812)
ERR_NOSUCHNICK = Numeric("401", "<nick> :No such nick/channel", ERRORS)
ERR_TOOMANYTARGETS = Numeric("407", "<target> :Too many recipients. No more delivered", ERRORS)
ERR_NOSUCHSERVICE = Numeric("408", "<service> :No such service", ERRORS)
ERR_NORECIPIENT = Numeric("411", ":No recipient given (<command>)", ERRORS)
ERR_NOTEXTTOSEND = Numeric("412", ":No text to send", ERRORS)
ERR_NOTOPLEVEL = Numeric("413", "<mask> :No toplevel domain specified", ERRORS)
ERR_WILDTOPLEVEL = Numeric("414", "<mask> :Wildcard in toplevel domain", ERRORS)

# --- about users --------------------------------------------------------------------------------
RPL_USERHOST = Numeric("302", ":<replies>", RFC2812)
RPL_ISON = Numeric("303", ":<nicks>", RFC2812)
RPL_WHOISUSER = Numeric("311", "<nick> <user> <host> * :<realname>", RFC2812)
RPL_WHOISSERVER = Numeric("312", "<nick> <server> :<info>", RFC2812)
RPL_WHOISOPERATOR = Numeric("313", "<nick> :is an IRC operator", RFC2812)
RPL_WHOISIDLE = Numeric("317", "<nick> <seconds> <signon> :seconds idle, signon time", MODERN)
RPL_ENDOFWHOIS = Numeric("318", "<nick> :End of WHOIS list", RFC2812)
RPL_WHOISCHANNELS = Numeric("319", "<nick> :<channels>", RFC2812)
RPL_WHOISBOT = Numeric("335", "<nick> :is a bot", "IRCv3 bot-mode")
RPL_WHOISHOST = Numeric("378", "<nick> :is connecting from *@<host> <host>", MODERN)
RPL_WHOISMODES = Numeric("379", "<nick> :is using modes <modes>", MODERN)
RPL_WHOREPLY = Numeric("352", "<channel> <user> <host> <server> <nick> <flags> :<hops> <name>", RFC2812)
RPL_WHOSPCRPL = Numeric("354", "<fields...>", "IRCv3 whox")
RPL_ENDOFWHO = Numeric("315", "<mask> :End of WHO list", RFC2812)
RPL_WHOWASUSER = Numeric("314", "<nick> <user> <host> * :<realname>", RFC2812)
RPL_ENDOFWHOWAS = Numeric("369", "<nick> :End of WHOWAS", RFC2812)
ERR_WASNOSUCHNICK = Numeric("406", "<nick> :There was no such nickname", ERRORS)
RPL_MONONLINE = Numeric("730", ":<targets>", "IRCv3 monitor")
RPL_MONOFFLINE = Numeric("731", ":<targets>", "IRCv3 monitor")
RPL_MONLIST = Numeric("732", ":<targets>", "IRCv3 monitor")
RPL_ENDOFMONLIST = Numeric("733", ":End of MONITOR list", "IRCv3 monitor")
ERR_MONLISTFULL = Numeric("734", "<limit> <targets> :Monitor list is full", "IRCv3 monitor")

# --- about the server ---------------------------------------------------------------------------
RPL_TRACEOPERATOR = Numeric("204", "Oper <class> <nick>", RFC2812)
RPL_TRACEUSER = Numeric("205", "User <class> <nick>", RFC2812)
RPL_TRACEEND = Numeric("262", "<server> <version> :End of TRACE", RFC2812)
RPL_SERVLISTEND = Numeric("235", "<mask> <type> :End of service listing", RFC2812)
RPL_STATSLINKINFO = Numeric("211", "<nick> <waiting> <sent> <kB> <got> <kB got> <seconds>", RFC2812)
RPL_STATSCOMMANDS = Numeric("212", "<command> <count>", MODERN)
RPL_ENDOFSTATS = Numeric("219", "<letter> :End of STATS report", RFC2812)
RPL_STATSUPTIME = Numeric("242", ":Server Up <days> days <h:mm:ss>", RFC2812)
RPL_STATSOLINE = Numeric("243", "O * * <name>", RFC2812)
RPL_ADMINME = Numeric("256", "<server> :Administrative info", RFC2812)
RPL_ADMINLOC1 = Numeric("257", ":<text>", RFC2812)
RPL_ADMINLOC2 = Numeric("258", ":<text>", RFC2812)
RPL_ADMINEMAIL = Numeric("259", ":<text>", RFC2812)
RPL_VERSION = Numeric("351", "<version> <server> :<comments>", RFC2812)
RPL_LINKS = Numeric("364", "<mask> <server> :<hops> <info>", RFC2812)
RPL_ENDOFLINKS = Numeric("365", "<mask> :End of LINKS list", RFC2812)
RPL_INFO = Numeric("371", ":<text>", RFC2812)
RPL_ENDOFINFO = Numeric("374", ":End of INFO list", RFC2812)
RPL_TIME = Numeric("391", "<server> :<time>", RFC2812)
ERR_SUMMONDISABLED = Numeric("445", ":SUMMON has been disabled", ERRORS)
ERR_USERSDISABLED = Numeric("446", ":USERS has been disabled", ERRORS)
ERR_NOSUCHSERVER = Numeric("402", "<server> :No such server", ERRORS)
RPL_HELPSTART = Numeric("704", "<subject> :<text>", MODERN)
RPL_HELPTXT = Numeric("705", "<subject> :<text>", MODERN)
RPL_ENDOFHELP = Numeric("706", "<subject> :<text>", MODERN)
ERR_HELPNOTFOUND = Numeric("524", "<subject> :No help available on this topic", MODERN)

# --- operators ----------------------------------------------------------------------------------
RPL_YOUREOPER = Numeric("381", ":You are now an IRC operator", RFC2812)
RPL_REHASHING = Numeric("382", "<file> :Rehashing", RFC2812)
ERR_NOPRIVILEGES = Numeric("481", ":Permission Denied- You're not an IRC operator", ERRORS)
ERR_CANTKILLSERVER = Numeric("483", ":You can't kill a server!", ERRORS)
