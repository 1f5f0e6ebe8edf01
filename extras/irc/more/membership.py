"""INVITE and KICK: one user decides who else is in a channel.

Source: RFC 2812 sections 3.2.7 and 3.2.8, modern.ircdocs.horse "Channel Operations".
"""

from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.extension import Extension
from extras.irc.message import MAX_TEXT_BYTES, cut_text
from extras.irc.more.replies import (
    ERR_USERNOTINCHANNEL,
    ERR_USERONCHANNEL,
    RPL_ENDOFINVITELIST,
    RPL_INVITELIST,
    RPL_INVITING,
)
from extras.irc.names import fold
from extras.irc.replies import (
    ERR_CHANOPRIVSNEEDED,
    ERR_NEEDMOREPARAMS,
    ERR_NOSUCHCHANNEL,
    ERR_NOSUCHNICK,
    ERR_NOTONCHANNEL,
    RPL_AWAY,
)


def invite(me: Client, nick: str = "", name: str = "") -> None:
    """Invite a user; without a nick, list one's own invitations.  RFC 2812 section 3.2.7."""
    if not nick:
        for invited in me.user.invitations:
            me.reply(RPL_INVITELIST, invited.name)
        me.reply(RPL_ENDOFINVITELIST)
        return
    user, channel = me.world.user(nick), me.world.channel(name)
    if not name:
        me.reply(ERR_NEEDMOREPARAMS, "INVITE")
    elif user is None:
        me.reply(ERR_NOSUCHNICK, nick)
    elif channel is None:
        me.reply(ERR_NOSUCHCHANNEL, name)
    elif channel not in me.user.channels:
        me.reply(ERR_NOTONCHANNEL, channel.name)
    elif channel in user.channels:
        me.reply(ERR_USERONCHANNEL, user.nick, channel.name)
    elif "i" in channel.flags and not me.may(channel, "h"):
        me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
    else:
        me.reply(RPL_INVITING, user.nick, channel.name)
        me.tell_user(user, me.says("INVITE", user.nick, channel.name))
        me.world.invite(user, channel, by_operator=me.may(channel, "h"))
        seen = me.says("INVITE", user.nick, channel.name, need="invite-notify")
        me.tell(channel, seen, but_me=True)
        if user.away is not None:
            me.reply(RPL_AWAY, user.nick, user.away)


def kick(me: Client, names: str, nicks: str, reason: str = "") -> None:
    """Throw users out: several out of one channel, or one out of each.  RFC 2812 section 3.2.8."""
    channel_names, user_nicks = names.split(","), nicks.split(",")
    reason = cut_text(reason, MAX_TEXT_BYTES) or me.user.nick
    if len(channel_names) == 1:
        channel_names *= len(user_nicks)
    if len(channel_names) != len(user_nicks):
        me.reply(ERR_NEEDMOREPARAMS, "KICK")
        return
    pairs = {(fold(name), fold(nick)): (name, nick) for name, nick in zip(channel_names, user_nicks)}
    for name, nick in pairs.values():
        channel, user = me.world.channel(name), me.world.user(nick)
        if channel is None:
            me.reply(ERR_NOSUCHCHANNEL, name)
        elif channel not in me.user.channels and not me.user.is_operator:
            me.reply(ERR_NOTONCHANNEL, channel.name)
        elif not me.may(channel, "h"):
            me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
        elif user not in channel.members:
            me.reply(ERR_USERNOTINCHANNEL, nick, channel.name)
        elif channel.has_status(user, "h") and not me.may(channel, "q" if channel.has_status(user, "q") else "o"):
            # Half-operators cannot throw out each other or those above them, and nobody an owner.
            me.reply(ERR_CHANOPRIVSNEEDED, channel.name)
        else:
            me.tell(channel, me.says("KICK", channel.name, user.nick, text=reason))
            me.world.part(user, channel)


class Membership(Extension):
    """The two commands."""

    commands = {"INVITE": command(invite), "KICK": command(kick)}
