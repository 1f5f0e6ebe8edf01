"""The chat over WebSocket: the codec, alone and with hostile frames; the server, its page's files and its limits."""

import contextlib
import itertools
import re
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from extras.web.heartbeat import PONG_S, SILENT_S
from extras.web.server import PAGE, WebServer
from extras.web.website import Website
from extras.web.websocket import (
    MAX_FRAME_BYTES,
    MAX_REQUEST_BYTES,
    WebSocketCodec,
    binary_frame,
    text_frame,
)
from step4_framing.framing import MAX_LINE_BYTES, LineTooLong
from step5_server.codec import LineCodec
from tests.chapter import ROOT
from tests.dialects import eventually
from tests.web_sock import NOT_OPEN, WebSock
from tests.wire import Wire

pytestmark = pytest.mark.long  # some ten seconds, which a learner need not wait for

HERE = "http://127.0.0.1:9080"
MASK = b"\x01\x02\x03\x04"


def request(origin=None, subprotocols=None, host="127.0.0.1:9080"):
    """Return the bytes with which a client asks for a WebSocket."""
    client = ClientProtocol(parse_uri(f"ws://{host}/"), origin=origin, subprotocols=subprotocols)
    client.send_request(client.connect())
    return b"".join(client.data_to_send())


def opened(**options):
    """Return a codec whose handshake is done."""
    codec = WebSocketCodec(LineCodec(), Website(), **options)
    assert codec.feed(request()).startswith(b"HTTP/1.1 101 ")
    assert codec.opened
    return codec


def frame(data, opcode=Opcode.TEXT, fin=True):
    """Return a frame as a client sends it, masked."""
    return Frame(opcode, data, fin).serialize(mask=True)


def lines(codec):
    """Return all lines that are complete."""
    found = []
    while True:
        try:
            line = codec.next_line()
        except LineTooLong:
            line = LineTooLong
        if line is None:
            return found
        found.append(line)


