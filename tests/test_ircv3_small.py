"""Small extensions: pre-away, no-implicit-names, extended-isupport, standard-replies, sts, and REHASH with TLS."""

import shutil
from types import SimpleNamespace

import pytest

from extras.irc.server import IrcServer, parser
from extras.tls.credentials import Credentials


def test_away_before_the_registration_counts_after_it(irc):
    wire = irc.wire()
    wire.ask("CAP LS 302")
    assert wire.codes("AWAY :x") == ["451"], "not without the capability"
    assert wire.codes("CAP REQ draft/pre-away", "NICK alice", "USER a 0 * :A", "AWAY *") == ["CAP", "306"]
    wire.send("CAP END")
    wire.read_until("376")
    assert irc.client("bob").lines("PRIVMSG alice :hi") == ["301 alice *"]
    assert wire.codes("AWAY")[-1] == "305"


def test_who_wants_no_names_gets_none_until_it_asks(irc):
    alice = irc.client("alice", caps="no-implicit-names")
    assert alice.codes("JOIN #tea") == ["JOIN"]
    assert alice.codes("NAMES #tea") == ["353", "366"]


def test_isupport_comes_before_the_registration_in_one_batch(irc):
    wire = irc.wire()
    wire.ask("CAP LS 302")
    assert wire.codes("ISUPPORT") == ["451"]
    wire.ask("CAP REQ :batch draft/extended-isupport")
    start, *tokens, end = wire.ask("ISUPPORT")
    assert start.params[1] == "draft/isupport" and end.params == ["-" + start.params[0][1:]]
    assert {message.command for message in tokens} == {"005"}
    assert {message.tags["batch"] for message in tokens} == {start.params[0][1:]}
    assert any("NETWORK=ExampleNet" in message.params for message in tokens)
    wire.send("NICK alice\r\nUSER a 0 * :A\r\nCAP END")
    welcome = wire.read_until("376")
    assert all("batch" in message.tags for message in welcome if message.command == "005")


def test_without_batch_isupport_is_plain(irc):
    assert set(irc.client("alice").codes("ISUPPORT")) == {"005"}


@pytest.fixture
def with_tls(irc):
    """Start a server that has a port for TLS, as far as it knows."""

    def start(**options):
        server = irc.start(options=options)
        server.tls_door = SimpleNamespace(server_address=("127.0.0.1", 6697))
        return server

    return start


def offered(wire, version="302"):
    return [name for got in wire.ask(f"CAP LS {version}") for name in got.text.split()]


def test_sts_tells_the_port_and_the_time(irc, with_tls):
    with_tls(sts=300)
    assert "sts=duration=300,port=6697" in offered(irc.wire())
    assert not any(name.startswith("sts") for name in offered(irc.wire(), "301")), "it is nothing without its value"
    assert [message.params[1] for message in irc.wire().ask("CAP REQ sts")] == ["NAK"]


def test_sts_0_ends_the_policy_and_sends_nobody_to_a_port(irc, with_tls):
    with_tls(sts=0)
    assert [name for name in offered(irc.wire()) if name.startswith("sts")] == ["sts=duration=0"]


@pytest.mark.parametrize("text, value", [("0", 0), ("300", 300), ("-1", None), ("soon", None), ("1.5", None)])
def test_the_flag_takes_seconds(text, value, capsys):
    if value is None:
        with pytest.raises(SystemExit):
            parser().parse_args(["--sts", text])
        assert "is not a number of seconds" in capsys.readouterr().err
    else:
        assert parser().parse_args(["--sts", text]).sts == value


def test_no_sts_without_the_flag_or_without_tls(irc, with_tls):
    with_tls()
    assert not any(name.startswith("sts") for name in offered(irc.wire()))
    irc.start(options={"sts": 300})
    assert not any(name.startswith("sts") for name in offered(irc.wire()))


def test_rehash_reads_the_certificate_again(irc, certificates, tmp_path):
    pem = tmp_path / "cert.pem"
    shutil.copy(certificates / "ours.pem", pem)
    server = irc.start()
    server.credentials = Credentials(str(pem))
    before = server.credentials._contexts
    root = irc.client("root")
    assert root.codes("REHASH") == ["481"] and server.credentials._contexts is before
    root.ask("OPER root secret")
    assert root.codes("REHASH") == ["382"]
    assert server.credentials._contexts is not before
    pem.write_text("no certificate")
    before = server.credentials._contexts
    assert root.codes("REHASH") == ["382"]
    assert server.credentials._contexts is before, "bad ones leave the old ones"


def test_sts_without_a_certificate_is_said_at_the_start():
    with pytest.raises(ValueError, match="--sts wants --tls-cert"):
        IrcServer(("127.0.0.1", 0), options={"sts": 300, "tls_cert": None})
