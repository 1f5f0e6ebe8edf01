"""A member of the cluster: one thread that keeps this server in it, and reads the logs.

It beats, so that the others know that we live; it reads what is new in the logs, and carries it out
under the registry's lock, in the log's order.  When Redis is away it waits; when we are an outcast
it says so, and enters anew.

beat      a sign of life.  Redis's clock counts: the machines' own may say what they like
lease     how long a server may be silent before the others bury it
position  the id of the last entry that we have read of a log
"""

import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from extras.cluster.engine import (
    BEAT,
    ENTER,
    GONE,
    LEAVE,
    TRY_AGAIN_S,
    Engine,
    Membership,
    Outcast,
    Script,
    Slot,
    in_cluster,
)
from extras.cluster.view import User, View
from step1_echo.serving import log

if TYPE_CHECKING:
    from extras.cluster.server import ClusterServer  # which imports us

LEASE_S = 3.0  # a user whose server has died is offline within 5 s: this, a beat, and what Redis needs
BEAT_S = 0.5
READ_WAIT_MS = 250  # how long one read waits for something new: so late may a beat be
READ_COUNT = 500  # entries of one log at once: some milliseconds of work under the lock


class Member:
    """This server's part in the cluster.  Thread: its own, but for stop()."""

    def __init__(self, server: "ClusterServer", engine: Engine, view: View, name: str):
        self.server, self.engine, self.view, self.name = server, engine, view, name
        self.membership: Membership | None = None  # None: not in the cluster now
        self._slot = Slot(engine.url)
        self._positions: dict[str, str] = {}  # by log
        self._next_beat = 0.0
        self._alive_since = 0.0  # no beat of ours has failed or come late since then
        self._is_away = False  # Redis, as the log has it
        self._stopping = False
        self._thread = threading.Thread(target=self.run, name="member", daemon=True)

    def start(self) -> None:
        """Enter the cluster, and stay in it.  Raises: one of GONE when Redis cannot be reached."""
        self.enter()
        self._thread.start()

    def stop(self) -> None:
        """Leave, so that our users are gone at once.  Blocks: until the thread has ended."""
        self._stopping = True
        self._thread.join()
        if self.membership:
            try:
                self._run(LEAVE, *self.membership.arguments())
            except GONE:
                pass  # NOTE: the others will bury us
        self._slot.close()
        self.engine.close()

    def run(self) -> None:
        """Beat and read, come what may.  Thread: our own."""
        while not self._stopping:
            try:
                membership = self.membership or self.enter()
                self.beat(membership)
                self.read(membership)
                self._tell_away("")
            except Outcast as outcast:
                self.server.cast_out(self.membership, str(outcast))
            except GONE as error:
                self._alive_since = float("inf")  # whoever was cut off must not judge others
                self._tell_away(str(error))
                time.sleep(TRY_AGAIN_S)
            except Exception:  # noqa: BLE001, a bug of ours must not end the thread
                log.exception("cluster: a bug of ours")
                self.server.cast_out(self.membership, "it has made a mistake")

    def _tell_away(self, why: str) -> None:
        """Log it, once, if Redis has gone, or has come back."""
        self.engine.is_away = bool(why)
        if self.engine.is_away != self._is_away:
            self._is_away = self.engine.is_away
            log.warning("cluster: Redis is away: %s" if why else "cluster: Redis is back%s", why)

    def enter(self) -> Membership:
        """Enter the cluster under a new id.  Raises: one of GONE."""
        server = f"{self.name}-{uuid.uuid4().hex[:6]}"
        memory, entries, users, position, servers = self._run(ENTER, server, uuid.uuid4().hex)
        with self.view.lock:
            self.view.begin(server, [User(*json.loads(user)) for user in users])
            self._positions = {"users": position, f"server:{server}": "0-0"}
            self.membership = Membership(server, memory, int(entries))
        self._next_beat, self._alive_since = 0.0, time.monotonic()
        log.warning("cluster: this is %s, one of %d: %s", server, len(servers), " ".join(sorted(servers)))
        return self.membership

    def beat(self, membership: Membership) -> None:
        """Give a sign of life, if it is time.  Raises: Outcast, one of GONE."""
        now = time.monotonic()
        if now < self._next_beat:
            return
        if now - self._next_beat > LEASE_S / 2 and self._next_beat:
            self._alive_since = now  # we were stopped, and know nothing of the others
        self._next_beat = now + BEAT_S
        self._alive_since = min(self._alive_since, now)
        may_bury = "yes" if now - self._alive_since > LEASE_S else "no"
        answer = in_cluster(self._run(BEAT, *membership.arguments(), str(int(LEASE_S * 1000)), may_bury))
        if answer == ["late"]:
            self._alive_since = time.monotonic()  # Redis stood still: give the others time

    def read(self, membership: Membership) -> None:
        """Read what is new, and carry it out.  Blocks: READ_WAIT_MS.  Raises: Outcast, one of GONE."""
        prefix = self.engine.prefix + "log:"
        positions = {prefix + name: position for name, position in self._positions.items()}
        streams = self._slot.read(positions, READ_COUNT, READ_WAIT_MS)
        with self.view.lock:
            if self.membership is not membership:
                return  # somebody has cast us out
            try:
                for key, entries in streams:
                    for position, entry in entries:
                        self.carry_out(membership, key.removeprefix(prefix), position, entry)
            finally:
                touched, self.view.touched = self.view.touched, set()
        self.server.deliver(touched)

    def carry_out(self, membership: Membership, name: str, position: str, entry: dict[str, str]) -> None:
        """Do what an entry says.  Raises: Outcast.  Thread: holds the lock."""
        if name not in self._positions:
            return  # a room that nobody here is in any more
        if entry["before"] != self._positions[name]:
            raise Outcast(f"it has missed something in the log {name}")
        self._positions[name] = position
        membership.saw(int(entry["number"]))
        verb, *words = json.loads(entry["what"])
        kind, _, key = name.partition(":")
        if kind == "room":
            room = self.view.rooms[key]
            getattr(self.view, "on_" + verb)(room, *words)
            if not room.follows:
                del self.view.rooms[key], self._positions[name]
        elif verb == "FOLLOW":
            key, room_name, position, users, login = words
            self._positions.setdefault(f"room:{key}", position)
            self.view.on_FOLLOW(key, room_name, users, login)
        elif verb in ("UP", "DOWN"):
            log.warning("cluster: %s is %s", words[0], verb.lower())
        else:
            getattr(self.view, "on_" + verb)(*words)

    def _run(self, script: Script, *arguments: str) -> list[Any]:
        return self._slot.run(self.engine.prefix, script, *arguments)
