"""The exercise under test: your mine.py where there is one, else the starting point."""

import importlib.util

import pytest

from extras.cluster.private_redis import PrivateRedis, missing_redis


@pytest.fixture
def exercise(request):
    """Load start.py, mine.py or solution.py from the test's own folder, as a module."""
    folder = request.path.parent
    chosen = request.config.getoption("--exercise")
    path = folder / f"{chosen or 'mine'}.py"
    if not chosen and not path.exists():
        path = folder / "start.py"
    spec = importlib.util.spec_from_file_location(f"{folder.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def private_redis():
    """A Redis for all tests of a run."""
    pytest.importorskip("redis", reason="redis-py is not installed: pip install -r extras/cluster/requirements.txt")
    if missing_redis():
        pytest.skip("redis-server is not installed (apt install redis-server)")
    with PrivateRedis() as redis:
        yield redis


@pytest.fixture
def redis(private_redis):
    """A client of a Redis that is empty."""
    from redis import Redis

    with Redis(port=private_redis.port, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def cluster(redis, private_redis, exercise, serve):
    """cluster(the name of a server class of the exercise) -> two servers, s1 and s2, that are one chat."""

    def cluster(name):
        server_class = getattr(exercise, name)
        return [serve(server_class, redis=private_redis.url, name=server) for server in ("s1", "s2")]

    return cluster
