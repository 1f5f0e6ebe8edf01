"""The commands, in one table: a command is a function of its parameters.

    def kick(me, names, nicks, reason=""):  ...     KICK <names> <nicks> [<reason>]

`me` is the IrcHandler of the client that sent it.  A parameter without a default must be there
(otherwise 461); more parameters than the function has are left out.  A command with a long answer is
a generator: at each `yield` it may have to wait for its reader, and others come in between.
"""

import inspect
from typing import NamedTuple

from extras.irc import capabilities, channels, modes, operators, queries, registration
from extras.irc import server_info, talk
from extras.irc.message import MAX_PARAMS


class Verb(NamedTuple):
    """A command: its function, and how many parameters it takes."""

    function: object
    least: int
    most: int


def verb(function) -> Verb:
    """Read the numbers from the function itself."""
    code = function.__code__
    positional = code.co_argcount - 1  # without `me`
    most = MAX_PARAMS if code.co_flags & inspect.CO_VARARGS else positional  # *params
    return Verb(function, positional - len(function.__defaults__ or ()), most)


# What a client may send before registration; everything else is answered with 451.
EARLY = {
    "CAP": verb(capabilities.cap),
    "NICK": verb(registration.nick),
    "PASS": verb(registration.password),
    "PING": verb(registration.ping),
    "PONG": verb(registration.pong),
    "QUIT": verb(registration.quit),
    "USER": verb(registration.user),
}

VERBS = EARLY | {
    "ADMIN": verb(server_info.admin),
    "AWAY": verb(talk.away),
    "CONNECT": verb(operators.connect),
    "DIE": verb(operators.die),
    "HELP": verb(server_info.help_text),
    "HELPOP": verb(server_info.help_text),
    "INFO": verb(server_info.info),
    "INVITE": verb(channels.invite),
    "ISON": verb(queries.ison),
    "JOIN": verb(channels.join),
    "KICK": verb(channels.kick),
    "KILL": verb(operators.kill),
    "LINKS": verb(server_info.links),
    "LIST": verb(channels.list_channels),
    "LUSERS": verb(server_info.lusers),
    "MODE": verb(modes.mode),
    "MONITOR": verb(queries.monitor),
    "MOTD": verb(server_info.motd),
    "NAMES": verb(channels.names),
    "NOTICE": verb(talk.notice),
    "OPER": verb(operators.oper),
    "PART": verb(channels.part),
    "PRIVMSG": verb(talk.privmsg),
    "REHASH": verb(operators.rehash),
    "SERVLIST": verb(server_info.servlist),
    "SETNAME": verb(capabilities.setname),
    "SQUERY": verb(talk.squery),
    "SQUIT": verb(operators.squit),
    "STATS": verb(server_info.stats),
    "SUMMON": verb(server_info.summon),
    "TAGMSG": verb(talk.tagmsg),
    "TIME": verb(server_info.time_here),
    "TOPIC": verb(channels.topic),
    "TRACE": verb(server_info.trace),
    "USERHOST": verb(queries.userhost),
    "USERS": verb(server_info.users),
    "VERSION": verb(server_info.version),
    "WALLOPS": verb(operators.wallops),
    "WHO": verb(queries.who),
    "WHOIS": verb(queries.whois),
    "WHOWAS": verb(queries.whowas),
}

# OPER computes a hash before it looks at the world, and then takes the lock itself; the other does not
# look at the world.
WITHOUT_LOCK = {"OPER", "PING"}
