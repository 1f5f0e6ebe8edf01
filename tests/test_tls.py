"""TLS: the stream, the doors, renewed certificates, the flags; with Python's client, openssl, irssi and WeeChat."""

import argparse
import contextlib
import ctypes
import logging
import os
import select
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
from extras.tls.tls_server import add_tls_flags
from step5_server.line_server import server_parser
from step6_client.trust import connect_tls
from tests.certificates import FOR_US, make
from tests.chapter import ROOT
from tests.irc_wire import IrcWire, short
from tests.servers import running
from tests.test_irc_clients import IRSSI_CONFIG, Tmux, need, wait_for
from tests.tls_house import with_tls
from tests.wire import Wire

pytestmark = pytest.mark.long  # some ten seconds, which a learner need not wait for

DEADLINE_S = 10
MUCH = bytes(range(256)) * 1024  # a quarter of a megabyte: many records
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
WRONG_PORT = b"ERR unavailable this port is for TLS\n"


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
        except BaseException as error:  # noqa: BLE001 (for the main thread to raise)
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
            self.ours.sendall(self.stream.seal([data]))

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


def test_all_records_that_have_come_are_read_at_once_and_what_is_wrong_behind_them_is_noticed(pair):
    pair.open()
    for line in b"one\n", b"two\n", b"three\n":
        pair.client.tls.write(line)
    pair.client.send(pair.client.outgoing.read() + b"nonsense" * 10)
    assert pair.stream.recv(4096) == b"one\ntwo\nthree\n"
    with pytest.raises(OSError, match="TLS: "):
        pair.stream.recv(4096)


def test_a_record_is_read_in_pieces_as_small_as_they_are_wanted(pair):
    pair.open()
    pair.client.run(pair.client.tls.write, b"hello")
    assert [pair.stream.recv(2) for _ in range(3)] == [b"he", b"ll", b"o"]


def test_all_records_that_came_whole_are_read_at_once(pair):
    """A client may send each line in a record of its own; fifty of them are still one chunk."""
    pair.open()
    for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
        pair.client.tls.write(line)
    sealed = pair.client.outgoing.read()
    pair.client.send(sealed[:-1])
    assert [pair.stream.recv(6), pair.stream.recv(4096)] == [b"one\ntw", b"o\nthree\n"]
    pair.client.send(sealed[-1:])
    assert pair.stream.recv(4096) == b"four\n"


def test_the_words_before_a_goodbye_are_read_and_then_the_goodbye(pair):
    pair.open()
    pair.client.tls.write(b"bye\n")
    pair.client.say_goodbye()
    assert [pair.stream.recv(4096), pair.stream.recv(4096)] == [b"bye\n", b""]


def test_the_words_before_a_record_that_is_forged_are_read_and_then_it_is_found(pair):
    pair.open()
    pair.client.tls.write(b"one\n")
    pair.client.send(pair.client.outgoing.read() + b"\x17\3\3\0\x20" + bytes(32))
    assert pair.stream.recv(4096) == b"one\n"
    with pytest.raises(OSError, match="TLS: "):
        pair.stream.recv(4096)


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
    assert pair.stream.seal([b"secret"]) == b""
    pair.client.send(b"\x16\x03")
    assert pair.stream.seal([b"secret"]) == b"" == pair.stream.seal_end()


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
    assert pair.stream.recv(4096) == b"x" * 100
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
    assert b"who is there?" not in pair.stream.seal([b"who is there?"]), "nor do others stumble over it"
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        pair.client.run(pair.client.tls.read, 100)


def test_whoever_sends_never_stumbles_over_a_peer_that_breaks_the_rules(pair):
    """The postman carries the lines of all: an exception would be the end of it."""
    pair.open()

    class Broken:
        def write(self, *data):
            raise ssl.SSLError("protocol is shutdown")

        unwrap = write

    pair.stream._tls = Broken()
    assert pair.stream.seal([b"hello"]) == b"" == pair.stream.seal_end()


