"""Step 6's client over TLS: two threads on one connection, its end, and a server that cannot prove who it is."""

import contextlib
import signal
import socket
import ssl
import sys
import threading

import pytest

from extras.wiretap.direction import Spoiling
from step6_client import tls, trust
from tests.client_process import Client, Conversation, PlayedServer, pty
from tests.servers import tapped_by

pytestmark = pytest.mark.long  # some ten seconds, which a learner need not wait for

DEADLINE_S = 10
MUCH = bytes(range(256)) * 8192  # 2 MB: more than the kernel holds for a peer that does not read
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NETWORKS = {"plain": None, "sliced": Spoiling(slice_bytes=7, slice_gap_s=0), "glued": Spoiling(glue_s=0.002)}


def server_context(certificate, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


@pytest.fixture(params=VERSIONS, ids=["TLS 1.2", "TLS 1.3"])
def context(request, certificates):
    return server_context(certificates / "ours.pem", request.param)


@contextlib.contextmanager
def connected(context, certificates, spoiling=None, greeting=b""):
    """Yield a TlsSocket and the server's SSLSocket at its other end, which says its greeting at once."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listener.getsockname()
        if spoiling:
            address = stack.enter_context(tapped_by(spoiling, address))
        accepted = []

        def accept():
            accepted.append(context.wrap_socket(listener.accept()[0], server_side=True, suppress_ragged_eofs=False))
            accepted[0].settimeout(DEADLINE_S)
            accepted[0].sendall(greeting)

        with running(accept):
            ours = stack.enter_context(trust.connect_tls("localhost", address[1], certificates / "ours.pem"))
        stack.enter_context(accepted[0])
        ours._sock.settimeout(DEADLINE_S)
        yield ours, accepted[0]


@contextlib.contextmanager
def running(work, *args):
    """Run work(*args) in a thread meanwhile; raise what it raised."""
    failures = []

    def run():
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 (for the main thread to raise)
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(DEADLINE_S)
    assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def read_all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))


def end(sock):
    """Say the server's goodbye, and do not wait for the client's."""
    sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        sock.unwrap()
    sock.setblocking(True)


# The socket


@pytest.mark.parametrize("network", NETWORKS)
def test_two_threads_read_and_write_much_at_the_same_time_and_lose_nothing(context, certificates, network):
    much = MUCH if network == "plain" else MUCH[:20_000]
    with connected(context, certificates, NETWORKS[network]) as (ours, theirs):

        def echo():
            while chunk := theirs.recv(65536):
                theirs.sendall(chunk)
            end(theirs)

        def write():
            for start in range(0, len(much), 1000):
                ours.sendall(much[start : start + 1000])
            ours.shutdown(socket.SHUT_WR)

        with running(echo), running(write):
            assert read_all(ours) == much


def test_what_is_sent_in_one_call_arrives_whole_however_long_it_is(context, certificates):
    """OpenSSL takes 16 kB at a time."""
    with connected(context, certificates) as (ours, theirs):

        def write():
            ours.sendall(MUCH)
            ours.shutdown(socket.SHUT_WR)

        with running(write):
            assert read_all(theirs) == MUCH


def test_a_reader_that_waits_does_not_keep_the_writer_from_writing(context, certificates):
    with connected(context, certificates) as (ours, theirs):
        answer = []
        with running(lambda: answer.append(ours.recv(100))) as reader:
            ours.sendall(b"question")
            assert theirs.recv(100) == b"question"
            assert reader.is_alive()
            theirs.sendall(b"answer")
        assert answer == [b"answer"]


def test_after_a_half_close_the_server_sees_the_end_and_all_it_says_still_arrives(context, certificates):
    with connected(context, certificates) as (ours, theirs):
        ours.sendall(b"last words")
        ours.shutdown(socket.SHUT_WR)
        assert read_all(theirs) == b"last words"
        theirs.sendall(b"much ado")
        end(theirs)
        assert read_all(ours) == b"much ado"


def test_what_came_before_the_half_close_and_was_not_read_yet_is_not_lost(context, certificates):
    with connected(context, certificates) as (ours, theirs):
        theirs.sendall(b"early")
        assert ours.recv(1) == b"e"  # the rest is here, too
        theirs.sendall(b", late")
        assert ours._sock.recv(1, socket.MSG_PEEK)  # it has arrived, and waits in the kernel
        ours.shutdown(socket.SHUT_WR)
        end(theirs)
        assert read_all(ours) == b"arly, late"


def test_a_half_close_in_the_middle_of_a_record_loses_nothing(context, certificates):
    with connected(context, certificates) as (ours, theirs):
        theirs.sendall(b"whole")
        sealed = ours._sock.recv(65536)
        ours._incoming.write(sealed[:-9])
        ours._decrypt()
        ours.shutdown(socket.SHUT_WR)
        ours._incoming.write(sealed[-9:])
        ours._decrypt()
        assert ours.recv(100) == b"whole"


def test_the_end_of_the_tcp_connection_alone_is_no_end_but_a_cut(context, certificates):
    with connected(context, certificates) as (ours, theirs):
        theirs.sendall(b"pay 10")
        socket.socket(fileno=theirs.detach()).close()  # FIN, and no goodbye in TLS
        assert ours.recv(100) == b"pay 10"
        with pytest.raises(ConnectionAbortedError, match="cut off"):
            ours.recv(100)


def test_shutting_down_both_ways_wakes_the_reader(context, certificates):
    with connected(context, certificates) as (ours, _theirs):
        woken = []

        def read():
            try:
                ours.recv(100)
            except OSError as error:
                woken.append(error)

        with running(read):
            ours.shutdown(socket.SHUT_RDWR)
        assert woken


def test_a_greeting_in_one_chunk_with_the_end_of_the_handshake_is_read(certificates):
    context = server_context(certificates / "ours.pem", ssl.TLSVersion.TLSv1_2)  # there the server ends it
    with connected(context, certificates, Spoiling(glue_s=0.1), b"welcome") as (ours, _theirs):
        ours._sock.setblocking(False)  # nothing more will come
        assert ours.recv(100) == b"welcome"


def test_no_thread_uses_openssl_without_the_lock(context, certificates):
    with connected(context, certificates) as (ours, theirs):

        class Watched:
            def __getattr__(self, name, tls=ours._tls):
                assert ours._lock.locked(), name
                return getattr(tls, name)

        ours._tls = Watched()
        ours.sendall(b"question")
        theirs.sendall(b"answer")
        assert ours.recv(100) == b"answer"
        ours.shutdown(socket.SHUT_WR)


# The program


@pytest.fixture
def server():
    with PlayedServer() as server:
        yield server


def command(port, *flags, host="localhost"):
    return [sys.executable, "step6_client/client.py", "--host", host, "--port", str(port), *map(str, flags)]


def secured(server, certificate, version=None):
    """Accept the client and shake hands; return the conversation."""
    sock = server.accept().sock
    sock.settimeout(DEADLINE_S)
    server.conversations.append(
        Conversation(
            server_context(certificate, version).wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        )
    )
    return server.conversations[-1]


@pytest.mark.parametrize(
    "terminal",
    [False, pytest.param(True, marks=pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals"))],
    ids=["pipe", "terminal"],
)
@pytest.mark.parametrize("version", VERSIONS, ids=["TLS 1.2", "TLS 1.3"])
def test_one_chats_over_tls_to_the_last_word(server, certificates, version, terminal):
    with Client(
        command(server.port, "--tls", "--ca", certificates / "ours.pem", "--name", "alice"), terminal
    ) as client:
        peer = secured(server, certificates / "ours.pem", version)
        assert peer.sock.version() == version.name.replace("_", ".")
        peer.answer(b"LOGIN alice", b"OK welcome")
        peer.send(b"MSG bob hello\n")
        client.wait_for_line(b"bob", b"hello")
        client.type(b"/msg bob hi\n/quit\n")
        peer.answer(b"MSG bob hi", b"OK")
        peer.answer(b"LOGOUT", b"OK bye")
        peer.expect_end()  # her goodbye
        peer.send(b"MSG bob are you off?\n")
        end(peer.sock)
        client.wait_for_line(b"bob", b"are you off?")
        client.expect_status(0)


def test_the_server_is_told_the_name_that_the_client_means(server, certificates):
    names = []
    context = server_context(certificates / "ours.pem")
    context.sni_callback = lambda sock, name, _: names.append(name)
    with Client(command(server.port, "--tls", "--ca", certificates / "ours.pem")):
        sock = server.accept().sock
        server.conversations.append(
            Conversation(context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False))
        )
    assert names == ["localhost"]


def refused(client, *texts):
    """Check that the client ends with one line on standard error that says all the texts."""
    client.expect_status(1)
    client.expect_no_trace()
    assert client.out.seen == b""
    [line] = client.err.seen.decode().splitlines()
    for text in texts:
        assert text in line, line


@pytest.mark.parametrize(
    "certificate, ca, texts",
    [
        ("ours", None, ["not trusted", "--ca FILE"]),
        ("ours", "other", ["not trusted", "--ca FILE"]),
        ("other", "other", ["certificate is not for", "localhost"]),
        ("old", "old", ["expired"]),
    ],
    ids=["unknown", "another is trusted", "another name", "expired"],
)
def test_a_server_that_does_not_prove_its_name_gets_no_word(server, certificates, certificate, ca, texts):
    flags = ["--tls"] + (["--ca", certificates / f"{ca}.pem"] if ca else [])
    with Client(command(server.port, *flags, "--name", "alice")) as client:
        with pytest.raises(ssl.SSLError, match="(?i)alert"):  # and it is told why
            secured(server, certificates / f"{certificate}.pem").sock.recv(100)
        refused(client, "no TLS with localhost port", *texts)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_address_may_be_the_name(server, certificates, host):
    with Client(command(server.port, "--tls", "--ca", certificates / "ours.pem", "--name", "alice", host=host)):
        secured(server, certificates / "ours.pem").answer(b"LOGIN alice", b"OK welcome")


def test_another_address_of_the_right_server_is_not_its_name(server, certificates):
    flags = ["--tls", "--ca", certificates / "other.pem"]
    with Client(command(server.port, *flags, host="127.0.0.1")) as client:
        with pytest.raises(ssl.SSLError):
            secured(server, certificates / "other.pem").sock.recv(100)
        refused(client, "certificate is not for", "127.0.0.1")


def test_a_server_that_speaks_plain_text_is_told_from_one_with_tls(server, certificates):
    with Client(command(server.port, "--tls")) as client:
        server.accept().send(b"ERR bad-encoding not UTF-8\n")
        refused(client, "speaks no TLS", "without --tls")


@pytest.mark.parametrize("end, text", [("close", "closed the connection"), ("reset", "reset")])
def test_an_end_in_the_handshake_is_one_line(server, end, text):
    with Client(command(server.port, "--tls")) as client:
        peer = server.accept()
        assert peer.sock.recv(65536)  # its hello
        getattr(peer, end)()
        refused(client, "no TLS with localhost port", text)


def test_a_server_that_is_too_old_is_told(server, certificates):
    context = server_context(certificates / "ours.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Client(command(server.port, "--tls", "--ca", certificates / "ours.pem")) as client:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(server.accept().sock, server_side=True, suppress_ragged_eofs=False)
        refused(client, "no TLS with localhost port", "version")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one program")
def test_ctrl_c_ends_a_handshake_that_never_comes(server):
    with Client(command(server.port, "--tls")) as client:
        assert server.accept().sock.recv(65536)
        client.process.send_signal(signal.SIGINT)
        client.expect_status(130)
        assert not client.printed


@pytest.mark.parametrize(
    "dribbled", [b"", b"\x16\x03\x03\x3f\xff\x02\0\0\x46" + b"\3" * 100], ids=["silence", "a dribble"]
)
def test_a_handshake_that_never_ends_is_given_up_in_time(server, monkeypatch, dribbled):
    monkeypatch.setattr(tls, "HANDSHAKE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(trust, "HANDSHAKE_TIMEOUT_S", 0.1)
    over, said_all = threading.Event(), []

    def dribble():
        peer, _ = server.sock.accept()  # not server.accept(): no process connects to it
        with peer, contextlib.suppress(OSError):  # the client has given up
            for start in range(len(dribbled)):
                peer.send(dribbled[start : start + 1])
                over.wait(0.02)  # all would take 2 s, and no pause is as long as the timeout
            said_all.append(not over.is_set() and dribbled)
            over.wait(DEADLINE_S)

    with running(dribble):
        try:
            with pytest.raises(trust.CannotConnect, match="did not answer in 0.1 s"):
                trust.connect_tls("127.0.0.1", server.port)
        finally:
            over.set()
    assert not any(said_all), "the timeout began again with every byte"


@pytest.mark.parametrize(
    "flags, text",
    [
        (["--tls", "--ca", "no-such-file"], "--ca no-such-file: No such file"),
        (["--tls", "--ca", "README.md"], "--ca README.md: no certificate in it"),
        (["--tls", "--ca", "tests"], "--ca tests: "),
    ],
    ids=["no file", "no certificate", "a folder"],
)
def test_a_file_without_certificates_is_told_before_anything_is_sent(server, flags, text):
    with Client(command(server.port, *flags)) as client:
        refused(client, text)


def test_a_name_that_no_certificate_can_have_is_told(server, monkeypatch):
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        monkeypatch.setattr(
            trust, "connect", lambda host, port: sock
        )  # whether it has an address is the system's affair
        with pytest.raises(
            trust.CannotConnect, match="no TLS with .localhost port 1: no certificate can name .localhost"
        ):
            trust.connect_tls(".localhost", 1)
        assert sock.fileno() == -1, "the connection was left open"


def test_whom_to_trust_without_tls_is_a_mistake(server):
    with Client(command(server.port, "--ca", "README.md")) as client:
        client.expect_status(2)
        assert b"error: --ca says whom to trust with TLS: it needs --tls" in client.err.seen


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("alert", [b"", b"\x15\x03\x03\x00\x02\x02\x46"], ids=["in silence", "with an alert"])
def test_without_tls_a_server_that_expects_it_is_guessed(server, alert, end):
    """OpenSSL closes without a word where it expects a handshake; GnuTLS sends an alert, which is no line."""
    with Client(command(server.port, "--name", "alice")) as client:
        peer = server.accept()
        peer.expect(b"LOGIN alice")
        if alert:
            peer.send(alert)
        getattr(peer, end)()
        refused(client, "use --tls")


def test_who_is_told_that_the_port_is_for_tls_is_told_what_to_do_too(server):
    with Client(command(server.port, "--name", "alice")) as client:
        peer = server.accept()
        peer.answer(b"LOGIN alice", b"ERR unavailable this port is for TLS")
        peer.close()
        client.expect_status(1)
        assert client.out.seen.startswith(b"! unavailable: this port is for TLS")
        assert client.err.seen.splitlines() == [b"the server closed the connection; if it expects TLS, use --tls"]


def test_a_server_that_has_spoken_is_not_taken_for_one_that_expects_tls(server):
    with Client(command(server.port, "--name", "alice")) as client:
        peer = server.accept()
        peer.answer(b"LOGIN alice", b"OK welcome")
        client.wait_for(b"welcome")
        peer.close()
        client.expect_status(1)
        assert client.err.seen.splitlines() == [b"the server closed the connection"]
