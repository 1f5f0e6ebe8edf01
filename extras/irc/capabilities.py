"""CAP: a client asks by name for what the extensions offer.

While a client negotiates, its registration waits for CAP END.
Source: IRCv3 capability-negotiation (ircv3.net/specs).
"""

import re
from typing import TYPE_CHECKING

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Capability
from extras.irc.message import MAX_MESSAGE_BYTES, cut_words, size
from extras.irc.replies import ERR_INVALIDCAPCMD

if TYPE_CHECKING:
    from extras.irc.server import IrcServer


def cap(me: Client, subcommand: str, argument: str = "") -> None:
    """Negotiate capabilities: LS, LIST, REQ and END.  IRCv3 capability-negotiation."""
    subcommand = subcommand.upper()
    if subcommand in ("LS", "REQ") and not me.user.registered:
        me.waits.add("CAP")
    if subcommand == "LS":
        is_302 = re.fullmatch("[0-9]{3,9}", argument) is not None and int(argument) >= 302
        me.speaks_302 |= is_302  # from now on, also if it says LS once more without the number
        answer(me, "LS", [offer(one, is_302) for one in offered(me.server, is_302)], is_302)
    elif subcommand == "LIST":
        answer(me, "LIST", sorted(me.caps), me.speaks_302)
    elif subcommand == "REQ":
        request(me, argument)
    elif subcommand == "END":
        if "CAP" in me.waits:
            me.done_with("CAP")
    else:
        me.reply(ERR_INVALIDCAPCMD, subcommand)


def offered(server: "IrcServer", is_302: bool) -> list[Capability]:
    """Give what LS shows; one that is nothing but its value needs a client that understands values."""
    return [one for one in server.capabilities.values() if not one.is_policy or is_302 and one.value and one.value()]


def offer(one: Capability, is_302: bool) -> str:
    """Give a capability as LS shows it: with its value, to a client that understands values."""
    return f"{one.name}={shown}" if is_302 and one.value and (shown := one.value()) else one.name


def request(me: Client, argument: str) -> None:
    """Accept the whole list, or none of it; `-name` gives a capability back."""
    wanted = argument.split()
    names = {name for name, one in me.server.capabilities.items() if not one.is_policy}
    known = all(name.removeprefix("-") in names for name in wanted)
    if not known or me.speaks_302 and "-cap-notify" in wanted:
        me.send(reply(me, "NAK", argument))
        return
    me.send(reply(me, "ACK", argument))
    caps = set(me.caps)
    for name in wanted:
        (caps.discard if name[0] == "-" else caps.add)(name.removeprefix("-"))
    me.set_caps(caps)


def answer(me: Client, subcommand: str, names: list[str], is_302: bool) -> None:
    """Send a list of names; to a client that understands it, in several lines."""
    room = MAX_MESSAGE_BYTES - size(f":{me.server.name} CAP {me.user.nick or '*'} {subcommand} * :")
    lines = cut_words(" ".join(names), room)
    if not is_302:  # it takes the first line for all: the newest names come last
        del lines[1:]
    for line in lines[:-1]:
        me.send(reply(me, subcommand, "*", line))
    me.send(reply(me, subcommand, lines[-1]))


def reply(me: Client, subcommand: str, *params: str) -> Event:
    """Give a CAP answer, with the nick that the client has by now."""
    *middle, names = params
    nick = me.user.nick or "*"
    return Event("CAP", nick, subcommand, *middle, text=names, source=me.server.name)


def changed(server: "IrcServer", name: str, is_there: bool) -> None:
    """Tell all who want to know that a capability has come, or gone.  IRCv3 cap-notify.

    Who has not registered yet may have seen it in LS.  Thread: holds the world's lock.
    """
    one = server.capabilities[name]
    for user in [*server.registry.users, *server.registry.strangers]:
        for session in user.sessions:
            if not is_there:
                session.set_caps(session.caps - {name})
            if session.speaks_302 or "cap-notify" in session.caps:  # 302 has it built in
                names = offer(one, session.speaks_302) if is_there else name
                session.push(reply(session, "NEW" if is_there else "DEL", names))
