"""Have clients show a certificate, whoever has signed it: it proves only that they have its key.

Python asks for client certificates, too, but then wants one that an authority has signed, and ends the
handshake otherwise.  People sign their own, and a server remembers the fingerprint, as with SSH.  OpenSSL
lets a program judge the certificate; Python does not pass that on, so we call OpenSSL ourselves.

Source: SSL_CTX_set_cert_verify_callback(3).
"""

import ssl
import sys
from collections.abc import Callable

try:
    import _ssl
    import ctypes
except ImportError:  # a Python may be built without it
    ctypes = None  # type: ignore[assignment]


def can_ask() -> bool:
    """Tell whether ask() does anything, with this Python."""
    return set_judge is not None


def ask(context: ssl.SSLContext) -> None:
    """Ask clients of this context for a certificate, and take any."""
    if set_judge is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        # In CPython, the first thing in the object behind its header is OpenSSL's own context.
        set_judge(ctypes.c_void_p.from_address(id(context) + object.__basicsize__), takes_any, None)


def find_set_judge() -> Callable[..., None] | None:
    """Return the function of the OpenSSL that Python's ssl uses; None if we cannot reach it."""
    if ctypes is None or sys.implementation.name != "cpython":
        return None
    try:
        function = ctypes.CDLL(getattr(_ssl, "__file__", None)).SSL_CTX_set_cert_verify_callback
    except (OSError, AttributeError, TypeError):
        return None
    function.argtypes, function.restype = (ctypes.c_void_p, type(takes_any), ctypes.c_void_p), None
    return function


if ctypes:
    # Judges a chain of certificates: 1 is "good".  That the client has the key, TLS checks itself.
    takes_any = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda chain, unused: 1)
set_judge = find_set_judge()
