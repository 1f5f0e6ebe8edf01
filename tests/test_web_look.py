"""look.py, which shows a WebSocket in a terminal, where there is none."""

import socket
import sys
import threading

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from websockets.frames import Frame, Opcode

from extras.rooms.server import RoomsServer
from extras.web import look
from extras.web.website import Website
from extras.web.websocket import WebSocketCodec, close_frame, text_frame
from step4_framing.framing import MAX_LINE_BYTES
from step5_server.codec import LineCodec

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes


def run(monkeypatch, url):
    monkeypatch.setattr(sys, "argv", ["look.py", url])
    return look.main()


@pytest.mark.parametrize("url", ["127.0.0.1:9080", "http://", "http://127.0.0.1:many", "https://127.0.0.1:9080"])
def test_a_wrong_address_is_one_clear_line(monkeypatch, capsys, url):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, url)
    assert end.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("is not of the form http://HOST:PORT")


def test_a_port_that_is_no_web_port_is_told_and_not_waited_for(serve, monkeypatch, capsys):
    server = serve(RoomsServer)
    assert run(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}") == 1
    assert capsys.readouterr().err == "the answer is no HTTP: is this a web port?\n"


def test_last_words_a_ping_and_a_goodbye_may_come_in_one_chunk(monkeypatch, capsys):
    def serve_one():
        sock = server.accept()[0]
        sock.settimeout(10)
        with sock:
            codec = WebSocketCodec(LineCodec(), Website())
            hello = codec.feed(sock.recv(MAX_LINE_BYTES))
            ping = Frame(Opcode.PING, b"?").serialize(mask=False)
            sock.sendall(hello + text_frame(b"ERR shutting-down bye") + ping + close_frame())
            left = 15  # bytes of a pong of one byte, and of a goodbye: both are masked
            while left and (chunk := sock.recv(left)):
                left -= len(chunk)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve_one)
        thread.start()
        assert run(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}") == 0
        thread.join(10)
    shown = capsys.readouterr().out.splitlines()
    ours = [line.partition("  ")[2] for line in shown if "masked" in line]
    assert "← 81 15  text: ERR shutting-down bye" in shown
    assert ours == ["pong, masked: ?", "close, masked: 1000 (OK)"]
