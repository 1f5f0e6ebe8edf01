"""NICK, USER, QUIT, PING and PONG: how a session begins, stays alive and ends.

Source: RFC 2812 sections 3.1 and 3.7, modern.ircdocs.horse "Connection Registration".
"""

import re
import time
from typing import Any

from extras.irc.channels import has_joined, show_channel
from extras.irc.client import Client
from extras.irc.event import Answer, Event
from extras.irc.extension import Extension
from extras.irc.message import cut_text
from extras.irc.names import REALNAME_BYTES, USER_LENGTH, fold, is_nick
from extras.irc.replies import (
    ERR_ALREADYREGISTERED,
    ERR_ERRONEUSNICKNAME,
    ERR_NICKNAMEINUSE,
    ERR_NONICKNAMEGIVEN,
    ERR_NOORIGIN,
    RPL_CREATED,
    RPL_MYINFO,
    RPL_UMODEIS,
    RPL_WELCOME,
    RPL_YOURHOST,
    page,
)
from extras.irc.state import User
from extras.irc.welcome import VERSION, isupport, lusers, motd
from step5_server.registry import NameTaken

NOT_IN_A_NAME, MODE_BITS = re.compile("[^A-Za-z0-9._~-]"), re.compile("[0-9]{1,3}")


def nick(me: Client, name: str = "") -> None:
    """Take a nick, or change it; all who share a channel are told once.  RFC 2812 section 3.1.2."""
    if not name:
        me.reply(ERR_NONICKNAMEGIVEN)
    elif not is_nick(name):
        me.reply(ERR_ERRONEUSNICKNAME, name)
    elif name == me.user.nick:
        pass
    elif me.user.registered:
        rename(me, name)
    else:
        take_nick(me, name)


def rename(me: Client, name: str) -> None:
    """Give a registered user another nick."""
    old_nick, old_source = me.user.nick, me.user.source
    if refusal := me.server.extensions.first(Extension.why_not_nick, me, name):
        me.reply(*refusal)
        return
    try:
        me.world.rename(me.user, name)
    except NameTaken:
        me.reply(ERR_NICKNAMEINUSE, name)
        return
    for session in me.user.sessions:
        session.name = name
    event = Event("NICK", text=name, source=old_source, user=me.user)
    me.tell_user(me.user, event)
    me.tell_neighbours(me.user, event)
    if fold(name) != fold(old_nick):
        me.tell_watchers(old_nick, online=False)
        me.tell_watchers(name, online=True)


def take_nick(me: Client, name: str) -> None:
    """Take the first nick; or wait until we know whether its owner is the one who asks for it."""
    me.wanted_nick, me.shared_user = name, None
    try:
        me.world.rename(me.user, name)
    except NameTaken:
        owner = me.world.user(name)
        if owner is None or not may_share(me, owner):
            me.reply(ERR_NICKNAMEINUSE, name)
            return
        me.shared_user = owner
    me.done_with("NICK")


def may_share(me: Client, owner: User) -> bool:
    """Return whether a client may become one more session of a user."""
    return any(shares(me, owner) for shares in me.server.extensions.hooks(Extension.shares))


def user(me: Client, name: str, mode: str, unused: str, realname: str) -> None:
    """Say who one is; the bits 8 and 4 of the mode are +i and +w.  RFC 2812 section 3.1.3."""
    if me.user.registered:
        me.reply(ERR_ALREADYREGISTERED)
        return
    # Leave out characters that would break nick!user@host, a mask or a line of WHOX (a colon).
    me.user.name = NOT_IN_A_NAME.sub("", name)[:USER_LENGTH] or "user"
    me.user.realname = cut_text(realname, REALNAME_BYTES)
    bits = int(mode) if MODE_BITS.fullmatch(mode) else 0
    me.wanted_modes = "i" * bool(bits & 8) + "w" * bool(bits & 4)
    me.done_with("USER")


def register(me: Client) -> None:
    """Let the user in, once nothing is missing."""
    if me.user.registered or me.waits:
        return
    for completes in me.server.extensions.hooks(Extension.completes):
        completes(me)
    if me.outbox.ended:
        return  # one of them, or somebody meanwhile, has hung up on it
    if me.shared_user:
        share(me, me.shared_user)
        return
    if refusal := me.server.extensions.first(Extension.why_not_nick, me, me.user.nick):
        ask_for_nick(me, *refusal)
        return
    me.world.register(me.user)
    me.name = me.user.nick  # from here on, step 5's login timeout does not count
    for letter in me.wanted_modes:
        me.world.set_mode(me.user, letter, True)
    welcome(me)
    me.tell_watchers(me.user.nick, online=True)
    for registered in me.server.extensions.hooks(Extension.registered):
        registered(me)


def ask_for_nick(me: Client, *refusal: Any) -> None:
    """Say why a client cannot have its nick, and wait for another one."""
    me.reply(*refusal)
    me.world.release(me.user.nick, me.user)
    me.user.nick, me.shared_user = "", None
    me.waits.add("NICK")


def share(me: Client, owner: User) -> None:
    """Become one more session of a user, if the account is the same; see what it sees, from now on."""
    me.shared_user = None
    if not owner.registered:  # gone meanwhile: its nick may be free
        take_nick(me, owner.nick)
        return
    if not may_share(me, owner):
        ask_for_nick(me, ERR_NICKNAMEINUSE, owner.nick)
        return
    me.world.leave(me.user)
    me.user, me.name = owner, owner.nick
    catch_up = me.server.extensions.first(Extension.catches_up, me, owner)
    if catch_up is None:
        owner.attach(me)
    welcome(me)
    for channel in list(owner.channels):
        if channel in owner.channels:  # others come in between
            me.send(has_joined(me, channel))
            me.carry_out(show_channel(me, channel))
    if catch_up is not None:
        me.carry_out(catch_up)
        catch_up.close()
        if me.outbox.ended or not owner.registered or not may_share(me, owner):
            me.close_link("The user has gone")
            return
        owner.attach(me)
    me.show_away()
    for registered in me.server.extensions.hooks(Extension.registered):
        registered(me)


def welcome(me: Client) -> None:
    """Send 001 to 005, then what LUSERS and MOTD send.  RFC 2812 section 5.1."""
    server = me.server
    me.reply_page(
        page(
            server.name,
            (RPL_WELCOME, server.network, me.user.source),
            (RPL_YOURHOST, server.name, VERSION),
            (RPL_CREATED, server.created),
            (RPL_MYINFO, server.name, VERSION, *server.mode_letters),
        )
    )
    isupport(me)
    lusers(me)
    if me.user.modes:
        me.reply(RPL_UMODEIS, "+" + "".join(sorted(me.user.modes)))
    for welcoming in server.extensions.hooks(Extension.welcoming):
        welcoming(me)
    motd(me)


def quit(me: Client, reason: str = "") -> None:
    """Leave; all who share a channel are told once.  RFC 2812 section 3.1.7."""
    me.end_session(f"Quit: {reason}")  # so that nobody can imitate "Killed by ..."
    me.conn.end_reason = "QUIT"  # the log does not tell what anybody says


def ping(me: Client, token: str = "", server: str = "") -> None:
    """Ask whether the other end is alive: the same token comes back.  RFC 2812 section 3.7.2."""
    # Clients use it as a fence: what came before, on any connection, is done first.
    time.sleep(0)
    if token:
        me.send(Answer(f":{me.server.name} PONG {me.server.name} :{token}"))
    else:
        me.reply(ERR_NOORIGIN)


def pong(me: Client, *tokens: str) -> None:
    """Show that one is alive: it is enough that we have read it.  RFC 2812 section 3.7.3."""
