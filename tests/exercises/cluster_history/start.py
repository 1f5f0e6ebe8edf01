"""Exercise: who joins a room gets the last five things said there, from the log."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

import json

from redis import Redis

from extras.cluster.handler import ClusterHandler
from extras.cluster.server import ClusterServer, parser
from step1_echo.serving import main
from step3_protocol.protocol import format_line

FAR_BACK = 100  # entries: so far back we look for five that are a SAY


class HistoryHandler(ClusterHandler):
    """After the OK to her JOIN, a newcomer gets the last five things said in that room before she came.

    Each once: what is said after she has come, she hears anyway.
    """

    # TODO: use self.server.look_back(), and self.login


class HistoryServer(ClusterServer):
    """Serve chat users, who may come late."""

    handler_class = HistoryHandler

    def __init__(self, *args, redis: str, **settings):
        super().__init__(*args, redis=redis, **settings)
        self.redis = Redis.from_url(redis, decode_responses=True)  # any thread may use it

    def stop(self):
        super().stop()
        self.redis.close()

    def look_back(self, room: str) -> list[list[str]]:
        """Return the newest entries of a room's log, the newest first.  Blocks: for Redis.

        Such as ["JOINED", "bob", server, login] or ["SAY", "alice", login, "hello"]; a login is that of one stay.
        """
        log = f"{self.engine.prefix}log:room:{room}"
        return [json.loads(entry["what"]) for _, entry in self.redis.xrevrange(log, count=FAR_BACK)]


if __name__ == "__main__":
    sys.exit(main(HistoryServer, parser()))
