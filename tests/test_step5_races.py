"""Step 5's own program: her chat server in Python, two clients at a time, in all orders of their threads.

Without flags it judges our last rung; `--python step5=tests/mine/chat_server.py` judges hers.  Her handlers
run with sockets that are not real, so that every thread is seen: see tests/interleave.py.
"""

import contextlib
import io
import itertools
import re
import socketserver
import sys
import threading
from pathlib import Path

import pytest

from tests.interleave import CannotSee, anew, explore
from tests.lesson import Lesson, rule
from tests.typed import LAST_RUNGS, RUNGS, put_rungs
from tests.yours import chosen, load

pytestmark = pytest.mark.long

AT = "step5_server/README.md#2-a-race-and-a-lock-visible-effect-one-alice"
MOST = 400  # orders: a second or two
TEXTS = {rung.name: rung.read_text(encoding="utf-8") for rung in RUNGS}
HER_MODULES = [name.removesuffix(".py") for name in LAST_RUNGS]


def put(folder, chat_server=TEXTS["chat_server_3.py"]):
    """Put our last rungs into a folder, with this chat server; return its path."""
    put_rungs(folder, {"chat_server.py": chat_server})
    return folder / "chat_server.py"


@pytest.fixture
def hers(tmp_path, monkeypatch):
    """Return a chat server's module: that of --python, or our last rung."""
    if "step5" in chosen:
        return chosen["step5"]["module"]
    return loaded(put(tmp_path), monkeypatch)