def test_one_thread_at_a_time_is_in_openssl(pair):
    pair.open()
    reading, sealed, met = threading.Event(), threading.Event(), []

    class Slow:
        def pending(self):
            return 0

        def read(self, size):
            reading.set()
            met.append(sealed.wait(0.1))
            return b"x"

        def write(self, data):
            sealed.set()

    pair.stream._tls = Slow()
    with in_thread(lambda: pair.stream.recv(100)):
        assert reading.wait(DEADLINE_S)
        pair.stream.seal([b"hello"])
    assert met == [False]


def test_what_many_lines_need_is_not_kept_for_ever(pair):
    """A MemoryBIO keeps as much memory as it ever needed: so it may never need much."""
    pair.open()
    most, outgoing = [], pair.stream._outgoing

    class Watched:
        def read(self):
            most.append(outgoing.pending)
            return outgoing.read()

    pair.stream._outgoing = Watched()
    assert len(pair.stream.seal([MUCH])) > len(MUCH)
    assert max(most) < 17_000, "a record, and its head"


@pytest.mark.parametrize(
    "hello", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x16GET / HTTP"]
)
def test_a_hello_that_is_none_is_an_error_in_words(pair, hello):
    pair.client.send(hello)
    pair.client.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(OSError, match="TLS"):
        pair.stream.open()


