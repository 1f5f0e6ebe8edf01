"""Certificates of clients: what they log in to, what WHOIS tells of them, and who is not asked for one."""

import hashlib
import socket
import ssl

import pytest

from extras.irc.server import IrcServer
from extras.tls import client_certificate
from extras.tls.credentials import Credentials
from extras.tls.server import TlsChatServer
from tests.certificates import make
from tests.irc_wire import IrcWire
from tests.ircv3_accounts import codes, login
from tests.servers import running
from tests.tls_house import with_tls
from tests.wire import DEADLINE_S

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("cheap"),
    pytest.mark.skipif(not client_certificate.can_ask(), reason="this Python does not let us ask for certificates"),
]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class TlsWire(IrcWire):
    """A client with TLS, and perhaps a certificate of its own."""

    def __init__(self, server, context, nick=""):
        plain = socket.create_connection(server.tls_door.server_address, timeout=DEADLINE_S)
        super().__init__(None, nick, context.wrap_socket(plain, server_hostname="localhost"))

    def enter(self, nick):
        self.ask("CAP LS 302", "CAP REQ sasl", f"NICK {nick}", f"USER {nick} 0 * :r", "CAP END")
        return self


@pytest.fixture
def server(credentials):
    with running(
        with_tls(IrcServer)(("127.0.0.1", 0), credentials, name="irc.test", options={"oper": [("root", "secret")]})
    ) as server:
        yield server


@pytest.fixture
def dial(server, certificates, tmp_path):
    """dial(name, version) -> a wire whose client has a certificate of this name, signed by itself, and the fingerprint."""
    wires = []

    def dial(name="", version=VERSIONS[1]):
        context = ssl.create_default_context(cafile=certificates / "ours.pem")
        context.maximum_version = version
        fingerprint = ""
        if name:
            pem = make(tmp_path, name)
            context.load_cert_chain(pem)
            fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert((tmp_path / f"{name}.crt").read_text())).hexdigest()
        wires.append(TlsWire(server, context))
        return wires[-1], fingerprint

    yield dial
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_that_nobody_has_signed_logs_its_owner_in(dial, version):
    wire, fingerprint = dial("alice", version)
    wire.enter("alice").ask("NS REGISTER sesame", "NS CERT ADD")
    assert f"276 alice has client certificate fingerprint {fingerprint}" in wire.lines("WHOIS alice")
    wire.close()
    again, _ = dial("alice2", version)
    again.enter("eve")
    assert codes(again, "AUTHENTICATE EXTERNAL", "AUTHENTICATE +") == ["904"], "another certificate"


def test_external_acts_as_the_certificates_account_only(dial, server):
    wire, fingerprint = dial("alice")
    assert "sasl=PLAIN,SCRAM-SHA-256,EXTERNAL" in " ".join(message.text for message in wire.ask("CAP LS 302"))
    wire.enter("alice").ask("NS REGISTER sesame", f"NS CERT ADD {fingerprint}")
    assert codes(wire, "AUTHENTICATE EXTERNAL", "AUTHENTICATE +") == ["900", "903"]
    assert codes(wire, "AUTHENTICATE EXTERNAL", "AUTHENTICATE QWxpY2U=") == ["900", "903"]
    assert codes(wire, "AUTHENTICATE EXTERNAL", "AUTHENTICATE Ym9i") == ["904"]
    wire.ask("NS CERT DEL")
    assert codes(wire, "AUTHENTICATE EXTERNAL", "AUTHENTICATE +") == ["904"]


def test_without_a_certificate_or_without_tls_external_fails_and_the_rest_works(dial, server):
    wire, _ = dial()
    wire.enter("carol")
    assert codes(wire, "AUTHENTICATE EXTERNAL", "AUTHENTICATE +") == ["904"]
    wire.ask("NS REGISTER sesame")
    assert login(wire, "carol") == ["900", "903"]
    with IrcWire(server.server_address) as plain:
        plain.ask("CAP REQ sasl", "NICK dave", "USER d 0 * :r", "CAP END")
        assert codes(plain, "AUTHENTICATE EXTERNAL", "AUTHENTICATE +") == ["904"]
        assert [message.params[1:3] for message in plain.ask("WHOIS carol") if message.command == "671"]
        assert "671" not in wire.codes("WHOIS dave") and "276" not in plain.codes("WHOIS carol")


def test_a_fingerprint_is_for_its_owner_and_operators(dial, server):
    wire, fingerprint = dial("alice")
    wire.enter("alice")
    with IrcWire(server.server_address) as other:
        other.ask("NICK bob", "USER b 0 * :r")
        assert "276" not in other.codes("WHOIS alice")
        other.ask("OPER root secret")
        assert f"276 alice has client certificate fingerprint {fingerprint}" in other.lines("WHOIS alice")


def test_who_is_asked_for_a_certificate_also_when_ours_was_renewed(server, credentials):
    assert server.tls_door.stream == credentials.asking_stream
    with running(with_tls(TlsChatServer)(("127.0.0.1", 0), credentials)) as chat:
        assert chat.tls_door.stream == credentials.stream
    for _ in range(2):
        assert [context.verify_mode for context in credentials._contexts] == [ssl.CERT_NONE, ssl.CERT_OPTIONAL]
        credentials.renew()


def test_where_python_cannot_ask_nobody_is_offered_external(monkeypatch, certificates):
    monkeypatch.setattr(client_certificate, "set_judge", None)
    credentials = Credentials(str(certificates / "ours.pem"))
    with running(with_tls(IrcServer)(("127.0.0.1", 0), credentials)) as server, IrcWire(server.server_address) as wire:
        assert "EXTERNAL" not in " ".join(message.text for message in wire.ask("CAP LS 302"))