def loaded(path, monkeypatch):
    """Load a chat server with the modules beside it, which are forgotten at the end of the test."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name in HER_MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = load(str(path), path.parent)
    for name in HER_MODULES:
        if name in sys.modules:
            monkeypatch.setitem(sys.modules, name, sys.modules[name])
    return module


class Client:
    """The socket of a client that says these lines, and goes when `all_answered` is set."""

    def __init__(self, all_answered, *said):
        self.all_answered, self.chunks, self.got = all_answered, list(said), b""

    def recv(self, size, *flags):
        if not self.chunks:
            self.all_answered.wait()
            return b""
        return self.chunks.pop(0)

    def send(self, data, *flags):
        self.got += data
        self.all_answered.look()
        return len(data)

    def sendall(self, data, *flags):
        self.send(data)

    def heard(self):
        return self.got.decode("utf-8", "replace")

    def makefile(self, mode="r", *args, **options):
        raw = io.RawIOBase()
        if "r" not in mode:
            raw.writable, raw.write = lambda: True, self.send
            return io.BufferedWriter(raw)
        return io.BufferedReader(Incoming(self))

    def __getattr__(self, name):  # setsockopt(), settimeout(), shutdown() and so on: nothing that a race needs
        return lambda *args, **options: None


class Incoming(io.RawIOBase):
    """What makefile() reads."""

    def __init__(self, client):
        self.client = client

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.client.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class AllAnswered:
    """Set when each client has got so many lines."""

    def __init__(self):
        self.clients, self.event = {}, threading.Event()

    def look(self):
        if all(client.got.count(b"\n") >= lines for client, lines in self.clients.items()):
            self.event.set()

    def wait(self):
        self.event.wait(60)  # for ever, if an answer is missing: then time goes on


def classes(module):
    """Return her handler's class and her server's.  Skips the test where there are none."""
    found = [cls for cls in vars(module).values() if isinstance(cls, type)]
    handlers = [
        cls
        for cls in found
        if issubclass(cls, socketserver.BaseRequestHandler) and cls.__module__ not in ("socketserver",)
    ]
    servers = [cls for cls in found if issubclass(cls, socketserver.TCPServer)]
    if not handlers or not servers:
        pytest.skip("this server is not made with socketserver: its threads cannot be seen")
    own = [cls for cls in handlers if cls.__module__ == module.__name__]
    return (own or handlers)[-1], servers[-1]


def closed_server(server_class, handler_class):
    """Return her server, which nobody connects to: her handlers may keep in it what they share."""
    address = ("127.0.0.1", 0)
    for arguments, options in (
        ((address, handler_class), {"bind_and_activate": False}),
        ((address, handler_class), {}),
        ((address,), {}),
    ):
        with contextlib.suppress(TypeError):  # NOTE: her __init__ takes something else
            server = server_class(*arguments, **options)
            server.server_close()
            return server
    pytest.skip("this server takes other arguments than an address and a handler")


def modules_of(hers):
    """Return the modules beside hers that it uses, but for those of the steps before."""
    folder = Path(hers.__file__).parent
    return [
        module
        for name, module in list(sys.modules.items())
        if name not in HER_MODULES and getattr(module, "__file__", None) and Path(module.__file__).parent == folder
    ]


def talk(hers, conversations, check):
    """Let clients talk to her handlers, name -> (what she says, how many lines she gets), in all orders."""
    classes(hers)
    orders = itertools.count()

    def scene():
        name = b"alice%d" % next(orders)  # not the one of an order before: her table may be older than this order
        handler_class, server_class = classes(anew(hers))
        server = closed_server(server_class, handler_class)
        answered, actors, clients = AllAnswered(), {}, {}
        for number, (who, (said, lines)) in enumerate(conversations.items()):
            clients[who] = client = Client(answered, said % name)
            answered.clients[client] = lines

            def serve(client=client, address=("127.0.0.1", 50_000 + number)):
                handler_class(client, address, server)
                return client.heard()

            actors[who] = serve
        return actors, lambda saw: check({who: client.heard() for who, client in clients.items()})

    watched = [hers, *modules_of(hers)]
    try:
        explore(scene, *watched, switches=0, most=1)
    except AssertionError:
        pytest.skip("it does not work one after the other yet: the other checks tell why")
    except CannotSee as error:
        pytest.skip(f"its threads cannot be seen: {error}")
    try:
        explore(scene, *watched, most=MOST)
    except CannotSee as error:
        pytest.skip(f"its threads cannot be seen: {error}")
    except AssertionError as error:
        what, _, picture = str(error).partition("\n\n")
        raise Picture(what.partition("\nassert ")[0], re.sub(r"\n\n    \(order \d+\)$", "", picture)) from None


class Picture(Lesson):
    """A lesson with a picture of the order that breaks the rule."""

    def __init__(self, came, picture):
        super().__init__("that it holds in every order", f"{came}; for one order is\n\n{picture}")


@rule(
    "two who ask for one name get it once, in whatever order their threads run",
    AT,
    hint="Look whether a name is free and take it in one step, so that no other thread comes in between: use a lock.",
)
def test_one_of_two_gets_the_name_in_all_orders(hers):
    def check(got):
        replies = sorted(
            " ".join(text.split()[:2]) if text.startswith("ERR") else text.split()[0] for text in got.values() if text
        )
        assert replies == ["ERR name-taken", "OK"], f"the two get {' and '.join(replies)}"

    talk(hers, {"one client": (b"LOGIN %s\n", 1), "another": (b"LOGIN %s\n", 1)}, check)


# The check itself, on servers that are wrong or right

BODY = """\
        with lock:
            if check_name(name).lower() in users:
                raise ProtocolError("name-taken", "somebody else has this name")
            users[name.lower()] = self
"""
REFUSE = 'raise ProtocolError("name-taken", "somebody else has this name")'
WRONG = {
    "no lock": f"""\
        if check_name(name).lower() in users:
            {REFUSE}
        users[name.lower()] = self
""",
    "no lock, in one line": f"""\
        taken = check_name(name).lower() in users or users.update({{name.lower(): self}})
        if taken:
            {REFUSE}
""",
    "a lock of each client": BODY.replace("with lock", "with self.__dict__.setdefault('lock', threading.Lock())"),
    "a lock for the look only": f"""\
        with lock:
            taken = check_name(name).lower() in users
        if taken:
            {REFUSE}
        users[name.lower()] = self
""",
}
RIGHT = {
    "a lock": BODY,
    "a lock of the server": BODY.replace("with lock", "with self.server.__dict__.setdefault('lock', threading.Lock())"),
    "one step of the dictionary": f"""\
        if users.setdefault(check_name(name).lower(), self) is not self:
            {REFUSE}
""",
    "a queue with one token": f"""\
        TOKEN.get()
        try:
            if check_name(name).lower() in users:
                {REFUSE}
            users[name.lower()] = self
        finally:
            TOKEN.put(1)
