"""look.py, which shows a WebSocket in a terminal, where there is none."""

import sys

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from extras.rooms.server import RoomsServer
from extras.web import look


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
