"""The commands of the core, in one table: begin to read here.

A row is made by command() (command.py): it reads from the function which parameters there are.
"""

from extras.irc import capabilities, channels, modes, operators, queries, registration
from extras.irc import server_info, talk
from extras.irc.command import command

VERBS = {
    "ADMIN": command(server_info.admin),
    "AWAY": command(talk.away),
    "CAP": command(capabilities.cap, early=True),
    "CONNECT": command(operators.connect),
    "DIE": command(operators.die),
    "HELP": command(server_info.help_text),
    "HELPOP": command(server_info.help_text),
    "INFO": command(server_info.info),
    "INVITE": command(channels.invite),
    "ISON": command(queries.ison),
    "JOIN": command(channels.join),
    "KICK": command(channels.kick),
    "KILL": command(operators.kill),
    "LINKS": command(server_info.links),
    "LIST": command(channels.list_channels),
    "LUSERS": command(server_info.lusers),
    "MODE": command(modes.mode),
    "MOTD": command(server_info.motd),
    "NAMES": command(channels.names),
    "NICK": command(registration.nick, early=True),
    "NOTICE": command(talk.notice),
    # Without the lock: it computes a hash, and then takes the lock itself.
    "OPER": command(operators.oper, locked=False),
    "PART": command(channels.part),
    "PASS": command(registration.password, early=True),
    # Without it, too: it does not look at the world.
    "PING": command(registration.ping, early=True, locked=False, free=True),
    "PONG": command(registration.pong, early=True, free=True),
    "PRIVMSG": command(talk.privmsg),
    "QUIT": command(registration.quit, early=True),
    "REHASH": command(operators.rehash),
    "SERVLIST": command(server_info.servlist),
    "SQUERY": command(talk.squery),
    "SQUIT": command(operators.squit),
    "STATS": command(server_info.stats),
    "SUMMON": command(server_info.summon),
    "TIME": command(server_info.time_here),
    "TOPIC": command(channels.topic),
    "TRACE": command(server_info.trace),
    "USER": command(registration.user, early=True),
    "USERHOST": command(queries.userhost),
    "USERS": command(server_info.users),
    "VERSION": command(server_info.version),
    "WALLOPS": command(operators.wallops),
    "WHO": command(queries.who),
    "WHOIS": command(queries.whois),
    "WHOWAS": command(queries.whowas),
}
