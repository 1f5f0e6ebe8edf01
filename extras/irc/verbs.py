"""The commands of the core, in one table: begin to read here.

A row is made by command() (command.py): it reads from the function which parameters there are.
Those of extras/irc/more and extras/ircv3 come with their extensions.
"""

from extras.irc import capabilities, channels, registration, talk, welcome
from extras.irc.command import command

VERBS = {
    "AWAY": command(talk.away),
    "CAP": command(capabilities.cap, early=True),
    "JOIN": command(channels.join),
    "LUSERS": command(welcome.lusers),
    "MOTD": command(welcome.motd),
    "NAMES": command(channels.names),
    "NICK": command(registration.nick, early=True),
    "NOTICE": command(talk.notice),
    "PART": command(channels.part),
    # Without the lock: it does not look at the world.
    "PING": command(registration.ping, early=True, locked=False, free=True),
    "PONG": command(registration.pong, early=True, free=True),
    "PRIVMSG": command(talk.privmsg),
    "QUIT": command(registration.quit, early=True),
    "TOPIC": command(channels.topic),
    "USER": command(registration.user, early=True),
    "VERSION": command(welcome.version),
}