def key_update(tls) -> None:
    """Ask for a new key, and for one of the peer's.  Python has no call for it; OpenSSL has."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    if not (has_gil and sys.version_info < (3, 14) and sys.platform == "linux"):
        pytest.skip("looks into the objects of CPython up to 3.13 with a GIL, on Linux")
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


# The server


def test_users_with_tls_and_without_are_on_one_server(house, dial, connect):
    server = house()
    alice, bob = dial(server, "alice"), connect(server, "bob")
    alice.ask("LOGIN alice", "OK ...")
    bob.ask("LOGIN bob", "OK ...")
    alice.ask("MSG bob hello", "OK")
    bob.expect("MSG alice hello")
    bob.ask("MSG alice " + "x" * 900, "OK")
    alice.expect("MSG bob " + "x" * 900)


def test_rooms_are_open_to_both(house, dial, connect):
    server = house(RoomsServer)
    alice, bob = dial(server, "alice"), connect(server, "bob")
    alice.ask("LOGIN alice", "OK ...")
    bob.ask("LOGIN bob", "OK ...", "USERS alice")
    alice.expect("ONLINE bob")
    alice.ask("JOIN tea", "MEMBERS tea alice", "OK")
    bob.ask("JOIN tea", "MEMBERS tea alice bob", "OK")
    alice.expect("JOINED tea bob")
    bob.send(*[f"SAY tea {number}" for number in range(100)])
    bob.expect(*["OK"] * 100)
    alice.expect(*[f"SAY tea bob {number}" for number in range(100)])


def test_openssls_own_client_holds_a_session(house, certificates):
    server = house()
    port = server.tls_door.server_address[1]
    with subprocess.Popen(
        f"openssl s_client -quiet -verify_return_error -verify_hostname localhost -CAfile {certificates / 'ours.pem'}"
        f" -connect 127.0.0.1:{port}".split(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        told = client.communicate(b"LOGIN alice\nMSG alice hi\nLOGOUT\n", timeout=DEADLINE_S)[0]
    assert told == b"OK welcome, alice\nMSG alice hi\nOK\nOK bye\n" and client.returncode == 0


def test_older_versions_than_tls_1_2_are_refused(house, trusting, dial):
    # Such a client refuses itself, unless it is told to take what is weak.
    trusting.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        dial(house())


@pytest.mark.parametrize(
    "server_class, says, words",
    [
        (TlsChatServer, b"LOGIN alice\n", WRONG_PORT),
        (RoomsServer, b"LOGIN alice\nHELP\n" + b"x" * 5000, WRONG_PORT),
        (IrcServer, b"NICK alice\r\n", b"ERROR :Closing Link: 127.0.0.1 (this port is for TLS)\r\n"),
    ],
)
def test_who_comes_without_tls_to_its_port_is_told_so_in_plain_text(house, dial, caplog, server_class, says, words):
    server = house(server_class)
    alice = dial(server, "alice", tls=False)
    alice.send(says)
    alice.expect_end(words)
    assert "-: this port is for TLS: sent away" in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("server_class", [TlsChatServer, RoomsServer, IrcServer])
def test_who_comes_with_tls_to_a_port_without_is_told_so_at_once(house, trusting, caplog, server_class):
    server = house(server_class)
    with socket.create_connection(server.server_address, timeout=DEADLINE_S) as sock:
        with pytest.raises(ssl.SSLError, match="(?i)wrong.version.number"):
            trusting.wrap_socket(sock, server_hostname="localhost")
    assert "-: this port is without TLS: sent away" in caplog.text and "Traceback" not in caplog.text


def test_a_line_of_text_that_only_begins_like_a_hello_is_answered(house, connect):
    connect(house()).ask(b"\x16HELP\n", "ERR unknown-command ...")


def test_a_client_that_dribbles_its_hello_is_served(house, trusting):
    server = house()
    with socket.create_connection(server.tls_door.server_address) as sock:
        client = Client(sock, trusting)
        client.run(client.tls.do_handshake, piece=1)
        client.run(client.tls.write, b"HELP\n", piece=1)
        assert client.run(client.tls.read, 100).startswith(b"OK")


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02"], ids=["nothing", "half a hello"])
def test_who_does_not_end_its_hello_is_sent_away_in_time_and_delays_nobody(house, dial, caplog, hello):
    caplog.set_level(logging.INFO)
    server = house(login_timeout_s=0.3)
    silent = dial(server, "silent", tls=False)
    silent.send(hello)
    with dial(server, "alice") as alice:
        alice.ask("LOGIN alice", "OK ...")
        silent.expect_end()
        alice.fence()
    silent.close()
    alice.close()
    wait_until_empty(server)
    assert "-: closed: login-timeout" in caplog.text


def wait_until_empty(server):
    """Wait until the server has done with all its clients, and so has said why."""
    with server.registry.lock:
        assert server._all_gone.wait_for(lambda: not server._leaving | server._serving, DEADLINE_S)


def test_the_login_timeout_is_told_over_tls(house, dial):
    server = house(login_timeout_s=0.1)
    dial(server).expect_end(b"ERR login-timeout no LOGIN in time\n")


def test_server_full_is_told_over_tls(house, dial):
    server = house(max_clients=1)
    alice = dial(server, "alice")
    alice.fence()
    dial(server, "bob").expect_end(b"ERR server-full too many clients, try again later\n")
    alice.fence()


def test_who_is_refused_and_does_not_shake_hands_keeps_no_thread(house, dial, monkeypatch):
    monkeypatch.setattr("step5_server.connection.LINGER_S", 0.1)
    server = house(max_clients=1)
    dial(server, "alice").fence()
    dial(server, "silent", tls=False).expect_end()


def test_of_those_who_are_refused_only_some_may_take_their_time_to_shake_hands(house, dial, monkeypatch):
    monkeypatch.setattr("step5_server.line_server.MAX_LINGERING", 3)
    monkeypatch.setattr("step5_server.connection.LINGER_S", 600)
    server = house(max_clients=1)
    dial(server, "alice").fence()
    silent = [dial(server, "silent", tls=False) for _ in range(4)]  # a thread each, as long as they may
    assert select.select([wire.sock for wire in silent], [], [], DEADLINE_S)[0], "one of them is sent away at once"


def test_what_was_acknowledged_arrives_when_the_server_stops_and_the_end_is_clean(certificates, credentials):
    server = with_tls(TlsChatServer)(("127.0.0.1", 0), credentials)
    with running(server):
        with connect_tls("localhost", server.tls_door.server_address[1], certificates / "ours.pem") as sock:
            alice = Wire(None, "alice", sock=OnlyThis(sock))
            alice.ask("LOGIN alice", "OK ...")
            alice.send(*["MSG alice " + "x" * 900] * 500)
            came = []
            with in_thread(lambda: came.append(alice.read_to_eof())):
                server.stop()
    lines = came[0].splitlines()
    assert lines[-1] == b"ERR shutting-down the server is stopping"
    assert lines[:-1] == [line for _ in range(lines.count(b"OK")) for line in (b"MSG alice " + b"x" * 900, b"OK")]
    assert not alice.was_reset, "a cut cable, for a client that knows TLS"


def test_a_server_stops_though_somebody_never_ends_his_handshake(credentials, trusting):
    server = with_tls(TlsChatServer)(("127.0.0.1", 0), credentials)
    with contextlib.ExitStack() as stack:
        with running(server):
            address = server.tls_door.server_address
            silent, half = (
                stack.enter_context(socket.create_connection(address, timeout=DEADLINE_S)) for _ in range(2)
            )
            half.sendall(b"\x16\x03\x01\x02")
            with trusting.wrap_socket(socket.create_connection(address), server_hostname="localhost") as alice:
                alice.sendall(b"HELP\n")
                assert alice.recv(2) == b"OK"  # she came last: the others are being served by now
        assert silent.recv(1) == b"" == half.recv(1)


class OnlyThis:
    """Step 6's TlsSocket, with what a Wire wants of a socket besides."""

    def __init__(self, sock):
        self.recv, self.sendall, self.shutdown, self.close = sock.recv, sock.sendall, sock.shutdown, sock.close
        sock._sock.settimeout(DEADLINE_S)

    def settimeout(self, seconds):
        pass

    def setsockopt(self, *option):
        pass

    def gettimeout(self):
        return DEADLINE_S


