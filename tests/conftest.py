"""Fixtures for all tests: servers on free ports, clients that are always closed, and lessons.

Without flags every test runs, against our own code.  With --server, --connect, --client or
--python the same tests judge somebody else's program; tests/README.md tells how.

check     a test with a @rule; it judges whatever its fixtures give it
serve     the server under test: ours, in a thread, or the foreign one
"""

import contextlib
import itertools
import os
import random
import selectors
import shlex
import shutil
import signal
import string
import sys
import threading
from unittest import mock

import hypothesis
import pytest

from extras.wiretap.relay import Spoiling
from extras.wiretap.wiretap import Wiretap
from step5_server import connection
from tests import client_process
from tests.foreign import ForeignServer, NeverListened, RunningServer, ServerCommand, parse_addresses
from tests.lesson import Lesson, Story
from tests.verdict import FAILED, PATIENCE_S, SO_FAR, SoFar, patience
from tests.verdict import (
    pytest_report_teststatus,
    pytest_runtest_makereport,  # noqa: F401: these are hooks
    pytest_runtest_setup,
    pytest_terminal_summary,
)
from tests.wire import Wire
from tests.yours import choose, chosen

# On a busy machine an example may take long: that is not the fault of the program under test.
hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")

# In our own servers a flooder waits a second for a peer that does not read, once: here not so long.
connection.PATIENCE_S = 0.1
JOIN_S = 10.0  # the longest time for threads to end; usually it is much shorter

# pytest -m hypothesis --hypothesis-profile=long: takes longer than a learner wants to wait
hypothesis.settings.register_profile("long", max_examples=600, deadline=None)

# flag -> the fixture that gives a check the program under test; --python goes by the test's file
FLAGS = {"--server": "serve", "--connect": "serve", "--client": "template", "--python": None}


def pytest_addoption(parser):
    group = parser.getgroup("tutorial", "the tutorial's own")
    group.addoption(
        "--server",
        metavar="COMMAND",
        help="judge the server that this command starts, such as 'node my/echo.js {port}'",
    )
    group.addoption(
        "--connect",
        metavar="HOST:PORT",
        help="judge the server that already runs there; "
        "HOST:PORT,HOST:PORT: the servers that are one chat, each new connection goes to the next",
    )
    group.addoption(
        "--client",
        metavar="COMMAND",
        help="judge the client that this command starts, such as './my_client {host} {port}'",
    )
    group.addoption(
        "--python",
        metavar="stepN=MODULE[:NAME]",
        action="append",
        default=[],
        help="judge this Python code instead of ours (steps 3, 4 and 5)",
    )
    group.addoption(
        "--patience",
        metavar="SECONDS",
        type=float,
        help=f"how long to wait for an answer before it counts as missing (default {PATIENCE_S:g})",
    )
    group.addoption(
        "--exercise",
        choices=["start", "mine", "solution"],
        help="which file the exercises' tests load (default: mine.py, or else start.py)",
    )


def pytest_configure(config):
    # A shell script lets its background programs ignore Ctrl-C, and they pass that on to all they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "direct: this test never runs through the wiretap")
    config.addinivalue_line("markers", "slow: a right server may take a second here, to wait for another client")
    config.addinivalue_line("markers", "rule(title, at, hint, race): this test judges anybody's server or client")
    given = [flag for flag in FLAGS if config.getoption(flag)]
    if len(given) > 1:
        raise pytest.UsageError(f"{' and '.join(given)}: one at a time, please")
    config.flag = given[0] if given else None
    config.stash[SO_FAR] = SoFar()
    for flag, example in (("--server", "python my_server.py {port}"), ("--client", "./my_client {host} {port}")):
        if config.flag == flag and "{port}" not in config.getoption(flag):
            raise pytest.UsageError(
                f"{flag}: the command has no {{port}}, so it cannot be told which port to use. "
                f"Write {{port}} where the number goes: {flag} {example!r}"
            )
    if config.flag == "--client":
        program = shlex.split(config.getoption("--client"))[0].replace("{python}", sys.executable)
        if not shutil.which(program):
            raise pytest.UsageError(f"--client: there is no program {program!r}, or it may not be executed")
    config.chosen_before = dict(chosen)
    chosen.clear()
    for spec in config.getoption("--python"):
        try:
            choose(spec, config.invocation_params.dir)
        except ValueError as error:
            raise pytest.UsageError(f"--python: {error}") from None
    if config.flag == "--connect":
        try:
            parse_addresses(config.getoption("--connect"))
        except ValueError:
            raise pytest.UsageError("--connect HOST:PORT, such as --connect 127.0.0.1:9000") from None


def pytest_unconfigure(config):
    chosen.clear()
    chosen.update(getattr(config, "chosen_before", {}))


def pytest_collection_modifyitems(config, items):
    """With a flag, keep only the checks for the program that it names; without any argument, leave out what is long."""
    if not config.flag:
        if config.args_source == pytest.Config.ArgsSource.TESTPATHS and os.environ.get("CI") != "true":
            config.long = [item for item in items if item.get_closest_marker("long")]
            config.hook.pytest_deselected(items=config.long)
            items[:] = [item for item in items if item not in config.long]
        return
    checks = [item for item in items if item.get_closest_marker("rule") and judges(item, config)]
    config.deselected = len(items) - len(checks)
    config.hook.pytest_deselected(items=[item for item in items if item not in checks])
    items[:] = checks
    config.stash[SO_FAR].outcomes = {item.get_closest_marker("rule").kwargs["title"]: "not tried" for item in items}


def judges(item, config):
    """Return whether a check is for the program that the flag names."""
    if config.flag == "--python":
        return item.path.name[len("test_") :].split("_")[0] in chosen and not {"serve", "template"} & set(
            item.fixturenames
        )
    return FLAGS[config.flag] in item.fixturenames


def pytest_report_collectionfinish(config, items):
    if config.flag:
        return (
            f"{config.flag}: {len(items)} checks judge what you gave; "
            f"{config.deselected} tests of our own Python code are deselected"
        )
    if getattr(config, "long", None):
        return f"{len(config.long)} long tests are left out; .ci/run runs them, and so does naming their file"


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


# Our servers must work however their bytes are cut, so some tests run three times: on the plain
# network, with every byte alone, and with all bytes of a few milliseconds in one chunk.
NETWORKS = {"plain": None, "sliced": Spoiling(slice_bytes=1, slice_gap_s=0.0005), "glued": Spoiling(glue_s=0.002)}
SPOILED = (
    "test_step4_framing",
    "test_step5_server",
    "test_step6_client",
    "test_broadcast",
    "test_presence",
    "test_rooms",
)


def pytest_generate_tests(metafunc):
    spoil = metafunc.module.__name__.rpartition(".")[2] in SPOILED and not metafunc.config.flag
    direct = any(metafunc.definition.get_closest_marker(name) for name in ("direct", "ours"))
    if "network" in metafunc.fixturenames and spoil and not direct:
        metafunc.parametrize("network", NETWORKS, indirect=True)


@contextlib.contextmanager
def tapped_by(spoiling, address):
    """Put a wiretap in front of the server; yield the address to connect to."""
    # Linux's epoll waits for whole milliseconds: twice the gap between two bytes.
    with mock.patch.object(selectors, "DefaultSelector", selectors.SelectSelector):
        with running(Wiretap(("127.0.0.1", 0), address[:2], spoiling)) as tap:
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
