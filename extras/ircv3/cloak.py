"""Cloaks: what others see instead of a user's address, so that it is nobody's business where she lives.

    alice!al@c4qzr2nx.h7mtk3ya.ip     made of her address: the same each time, so that a ban holds
    alice!al@user/alice               once she has logged in: a ban hits her, and nobody beside her

The first part is made of the whole address, the second of its network (/24, IPv6: /48), so that one can
ban that, too: `*!*@*.h7mtk3ya.ip`.  A mask for the cloak of her address also matches who has logged in.
Who knows the key can find the addresses by trying all of them: it is a secret.

Source: IRCv3 chghost.
"""

import argparse
import base64
import hmac
import ipaddress

from extras.irc.channels import has_joined
from extras.irc.client import Client
from extras.irc.event import Event
from extras.irc.extension import Capability, Extension

LETTERS = 8  # 40 bits each: no two users meet by chance, and one can still read it
NETWORK_BITS = {4: 24, 6: 48}  # what one person or provider's line gets, at most
HOST_BITS = {4: 32, 6: 64}  # of IPv6, the rest is as each device likes


class Cloak(Extension):
    """chghost, and --cloak."""

    capabilities = (Capability("chghost", "others in one's channels change their hosts"),)

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        flags.add_argument(
            "--cloak", metavar="KEY", default="", help="hide users' addresses; the same key gives the same cloaks"
        )

    def connected(self, me: Client) -> None:
        if self.options.cloak:
            me.user.host = cloak(self.options.cloak, me.user.address)
            me.user.other_hosts = (me.user.host,)

    def logged_in(self, me: Client) -> None:
        if self.options.cloak:
            change_host(me, f"user/{me.user.account}")


def cloak(key: str, address: str) -> str:
    """Give the cloak of an address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return f"{digest(key, address)}.ip"
    host, network = (
        digest(key, str(ipaddress.ip_network((ip, bits[ip.version]), strict=False)))
        for bits in (HOST_BITS, NETWORK_BITS)
    )
    return f"{host}.{network}.ip"


def digest(key: str, text: str) -> str:
    """Give some letters that nobody can foretell without the key."""
    made = hmac.digest(key.encode(), text.encode(), "sha256")
    return base64.b32encode(made).decode()[:LETTERS].lower()


def change_host(me: Client, host: str) -> None:
    """Give our user another host, and tell who sees it."""
    old_source = me.user.source
    if host != me.user.host:
        tell_host(me, host)
        leave_and_return(me, old_source)


def tell_host(me: Client, host: str) -> None:
    """Give our user another host, and tell those who know CHGHOST.  IRCv3 chghost."""
    user, old_source = me.user, me.user.source
    user.host = host
    user.call(user.nick)
    if user.registered:
        event = Event("CHGHOST", user.name, host, source=old_source, user=user, need="chghost")
        me.tell_user(user, event)
        me.tell_neighbours(user, event, afar=True)


def leave_and_return(me: Client, old_source: str) -> None:
    """Tell clients without chghost that the user has left and come back."""
    gone = Event("QUIT", text="Changing host", source=old_source, user=me.user)
    told = set()
    for channel in me.user.channels:
        back = [has_joined(me, channel)]
        if letters := channel.members[me.user]:
            nicks = [me.user.nick] * len(letters)
            back.append(Event("MODE", channel.name, f"+{letters}", *nicks, source=me.server.name))
        for other in channel.members:
            for session in other.sessions if other is not me.user else ():
                if "chghost" not in session.caps:
                    for event in back if session in told else (gone, *back):
                        me.tell_session(session, event)
                    told.add(session)
