"""TLS as others see it: who is connected with TLS, and with which certificate.

fingerprint   SHA-256 of a client's certificate, as hexadecimal digits: who shows it has the key to it

Source: modern.ircdocs.horse "RPL_WHOISCERTFP", "RPL_WHOISSECURE".
"""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from extras.irc.client import Client
from extras.irc.extension import Extension
from extras.irc.replies import Numeric, Reply
from extras.irc.state import User
from extras.tls.stream import TlsStream

if TYPE_CHECKING:
    from extras.irc.server import IrcServer

RPL_WHOISCERTFP = Numeric("276", "<nick> :has client certificate fingerprint <fingerprint>", "modern.ircdocs.horse")
RPL_WHOISSECURE = Numeric("671", "<nick> :is using a secure connection", "modern.ircdocs.horse")


class Secure(Extension):
    """What WHOIS tells of a connection."""

    def about(self, me: Client, user: User) -> Iterable[Reply]:
        if user.sessions and all(map(is_secure, user.sessions)):
            yield (RPL_WHOISSECURE,)
        if user is me.user or me.user.is_operator:
            for value in dict.fromkeys(filter(None, map(fingerprint, user.sessions))):
                yield RPL_WHOISCERTFP, value


def is_secure(client: Client) -> bool:
    """Tell whether nobody between us and this client can read along."""
    return isinstance(client.conn.stream, TlsStream)


def fingerprint(client: Client) -> str:
    """Give the fingerprint of the client's certificate; "" if it has shown none."""
    stream = client.conn.stream
    certificate = stream.peer_certificate() if isinstance(stream, TlsStream) else None
    return hashlib.sha256(certificate).hexdigest() if certificate else ""


def asks_for_certificates(server: "IrcServer") -> bool:
    """Tell whether clients can show certificates here."""
    return server.credentials is not None and server.credentials.can_ask