@pytest.mark.parametrize("last", [b"LOGOUT\n", b""], ids=["LOGOUT", "half-close"])
def test_a_clean_end_is_said_in_tls_after_all_replies(house, certificates, last):
    server = house()
    with connect_tls("localhost", server.tls_door.server_address[1], certificates / "ours.pem") as sock:
        alice = Wire(None, "alice", sock=OnlyThis(sock))
        alice.send(b"LOGIN alice\n" + b"MSG alice hi\n" * 1000 + last)
        if not last:
            alice.send_eof()
        came = alice.read_to_eof()
    assert came == b"OK welcome, alice\n" + b"MSG alice hi\nOK\n" * 1000 + (b"OK bye\n" if last else b"")
    assert not alice.was_reset


@pytest.mark.usefixtures("impatient")
def test_who_does_not_read_is_cut_off_and_delays_nobody(house, dial):
    server = house(max_pending_bytes=100_000)
    alice, bob, carol = (dial(server, name) for name in ("alice", "bob", "carol"))
    for wire in (alice, bob, carol):
        wire.ask(f"LOGIN {wire.name}", "OK ...")
    replies = {"OK"}
    while replies == {"OK"}:
        alice.send((b"MSG bob " + b"x" * 1000 + b"\n") * 100)
        replies = {alice.read_line() for _ in range(100)}
        carol.ask("MSG alice still here?", "OK")
        alice.expect("MSG carol still here?")
    assert replies <= {"OK", "ERR no-such-user nobody here has that name"}
    came = bob.read_to_eof()
    line = b"MSG alice " + b"x" * 1000 + b"\n"
    assert came == line * came.count(line) + b"ERR too-slow more is sent to you than you read\n", (
        "no half line, no reset"
    )
    carol.fence()


@pytest.mark.parametrize("end", ["RST", "EOF"])
def test_a_client_may_vanish_anywhere_in_the_handshake(house, trusting, dial, caplog, end):
    caplog.set_level(logging.INFO)
    server = house()
    whole = []  # what a client sends until it can talk
    with socket.create_connection(server.tls_door.server_address) as sock:
        client = Client(sock, trusting)
        client.send = lambda data, piece: (whole.append(data), sock.sendall(data))
        client.run(client.tls.do_handshake)
    length = sum(map(len, whole))
    wait_until_empty(server)
    caplog.clear()
    for cut in [*range(0, length, 97), length - 1]:
        with socket.create_connection(server.tls_door.server_address) as sock:
            client, left = Client(sock, trusting), cut

            def send(data, piece):
                nonlocal left
                sock.sendall(data[:left])
                if len(data) > left:
                    raise ConnectionAbortedError("as far as it goes")
                left -= len(data)

            client.send = send
            with contextlib.suppress(ConnectionAbortedError):
                client.run(client.tls.do_handshake)
            if end == "RST":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until_empty(server)
    dial(server).ask("LOGIN alice", "OK ...")
    assert "Traceback" not in caplog.text and "a bug of ours" not in caplog.text
    reasons = {line.partition("closed: ")[2] for line in caplog.messages if "closed: " in line}
    assert reasons <= {"EOF before the end of the TLS handshake", "Connection reset by peer"} and reasons


