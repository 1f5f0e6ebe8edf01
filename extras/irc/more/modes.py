"""MODE, for channels and for users.

Source: RFC 2812 sections 3.1.5 and 3.2.3, RFC 2811 section 4, modern.ircdocs.horse "MODE message"
(its four types of channel modes) and "Channel Modes".

change   one letter of a MODE: sign, letter, parameter or ""
"""

import re
import time
from collections.abc import Iterator

from extras.irc.bans import LISTS, MAX_LIST, Entry
from extras.irc.client import Client
from extras.irc.command import command
from extras.irc.event import Event
from extras.irc.extension import Extension
from extras.irc.message import MAX_MESSAGE_BYTES, size
from extras.irc.more.replies import (
    ERR_BANLISTFULL,
    ERR_INVALIDMODEPARAM,
    ERR_UMODEUNKNOWNFLAG,
    ERR_UNKNOWNMODE,
    ERR_USERNOTINCHANNEL,
    ERR_USERSDONTMATCH,
    RPL_BANLIST,
    RPL_CHANNELMODEIS,
    RPL_CREATIONTIME,
    RPL_ENDOFBANLIST,
    RPL_ENDOFEXCEPTLIST,
    RPL_ENDOFINVEXLIST,
    RPL_EXCEPTLIST,
    RPL_INVEXLIST,
)
from extras.irc.names import CHANNEL_TYPES, complete_mask, fold, mask
from extras.irc.replies import ERR_CHANOPRIVSNEEDED, ERR_NOSUCHCHANNEL, ERR_NOSUCHNICK, ERR_NOTONCHANNEL, RPL_UMODEIS
from extras.irc.state import STATUSES, Channel

# A nick of 30, a user name of 18 and a host of 45 characters, and the two signs between them, with
# some room: a longer mask matches nobody, and one of this length must fit into the lines that show it.
MAX_MASK_BYTES = 110
# RFC 2812 section 2.3.1, without what JOIN could not send: a comma, or a colon in front.
KEY = re.compile(r"(?!:)[!-+\--~]{1,23}")

LIST_REPLIES = {
    "b": (RPL_BANLIST, RPL_ENDOFBANLIST),
    "e": (RPL_EXCEPTLIST, RPL_ENDOFEXCEPTLIST),
    "I": (RPL_INVEXLIST, RPL_ENDOFINVEXLIST),
}


def mode(me: Client, target: str, letters: str = "", *params: str) -> None:
    """Show or change the modes of a channel or of oneself.  RFC 2812 sections 3.1.5, 3.2.3."""
    if target[0] not in CHANNEL_TYPES:
        user_mode(me, target, letters)
    elif not (channel := me.world.channel(target)):
        me.reply(ERR_NOSUCHCHANNEL, target)
    elif letters:
        ChannelChange(me, channel).change(letters, list(params))
    else:
        show_channel_modes(me, channel)


def user_mode(me: Client, nick: str, letters: str) -> None:
    """One's own modes only; `o` can only be given up here, and `a` is set by AWAY."""
    if fold(nick) != fold(me.user.nick):
        me.reply(*((ERR_USERSDONTMATCH,) if me.world.user(nick) else (ERR_NOSUCHNICK, nick)))
    elif not letters:
        me.reply(RPL_UMODEIS, "+" + "".join(sorted(me.user.modes)))
    else:
        done, unknown = [], False
        for sign, letter in signed(letters):
            if letter in me.server.user_modes:
                on = sign == "+"
                if letter == "o" and on:
                    continue
                if on != (letter in me.user.modes):
                    me.world.set_mode(me.user, letter, on)
                    done.append((sign, letter, ""))
            elif letter != "a" and sign == "+":
                unknown = True  # bots send `+i-ws`: there is nothing to do for `-s`
        for words, _ in pack(done, MAX_MESSAGE_BYTES):
            event = Event("MODE", me.user.nick, source=me.user.nick, text=words)
            me.send(event)
            me.tell_elsewhere(event)
        if unknown:
            me.reply(ERR_UMODEUNKNOWNFLAG)


