"""Solution: trust one certificate, whoever has signed it."""

import hashlib
import socket
import ssl


def connect_pinned(address: tuple[str, int], fingerprint: str) -> ssl.SSLSocket:
    """Connect with TLS to the server whose certificate has this fingerprint, and to nobody else.

    The fingerprint is the SHA-256 of the certificate in binary form, in hexadecimal digits.  Its
    names and its signer do not matter.  Raises: ConnectionAbortedError, before anything is said.
    """
    context = ssl.create_default_context()
    context.check_hostname = False  # first this, or the next line is an error
    context.verify_mode = ssl.CERT_NONE
    sock = context.wrap_socket(socket.create_connection(address))
    found = hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()
    if found != fingerprint.lower():
        sock.close()
        raise ConnectionAbortedError(f"this is another server: {found}")
    return sock