def test_in_the_naive_server_a_silent_client_keeps_all_others_out(serve, certificates, trusting):
    def naive(address):
        server = NaiveServer(address)
        server.wrap(certificates / "ours.pem")
        return server

    server = serve(naive)
    with socket.create_connection(server.server_address) as silent:
        with socket.create_connection(server.server_address, timeout=0.3) as sock, pytest.raises(TimeoutError):
            trusting.wrap_socket(sock, server_hostname="localhost")
        silent.close()
    with socket.create_connection(server.server_address, timeout=DEADLINE_S) as sock:
        with trusting.wrap_socket(sock, server_hostname="localhost") as alice:
            alice.sendall(b"hello")
            assert alice.recv(100) == b"hello"


def test_without_its_files_the_naive_server_says_which_it_wants(capsys):
    args = argparse.Namespace(host="127.0.0.1", port=0, cert="none.pem", key="key.pem")
    with pytest.raises(SystemExit):
        NaiveServer.from_args(args)
    assert capsys.readouterr().err.startswith("no TLS with none.pem and key.pem: No such file or directory; ")


@pytest.mark.long
def test_a_thousand_handshakes_at_once(house, trusting):
    server = house(max_clients=1100)
    socks = []
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            socks.append(stack.enter_context(socket.create_connection(server.tls_door.server_address)))
        clients = [Client(sock, trusting) for sock in socks]
        for client in clients:  # all hellos first, and only then the rest
            with contextlib.suppress(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.send(client.outgoing.read())
        for client in clients:
            client.run(client.tls.do_handshake)
        for number, client in enumerate(clients):
            client.run(client.tls.write, b"LOGIN user%d\n" % number)
        for number, client in enumerate(clients):
            assert client.run(client.tls.read, 100) == b"OK welcome, user%d\n" % number


# Renewal


def test_a_renewed_certificate_is_shown_to_who_comes_next_and_nobody_is_lost(
    house, dial, certificates, tmp_path, caplog
):
    files = tmp_path / "live.pem"
    files.write_bytes((certificates / "ours.pem").read_bytes())
    credentials = Credentials(str(files))
    server = house()
    server.tls_door.stream = credentials.stream
    alice = dial(server, "alice")
    alice.ask("LOGIN alice", "OK ...")
    files.write_bytes(make(tmp_path, "renewed", "-addext", FOR_US).read_bytes())
    credentials.renew()
    with pytest.raises(ssl.SSLCertVerificationError, match="self.signed certificate"):
        dial(server, "bob, who trusts the old one only")
    alice.fence()
    for bad in (b"", b"nonsense", (certificates / "ours.pem").read_bytes().partition(b"-----BEGIN CERT")[0]):
        files.write_bytes(bad)
        credentials.renew()
        assert caplog.messages[-1].startswith("the old certificate stays: ")
    trusting = ssl.create_default_context(cafile=tmp_path / "renewed.pem")
    with socket.create_connection(server.tls_door.server_address, timeout=DEADLINE_S) as sock:
        with trusting.wrap_socket(sock, server_hostname="localhost") as carol:
            carol.sendall(b"HELP\n")
            assert carol.recv(10) == b"OK LOGIN M"[:10]


def test_sighup_renews_and_ends_nothing(certificates, tmp_path):
    files = tmp_path / "live.pem"
    files.write_bytes((certificates / "ours.pem").read_bytes())
    with server_process("--tls-cert", files, "-v") as (server, _, port):
        with connect_tls("localhost", port, files) as alice:
            files.write_bytes(make(tmp_path, "renewed", "-addext", FOR_US).read_bytes())
            server.send_signal(signal.SIGHUP)
            while b"loaded again" not in (line := server.stderr.readline()):
                assert line, "it has ended"
            connect_tls("localhost", port, files).close()
            alice.sendall(b"LOGIN alice\n")
            assert alice.recv(100) == b"OK welcome, alice\n"


# The command line


@contextlib.contextmanager
def server_process(*flags, script="extras/tls/server.py"):
    """Run a server; yield its process, and its two ports."""
    with subprocess.Popen(
        [sys.executable, ROOT / script, "--port", "0", "--tls-port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        try:
            plain, tls = server.stdout.readline().split(), server.stdout.readline().split()
            assert plain[:2] == [b"listening", b"on"] == tls[:2] and tls[3:] == [b"with", b"TLS"]
            server.tls_host = tls[2].rpartition(b":")[0]
            yield server, *(int(line[2].rpartition(b":")[2]) for line in (plain, tls))
        finally:
            server.terminate()
            server.wait(DEADLINE_S)
        assert server.returncode == 0 and b"Traceback" not in server.stderr.read()


def test_tls_may_be_for_another_address_than_the_rest(certificates):
    with server_process("--tls-cert", certificates / "ours.pem", "--tls-host", "::1") as (server, _, tls):
        assert server.tls_host == b"[::1]"
        socket.create_connection(("::1", tls)).close()


@pytest.mark.parametrize("script", ["tls", "broadcast", "presence", "rooms"])
def test_every_server_with_doors_takes_the_flags_and_says_where_it_listens(certificates, script):
    with server_process("--tls-cert", certificates / "ours.pem", script=f"extras/{script}/server.py") as (
        _,
        plain,
        tls,
    ):
        with connect_tls("localhost", tls, certificates / "ours.pem") as sock:
            sock.sendall(b"HELP\n")
            assert sock.recv(2) == b"OK"
        with Wire(("127.0.0.1", plain)) as wire:
            wire.fence()


def test_the_irc_server_takes_the_flags(certificates):
    with server_process("--tls-cert", certificates / "ours.pem", script="extras/irc/server.py") as (_, _plain, tls):
        with connect_tls("localhost", tls, certificates / "ours.pem") as sock:
            sock.sendall(b"NICK alice\r\nUSER a 0 * :A\r\n")
            assert b" 001 alice :Welcome" in sock.recv(1000)


def from_command_line(*words):
    parser = server_parser("Serve a chat.")
    add_tls_flags(parser)
    return TlsChatServer.from_args(parser.parse_args(["--port", "0", *map(str, words)]))


@pytest.fixture
def files(certificates, tmp_path):
    """A folder with good and bad files."""
    both = (certificates / "ours.pem").read_text()
    key, cert = both[: both.index("-----BEGIN CERT")], both[both.index("-----BEGIN CERT") :]
    other = (certificates / "other.pem").read_text()
    (tmp_path / "both").write_text(both)
    (tmp_path / "key").write_text(key)
    (tmp_path / "cert").write_text(cert)
    (tmp_path / "other_key").write_text(other[: other.index("-----BEGIN CERT")])
    (tmp_path / "nonsense").write_text("nonsense")
    (tmp_path / "folder").mkdir()
    subprocess.run(
        ["openssl", "ec", "-in", tmp_path / "key", "-aes128", "-passout", "pass:x", "-out", tmp_path / "locked"],
        check=True,
        capture_output=True,
    )
    return tmp_path


@pytest.mark.parametrize(
    "flags, why",
    [
        ("--tls-key key", "--tls-key, --tls-port and --tls-host want --tls-cert, too"),
        ("--tls-port 0", "--tls-key, --tls-port and --tls-host want --tls-cert, too"),
        ("--tls-host ::1", "--tls-key, --tls-port and --tls-host want --tls-cert, too"),
        ("--tls-cert none", "no TLS: none: No such file or directory"),
        ("--tls-cert cert --tls-key none", "no TLS: none: No such file or directory"),
        ("--tls-cert folder", "no TLS: folder: Is a directory"),
        ("--tls-cert nonsense", "no TLS: nonsense: a certificate and its private key are needed, both PEM"),
        (
            "--tls-cert cert",
            "no TLS: cert: a certificate and its private key are needed, both PEM...; --tls-key names ...",
        ),
        (
            "--tls-cert key --tls-key cert",
            "no TLS: key and cert: a certificate and its private key are needed, both PEM",
        ),
        ("--tls-cert cert --tls-key other_key", "no TLS: cert and other_key: this key is not the certificate's"),
        ("--tls-cert cert --tls-key locked", "no TLS: the key has a password: ..."),
        (
            "--tls-cert both --tls-port TAKEN",
            "cannot listen on 127.0.0.1:TAKEN: the port is in use, ... with --tls-port ...",
        ),
    ],
)
def test_a_wrong_command_line_is_one_clear_line(files, monkeypatch, capsys, flags, why):
    monkeypatch.chdir(files)
    before = threading.stack_size()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit) as end:
            from_command_line(*flags.replace("TAKEN", port).split())
    threading.stack_size(before)
    told = capsys.readouterr().err.replace(port, "TAKEN")
    assert end.value.code == 1 and told.count("\n") == 1
    parts = why.split("...")
    assert told.startswith(parts[0]) and all(part in told for part in parts)


# A certificate for development


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["certificate.py", "chat.lan", "192.0.2.7"])
    return certificate.main()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "chat.lan", "192.0.2.7", "example.net"])
