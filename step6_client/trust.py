"""Connect with TLS to a server that proves who it is, or say in one line why not."""

import ssl

from step2_client.client import CannotConnect, connect
from step6_client.tls import HANDSHAKE_TIMEOUT_S, TlsSocket

# OpenSSL's numbers for what is wrong with a certificate.  Source: its manual page X509_STORE_CTX_get_error(3).
NOT_YET_VALID, EXPIRED, WRONG_NAME, WRONG_ADDRESS = 9, 10, 62, 64


def connect_tls(host: str, port: int, ca_file: str | None = None) -> TlsSocket:
    """Return a connection to a server that has proved to be `host`.

    Its certificate must be in ca_file, or signed by one in it; without a file, by one that the system trusts.
    Raises: CannotConnect.  Blocks: as long as `connect`, and HANDSHAKE_TIMEOUT_S more.
    """
    context = tls_context(ca_file)
    sock = connect(host, port)
    try:
        tls_sock = TlsSocket(sock, context, host)
        tls_sock.handshake()
        return tls_sock
    except BaseException as error:  # Ctrl-C is none of Exception
        sock.close()
        if isinstance(error, (OSError, ValueError)):
            raise CannotConnect(f"no TLS with {host} port {port}: {explain(error, host)}") from None
        raise


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what we demand of every server: TLS 1.2, and a certificate that we trust for its name.

    Raises: CannotConnect if the file is none, or has no certificate in it.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)  # it checks certificate and name
    except ssl.SSLError:
        raise CannotConnect(f"--ca {ca_file}: no certificate in it; a PEM file is wanted") from None
    except OSError as error:
        raise CannotConnect(f"--ca {ca_file}: {error.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # older ones are broken.  Source: RFC 8996
    context.options |= ssl.OP_NO_RENEGOTIATION  # in TLS 1.2 it would make `sendall` wait for the one who reads
    return context


def explain(error: Exception, host: str) -> str:
    """Say in a line why there is no TLS, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code in (WRONG_NAME, WRONG_ADDRESS):
            return f"its certificate is not for the name {host}; --host must say one that is in it"
        if code in (EXPIRED, NOT_YET_VALID):
            return f"{error.verify_message}: ask whoever runs the server for a new one, or mend your clock"
        return f"its certificate is not trusted ({error.verify_message}); --ca FILE names one to trust"
    if isinstance(error, ValueError):
        return f"no certificate can name {host}"
    if isinstance(error, TimeoutError):
        return f"it did not answer in {HANDSHAKE_TIMEOUT_S} s; does this port speak TLS?"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
