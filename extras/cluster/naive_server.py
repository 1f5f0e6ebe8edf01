"""A chat on many servers by publish and subscribe.  WRONG ON PURPOSE: server.py uses a log.

It knows ALL across servers, and nothing else: names are those of one server.  Each message goes to
our own users at once and to the other servers through a channel of Redis.  A channel keeps nothing:
who is not subscribed when something is published will never hear of it.
"""

import argparse
import json
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.broadcast.fan_out import put_to
from extras.broadcast.fast_server import FastServer, server_parser
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from extras.cluster.engine import GONE, NO_REDIS, missing_library
from extras.tls.tls_server import give_up
from step1_echo.serving import log, main
from step3_protocol.protocol import format_line
from step5_server.outbox import Outbox

try:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError
    from redis.retry import Retry
except ImportError:  # missing_library() tells the user
    pass

CHANNEL = "chat:all"
LOOK_AGAIN_S = 0.25  # how often to look whether we are to stop
UNLUCKY_S = 3  # a moment without a connection is enough, now and then; in 3 s you can do it by hand


class PubSubHandler(BroadcastHandler):
    """One user's requests; ALL goes to the other servers, too."""

    server: "PubSubServer"

    def do_ALL(self, text: str) -> None:
        """Tell our own users and say OK, then tell the others.  WRONG ON PURPOSE: two orders, and an OK too early."""
        super().do_ALL(text)
        self.server.redis.publish(CHANNEL, json.dumps([self.server.id, self.name, text]))


class PubSubServer(BroadcastServer):
    """Serve chat users, who do not hear all of what users of other servers say."""

    handler_class = PubSubHandler

    def __init__(self, address: tuple[str, int], redis: str, **settings: Any):
        """Listen at the address, and to the channel.  Raises: OSError; ConnectionError without Redis."""
        super().__init__(address, **settings)
        self.id = uuid.uuid4().hex
        self.redis: Any = Redis.from_url(redis, decode_responses=True, retry=Retry(NoBackoff(), 0))
        self._channel = self._subscribe()
        self._stopping = False
        self._listener = threading.Thread(target=self._listen, name="listener")
        self._listener.start()

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> FastServer:
        """Build the server that the command line asks for; or say what is missing, and exit."""
        if complaint := missing_library():
            give_up(complaint)
        try:
            return super().from_args(args)
        except GONE as error:
            give_up(NO_REDIS.format(error))

    @classmethod
    def settings(cls, args: argparse.Namespace) -> dict[str, Any]:
        return super().settings(args) | {"redis": args.redis}

    def stop(self) -> None:
        """Stop as ever, and hear nothing more of the channel."""
        super().stop()
        self._stopping = True
        self._listener.join()
        self.redis.close()

    def _subscribe(self) -> Any:
        channel = self.redis.pubsub(ignore_subscribe_messages=True)
        channel.subscribe(CHANNEL)
        return channel

    def _listen(self) -> None:
        """Pass on what the other servers say.  Thread: its own."""
        while not self._stopping:
            try:
                if message := self._channel.get_message(timeout=LOOK_AGAIN_S):
                    self.pass_on(*json.loads(message["data"]))
            except ConnectionError:
                log.warning("Redis has cut us off")
                time.sleep(UNLUCKY_S)  # WRONG ON PURPOSE: who tells us what is said meanwhile?
                self._channel = self._subscribe()
                log.warning("subscribed again")
        self._channel.close()

    def pass_on(self, server: str, name: str, text: str) -> None:
        """Queue a message from another server for all our users."""
        if server == self.id:
            return  # they have it
        line = format_line("ALL", name, text)
        touched: set[Outbox] = set()
        with self.registry.lock:
            for group in self.registry.everyone.groups:
                put_to(group, group.frame(line), touched)
        self.deliver(touched)


def parser() -> argparse.ArgumentParser:
    """Return broadcast's flags and ours."""
    flags = server_parser("Serve a chat on many servers that lose messages (wrong!).")
    flags.add_argument(
        "--redis", default="redis://127.0.0.1:6379", metavar="URL", help="where Redis is (default %(default)s)"
    )
    flags.add_argument("--name", default="", help="means nothing here")
    return flags


if __name__ == "__main__":
    sys.exit(main(PubSubServer, parser()))
