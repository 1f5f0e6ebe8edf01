"""PASS, NICK, USER, QUIT, PING and PONG: how a session begins, stays alive and ends.

Source: RFC 2812 sections 3.1 and 3.7, modern.ircdocs.horse "Connection Registration".
"""

import re
import time

from extras.irc.message import cut_text, format_message
from extras.irc.names import REALNAME_BYTES, USER_LENGTH, fold, is_nick
from extras.irc.passwords import is_password
from extras.irc.queries import tell_watchers
from extras.irc.replies import (
    ERR_ALREADYREGISTERED, ERR_ERRONEUSNICKNAME, ERR_NICKNAMEINUSE, ERR_NONICKNAMEGIVEN,
    ERR_NOORIGIN, ERR_PASSWDMISMATCH, RPL_CREATED, RPL_MYINFO, RPL_UMODEIS, RPL_WELCOME,
    RPL_YOURHOST,
)
from extras.irc.server_info import VERSION, isupport, lusers, motd
from step5_server.registry import NameTaken


def password(me, text: str):
    """PASS: send the server's password, before anything else.  RFC 2812 section 3.1.1."""
    if me.user.registered:
        me.reply(ERR_ALREADYREGISTERED)
    else:
        # If there are several, the last counts.  It is checked once, when everything else is there:
        # to try again, one needs a new connection.
        me.password = text


def nick(me, name: str = ""):
    """Take a nick, or change it; all who share a channel are told once.  RFC 2812 section 3.1.2."""
    if not name:
        me.reply(ERR_NONICKNAMEGIVEN)
    elif not is_nick(name):
        me.reply(ERR_ERRONEUSNICKNAME, name)
    elif name != me.user.nick:
        old_nick, old_source = me.user.nick, me.user.source
        try:
            me.world.rename(me.user, name)
        except NameTaken:
            me.reply(ERR_NICKNAMEINUSE, name)
            return
        if me.user.registered:
            me.name = name
            line = format_message("NICK", text=name, source=old_source)
            me.tell_users([me.user], line)
            me.tell_neighbours(me.user, line)
            if fold(name) != fold(old_nick):
                tell_watchers(me, old_nick, online=False)
                tell_watchers(me, name, online=True)
        else:
            register(me)


def user(me, name: str, mode: str, unused: str, realname: str):
    """Say who one is; the bits 8 and 4 of the mode are +i and +w.  RFC 2812 section 3.1.3."""
    if me.user.registered:
        me.reply(ERR_ALREADYREGISTERED)
        return
    # Leave out characters that would break nick!user@host, a mask or a line of WHOX (a colon).
    me.user.name = re.sub(r"[^A-Za-z0-9._~-]", "", name)[:USER_LENGTH] or "user"
    me.user.realname = cut_text(realname, REALNAME_BYTES)
    bits = int(mode) if re.fullmatch("[0-9]{1,3}", mode) else 0
    me.wanted_modes = "i" * bool(bits & 8) + "w" * bool(bits & 4)
    register(me)


def register(me):
    """Let the user in once nothing is missing: NICK, USER, the end of CAP, the password."""
    if me.user.registered or me.negotiating or not me.user.nick or not me.user.name:
        return
    if me.server.password:
        with me.unlocked():  # a hash takes time
            is_right = is_password(me.password, me.server.password, me.user.host)
        if me.outbox.ended:
            return  # somebody has hung up on it meanwhile
        if not is_right:
            me.reply(ERR_PASSWDMISMATCH)
            me.close_link("Bad password")
            return
    me.world.register(me.user)
    me.name = me.user.nick  # from here on, step 5's login timeout does not count
    for letter in me.wanted_modes:
        me.world.set_mode(me.user, letter, True)
    welcome(me)
    tell_watchers(me, me.user.nick, online=True)


def welcome(me):
    """Send 001 to 005, then what LUSERS and MOTD send.  RFC 2812 section 5.1."""
    server = me.server
    me.reply(RPL_WELCOME, server.network, me.user.source)
    me.reply(RPL_YOURHOST, server.name, VERSION)
    me.reply(RPL_CREATED, server.created)
    me.reply(RPL_MYINFO, server.name, VERSION, *server.mode_letters)
    isupport(me)
    lusers(me)
    if me.user.modes:
        me.reply(RPL_UMODEIS, "+" + "".join(sorted(me.user.modes)))
    motd(me)


def quit(me, reason: str = ""):
    """Leave; all who share a channel are told once.  RFC 2812 section 3.1.7."""
    me.leave(me.user, f"Quit: {reason}")  # so that nobody can imitate "Killed by ..."


def ping(me, token: str = "", server: str = ""):
    """Ask whether the other end is alive: the same token comes back.  RFC 2812 section 3.7.2."""
    # Clients use it as a fence: what came before, on any connection, is done first.
    time.sleep(0)
    if token:
        me.send(format_message("PONG", me.server.name, text=token, source=me.server.name))
    else:
        me.reply(ERR_NOORIGIN)


def pong(me, *tokens: str):
    """Show that one is alive: it is enough that we have read it.  RFC 2812 section 3.7.3."""