def parts_of(data, cuts):
    """Cut data at these places."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


# Frames in, lines out

MESSAGES = st.lists(st.text(alphabet="aé\t€😀 ", max_size=20).map(str.encode), max_size=6)
CUTS = st.lists(st.integers(0, 300), max_size=8)


@given(MESSAGES, CUTS, CUTS, st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
def test_a_message_is_one_line_however_frames_and_chunks_are_cut(messages, frame_cuts, chunk_cuts, opcode):
    codec, data, pings = opened(), b"", 0
    for message in messages:
        pieces = parts_of(message, frame_cuts)
        for number, piece in enumerate(pieces):
            data += frame(b"between", Opcode.PING)
            pings += 1
            data += frame(piece, Opcode.CONT if number else opcode, fin=number == len(pieces) - 1)
    answers = b"".join(codec.feed(chunk) for chunk in parts_of(data, chunk_cuts))
    assert lines(codec) == messages
    assert answers == Frame(Opcode.PONG, b"between").serialize(mask=False) * pings
    assert codec.opened and not codec.ended and not codec.pending


def test_a_ping_is_answered_at_once_even_inside_a_message():
    codec = opened()
    answer = codec.feed(frame(b"HE", fin=False) + frame(b"you?", Opcode.PING) + frame(b"LP", Opcode.CONT))
    assert answer == Frame(Opcode.PONG, b"you?").serialize(mask=False)
    assert lines(codec) == [b"HELP"]


def test_a_line_break_inside_a_message_makes_two_lines():
    codec = opened()
    codec.feed(frame(b"HELP\nWHO\r\n"))
    assert lines(codec) == [b"HELP", b"WHO", b""]


def test_half_a_message_is_no_line_and_waits():
    codec = opened()
    codec.feed(frame(b"LOGOUT", fin=False))
    assert lines(codec) == [] and codec.pending == len(b"LOGOUT")


@pytest.mark.parametrize("length, told", [(1024, [b"x" * 1024, b"HELP"]), (1025, [LineTooLong, b"HELP"])])
def test_a_line_that_is_too_long_is_refused_as_over_tcp_and_the_next_one_counts(length, told):
    codec = opened()
    codec.feed(frame(b"x" * length) + frame(b"HELP"))
    assert lines(codec) == told and not codec.ended


def test_a_message_in_pieces_that_is_too_long_is_refused_once_and_the_next_one_counts():
    codec = opened()
    codec.feed(frame(b"HELP") + frame(b"x" * 1000, fin=False))
    for _ in range(1000):
        codec.feed(frame(b"x" * 1000, Opcode.CONT, fin=False))
    codec.feed(frame(b"", Opcode.CONT) + frame(b"WHO"))
    assert lines(codec) == [b"HELP", LineTooLong, b"WHO"] and not codec.ended


def test_bytes_that_are_not_utf8_are_a_line_in_a_binary_message():
    codec = opened()
    codec.feed(frame(b"ALL \xff", Opcode.BINARY))
    assert lines(codec) == [b"ALL \xff"]


# Frames that end the connection


def hostile(head, payload=b"", mask=MASK):
    return head + mask + payload


WRONG = {
    "not masked": (Frame(Opcode.TEXT, b"HELP").serialize(mask=False), 1002),
    "a reserved bit": (hostile(b"\xc1\x80"), 1002),
    "an unknown opcode": (hostile(b"\x83\x80"), 1002),
    "a ping in pieces": (hostile(b"\x09\x80"), 1002),
    "a ping that is too long": (hostile(b"\x89\xfe\x00\x7e", b"x" * 126), 1002),
    "the rest of nothing": (frame(b"x", Opcode.CONT), 1002),
    "a message within a message": (frame(b"x", fin=False) + frame(b"y"), 1002),
    "text that is not UTF-8": (frame(b"ALL \xff"), 1007),
    "text that ends inside a letter": (frame(b"ALL \xc3", fin=False) + frame(b"", Opcode.CONT), 1007),
    "a frame over the limit": (hostile(struct.pack("!BBQ", 0x81, 0xFF, MAX_FRAME_BYTES + 1)), 1009),
    "a frame of 2^63 bytes": (hostile(struct.pack("!BBQ", 0x82, 0xFF, 2**63 - 1)), 1009),
    "a goodbye with half a code": (frame(b"\x03", Opcode.CLOSE), 1002),
    "a goodbye inside a message": (frame(b"x", fin=False) + frame(b"", Opcode.CLOSE), 1002),
}


@pytest.mark.parametrize("data, code", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_frame_ends_the_connection_and_what_came_before_it_counts(data, code):
    codec = opened()
    answer = codec.feed(frame(b"HELP") + data + frame(b"LOGOUT"))
    assert not answer, "a close frame must be the last one, behind the reply to HELP"
    assert codec.ended and Close.parse(codec.goodbye[2:]).code == code
    assert lines(codec) == [b"HELP"]
    assert not codec.feed(frame(b"LOGOUT")) and lines(codec) == []


def test_a_goodbye_is_answered_with_its_own_code_behind_all_that_we_say():
    codec = opened()
    assert not codec.feed(frame(b"HELP") + frame(Close(4321, "bye").serialize(), Opcode.CLOSE) + frame(b"WHO"))
    assert codec.ended and Close.parse(codec.goodbye[2:]) == Close(4321, "bye")
    assert lines(codec) == [b"HELP"]


def test_when_we_end_it_we_say_goodbye():
    assert Close.parse(opened().goodbye[2:]).code == 1000


@pytest.mark.parametrize(
    "endless",
    [frame(b"x" * 100, Opcode.CONT, fin=False), frame(b"", Opcode.CONT, fin=False), frame(b"x" * 125, Opcode.PING)],
)
def test_a_message_that_does_not_end_fills_no_memory(endless):
    codec = opened()
    codec.feed(frame(b"", fin=False))
    for _ in range(2000):
        codec.feed(endless)
        lines(codec)  # as the server does after each chunk
        assert codec.pending <= MAX_LINE_BYTES + 1


# Lines out


def test_a_frame_is_the_line_and_depends_on_nothing_else():
    one, other = opened(), opened()
    assert one.frame is other.frame is text_frame, "else a fan-out frames for each member"
    line = "ALL bob é".encode()
    assert one.frame(line) == Frame(Opcode.TEXT, line).serialize(mask=False)


# The handshake


def answer_to(data, website=None):
    """Return the codec and the answer to an HTTP request."""
    codec = WebSocketCodec(LineCodec(), website or Website())
    return codec, codec.feed(data)


def status(answer):
    return int(answer.split(b" ")[1])


@given(CUTS)
def test_the_request_may_come_in_any_pieces_with_frames_right_behind_it(cuts):
    codec = WebSocketCodec(LineCodec(), Website())
    answers = [codec.feed(chunk) for chunk in parts_of(request() + frame(b"HELP"), cuts)]
    assert b"".join(answers).startswith(b"HTTP/1.1 101 ") and b"".join(answers).endswith(b"\r\n\r\n")
    assert lines(codec) == [b"HELP"]


ORIGINS = [
    (None, "chat.example:80", (), True),
    (HERE, "127.0.0.1:9080", (), True),
    ("http://localhost:9080", "localhost:9080", (), True),
    ("https://127.0.0.1:9080", "127.0.0.1:9080", (), True),  # behind something that adds TLS
    ("http://[::1]:9080", "[::1]:9080", (), True),
    ("http://127.0.0.1:9999", "127.0.0.1:9080", (), False),
    ("http://evil.example", "127.0.0.1:9080", (), False),
    ("http://127.0.0.1.evil.example:9080", "127.0.0.1:9080", (), False),
    ("null", "127.0.0.1:9080", (), False),
    ("", "127.0.0.1:9080", (), False),
    ("http://evil.example:9080", "evil.example:9080", (), False),  # DNS rebinding
    ("http://chat.example", "chat.example", ("http://chat.example",), True),
    ("http://CHAT.example", "127.0.0.1:9080", ("http://chat.example",), True),
    ("http://evil.example", "evil.example", ("http://chat.example",), False),
    ("http://evil.example", "evil.example", ("*",), True),
    ("http://x", "[::1", (), False),
]


@pytest.mark.parametrize("origin, host, known, admitted", ORIGINS)
def test_only_pages_from_here_may_connect(origin, host, known, admitted):
    data = request(origin).replace(b"Host: 127.0.0.1:9080", b"Host: " + host.encode())
    codec, answer = answer_to(data, Website(origins=known))
    assert (status(answer), codec.opened, codec.ended) == ((101, True, False) if admitted else (403, False, True))


BAD_REQUESTS = {
    "our own protocol": (b"LOGIN alice\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01", 400),
    "a line of HTTP that is none": (b"GET\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two origins": (request(HERE).replace(b"Origin:", b"Origin: http://evil.example\r\nOrigin:"), 400),
    "a body": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n", 400),
    "no key": (request().replace(b"Sec-WebSocket-Key", b"Other"), 400),
    "an old version": (request().replace(b"Version: 13", b"Version: 8"), 400),
    "an upgrade to something else": (request().replace(b"websocket\r\n", b"h2c\r\n"), 426),
    "many headers": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 1000, 400),
    "long headers": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + (b"X: " + b"y" * 8000 + b"\r\n") * 3, 431),
    "a long line": (b"GET /" + b"x" * 2 * MAX_REQUEST_BYTES, 431),
    "no such file": (b"GET /chat.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
    "a way out": (b"GET /../server.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
    "the folder": (b"GET /page/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
    "a name that we may not have": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
}


@pytest.mark.parametrize("data, code", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_gets_a_clear_answer_and_the_end(data, code):
    codec, answer = answer_to(data, Website(PAGE))
    assert status(answer) == code
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and body
    assert codec.ended and not codec.opened and not codec.goodbye
    assert not codec.feed(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") and lines(codec) == []


def test_a_path_that_is_not_ascii_names_no_file():
    _, answer = answer_to(b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Website(PAGE))
    assert status(answer) in (400, 404)  # new versions of the library say the first


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_and_head_are_answered(method):
    codec, answer = answer_to(f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), Website(PAGE))
    assert status(answer) in (400, 405) and codec.ended  # old versions of the library take GET only


def test_without_a_page_a_browser_is_told_what_this_port_is_for():
    assert status(answer_to(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[1]) == 426


def test_a_request_that_does_not_end_fills_no_memory():
    codec = WebSocketCodec(LineCodec(), Website())
    for _ in range(1000):
        codec.feed(b"x" * 4096)
        assert codec.pending <= MAX_REQUEST_BYTES + 4096


def test_who_is_sent_away_before_the_handshake_is_told_in_http():
    codec = WebSocketCodec(LineCodec(), Website())
    codec.feed(b"GET / HT")
    words = codec.frame(b"ERR login-timeout no LOGIN in time")
    assert status(words) == 503 and words.endswith(b"\r\n\r\nERR login-timeout no LOGIN in time\n")


@pytest.mark.parametrize(
    "offered, chosen",
    [(["one"], "one"), (["two", "one"], "two"), (["three", "one"], "one"), (["three"], None), (None, None)],
)
def test_the_first_subprotocol_of_the_clients_list_that_we_have_is_taken(offered, chosen):
    frames = {"": text_frame, "one": text_frame, "two": binary_frame}
    codec = WebSocketCodec(LineCodec(), Website(), frames)
    answer = codec.feed(request(subprotocols=offered))
    assert status(answer) == 101
    assert (f"Sec-WebSocket-Protocol: {chosen}".encode() in answer) == (chosen is not None)
    assert codec.frame is frames[chosen or ""]


# The server


@pytest.fixture
def open_web(serve):
    """Serve, and open clients: open_web(**settings) -> a Web."""

    class Open(WebServer):
        def __init__(self, address, **settings):
            super().__init__(address, **settings)
            self.open_web(("127.0.0.1", 0))

    with contextlib.ExitStack() as stack:
        yield lambda **settings: Web(serve(Open, **settings), stack)


class Web:
    """One server, and who is connected to it."""

    def __init__(self, server, stack):
        self.server, self._stack = server, stack

    def browser(self, name="", **options):
        """Return the Wire of a user who has come by WebSocket."""
        address = self.server.web.server_address
        return self._log_in(Wire(address, name or "browser", sock=WebSock(address, **options)), name)

    def terminal(self, name=""):
        """Return the Wire of a user who has come by TCP."""
        return self._log_in(Wire(self.server.server_address, name or "terminal"), name)

    def raw(self):
        """Return the Wire of a TCP connection to the port for browsers."""
        return self._log_in(Wire(self.server.web.server_address, "raw"), "")

    def _log_in(self, wire, name):
        self._stack.enter_context(wire)
        if name:
            wire.ask(f"LOGIN {name}", "OK ...")
        return wire

    def get(self, path, host="127.0.0.1", method="GET"):
        """Return head and body of the answer to an HTTP request."""
        wire = self.raw()
        wire.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = wire.read_to_eof().partition(b"\r\n\r\n")
        assert not wire.was_reset
        return head.decode(), body


def test_users_of_terminals_and_browsers_meet(open_web):
    web = open_web()
    alice, bob = web.browser("alice"), web.terminal("bob")
    bob.expect("USERS alice")
    alice.expect("ONLINE bob")
    alice.ask("JOIN tea", "MEMBERS tea alice", "OK")
    bob.ask("JOIN Tea", "MEMBERS tea alice bob", "OK")
    alice.expect("JOINED tea bob")
    alice.ask("SAY tea héllo", "OK")
    bob.expect("SAY tea alice héllo")
    bob.ask("MSG alice hi", "OK")
    alice.expect("MSG bob hi")
    bob.ask("ALL one", "OK")
    alice.expect("ALL bob one")
    bob.ask("LOGOUT", "OK ...")
    alice.expect("LEFT tea bob", "OFFLINE bob")


def test_what_many_say_reaches_many_in_one_order(open_web):
    web = open_web()
    talkers = [web.browser("a"), web.terminal("b")]
    listeners = [web.browser("c"), web.browser("d"), web.terminal("e")]
    for wire in (*talkers, *listeners):
        wire.sift = lambda line: line if line.split(" ")[0] in ("ALL", "OK") else ""
        wire.fence()
    for number in range(100):
        for wire in talkers:
            wire.send(f"ALL {number}")
    heard = [[wire.read_line() for _ in range(200)] for wire in listeners]
    assert heard[0] == heard[1] == heard[2]
    assert sorted(heard[0]) == sorted(f"ALL {name} {number}" for name in "ab" for number in range(100))


def test_the_files_of_the_page_are_served_and_no_others(open_web):
    web = open_web()
    for name, content_type in {
        "": "text/html",
        "chat.js": "text/javascript",
        "link.js": "text/javascript",
        "chat.css": "text/css",
        "icon.svg": "image/svg+xml",
    }.items():
        head, body = web.get(f"/{name}")
        assert head.startswith("HTTP/1.1 200 ") and body == (PAGE / (name or "index.html")).read_bytes()
        assert f"Content-Type: {content_type}; charset=utf-8" in head
        assert f"Content-Length: {len(body)}" in head
        assert "X-Content-Type-Options: nosniff" in head
        assert "Content-Security-Policy: default-src 'none'; script-src 'self';" in head
    assert web.get("/?x=y")[0].startswith("HTTP/1.1 200 ")
    for path in ("/index.html", "/server.py", "/../server.py", "//etc/passwd", "/%2e%2e/server.py", "*", "/chat.js/"):
        assert web.get(path)[0].startswith("HTTP/1.1 404 "), path


def test_the_page_loads_nothing_from_elsewhere_and_makes_no_html_of_text():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+/", text), path.name
        if path.suffix == ".js":
            assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", text)


@pytest.mark.parametrize("origin, code", [(None, 101), ("http://evil.example", 403)])
def test_the_server_looks_at_the_origin(open_web, origin, code):
    web = open_web()
    if code == 101:
        web.browser("alice", origin=origin)
    else:
        with pytest.raises(ConnectionError, match=NOT_OPEN) as refused:
            web.browser("alice", origin=origin)
        assert "403" in str(refused.value)
        assert web.terminal("alice").request("WHO").events == ["USERS alice"]


def test_a_page_of_the_servers_own_may_connect(open_web):
    web = open_web()
    web.browser("alice", origin=f"http://{web.server.web.where()}").fence()


def test_a_logout_is_answered_and_then_comes_a_goodbye(open_web):
    alice = open_web().browser("alice")
    alice.ask("LOGOUT", "OK bye")
    alice.expect_end()
    assert alice.sock.close_frame == Close(1000, "")


def test_a_goodbye_frees_the_name_and_gets_one(open_web):
    web = open_web()
    alice, bob = web.browser("alice"), web.terminal("bob")
    bob.expect("USERS alice")
    alice.expect("ONLINE bob")
    alice.sock.say_goodbye(1001)
    alice.expect_end()
    assert alice.sock.close_frame == Close(1001, "")
    bob.expect("OFFLINE alice")


def test_every_request_before_an_eof_or_a_goodbye_is_answered(open_web):
    web = open_web()
    for name, end in (("alice", WebSock.say_goodbye), ("bob", lambda sock: sock.shutdown(socket.SHUT_WR))):
        wire = web.browser()
        wire.send(f"LOGIN {name}\nHELP\nWHO\n".encode())
        end(wire.sock)
        told = wire.expect_eof().decode()
        assert [line.split(" ")[0] for line in told.splitlines() if line[:2] == "OK"] == ["OK"] * 3
        assert wire.sock.close_frame and not wire.was_reset


def test_half_a_message_at_the_end_is_dropped(open_web):
    web = open_web()
    alice, bob = web.browser("alice"), web.terminal("bob")
    alice.expect("ONLINE bob")
    alice.send(b"MSG bob pay 10")
    alice.sock.shutdown(socket.SHUT_WR)
    alice.expect_end()
    bob.expect("USERS alice", "OFFLINE alice")


def test_lines_right_behind_the_request_are_answered_without_waiting_for_more(open_web):
    wire = open_web().raw()
    wire.send(request() + frame(b"LOGIN alice") + frame(b"HELP"))
    wire.expect_among(
        text_frame(b"OK welcome, alice") + text_frame(b"OK LOGIN MSG LOGOUT HELP ALL WHO JOIN LEAVE SAY ROOMS")
    )


@pytest.mark.parametrize("data, code", WRONG.values(), ids=WRONG.keys())
def test_a_hostile_frame_ends_its_sender_with_a_clear_code_and_nobody_else(open_web, data, code):
    web = open_web()
    mallory, bob = web.browser("mallory"), web.browser("bob")
    mallory.expect("ONLINE bob")
    mallory.sock.send_frame(frame(b"MSG bob one") + data + frame(b"MSG bob two"))
    mallory.expect("OK")
    mallory.expect_end()
    assert mallory.sock.close_frame.code == code
    bob.expect("USERS mallory", "MSG mallory one", "OFFLINE mallory")


@pytest.mark.parametrize("cut_off", [lambda wire: wire.close(), lambda wire: wire.reset()], ids=["FIN", "RST"])
@pytest.mark.parametrize("at", [0, 1, 20, 100, len(request()) - 1, len(request()), len(request()) + 3])
def test_who_vanishes_anywhere_in_the_handshake_leaves_nothing_behind(open_web, at, cut_off):
    web = open_web()
    bob = web.browser("bob")
    wire = web.raw()
    wire.send((request() + frame(b"LOGIN"))[:at])
    cut_off(wire)
    web.browser("carol").expect("USERS bob")
    bob.expect("ONLINE carol")
    eventually(lambda: len(web.server._serving) == 2, "only bob and carol have a place")


def test_a_slow_request_is_ended_by_the_login_timeout(open_web):
    wire = open_web(login_timeout_s=0.1).raw()
    wire.send(b"GET / HTTP/1.1\r\n")
    answer = wire.read_to_eof()
    assert status(answer) == 503 and answer.endswith(b"\r\n\r\nERR login-timeout no LOGIN in time\n")


def test_who_opens_a_websocket_and_says_nothing_is_sent_away_in_a_message(open_web):
    wire = open_web(login_timeout_s=0.1).browser()
    wire.expect("ERR login-timeout ...")
    wire.expect_end()
    assert wire.sock.close_frame


def test_when_the_server_is_full_a_browser_is_told_in_a_message(open_web):
    web = open_web(max_clients=1)
    alice = web.terminal("alice")
    late = web.browser()
    late.expect("ERR server-full ...")
    late.expect_end()
    assert late.sock.close_frame
    alice.fence()


def test_a_stop_is_told_in_a_message_and_all_that_was_acknowledged_comes_before(open_web):
    web = open_web()
    alice, bob = web.browser("alice"), web.browser("bob")
    alice.send(b"".join(b"MSG bob %d\n" % number for number in range(100)))
    alice.expect("ONLINE bob", *["OK"] * 100)
    web.server.stop()
    bob.expect("USERS alice", *(f"MSG alice {number}" for number in range(100)))
    for wire in (alice, bob):
        wire.sift = lambda line: line if line.startswith("ERR") else ""
        wire.expect("ERR shutting-down ...")
        wire.expect_end()
        assert wire.sock.close_frame


@pytest.mark.usefixtures("impatient")
def test_who_does_not_read_is_cut_off_between_two_frames_and_told_why(open_web):
    web = open_web(max_pending_bytes=200_000)
    slow = web.browser("slow")
    talker = web.terminal("talker")
    slow.expect("ONLINE talker")
    text = "x" * 900
    talker.sift = lambda line: line if line != "OFFLINE slow" else ""
    outbox = web.server.registry.get("slow").outbox
    while not outbox.overflowed:
        talker.send(f"MSG slow {text}\n".encode() * 50)
        for _ in range(50):
            talker.read_line()
    told = slow.read_to_eof().decode().splitlines()
    assert set(told[:-1]) == {f"MSG talker {text}"} and told[-1].startswith("ERR too-slow ")
    assert slow.sock.close_frame


def sweep(server, after_s):
    """Look at all connections, as if so much time had passed."""
    with server.registry.lock:
        server._swept_at = time.monotonic() + after_s  # it has not slept meanwhile
        server.sweep(time.monotonic() + after_s)


def ping(server, conn):
    """Sweep until this silent connection is asked: a sweep passes over what is just being sent to."""

    def asked():
        sweep(server, SILENT_S + 1)
        return conn.codec.pinged_at > conn.heard_at

    eventually(asked, "a ping")


def test_a_silent_browser_is_asked_and_stays_if_it_answers(open_web):
    web = open_web()
    alice = web.browser("alice")
    conn = web.server.registry.get("alice").conn
    heard_at = conn.heard_at
    ping(web.server, conn)
    alice.sock.take_control()  # its library answers
    eventually(lambda: conn.heard_at > heard_at, "the pong is read")
    conn.heard_at += SILENT_S + 1  # the sweep's time is ahead of ours
    sweep(web.server, SILENT_S + PONG_S + 2)
    alice.fence()


def test_a_browser_that_does_not_answer_a_ping_is_gone(open_web):
    web = open_web()
    web.browser("alice")
    bob = web.terminal("bob")
    bob.expect("USERS alice")
    ping(web.server, web.server.registry.get("alice").conn)
    sweep(web.server, SILENT_S + PONG_S + 2)
    bob.expect("OFFLINE alice")


def test_without_the_library_the_server_says_how_to_get_it():
    hide = "import sys, runpy; sys.modules['websockets'] = None; sys.argv[1:] = {}; runpy.run_path({!r}, run_name='__main__')"
    script = str(ROOT / "extras" / "web" / "server.py")
    told = subprocess.run(
        [sys.executable, "-c", hide.format(["--port", "0"], script)], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 1 and not told.stdout
    assert "pip install -r extras/web/requirements.txt" in told.stderr and len(told.stderr.splitlines()) == 1
    told = subprocess.run(
        [sys.executable, "-c", hide.format(["--help"], script)], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0 and "--web-port" in told.stdout


def test_a_web_port_that_is_taken_is_said_with_its_flag():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        told = subprocess.run(
            [sys.executable, ROOT / "extras" / "web" / "server.py", "--port", "0", "--web-port", port],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert told.returncode == 1 and "port is in use" in told.stderr and "--web-port" in told.stderr


@pytest.mark.parametrize("flag", ["chat.example", "http://chat.example/", "ftp://chat.example", ""])
def test_an_origin_that_is_none_is_refused(flag):
    told = subprocess.run(
        [sys.executable, ROOT / "extras" / "web" / "server.py", "--origin", flag],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 2 and "is not an origin" in told.stderr


# Over TLS


def test_with_a_certificate_browsers_come_by_https(certificates):
    ports = "--port 0 --web-port 0 --tls-port 0".split()
    command = [sys.executable, ROOT / "extras/web/server.py", *ports, "--tls-cert", certificates / "ours.pem"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            plain, tls, web = (process.stdout.readline().strip() for _ in range(3))
            assert "TLS" not in plain and tls.endswith(" with TLS") and web.startswith("open https://127.0.0.1:")
            address = ("127.0.0.1", int(web.rpartition(":")[2]))
            context = ssl.create_default_context(cafile=certificates / "ours.pem")
            sock = context.wrap_socket(socket.create_connection(address, timeout=10), server_hostname="127.0.0.1")
            origin = f"https://127.0.0.1:{address[1]}"
            with Wire(address, "alice", sock=WebSock(address, sock=sock, origin=origin)) as alice:
                alice.ask("LOGIN alice", "OK ...")
                alice.ask("LOGOUT", "OK ...")
                alice.expect_end()
                assert alice.sock.close_frame
            with Wire(address, "plain") as plain_http:
                plain_http.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert b"this port is for TLS" in plain_http.read_to_eof()
        finally:
            process.terminate()


def test_who_speaks_tls_at_the_port_without_it_is_sent_away(open_web):
    wire = open_web().raw()
    wire.send(b"\x16\x03\x01\x02\x00")
    assert b"this port is without TLS" in wire.read_to_eof()
