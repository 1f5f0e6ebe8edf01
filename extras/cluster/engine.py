"""The engine: Redis, as this server uses it.  Redis holds the truth; its scripts change it and write the logs.

call      one run of a script
slot      a connection for calls, one at a time; Redis remembers the results of each slot's last call
doubt     a call was sent, and its answer was lost: it may have been carried out, or not
away      Redis does not answer: nothing is sent until it does again
"""

import contextlib
import hashlib
import json
import queue
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

try:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import (
        ConnectionError,
        MasterDownError,
        NoPermissionError,
        NoScriptError,
        OutOfMemoryError,
        ReadOnlyError,
        ResponseError,
        TimeoutError,
    )
    from redis.retry import Retry

    HAS_LIBRARY = True
except ImportError:  # who needs it says so: missing_library().  What GONE names is Python's own then
    HAS_LIBRARY = False

SLOTS = 16  # calls at once; Redis does one at a time anyway, and each takes a moment
ANSWER_S = 5.0  # without an answer for so long, the connection counts as broken
TRY_AGAIN_S = 0.2  # a call in doubt is sent again so often
GONE = (ConnectionError, TimeoutError)
# Redis is there and says "not now": its disk is full, a script takes long, it lets only its own machine in.
# For some it has a word at the beginning, for others the library has a class: its memory is full, it is a replica.
NOT_NOW = ("MISCONF ", "BUSY ", "NOREPLICAS ", "DENIED ")


def missing_library() -> str:
    """Return what to tell a user on whose machine the library is missing; "" if it is there."""
    if HAS_LIBRARY:
        return ""
    return "a cluster needs a library that is not installed: pip install -r extras/cluster/requirements.txt"


NO_REDIS = "cannot use Redis: {}; start one (Debian: apt install redis-server), or say where it is with --redis"


class Unavailable(Exception):
    """Redis is away, and nothing has been sent."""


class Outcast(Exception):
    """This server is not in the cluster any more, or Redis has lost what it knew: it has to enter anew."""


class NotNow(ConnectionError):
    """Redis has refused a call: it has done nothing."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Raises: NotNow, one of GONE, where Redis refuses a call."""
    try:
        yield
    except ResponseError as error:
        by_class = isinstance(error, (MasterDownError, NoPermissionError, OutOfMemoryError, ReadOnlyError))
        if by_class or str(error).startswith(NOT_NOW):
            raise NotNow(str(error)) from None
        raise  # a bug of ours


class Membership:
    """A server in the cluster: its id, new each time that it enters, and what it knows of Redis's memory.

    memory   the name of it: a Redis that has lost everything gets another one
    seen     how many entries the logs have had, as far as we know: they never have fewer
    """

    def __init__(self, server: str, memory: str, seen: int):
        self.server, self.memory, self.seen = server, memory, seen

    def arguments(self) -> tuple[str, str, str]:
        """Return what each script wants to know first."""
        return self.memory, str(self.seen), self.server

    def saw(self, entries: int) -> None:
        """Know that there have been so many.  Thread: any; if two come at once, one is forgotten."""
        self.seen = max(self.seen, entries)


