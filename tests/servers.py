"""The program under test, and clients that are always closed: fixtures for all tests.

serve     the server under test: ours, in a thread, or the foreign one
"""

import contextlib
import itertools
import random
import selectors
import string
import threading

import pytest

from extras.wiretap.direction import Spoiling
from extras.wiretap.relay import Relay
from extras.wiretap.wiretap import Wiretap
from tests import client_process
from tests.foreign import ForeignServer, NeverListened, RunningServer, ServerCommand, parse_addresses
from tests.lesson import Lesson, Story
from tests.verdict import FAILED, SO_FAR, patience
from tests.wire import Wire

JOIN_S = 10.0  # the longest time for threads to end; usually it is much shorter

# The servers under test


@contextlib.contextmanager
def running(server):
    """Serve in a thread; stop at the end, and leave no thread behind."""
    before = set(threading.enumerate())
    thread = threading.Thread(target=server.serve_forever, args=(0.002,), name="acceptor")
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(JOIN_S)
        # One that is just being started is not the server's: who starts threads there has ended.
        left = [t for t in threading.enumerate() if t not in before and t.ident]
        for t in left:
            t.join(JOIN_S)
        assert not [t for t in left if t.is_alive()], "threads outlive the server"


@pytest.fixture(scope="session")
def foreign_server(request):
    """The server of --server or --connect; None without them."""
    config = request.config
    if config.flag == "--connect":
        server = RunningServer(parse_addresses(config.getoption("--connect")))
    elif config.flag == "--server":
        server = ServerCommand(config.getoption("--server"), str(config.invocation_params.dir))
    else:
        yield None
        return
    config.foreign_server = server
    yield server
    server.stop()


@pytest.fixture
def serve(request, foreign_server):
    """Start servers: serve(ServerClass, **settings) -> server; all are stopped at the end."""
    if foreign_server is None:
        with contextlib.ExitStack() as stack:
            yield lambda server_class, **settings: stack.enter_context(
                running(server_class(("127.0.0.1", 0), **settings))
            )
        return
    try:
        foreign_server.start()
    except NeverListened as error:
        request.config.stash[SO_FAR].no_server = str(error)
        raise pytest.exit.Exception("there is no server to judge", returncode=1) from error
    yield lambda server_class: foreign_server
    if unused := foreign_server.take_first():
        unused.close()
    if request.node.stash.get(FAILED, False):
        foreign_server.stop()  # the failure may have left it in any state: the next check gets a new one
    elif foreign_server.ended():
        raise Lesson("that the server still runs after this", "it has ended")


# What a test marked `any_network` runs on: the plain network, one where every byte comes alone, and
# one where all bytes of a few milliseconds come in one chunk.
NETWORKS = {"plain": None, "sliced": Spoiling(slice_bytes=1, slice_gap_s=0.0005), "glued": Spoiling(glue_s=0.002)}


def pytest_generate_tests(metafunc):
    """Let a test marked `any_network` run three times; somebody else's program is judged on the plain network only."""
    marked = metafunc.definition.get_closest_marker
    spoil = marked("any_network") and not marked("direct") and not metafunc.config.flag
    if spoil and "network" in metafunc.fixturenames:
        metafunc.parametrize("network", NETWORKS, indirect=True)


class PreciseRelay(Relay):
    """Linux's epoll waits for whole milliseconds: twice the gap between two bytes."""

    selector_class = selectors.SelectSelector


class PreciseTap(Wiretap):
    relay_class = PreciseRelay


@contextlib.contextmanager
def tapped_by(spoiling, address):
    """Put a wiretap in front of the server; yield the address to connect to."""
    with running(PreciseTap(("127.0.0.1", 0), address[:2], spoiling)) as tap:
        yield tap.server_address


@pytest.fixture
def network(request):
    """Put a network in front of the server: network(address) -> the address to connect to."""
    spoiling = NETWORKS[getattr(request, "param", "plain")]
    with contextlib.ExitStack() as stack:
        taps = {}

        def tapped(address):
            if spoiling is None:
                return address
            if address not in taps:
                taps[address] = stack.enter_context(tapped_by(spoiling, address))
            return taps[address]

        yield tapped


@pytest.fixture
def connect(request, serve, network):
    """Open clients: connect(server or address, name) -> Wire; closed before the servers stop."""
    with contextlib.ExitStack() as stack:
        story = None

        def connect(to, name="client", **options):
            nonlocal story
            deadline_s = patience(request.node)
            sock = to.take_first() if isinstance(to, ForeignServer) else None
            wire = Wire(network(getattr(to, "server_address", to)), name, story, deadline_s, sock=sock, **options)
            story = wire.story
            return stack.enter_context(wire)

        yield connect


class Chat:
    """The users of one test on one server."""

    # Not the names of another test: a server that runs on may still have them.
    numbers = itertools.count()
    letters = "".join(random.choices(string.ascii_lowercase, k=2))

    def __init__(self, server, connect, sift=None):
        self.server = server
        self._connect = connect
        self._sift = sift or self.without_news
        self.tag = f"-{self.letters}{next(self.numbers)}"

    def connect(self, name="client"):
        """Return a Wire; nobody is logged in yet."""
        return self._connect(self.server, name, sift=self._sift)

    def login(self, name):
        """Return the Wire of a user with this name and a tag behind it."""
        wire = self.connect(name)
        wire.name = name + self.tag
        wire.ask(f"LOGIN {wire.name}", "OK ...")
        return wire

    def name(self, name):
        """Return a name that is free on this server."""
        return name + self.tag

    @staticmethod
    def without_news(line):
        """Drop the lines about who is online: they belong to presence, not to the steps."""
        return "" if line.split(" ")[0] in ("ONLINE", "OFFLINE", "USERS") else line

    def with_our_news(self, line):
        """Drop lines about users and rooms of other tests, which may still be on this server."""
        verb, *words = line.split(" ")
        if verb == "USERS":
            ours = [word for word in words if word.endswith(self.tag)]
            return " ".join([verb, *ours]) if ours or not words else ""  # an empty list is a mistake
        about_one = verb in ("ONLINE", "OFFLINE", "ROOM", "ALL")
        return line if not about_one or words and words[0].endswith(self.tag) else ""


# The clients under test


@pytest.fixture
def template(request):
    """The command line that starts the client under test: ours, which the test's file names, or --client."""
    now, config = client_process.Now, request.config
    now.story, now.printed, now.errors = Story(client_process.LEGEND), b"", b""
    if config.flag != "--client":
        yield request.module.OURS
        return
    before = now.ours, now.directory, now.deadline_s
    now.ours, now.directory, now.deadline_s = False, str(config.invocation_params.dir), patience(request.node)
    yield config.getoption("--client")
    now.ours, now.directory, now.deadline_s = before