def test_the_certificate_is_for_this_machine_and_the_names_given_by_the_strictest_rules(made, tmp_path, host):
    strict = ssl.create_default_context(cafile="cert.pem")
    strict.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN  # what Python 3.13 wants
    with contextlib.closing(Pair(Credentials("cert.pem", "key.pem"), strict)) as pair:
        pair.client.tls = strict.wrap_bio(pair.client.incoming, pair.client.outgoing, server_hostname=host)
        if host != "example.net":
            pair.open()
            return
        with in_thread(lambda: pytest.raises(OSError, pair.stream.open)):
            with pytest.raises(ssl.SSLCertVerificationError, match="ostname mismatch"):
                pair.client.run(pair.client.tls.do_handshake)


def test_nobody_can_make_certificates_for_other_names_with_its_key(made, tmp_path):
    def openssl(command):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)

    openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=bank.example -keyout bad.key -out bad.csr"
    )
    (tmp_path / "names").write_text("subjectAltName=DNS:bank.example\n")
    openssl("x509 -req -in bad.csr -CA cert.pem -CAkey key.pem -set_serial 1 -days 1 -extfile names -out bad.pem")
    trusting = ssl.create_default_context(cafile="cert.pem")
    with contextlib.closing(Pair(Credentials("bad.pem", "bad.key"), trusting)) as pair:
        pair.client.tls = trusting.wrap_bio(pair.client.incoming, pair.client.outgoing, server_hostname="bank.example")
        with in_thread(lambda: pytest.raises(OSError, pair.stream.open)):
            with pytest.raises(ssl.SSLCertVerificationError, match="invalid CA certificate|unable to get"):
                pair.client.run(pair.client.tls.do_handshake)


