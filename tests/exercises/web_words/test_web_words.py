"""Exercise: The subprotocol `words`: each line as a list in JSON."""

import json

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from extras.rooms.server import RoomsServer
from extras.web.web_door import open_web_door
from extras.web.website import Website
from tests.web_sock import WebSock
from tests.wire import Wire


@pytest.fixture
def server(exercise, serve):
    class Server(RoomsServer):
        def __init__(self, *args):
            super().__init__(*args)
            self.web = open_web_door(self, ("127.0.0.1", 0), Website(), exercise.FRAMES)

    return serve(Server)


@pytest.fixture
def browser(server):
    """browser(subprotocol, ...) -> Wire"""
    wires = []

    def browser(*subprotocols):
        address = server.web.server_address
        wires.append(Wire(address, sock=WebSock(address, subprotocols=subprotocols or None)))
        return wires[-1]

    yield browser
    for wire in wires:
        wire.close()


def test_who_asks_for_it_gets_lists(browser, server, connect):
    alice, bob = browser("words"), connect(server, "bob")
    alice.send("LOGIN alice")
    assert json.loads(alice.read_line()) == ["OK", "welcome, alice"]
    bob.ask("LOGIN bob", "OK ...", "USERS alice")
    assert json.loads(alice.read_line()) == ["ONLINE", "bob"]
    alice.send("JOIN tea")
    assert json.loads(alice.read_line()) == ["MEMBERS", "tea", "alice"]
    assert json.loads(alice.read_line()) == ["OK"]
    bob.ask("JOIN tea", "MEMBERS tea alice bob", "OK")
    bob.ask("SAY tea hello  there, é", "OK")
    bob.ask('MSG alice "quoted" and \\', "OK")
    bob.ask("ALL a b c", "OK")
    told = [json.loads(alice.read_line()) for _ in range(4)]
    assert told == [
        ["JOINED", "tea", "bob"],
        ["SAY", "tea", "bob", "hello  there, é"],
        ["MSG", "bob", '"quoted" and \\'],
        ["ALL", "bob", "a b c"],
    ]
    alice.send("SAY nowhere x")
    assert json.loads(alice.read_line()) == ["ERR", "not-in-room", "you are not in this room"]


def test_who_does_not_gets_lines_as_before(browser):
    for subprotocols in ((), ("other",)):
        wire = browser(*subprotocols)
        wire.ask("LOGOUT", "OK bye")


def test_all_of_them_have_the_same_frame_function(exercise):
    """Else a fan-out would frame a line for each of them."""
    assert exercise.FRAMES["words"] is exercise.words_frame
