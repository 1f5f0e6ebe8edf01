"""A website: what a browser gets over plain HTTP, and which pages may open a WebSocket.

A browser lets any page that is open in it connect to any server, this one too, and says in
`Origin` which page it was.  So the server has to look: without that, every page that a user visits
could use whatever servers only she can reach.  A program that is no browser sends no Origin, and
can connect to a TCP port just as well: it may.

origin   scheme, host and port of a page: "http://127.0.0.1:9080".  Source: RFC 6454
host     what the browser believes that we are called: "127.0.0.1:9080"
"""

import argparse
import http
import ipaddress
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

ANY_ORIGIN = "*"
# The page may load what comes from here and nothing else, and run no code that stands in its HTML:
# even if a message became HTML by mistake, the browser would not obey it.  Source: W3C, "Content
# Security Policy Level 3"; "Trusted Types" for the last one: to set innerHTML is an error.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Website:
    """A small table of files, read once, and the origins that may connect.

    Thread: any: nothing changes.
    """

    def __init__(self, folder: Path | None = None, origins: Iterable[str] = ()):
        self.origins = frozenset(origin.lower() for origin in origins)
        self.files: dict[str, tuple[str, bytes]] = {}  # path -> content type, content
        for file in sorted(folder.iterdir()) if folder else ():
            if file.suffix in TYPES:
                path = "/" if file.name == "index.html" else f"/{file.name}"
                self.files[path] = f"{TYPES[file.suffix]}; charset=utf-8", file.read_bytes()

    def admits(self, origin: str | None, host: str) -> bool:
        """Tell whether a page from this origin may open a WebSocket."""
        if origin is None or ANY_ORIGIN in self.origins or origin.lower() in self.origins:
            return True
        same = origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
        return same and self.is_called(host)

    def is_called(self, host: str) -> bool:
        """Tell whether this can be our name.

        The owner of evil.example can let that name mean 127.0.0.1: then a page from there and we
        are the "same origin" for the browser ("DNS rebinding").  An address cannot be made to mean
        another one, so addresses are fine; names must have been told us, with --origin.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        known = {urlsplit(origin).hostname for origin in self.origins if origin != ANY_ORIGIN}
        return name == "localhost" or name in known or ANY_ORIGIN in self.origins or is_address(name)

    def answer(self, method: str, path: str, host: str) -> bytes:
        """Return the whole answer to a request that asks for no WebSocket."""
        if method not in ("GET", "HEAD"):
            return http_answer(405, "text/plain", b"GET only\n", Allow="GET, HEAD")
        if not self.files:
            return http_answer(426, "text/plain", b"a WebSocket client is needed here\n", Upgrade="websocket")
        if not self.is_called(host):
            hint = f"If this server may be called {host}, start it with --origin http://{host}\n"
            return http_answer(421, "text/plain", hint.encode())
        file = self.files.get(path.partition("?")[0])
        if file is None:
            return http_answer(404, "text/plain", b"no such file\n")
        return http_answer(200, *file, without_body=method == "HEAD")


def http_answer(status: int, content_type: str, body: bytes, without_body: bool = False, **headers: str) -> bytes:
    """Return an HTTP answer, after which the connection is closed.  Source: RFC 9112."""
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-cache",  # after an update nobody must see half of the old page
        f"Content-Security-Policy: {POLICY}",
        "X-Content-Type-Options: nosniff",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if without_body else body)


def is_address(name: str) -> bool:
    """Tell whether this is an IP address and not a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin(text: str) -> str:
    """Take an origin as a browser writes it; for argparse."""
    parts = urlsplit(text)
    if text != ANY_ORIGIN and (parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an origin, such as https://chat.example.net")
    return text
