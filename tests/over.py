"""How a guest's bytes reach the server: by TCP alone, over TLS, over WebSocket.  A fault is the same over each.

way     what stands between a guest's bytes and her socket: one thread may call sendall() while another calls recv()
door    the server's port for that way (extras/tls/doors.py)
"""

import atexit
import functools
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import pytest

from extras.tls.credentials import Credentials
from extras.web.web_door import open_web_door
from extras.web.website import Website
from extras.web.websocket import binary_frame, missing_library
from step6_client.tls import TlsSocket
from tests.certificates import FOR_US, make


class Plain:
    """TCP alone."""

    line_number = 0  # which of the lines that the server prints first names the port

    @staticmethod
    def flags_for(script):
        """Return the flags with which a server opens a port for this way."""
        return ()

    def __init__(self, sock):
        self.sock = sock

    def begin(self):
        """Shake hands, if that is not done."""

    def sendall(self, data):
        self.sock.sendall(data)

    def recv(self, size):
        return self.sock.recv(size)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    @staticmethod
    def open_door(server):
        """Open the port for this way; return where guests connect."""
        return server


class Lazy(Plain):
    """The handshake comes with the first byte that is sent or asked for: a silent guest makes none."""

    line_number = 1

    def __init__(self, sock):
        super().__init__(sock)
        self._beginning = threading.Lock()  # so that one thread begins, and others wait for it
        self._wrapped = None

    def begin(self):
        self.wrapped()

    def wrapped(self):
        """Return what speaks for us, after its handshake."""
        with self._beginning:
            self._wrapped = self._wrapped or self.wrap()
            return self._wrapped

    def sendall(self, data):
        self.wrapped().sendall(data)

    def recv(self, size):
        return self.wrapped().recv(size)

    def half_close(self):
        self.wrapped().shutdown(socket.SHUT_WR)


class Tls(Lazy):
    """Encrypted."""

    def wrap(self):
        tls = TlsSocket(self.sock, ssl.create_default_context(cafile=certificate()), "localhost")
        tls.handshake()
        return tls

    @staticmethod
    def open_door(server):
        server.open_tls_door(("127.0.0.1", 0), Credentials(certificate()))
        return server.tls_door

    @staticmethod
    def flags_for(script):
        return "--tls-cert", certificate(), "--tls-port", "0"


class WebSocket(Lazy):
    """In messages, a line each."""

    def __init__(self, sock):
        if missing_library():
            pytest.skip(f"needs websockets: {missing_library()}")
        super().__init__(sock)

    def wrap(self):
        from tests.web_sock import WebSock  # it needs the library

        return WebSock(("localhost", 80), self.sock.gettimeout(), subprotocols=["binary.ircv3.net"], sock=self.sock)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    @staticmethod
    def flags_for(script):
        return "--ws-port" if script == "extras/irc/server.py" else "--web-port", "0"

    @staticmethod
    def open_door(server):
        frames = {"": binary_frame, "binary.ircv3.net": binary_frame}
        return open_web_door(server, ("127.0.0.1", 0), Website(), frames)


@functools.cache
def certificate():
    """Return the path of a certificate for localhost, with its key in the same file."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return str(make(Path(folder.name), "ours", "-addext", FOR_US))
