"""Which host others see of a user who has several sessions, or none (always.py).

It is that of the session that is here longest; who is absent keeps the host of the last one.  So others
see a new one only when the session has ended whose host they saw.  Then clients with chghost are told, and
the others see it in the next message.  They are not shown a QUIT and a JOIN, as when somebody logs in
(cloak.py): a phone has a new address at each street corner, and its user has not left.

With --cloak, all sessions of an account have one host.
Source: IRCv3 chghost.
"""

from typing import NamedTuple

from extras.irc.client import Client
from extras.irc.extension import Extension
from extras.ircv3.always import Always
from extras.ircv3.cloak import tell_host


class Origin(NamedTuple):
    """Where a session is from, as its user would have it if there were no other."""

    host: str
    address: str


class SessionHost(Extension):
    """Shows the host of a session that is here."""

    is_wanted = staticmethod(Always.is_wanted)

    def completes(self, me: Client) -> None:
        # This is its own user still: it comes to the one that it shares later.
        me.state[Origin] = Origin(me.user.host, me.user.address)

    def logged_in(self, me: Client) -> None:
        self.completes(me)  # with --cloak, it has another host now; who logs in has no other session

    def welcoming(self, me: Client) -> None:
        if not me.user.sessions:  # absent until now; not yet ours, as it is told first what it has missed
            self.show(me, me)

    def gone(self, me: Client) -> None:
        others = [session for session in me.user.sessions if session is not me]
        if others:
            self.show(me, others[0])

    def show(self, me: Client, session: Client) -> None:
        """Let our user have the host of this session."""
        host, me.user.address = session.state[Origin]
        if host != me.user.host:
            tell_host(me, host)