class Engine:
    """The connections to Redis.

    Thread: any.  Blocks: until Redis answers; nobody may hold the registry's lock meanwhile.
    """

    def __init__(self, url: str, prefix: str = "chat:"):
        self.url, self.prefix = url, prefix
        self.is_away = False  # for new requests; whoever finds out sets it
        self.stopping = False
        # The one that was used last is taken first: the others need no connection until calls overlap.
        self._slots: queue.LifoQueue[Slot] = queue.LifoQueue()
        for number in range(SLOTS):
            self._slots.put(Slot(url, str(number)))

    def steps(self, membership: Membership, steps: Sequence[Sequence[str]]) -> list[str]:
        """Carry out the requests of a chunk, each once; return a result for each.

        Raises: Unavailable if Redis is known to be away; Outcast.  In doubt it waits for Redis.
        """
        with self._slot() as slot:
            slot.number += 1
            arguments = (*membership.arguments(), slot.name, str(slot.number), json.dumps(steps))
            entries, *results = in_cluster(self._without_doubt(slot, arguments))
        membership.saw(int(entries))
        return results

    @contextlib.contextmanager
    def _slot(self) -> Iterator["Slot"]:
        """Have a slot for ourselves.  Raises: Unavailable.  Blocks: until one is free."""
        if self.is_away:
            raise Unavailable
        slot = self._slots.get()
        try:
            yield slot
        finally:
            self._slots.put(slot)

    def _without_doubt(self, slot: "Slot", arguments: tuple[str, ...]) -> list[Any]:
        """Send a call until it is answered.  Raises: Unavailable, if nothing has been done; Outcast."""
        was_sent = in_doubt = False
        while True:
            try:
                if not was_sent:
                    slot.connect()
                    was_sent = True
                answer = slot.run(self.prefix, STEPS, *arguments)
                self.is_away = False
                return answer
            except GONE as error:
                self.is_away = True
                in_doubt = in_doubt or was_sent and not isinstance(error, NotNow)
                if not in_doubt:
                    raise Unavailable from None
                if self.stopping:
                    raise Outcast("the server is stopping") from None
                time.sleep(TRY_AGAIN_S)

    def rooms(self, membership: Membership) -> list[tuple[str, int]]:
        """Return all rooms, and how many are in each.  Raises: Unavailable, Outcast."""
        with self._slot() as slot:
            try:
                _, rooms = in_cluster(slot.run(self.prefix, ROOMS, *membership.arguments()))
            except GONE:
                self.is_away = True
                raise Unavailable from None
        return [(name, count) for name, count in rooms]

    def close(self) -> None:
        """Close the connections; a call that waits fails."""
        while True:
            try:
                self._slots.get_nowait().close()
            except queue.Empty:
                return


class Slot:
    """A connection for one call after the other.  Thread: one at a time."""

    def __init__(self, url: str, name: str = ""):
        self.name, self.number = name, 0  # of the call
        self.redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            max_connections=1,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # only we know what may be sent again
        )

    def connect(self) -> None:
        """See to it that there is a connection.  Raises: one of GONE; then nothing has been sent."""
        with refusals():
            pool = self.redis.connection_pool
            pool.release(pool.get_connection())

    def run(self, prefix: str, script: "Script", *arguments: str) -> list[Any]:
        """Run a script.  Raises: one of GONE."""
        with refusals():
            try:
                answer: list[Any] = self.redis.evalsha(script.sha, 0, prefix, *arguments)
            except NoScriptError:  # a Redis that has just started
                answer = self.redis.eval(script.text, 0, prefix, *arguments)
            return answer

    def read(self, positions: dict[str, str], count: int, wait_ms: int) -> list[Any]:
        """Return what is new in some streams.  Blocks: as long as that.  Raises: one of GONE."""
        with refusals():
            streams: list[Any] = self.redis.xread(positions, count=count, block=wait_ms) or []
            return streams

    def close(self) -> None:
        """Close the connection.  Thread: any; a call that waits fails."""
        self.redis.connection_pool.disconnect()


class Script:
    """A script, and the name by which Redis remembers it."""

    def __init__(self, file: str):
        folder = Path(__file__).parent
        self.text = "".join((folder / name).read_text(encoding="utf-8") for name in ("common.lua", file))
        self.sha = hashlib.sha1(self.text.encode()).hexdigest()


STEPS, ENTER, BEAT, ROOMS, LEAVE = map(Script, ("steps.lua", "enter.lua", "beat.lua", "rooms.lua", "leave.lua"))


def in_cluster(answer: list[Any]) -> list[Any]:
    """Return a script's answer.  Raises: Outcast."""
    if answer[:1] == ["lost"]:
        raise Outcast("Redis has lost what it knew")
    if answer[:1] == ["buried"]:
        raise Outcast("the other servers have taken this one for dead")
    return answer
