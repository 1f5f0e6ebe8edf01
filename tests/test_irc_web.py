"""IRC over WebSocket, by the IRCv3 specification: two subprotocols, one message a frame, no CR LF."""

import contextlib
import subprocess
import sys

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from websockets.frames import Opcode

from extras.irc.server import IrcServer
from extras.web.web_door import IRC_FRAMES, open_web_door
from extras.web.website import Website
from tests.chapter import ROOT
from tests.irc_wire import IrcWire
from tests.servers import running
from tests.web_sock import NOT_OPEN, WebSock
from tests.wire import Wire

TEXT, BINARY = "text.ircv3.net", "binary.ircv3.net"

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes


@pytest.fixture
def net():
    """An IRC server with a door for browsers: net(**settings) -> a Net."""
    with contextlib.ExitStack() as stack:

        def start(**settings):
            server = IrcServer(("127.0.0.1", 0), name="irc.test", **settings)
            door = open_web_door(server, ("127.0.0.1", 0), Website(), IRC_FRAMES)
            stack.enter_context(running(server))
            return Net(server, door, stack)

        yield start


class Net:
    """A server and its clients."""

    def __init__(self, server, door, stack):
        self.server, self.door, self._stack = server, door, stack

    def browser(self, nick, *subprotocols, **options):
        """Return the Wire of a client that has registered over WebSocket."""
        address = self.door.server_address
        wire = Wire(address, nick, sock=WebSock(address, subprotocols=subprotocols or None, **options))
        wire.sift = lambda line: "" if line.split(" ")[1] in [f"{code:03}" for code in range(1, 9)] else line
        self._stack.enter_context(wire)
        wire.send(f"NICK {nick}", "USER u 0 * :Real name")
        while " 376 " not in wire.read_line():
            pass
        return wire

    def client(self, nick):
        """Return the IrcWire of a client that has registered over TCP."""
        wire = self._stack.enter_context(IrcWire(self.server.server_address, nick))
        wire.send(f"NICK {nick}\r\nUSER u 0 * :Real name")
        wire.read_until("376", "422")
        return wire


@pytest.mark.parametrize(
    "offered, chosen, opcode",
    [
        ([TEXT], TEXT, Opcode.TEXT),
        ([BINARY], BINARY, Opcode.BINARY),
        ([BINARY, TEXT], BINARY, Opcode.BINARY),
        ([TEXT, BINARY], TEXT, Opcode.TEXT),
        (["chat", TEXT], TEXT, Opcode.TEXT),
        (["chat"], None, Opcode.TEXT),
        ([], None, Opcode.TEXT),
    ],
)
def test_each_message_is_a_frame_without_cr_lf_of_the_kind_that_the_client_chose(net, offered, chosen, opcode):
    alice = net().browser("alice", *offered)
    assert alice.sock.response.headers.get("Sec-WebSocket-Protocol") == chosen
    assert {kind for kind, _ in alice.sock.messages} == {opcode}
    assert not [data for _, data in alice.sock.messages if b"\r" in data or b"\n" in data]
    assert alice.sock.messages[0][1].startswith(b":irc.test 001 alice :")


def test_users_of_irc_clients_and_of_browsers_meet(net):
    server = net()
    alice, bob, carol = server.browser("alice", TEXT), server.client("bob"), server.browser("carol", BINARY)
    for wire in (alice, carol):
        wire.send("JOIN #tea")
    bob.ask("JOIN #tea")
    alice.send("PRIVMSG #tea :héllo")
    assert bob.read_until("PRIVMSG")[-1].params == ["#tea", "héllo"]
    bob.send("PRIVMSG #tea :and hello")
    for wire in (alice, carol):
        while (line := wire.read_line()) != ":bob!u@127.0.0.1 PRIVMSG #tea :and hello":
            assert "ERROR" not in line
    carol.sock.say_goodbye()
    assert bob.read_until("QUIT")[-1].nick == "carol"


def test_bytes_that_are_not_utf8_never_reach_a_text_client_and_pass_to_a_binary_one(net):
    server = net(utf8_only=False)
    text, binary, latin = server.browser("text", TEXT), server.browser("bytes", BINARY), server.client("latin")
    latin.send(b"PRIVMSG text,bytes :caf\xe9\r\n")
    text.expect(":latin!u@127.0.0.1 PRIVMSG text :caf\ufffd")
    binary.sock.recv(4096)
    assert binary.sock.messages[-1] == (Opcode.BINARY, b":latin!u@127.0.0.1 PRIVMSG bytes :caf\xe9")
    binary.send(b"PRIVMSG latin :na\xefve\n")
    assert latin.read_until("PRIVMSG")[-1].text.encode(errors="surrogateescape") == b"na\xefve"


def test_a_line_may_be_as_long_as_over_tcp(net):
    server = net()
    alice, bob = server.browser("alice", TEXT), server.browser("bob", TEXT)
    for wire in (alice, bob):
        wire.ask("CAP REQ :message-tags", ":irc.test CAP ... / :irc.test CAP " + wire.name + " ACK :message-tags")
    value = "x" * (4094 - len("@+t= "))
    alice.send(f"@+t={value} PRIVMSG bob :{'y' * 390}")
    line = bob.read_line()
    assert value in line and line.endswith("y" * 390)


def test_an_error_before_the_end_is_a_message_too(net):
    alice = net().browser("alice", TEXT)
    alice.send("QUIT :bye")
    alice.expect("ERROR ...")
    alice.expect_end()
    assert alice.sock.close_frame.code == 1000


def test_only_pages_that_were_named_may_connect(net):
    server = net()
    with pytest.raises(ConnectionError, match=NOT_OPEN):
        server.browser("alice", TEXT, origin="https://webchat.example.net")
    server.browser("alice", TEXT)


def test_a_browser_that_asks_for_a_page_is_told_what_this_is(net):
    wire = Wire(net().door.server_address)
    with wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert wire.read_to_eof().startswith(b"HTTP/1.1 426 ")


def test_irc_without_websocket_does_not_load_the_library():
    program = "import sys, extras.irc.server; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_the_flag_opens_the_port_and_says_where():
    command = [sys.executable, ROOT / "extras" / "irc" / "server.py", "--port", "0", "--ws-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout.readline().startswith("listening on 127.0.0.1:")
            where, words = process.stdout.readline().removeprefix("listening on ").split(" ", 1)
            assert words == "with WebSocket\n"
            host, port = where.split(":")
            WebSock((host, int(port)), subprotocols=[TEXT]).close()
        finally:
            process.terminate()
