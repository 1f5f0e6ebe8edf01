"""CAP: a client asks by name for what the extensions offer.

While a client negotiates, its registration waits for CAP END.
Source: IRCv3 capability-negotiation (ircv3.net/specs).
"""

import re

from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.message import MAX_MESSAGE_BYTES, size
from extras.irc.replies import ERR_INVALIDCAPCMD


def cap(me: Client, subcommand: str, argument: str = ""):
    """Negotiate capabilities: LS, LIST, REQ and END.  IRCv3 capability-negotiation."""
    subcommand = subcommand.upper()
    if subcommand in ("LS", "REQ") and not me.user.registered:
        me.waits.add("CAP")
    if subcommand == "LS":
        if re.fullmatch("[0-9]{3,9}", argument) and int(argument) >= 302:
            me.speaks_302 = True
        answer(me, "LS", [offer(me, name) for name in me.server.capabilities if is_offered(me, name)])
    elif subcommand == "LIST":
        answer(me, "LIST", sorted(me.caps))
    elif subcommand == "REQ":
        request(me, argument)
    elif subcommand == "END":
        if "CAP" in me.waits:
            me.done_with("CAP")
    else:
        me.reply(ERR_INVALIDCAPCMD, subcommand)


def is_offered(me: Client, name: str) -> bool:
    """Tell whether LS shows a capability; one that is its value needs a client that understands values."""
    one = me.server.capabilities[name]
    return not one.is_policy or me.speaks_302 and one.value() != ""


def offer(me: Client, name: str) -> str:
    """Give a capability as LS shows it: with its value, to a client that understands values."""
    value = me.server.capabilities[name].value
    return f"{name}={shown}" if me.speaks_302 and value and (shown := value()) else name


def request(me: Client, argument: str):
    """Accept the whole list, or none of it; `-name` gives a capability back."""
    wanted = argument.split()
    offered = {name for name, one in me.server.capabilities.items() if not one.is_policy}
    known = all(name.removeprefix("-") in offered for name in wanted)
    if not known or me.speaks_302 and "-cap-notify" in wanted:
        me.send(reply(me, "NAK", argument))
        return
    me.send(reply(me, "ACK", argument))
    caps = set(me.caps)
    for name in wanted:
        (caps.discard if name[0] == "-" else caps.add)(name.removeprefix("-"))
    me.set_caps(caps)


def answer(me: Client, subcommand: str, names: list[str]):
    """Send a list of names; to a client that understands it, in several lines."""
    room = MAX_MESSAGE_BYTES - size(f":{me.server.name} CAP {me.user.nick or '*'} {subcommand} * :")
    lines = [""]
    for name in names:
        if lines[-1] and size(lines[-1]) + size(name) + 1 > room:
            lines.append("")
        lines[-1] += f" {name}" if lines[-1] else name
    if not me.speaks_302:  # it takes the first line for all: the newest names come last
        del lines[1:]
    for line in lines[:-1]:
        me.send(reply(me, subcommand, "*", line))
    me.send(reply(me, subcommand, lines[-1]))


def reply(me: Client, subcommand: str, *params: str) -> Event:
    """Give a CAP answer, with the nick that the client has by now."""
    *params, names = params
    nick = me.user.nick or "*"
    return Event("CAP", nick, subcommand, *params, text=names, source=me.server.name)


def changed(server, name: str, is_there: bool):
    """Tell all who want to know that a capability has come, or gone.  IRCv3 cap-notify.

    Thread: holds the world's lock.
    """
    for user in list(server.registry.users):
        for session in user.sessions:
            if not is_there and name in session.caps:
                session.set_caps(session.caps - {name})
            if session.speaks_302 or "cap-notify" in session.caps:  # 302 has it built in
                names = offer(session, name) if is_there else name
                session.push(reply(session, "NEW" if is_there else "DEL", names))