def test_the_key_is_for_its_owner_only_and_neither_file_is_ever_overwritten(made, tmp_path, monkeypatch, capsys):
    assert made == 0
    assert stat.S_IMODE(os.stat("key.pem").st_mode) == 0o600
    before = [(tmp_path / name).read_bytes() for name in ("cert.pem", "key.pem")]
    for argv, kept in (([], "key.pem"), (["--key", "new.pem"], "cert.pem"), (["--cert", "new.pem"], "key.pem")):
        monkeypatch.setattr(sys, "argv", ["certificate.py", *argv])
        capsys.readouterr()
        assert certificate.main() == 1
        assert capsys.readouterr().err == f"{kept} is there already: remove it first, or name another file\n"
    assert sorted(os.listdir()) == ["cert.pem", "key.pem"]
    assert before == [(tmp_path / name).read_bytes() for name in ("cert.pem", "key.pem")]


def test_without_openssl_it_says_so_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["certificate.py"])
    assert certificate.main() == 1
    assert "the program openssl is not installed" in capsys.readouterr().err and os.listdir() == []


@pytest.mark.parametrize(
    "argv, why",
    [
        (["--cert", "a.pem", "--key", "./a.pem"], "the certificate and its key go into two files"),
        (["--key", "none/key.pem"], "none/key.pem: No such file or directory"),
    ],
)
def test_where_no_certificate_can_be_made_it_says_why_and_leaves_nothing(tmp_path, monkeypatch, capsys, argv, why):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["certificate.py", *argv])
    assert certificate.main() == 1
    assert capsys.readouterr().err == f"cannot make a certificate: {why}\n" and os.listdir() == []