def show_channel_modes(me: Client, channel: Channel) -> None:
    """Send 324, and 329 with the time when it was made; only members see the key."""
    words, params = "+" + "".join(sorted(channel.flags)), []
    if channel.key:
        words += "k"
        params.append(channel.key if me.user in channel.members else "*")
    if channel.limit:
        words += "l"
        params.append(str(channel.limit))
    me.reply(RPL_CHANNELMODEIS, channel.name, " ".join([words, *params]))
    me.reply(RPL_CREATIONTIME, channel.name, int(channel.created_at))


class ChannelChange:
    """One MODE command on one channel: do what is allowed, then tell all members."""

    def __init__(self, me: Client, channel: Channel):
        self.me, self.channel = me, channel
        self.done: list[tuple[str, str, str]] = []
        self.refused = False  # 482 is sent once, however many letters it is about
        self.answered: set[str] = set()  # and so is a list, or the error for an unknown letter

    def change(self, letters: str, params: list[str]) -> None:
        for sign, letter in signed(letters):
            takes = letter in LISTS or letter in STATUSES or letter == "k" or letter + sign == "l+"
            param = params.pop(0) if takes and params else None
            if letter in self.answered:
                continue
            if letter in LISTS and not param:
                self.answered.add(letter)
                self.show_list(letter)
            elif letter not in LISTS + self.me.server.channel_flags + "kl" and letter not in STATUSES:
                self.answered.add(letter)
                self.me.reply(ERR_UNKNOWNMODE, letter, self.channel.name)
            elif not self.may(letter):
                self.refuse()
            elif letter in self.me.server.channel_flags:
                self.set_flag(sign, letter)
            elif letter == "k":
                self.set_key(sign, param)
            elif letter == "l":
                self.set_limit(sign, param)
            elif letter in LISTS and param:  # without, the list has been shown
                self.set_mask(sign, letter, param)
            else:
                self.set_status(sign, letter, param)
        room = MAX_MESSAGE_BYTES - size(f":{self.me.user.source} MODE {self.channel.name} ")
        for words, given in pack(self.done, room):
            self.me.tell(self.channel, self.me.says("MODE", self.channel.name, words, *given))
        if self.done:
            self.me.world.changed(self.channel, None)

    def may(self, letter: str) -> bool:
        """Channel operators change everything but `q`, half-operators everything but `q`, `o` and `h`."""
        return self.me.may(self.channel, {"q": "q", "o": "o", "h": "o"}.get(letter, "h"))

    def refuse(self) -> None:
        if not self.refused:
            self.me.reply(ERR_CHANOPRIVSNEEDED, self.channel.name)
        self.refused = True

    def show_list(self, letter: str) -> None:
        """Everybody who can see the channel may see its bans."""
        if self.channel.is_hidden and self.me.user not in self.channel.members:
            self.me.reply(ERR_NOTONCHANNEL, self.channel.name)
            return
        item, end = LIST_REPLIES[letter]
        for entry in self.channel.lists.entries[letter].values():
            self.me.reply(item, self.channel.name, entry.mask, entry.set_by, int(entry.set_at))
        self.me.reply(end, self.channel.name)

    def set_flag(self, sign: str, letter: str) -> None:
        on = sign == "+"
        if on != (letter in self.channel.flags):
            (self.channel.flags.add if on else self.channel.flags.discard)(letter)
            self.done.append((sign, letter, ""))

    def set_key(self, sign: str, key: str | None) -> None:
        """RFC 2811 section 4.2.10.  A key is removed even if another key is named."""
        if sign == "-":
            if self.channel.key:
                self.done.append(("-", "k", self.channel.key))
                self.channel.key = ""
        elif key is None:
            pass  # RFC 2812 wants 461; today's servers ignore it
        elif not KEY.fullmatch(key):
            # We do not repeat the key: it may contain what no parameter may.
            why = "Key is not well-formed"
            self.me.reply(ERR_INVALIDMODEPARAM, self.channel.name, "k", "*", why)
        elif key != self.channel.key:
            self.channel.key = key
            self.done.append(("+", "k", key))

    def set_limit(self, sign: str, limit: str | None) -> None:
        """RFC 2811 section 4.2.9."""
        if sign == "-":
            if self.channel.limit:
                self.channel.limit = 0
                self.done.append(("-", "l", ""))
        elif limit is None:
            pass  # ignored, as for a key
        elif not re.fullmatch("0*[1-9][0-9]{0,8}", limit):
            why = "Limit is a number from 1"
            self.me.reply(ERR_INVALIDMODEPARAM, self.channel.name, "l", limit, why)
        elif int(limit) != self.channel.limit:
            self.channel.limit = int(limit)
            self.done.append(("+", "l", str(int(limit))))

    def set_mask(self, sign: str, letter: str, text: str) -> None:
        """RFC 2811 section 4.3.  Masks that differ only in upper and lower case are the same."""
        # It must fit into the middle of a message: no space, no colon in front.
        text = text.lstrip(":").split(" ")[0]
        text = self.me.server.extensions.first(Extension.extended_ban, text) or complete_mask(text)
        key = mask(text)
        if sign == "-":
            if entry := self.channel.lists.remove(letter, key):
                self.done.append(("-", letter, entry.mask))
        elif key in self.channel.lists.entries[letter]:
            pass
        elif len(self.channel.lists) >= MAX_LIST:
            self.me.reply(ERR_BANLISTFULL, self.channel.name, letter)
        elif why := why_no_mask(text):
            self.me.reply(ERR_INVALIDMODEPARAM, self.channel.name, letter, "*", why)
        else:
            entry = Entry(text, self.me.user.nick, time.time())
            self.channel.lists.add(letter, key, entry)
            self.done.append(("+", letter, text))

    def set_status(self, sign: str, letter: str, nick: str | None) -> None:
        """RFC 2811 section 4.1: q, o, h and v belong to a member."""
        if nick is None:
            return  # ignored, as for a key
        user = self.me.world.user(nick)
        if user not in self.channel.members:
            if user is None:
                self.me.reply(ERR_NOSUCHNICK, nick)
            else:
                self.me.reply(ERR_USERNOTINCHANNEL, nick, self.channel.name)
        elif (letter in self.channel.members[user]) != (sign == "+"):
            self.channel.set_status(user, letter, sign == "+")
            self.me.world.changed(self.channel, user)
            self.done.append((sign, letter, user.nick))


def why_no_mask(text: str) -> str:
    """Return why no list takes this mask; "" if it may match somebody."""
    if not text.isascii():
        return "No nick, user name or host has such characters"  # and each would take up to four bytes
    if len(text) > MAX_MASK_BYTES:
        return f"A mask has at most {MAX_MASK_BYTES} characters"
    return ""


def signed(letters: str) -> Iterator[tuple[str, str]]:
    """Give each letter with its sign: `+a-bc` is +a, -b, -c."""
    sign = "+"
    for letter in letters:
        if letter in "+-":
            sign = letter
        else:
            yield sign, letter


def pack(changes: list[tuple[str, str, str]], room: int) -> Iterator[tuple[str, list[str]]]:
    """Write changes as `+o-v bob carol`, in as few messages as possible."""
    params: list[str] = []
    words = last_sign = ""
    for sign, letter, param in changes:
        if words and size(" ".join([words, *params, param])) + 2 > room:  # 2: a sign and a letter
            yield words, params
            words, params, last_sign = "", [], ""
        words += letter if sign == last_sign else sign + letter
        last_sign = sign
        if param:
            params.append(param)
    if words:
        yield words, params


class Modes(Extension):
    """The command."""

    commands = {"MODE": command(mode)}
