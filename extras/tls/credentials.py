"""A server's credentials: the certificate that all may see, and the private key that proves it is ours.

Certificates last some months.  When their files have been renewed, SIGHUP makes the server load
them: who connects from then on is shown the new one, and nobody who is there notices.
"""

import signal
import socket
import ssl

from extras.tls.client_certificate import ask, can_ask
from extras.tls.stream import TlsStream, readable
from step1_echo.serving import log


class Credentials:
    """A certificate and its key, as they stood in their files when they were last loaded."""

    def __init__(self, cert: str, key: str | None = None):
        """Load them; without `key`, both are in one file.  Raises: OSError, in words for a person."""
        self.cert, self.key = cert, key or cert
        self.can_ask = can_ask()
        # Replaced as a whole, never changed: in one that has a new certificate and fails to load the
        # key, the two would not fit, and nobody could connect any more.
        self._contexts = self._load()

    def stream(self, sock: socket.socket) -> TlsStream:
        """Return the stream for a new connection.  Thread: any."""
        return TlsStream(sock, self._contexts[0])

    def asking_stream(self, sock: socket.socket) -> TlsStream:
        """Return one that asks the client for a certificate, too.  Thread: any."""
        return TlsStream(sock, self._contexts[1])

    def renew(self, *_: object) -> None:
        """Load them again; if they are bad, say so in the log, and keep the old ones.

        Takes a signal handler's arguments.  Thread: any.
        """
        try:
            self._contexts = self._load()
        except OSError as error:
            log.warning("the old certificate stays: %s", error)
        else:
            log.info("%s: loaded again", self.cert)

    def renew_on_sighup(self) -> None:
        """Load them again at each SIGHUP.  Thread: the main one, which gets the signals."""
        if hasattr(signal, "SIGHUP"):  # not on Windows: restart the server there
            signal.signal(signal.SIGHUP, self.renew)

    def _load(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Return contexts for new connections; the second asks for a certificate.  Raises: OSError, for a person."""
        contexts = self._load_one(), self._load_one()
        ask(contexts[1])
        return contexts

    def _load_one(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # older ones are broken.  Source: RFC 8996
        # A second handshake in the middle (TLS 1.2 has that) would make seal() wait for the peer.
        context.options |= ssl.OP_NO_RENEGOTIATION
        for path in (self.cert, self.key):
            try:
                open(path, "rb").close()
            except OSError as error:  # load_cert_chain() would not say which of the two it is
                raise OSError(f"{path}: {error.strerror}") from None
        try:
            context.load_cert_chain(self.cert, self.key, password=refuse_password)
        except ssl.SSLError as error:
            files = " and ".join(dict.fromkeys((self.cert, self.key)))
            hint = "; --tls-key names the key's file, if it is another one" if self.key == self.cert else ""
            raise OSError(f"{files}: {explain(error)}{hint}") from None
        return context


def refuse_password() -> bytes:
    """Be asked for the key's password: who renews it at night is not there to type one."""
    raise OSError("the key has a password: store it without one, in a file that only the server may read")


def explain(error: ssl.SSLError) -> str:
    """Return in a line what is wrong with a certificate or its key."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return "this key is not the certificate's"
    return "a certificate and its private key are needed, both PEM" + (f" ({readable(error)})" if error.reason else "")
