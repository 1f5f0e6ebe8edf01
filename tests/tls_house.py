"""A server with a TLS port, and clients for it: fixtures."""

import contextlib
import socket
import ssl

import pytest

from extras.tls.credentials import Credentials
from extras.tls.server import TlsChatServer
from tests.wire import DEADLINE_S, Wire


@pytest.fixture
def credentials(certificates):
    """Of our server, for localhost and 127.0.0.1."""
    return Credentials(str(certificates / "ours.pem"))


@pytest.fixture
def trusting(certificates):
    """A client's context that trusts our certificate."""
    return ssl.create_default_context(cafile=certificates / "ours.pem")


def with_tls(server_class):
    """A server with a TLS port, for serve()."""

    def make_server(address, credentials, **settings):
        server = server_class(address, **settings)
        server.open_tls_door(("127.0.0.1", 0), credentials)
        return server

    return make_server


@pytest.fixture
def house(serve, credentials):
    """Start servers with a TLS port: house(ServerClass, **settings) -> server."""
    return lambda server_class=TlsChatServer, **settings: serve(
        with_tls(server_class), credentials=credentials, **settings
    )


@pytest.fixture
def dial(trusting):
    """Connect: dial(server) -> a Wire whose socket is an SSLSocket; with tls=False, one without TLS, to the same port."""
    with contextlib.ExitStack() as stack:

        def dial(server, name="client", tls=True):
            sock = stack.enter_context(socket.create_connection(server.tls_door.server_address, timeout=DEADLINE_S))
            if tls:
                sock = stack.enter_context(trusting.wrap_socket(sock, server_hostname="localhost"))
            return stack.enter_context(Wire(None, name, sock=sock, deadline_s=DEADLINE_S))

        yield dial