# IRC clients


def test_irssi_talks_over_tls_and_checks_the_certificate(house, certificates, tmp_path):
    need("irssi", "tmux")
    (tmp_path / "config").write_text(IRSSI_CONFIG)
    server = house(IrcServer)
    port = server.tls_door.server_address[1]
    with contextlib.closing(Tmux(f"irssi --home={tmp_path} --noconnect")) as irssi:

        def shows(text):
            wait_for(f"{text!r} on irssi's screen", lambda: any(text in line for line in irssi.screen()))

        shows("https://irssi.org")
        connect = f"/connect -tls_verify -tls_cafile {certificates}/%s.pem localhost {port}"
        irssi.type(connect % "other")
        shows("Could not verify TLS servers certificate")
        irssi.type(connect % "ours")
        shows("Welcome to the ExampleNet Network, alice!")
        irssi.type("/join #tea")
        shows("has joined #tea")
        with IrcWire(server.server_address) as bob:
            bob.ask("NICK bob", "USER bob 0 * :Bob", "JOIN #tea", "PRIVMSG #tea :hello from a port without TLS")
            shows("hello from a port without TLS")
            irssi.type("/quit")
            while "QUIT" not in short(bob.read()):
                pass


@contextlib.contextmanager
def weechat_with(server, ca_file, folder):
    """Run a WeeChat that connects to the TLS port and joins #tea; yield what reads the log of a buffer."""
    need("weechat-headless")
    settings = [
        "/set logger.file.flush_delay 0",
        f"/set weechat.network.gnutls_ca_user {ca_file}",
        f"/server add t localhost/{server.tls_door.server_address[1]} -nicks=wanda",
        "/set irc.server.t.ssl on",  # WeeChat 3; it is called tls in WeeChat 4
        "/set irc.server.t.tls on",
        "/set irc.server.t.autojoin #tea",
        "/connect t",
    ]

    def log(buffer):
        path = folder / "logs" / f"irc.{buffer}.weechatlog"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    with subprocess.Popen(
        ["weechat-headless", "-d", folder, *(word for line in settings for word in ("-r", line))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as weechat:
        try:
            yield log
        finally:
            weechat.terminate()
            weechat.wait(DEADLINE_S)


def test_weechat_talks_over_tls(house, certificates, tmp_path):
    server = house(IrcServer)
    with weechat_with(server, certificates / "ours.pem", tmp_path) as log:
        wait_for("WeeChat in the channel", lambda: "has joined #tea" in log("t.#tea"))
        assert "certificate is trusted" in log("server.t")
        with IrcWire(server.server_address) as bob:
            bob.ask("NICK bob", "USER bob 0 * :Bob", "JOIN #tea", "PRIVMSG #tea :hello from a port without TLS")
            wait_for("bob", lambda: "hello from a port without TLS" in log("t.#tea"))


def test_weechat_does_not_trust_any_certificate(house, certificates, tmp_path):
    server = house(IrcServer)
    with weechat_with(server, certificates / "other.pem", tmp_path) as log:
        wait_for("a refusal", lambda: "certificate is NOT trusted" in log("server.t"))
        assert not server.registry.users
