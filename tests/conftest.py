"""Fixtures for all tests: a server on a free port, and clients that are always closed."""

import contextlib
import threading

import pytest

from tests.wire import Wire

JOIN_S = 10.0  # for threads to end; a limit, not a wait


@contextlib.contextmanager
def running(server):
    """Serve in a thread; stop at the end, and leave no thread behind."""
    before = set(threading.enumerate())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(JOIN_S)
        left = [t for t in threading.enumerate() if t not in before]
        for t in left:
            t.join(JOIN_S)
        assert not [t for t in left if t.is_alive()], "threads outlive the server"


@pytest.fixture
def serve():
    """Start servers: serve(ServerClass, **settings) -> server; all are stopped at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda server_class, **settings: stack.enter_context(
            running(server_class(("127.0.0.1", 0), **settings))
        )


@pytest.fixture
def connect(serve):
    """Open clients: connect(server or address) -> Wire; closed before the servers stop."""
    with contextlib.ExitStack() as stack:
        yield lambda to: stack.enter_context(Wire(getattr(to, "server_address", to)))
