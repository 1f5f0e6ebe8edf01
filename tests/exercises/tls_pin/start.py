"""Exercise: trust one certificate, whoever has signed it."""

import socket
import ssl


def connect_pinned(address: tuple[str, int], fingerprint: str) -> ssl.SSLSocket:
    """Connect with TLS to the server whose certificate has this fingerprint, and to nobody else.

    The fingerprint is the SHA-256 of the certificate in binary form, in hexadecimal digits.  Its
    names and its signer do not matter.  Raises: ConnectionAbortedError, before anything is said.
    """
    context = ssl.create_default_context()
    sock = socket.create_connection(address)
    return context.wrap_socket(sock, server_hostname=address[0])  # TODO
