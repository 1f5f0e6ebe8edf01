"""TLS: the stream, the doors, renewed certificates, the flags; with Python's client, openssl, irssi and WeeChat."""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading

import pytest

from extras.irc.server import IrcServer
from extras.rooms.server import RoomsServer
from extras.tls import certificate, stream
from extras.tls.credentials import Credentials
from extras.tls.naive_server import NaiveServer
from extras.tls.server import TlsChatServer
from extras.tls.stream import TlsStream
from extras.tls.tls_server import add_tls_flags
from step5_server.line_server import server_parser
from step6_client.trust import connect_tls
from tests.certificates import FOR_US, certificates, make  # noqa: F401: the second is a fixture
from tests.chapter import ROOT
from tests.conftest import running
from tests.wire import Wire

DEADLINE_S = 10
MUCH = bytes(range(256)) * 1024  # a quarter of a megabyte: many records
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
WRONG_PORT = b"ERR unavailable this port is for TLS\n"


@pytest.fixture
def credentials(certificates):  # noqa: F811
    return Credentials(str(certificates / "ours.pem"))


@pytest.fixture
def trusting(certificates):  # noqa: F811
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
    return lambda server_class=TlsChatServer, **settings: serve(with_tls(server_class), credentials=credentials, **settings)


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


class Client:
    """A client's TLS on a socket, in memory: so that a test can send each byte when it likes."""

    def __init__(self, sock, context):
        self.sock, self.incoming, self.outgoing = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        sock.settimeout(DEADLINE_S)

    def run(self, operation, *args, piece=65536):
        """Run an operation of TLS to its end; send what it makes, so many bytes at a time."""
        while True:
            try:
                return operation(*args)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                return b""
            finally:
                self.send(self.outgoing.read(), piece)
            self.receive()

    def send(self, data, piece=65536):
        for at in range(0, len(data), piece):
            self.sock.sendall(data[at : at + piece])

    def receive(self):
        chunk = self.sock.recv(65536)
        if not chunk:
            self.incoming.write_eof()
        self.incoming.write(chunk)

    def read_all(self):
        return b"".join(iter(lambda: self.run(self.tls.read, 65536), b""))

    def say_goodbye(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.send(self.outgoing.read())


@contextlib.contextmanager
def in_thread(work):
    """Run work() meanwhile; raise what it raised."""
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "it hangs"
    if failures:
        raise failures[0]


# The stream


class Pair:
    """A TlsStream and a Client, connected; what the stream has to say is sent at once."""

    def __init__(self, credentials, context):
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(DEADLINE_S)
        self.stream, self.client = credentials.stream(self.ours), Client(theirs, context)
        self.said = threading.Lock()
        self.complaints = []
        self.stream.speak = lambda: self.send(b"")
        self.stream.complain = self.complaints.append

    def send(self, data):
        with self.said:  # as under the outbox's lock: sealed and sent in one order
            self.ours.sendall(self.stream.seal(data))

    def open(self, **how):
        with in_thread(self.stream.open):
            self.client.run(self.client.tls.do_handshake, **how)

    def close(self):
        self.ours.close()
        self.client.sock.close()


@pytest.fixture(params=VERSIONS, ids=["TLS 1.2", "TLS 1.3"])
def pair(request, credentials, trusting):
    trusting.minimum_version = trusting.maximum_version = request.param
    with contextlib.closing(Pair(credentials, trusting)) as pair:
        yield pair


@pytest.mark.parametrize("piece", [1, 65536])
def test_what_is_sealed_arrives_and_what_the_client_says_too_however_it_is_cut(pair, piece):
    pair.open(piece=piece)
    with in_thread(lambda: pair.send(MUCH)):
        assert b"".join(pair.client.run(pair.client.tls.read, 1000) for _ in range(2)) == MUCH[:2000]
        heard = 2000
        while heard < len(MUCH):
            heard += len(pair.client.run(pair.client.tls.read, 65536))
    pair.client.run(pair.client.tls.write, b"hello", piece=piece)
    assert pair.stream.recv(4096) == b"hello"


def test_a_record_is_read_in_pieces_as_small_as_they_are_wanted(pair):
    pair.open()
    pair.client.run(pair.client.tls.write, b"hello")
    assert [pair.stream.recv(2) for _ in range(3)] == [b"he", b"ll", b"o"]


def test_others_seal_while_the_reader_waits_and_while_it_reads(pair):
    """Three threads say a hundred lines each, while the client says some, too: nothing is lost or reordered."""
    pair.open()
    lines = [[b"%d %d\n" % (number, count) for count in range(100)] for number in range(3)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with contextlib.ExitStack() as stack:
            heard = bytearray()

            def read():
                while chunk := pair.stream.recv(4096):
                    heard.extend(chunk)

            stack.enter_context(in_thread(read))
            for mine in lines:
                stack.enter_context(in_thread(lambda mine=mine: [pair.send(line) for line in mine]))
            came = b""
            for _ in range(100):
                pair.client.run(pair.client.tls.write, b"client\n")
            while came.count(b"\n") < 300:
                came += pair.client.run(pair.client.tls.read, 65536)
            pair.client.say_goodbye()
    finally:
        sys.setswitchinterval(before)
    assert heard == b"client\n" * 100
    for number, mine in enumerate(lines):
        assert [line for line in came.splitlines(True) if line.startswith(b"%d " % number)] == mine


def test_before_the_handshake_is_over_nothing_is_sealed(pair):
    assert pair.stream.seal(b"secret") == b""
    pair.client.send(b"\x16\x03")
    assert pair.stream.seal(b"secret") == b"" == pair.stream.seal_end()


def test_the_end_is_said_in_tls(pair):
    pair.open()
    pair.send(b"bye")
    pair.ours.sendall(pair.stream.seal_end())
    assert pair.client.run(pair.client.tls.read, 100) == b"bye"
    assert pair.client.run(pair.client.tls.read, 100) == b"", "not an SSLEOFError: that would be a cable that was cut"


@pytest.mark.parametrize("polite", [True, False], ids=["with close_notify", "without"])
def test_after_the_clients_end_it_still_hears_us(pair, polite):
    pair.open()
    pair.client.run(pair.client.tls.write, b"one more thing")
    if polite:
        pair.client.say_goodbye()
    pair.client.sock.shutdown(socket.SHUT_WR)
    assert pair.stream.recv(4096) == b"one more thing"
    assert pair.stream.recv(4096) == b""
    pair.send(b"yes?")
    assert pair.client.run(pair.client.tls.read, 100) == b"yes?"


def test_after_our_end_what_still_comes_is_no_error(pair):
    pair.open()
    pair.client.run(pair.client.tls.write, b"x" * 100)
    pair.ours.sendall(pair.stream.seal_end())
    assert pair.stream.recv(4096), "its bytes, as they are: they are for nobody"
    pair.client.sock.shutdown(socket.SHUT_WR)
    assert pair.stream.recv(4096) == b""


def test_a_record_that_was_changed_on_the_way_is_an_error_in_words(pair):
    pair.open()
    pair.client.tls.write(b"pay 10")
    sealed = bytearray(pair.client.outgoing.read())
    sealed[-1] ^= 1
    pair.client.send(sealed)
    with pytest.raises(OSError, match="^TLS: (decryption failed or )?bad record mac$"):
        pair.stream.recv(4096)
    assert pair.stream.seal(b"who is there?") is not None, "others must not stumble over it"
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        pair.client.run(pair.client.tls.read, 100)


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x16GET / HTTP"])
def test_a_hello_that_is_none_is_an_error_in_words(pair, hello):
    pair.client.send(hello)
    pair.client.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(OSError, match="TLS"):
        pair.stream.open()


def key_update(tls) -> None:
    """Ask for a new key, and for one of the peer's.  Python has no call for it; OpenSSL has."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)() or not sys.platform.startswith("linux"):
        pytest.skip("written for the objects of CPython with a GIL, on Linux")
    import _ssl

    openssl = ctypes.CDLL(_ssl.__file__)
    its_object = ctypes.c_void_p.from_address(id(tls._sslobj) + 24)  # struct PySSLSocket: head, Socket, ssl
    assert openssl.SSL_key_update(its_object, 1) == 1
    tls.do_handshake()


def test_who_asks_for_new_keys_and_reads_no_answer_is_cut_off(credentials, trusting):
    """Each request costs it a few bytes, and us as many: no line of ours, so the outbox does not count them."""
    with contextlib.closing(Pair(credentials, trusting)) as pair:
        pair.open()
        most = []
        pair.stream.speak = lambda: most.append(pair.stream._outgoing.pending)  # the drainer is busy: nothing goes out
        for _ in range(5000):
            key_update(pair.client.tls)
        flood = pair.client.outgoing.read()

        def send_flood():
            with contextlib.suppress(OSError):  # it is cut off in the middle
                pair.client.send(flood)

        with in_thread(send_flood):
            with pytest.raises(OSError, match="more than it reads"):
                while pair.stream.recv(4096):
                    pass
            pair.ours.close()
        assert len(flood) > max(most) > stream.MAX_WORDS_BYTES
        assert max(most) < stream.MAX_WORDS_BYTES + 2 * stream.RECV_BYTES


def test_who_asks_for_new_keys_and_reads_the_answers_goes_on(credentials, trusting):
    with contextlib.closing(Pair(credentials, trusting)) as pair:
        pair.open()
        for number in range(50):
            key_update(pair.client.tls)
            pair.client.run(pair.client.tls.write, b"%d" % number)
            assert pair.stream.recv(100) == b"%d" % number
            pair.send(b"%d" % number)
            assert pair.client.run(pair.client.tls.read, 100) == b"%d" % number