""",
}


def judge(body, tmp_path, monkeypatch, rung="chat_server_3.py"):
    """Judge a rung with this beginning of do_LOGIN().  Raises: Lesson."""
    text = TEXTS[rung]
    assert BODY in text
    text = (
        text.replace(BODY, body)
        + "import queue\nTOKEN = queue.Queue()\nTOKEN.put(1)\n"
        + "import name_table\n" * ("name_table" in body)
    )
    test_one_of_two_gets_the_name_in_all_orders(loaded(put(tmp_path, text), monkeypatch))


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_it_finds_the_order_in_which_both_get_it(body, tmp_path, monkeypatch):
    with pytest.raises(Lesson, match="the two get OK and OK") as caught:
        judge(body, tmp_path, monkeypatch)
    assert "users" in caught.value.came and "chat_server.py:" in caught.value.came


@pytest.mark.parametrize("rung", ["chat_server_2.py", "chat_server_3.py"])
@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_it_accuses_no_server_that_is_right(body, tmp_path, monkeypatch, rung):
    judge(body, tmp_path, monkeypatch, rung)


def test_our_first_rung_gets_the_lesson_of_the_section_that_comes_next(tmp_path, monkeypatch):
    hers = loaded(put(tmp_path, TEXTS["chat_server_1.py"]), monkeypatch)
    with pytest.raises(Lesson, match="the two get OK and OK"):
        test_one_of_two_gets_the_name_in_all_orders(hers)


def test_a_server_that_does_not_work_at_all_is_not_accused_of_a_race(tmp_path, monkeypatch):
    text = TEXTS["chat_server_3.py"].replace('format_line("OK", f"welcome, {name}")', "1 / 0")
    with pytest.raises(pytest.skip.Exception, match="one after the other"):
        test_one_of_two_gets_the_name_in_all_orders(loaded(put(tmp_path, text), monkeypatch))


def test_a_server_whose_threads_it_cannot_see_is_left_alone(tmp_path, monkeypatch):
    with pytest.raises(pytest.skip.Exception, match="cannot be seen"):
        test_one_of_two_gets_the_name_in_all_orders(loaded(put(tmp_path, "import asyncio\n"), monkeypatch))


TABLE = """\
import threading
users = {}
lock = threading.Lock()

def take(name, who):
    with lock:
        if name in users:
            return False
        users[name] = who
        return True
"""


@pytest.mark.parametrize(
    "table, right", [(TABLE, True), (TABLE.replace("with lock", "if True"), False)], ids=["lock", "no lock"]
)
def test_a_table_in_a_module_of_its_own_is_seen_too(tmp_path, monkeypatch, table, right):
    (tmp_path / "name_table.py").write_text(table)
    body = f"        if not name_table.take(check_name(name).lower(), self):\n            {REFUSE}\n        users[name.lower()] = self\n"
    with contextlib.nullcontext() if right else pytest.raises(Lesson, match="the two get OK and OK"):
        judge(body, tmp_path, monkeypatch)
    del sys.modules["name_table"]


def test_what_is_kept_in_a_server_of_her_own_is_seen_too(tmp_path, monkeypatch):
    """Its __init__ takes an address only, and its handlers read with makefile()."""
    (tmp_path / "chat_server.py").write_text(OWN)
    test_one_of_two_gets_the_name_in_all_orders(loaded(tmp_path / "chat_server.py", monkeypatch))
    (tmp_path / "chat_server.py").write_text(OWN.replace("with self.server.lock", "if True"))
    with pytest.raises(Lesson, match="the two get OK and OK"):
        test_one_of_two_gets_the_name_in_all_orders(loaded(tmp_path / "chat_server.py", monkeypatch))


OWN = """\
import socketserver, threading

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            name = line.split()[1]
            with self.server.lock:
                mine = name not in self.server.users
                if mine:
                    self.server.users[name] = self
            self.wfile.write(b"OK\\n" if mine else b"ERR name-taken\\n")

class Server(socketserver.ThreadingTCPServer):
    def __init__(self, address):
        super().__init__(address, Handler)
        self.users, self.lock = {}, threading.Lock()
"""
