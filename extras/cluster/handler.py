"""A user's requests, in a server that is one of many.

What only asks is answered here.  What changes something goes to Redis; while its thread waits for
that, it holds no lock.

step   a request as the script steps.lua wants it
run    steps that are sent together: messages, whose reply is only OK or ERR
wait   for one's own entry to come back in a log: whoever carries it out queues the reply
"""

import threading
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from extras.broadcast.turns import TurnHandler
from extras.cluster.engine import Outcast, Unavailable
from extras.cluster.view import RoomView, View
from extras.presence.listing import list_lines
from extras.rooms.hub import MAX_ROOMS
from extras.rooms.server import RoomsHandler
from step3_protocol.protocol import ProtocolError, Request, check_name, check_text, format_line
from step5_server.request_handler import RequestHandler

if TYPE_CHECKING:
    from extras.cluster.server import ClusterServer  # which imports us

LOGOUT_S = 0.5  # how often a LOGOUT that waits looks whether Redis is away
MAX_RUN = 100  # steps: a script lets nobody else in meanwhile, and takes some 10 us for each
ERRORS = {  # the scripts give codes
    "name-taken": "somebody else has this name",
    "no-such-user": "nobody here has that name",
    "already-joined": "you are in this room",
    "not-in-room": "you are not in this room",
    "too-many-rooms": f"at most {MAX_ROOMS} at once",
    "unavailable": "nothing has been done; try again in a moment",
}


class ClusterHandler(TurnHandler, RequestHandler):
    """Serve one connection."""

    server: "ClusterServer"
    registry: View
    VERBS = RoomsHandler.VERBS

    def setup(self) -> None:
        """Take a place; the login has its id from the beginning."""
        self.login = uuid.uuid4().hex[:12]
        self._entry_came = threading.Event()  # what this thread waits for has been carried out
        self.is_leaving = False  # our LOGOUT is on its way
        self._claimed = ""  # our name's key, once Redis has given it to us
        self._entering = self._leaving = ""  # the room that we wait to be in, or out of
        super().setup()

    def handle(self) -> None:
        """Serve the connection.  Whoever half-closes still reads what was written to her until then."""
        super().handle()
        if not self.outbox.ended:
            self.log_out()

    # --- lines in, in our own thread, without the lock

    def answer_lines(self) -> None:
        """Answer the lines that a chunk has completed; messages that stand together go together."""
        run: list[list[str] | ProtocolError] = []
        while not self.outbox.ended and (line := self.conn.next_line()) is not None:
            try:
                request = self.parse(line)
                step = self.message(request) if request else None
            except ProtocolError as error:
                run.append(error)
            else:
                if step:
                    run.append(step)
                elif request:
                    self.send_run(run)
                    self.do_alone(request)
            if len(run) >= MAX_RUN:
                self.send_run(run)
            if self.conn.reply_room < 0:
                self.conn.deliver()
                self.conn.wait_for_peer()
        self.send_run(run)

    def message(self, request: Request) -> list[str] | None:
        """Return the step for a message, None for any other request.  Raises: ProtocolError."""
        match request:
            case Request("ALL", (text,)):
                return ["ALL", *self.me, check_text(text)]
            case Request("MSG", (to, text)):
                return ["MSG", *self.me, self.registry.key(to), check_text(text)]
            case Request("SAY", (room, text)):
                return ["SAY", *self.me, self.registry.key(room), check_text(text)]
        return None

    @property
    def me(self) -> tuple[str, str, str]:
        """How a step says who we are."""
        return self.registry.key(self.name), self.name, self.login

    def send_run(self, run: list[list[str] | ProtocolError]) -> None:
        """Have all messages of a run carried out, answer them, and empty it.  Blocks: for Redis."""
        results = iter(self.steps([step for step in run if not isinstance(step, ProtocolError)]))
        for step in run:
            error = step if isinstance(step, ProtocolError) else self.error(next(results))
            self.answer_with(error)
        run.clear()

    def steps(self, steps: list[list[str]]) -> list[str]:
        """Return the result of each step.  Blocks: for Redis."""
        try:
            return self.server.steps(steps) if steps else []
        except (Unavailable, Outcast):  # an outcast's connections are being ended: this answer goes nowhere
            return ["unavailable"] * len(steps)

    def error(self, result: str) -> ProtocolError | None:
        """Return what a result means, None for "ok"."""
        return None if result == "ok" else ProtocolError(result, ERRORS[result])

    def answer_with(self, error: ProtocolError | None) -> None:
        """Queue OK, or the ERR."""
        self.send(format_line("ERR", error.code, error.text) if error else b"OK")

    def do_alone(self, request: Request) -> None:
        """Do a request that is no message, and answer it."""
        try:
            getattr(self, "do_" + request.verb)(*request.args)
        except ProtocolError as error:
            self.answer_with(error)

    def do_step(self, *step: str) -> None:
        """Have one step carried out, and wait until we have read so in a log.  Raises: ProtocolError."""
        self._entry_came.clear()
        (result,) = self.steps([list(step)])
        if error := self.error(result):
            self._entering = self._leaving = ""
            raise error
        if step[0] == "LOGIN":
            self._claimed = step[1]
        self.conn.deliver()  # what we have said before; the reply comes from who reads the log
        if not self.outbox.ended:
            self._entry_came.wait()

    def do_LOGIN(self, name: str) -> None:
        """Take a name that nobody in the cluster has."""
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        check_name(name)
        with self.registry.lock:
            self.registry.locals[self.login] = self
        self.do_step("LOGIN", self.registry.key(name), name, self.login)

    def do_JOIN(self, name: str) -> None:
        """Enter a room."""
        self._entering = self.registry.key(check_name(name))
        self.do_step("JOIN", *self.me, self._entering, name)

    def do_LEAVE(self, name: str) -> None:
        """Leave a room."""
        self._leaving = self.registry.key(name)
        self.do_step("LEAVE", *self.me, self._leaving)

    def do_LOGOUT(self) -> None:
        """Say goodbye; the name is free from now on, or as soon as Redis is back."""
        self.log_out()
        with self.registry.lock:
            self.send(b"OK bye")
            self.server.dismiss(self, "LOGOUT")

    def log_out(self) -> None:
        """Give our name back, and wait until we have read so: what was written to us before comes first.

        Blocks: for Redis; if it is away, for LOGOUT_S.
        """
        with self.registry.lock:
            self.registry.mute(self)  # else we would hear how we leave our rooms
            self._entry_came.clear()
            if not self.give_name_back():
                return
        while not (self._entry_came.wait(LOGOUT_S) or self.server.engine.is_away):
            pass

    def give_name_back(self) -> bool:
        """Have our name freed by a thread that has time to wait for Redis; return whether we had one.

        Twice does no harm.  Thread: holds the registry's lock.
        """
        claimed, self._claimed, self.is_leaving = self._claimed, "", True
        if claimed:
            self.server.farewells.put(["LOGOUT", claimed, self.login])
        return bool(claimed)

    def do_HELP(self) -> None:
        """List the verbs."""
        self.send(format_line("OK", " ".join(self.VERBS)))

    def do_WHO(self) -> None:
        """List all users, the one who asks too: one step, or news of somebody might come before a list without her."""
        with self.registry.lock:
            names = self.registry.names()
            for line in list_lines(names, "USERS"):
                self.send(line)
        self.send(format_line("OK", f"{len(names)} online"))

    def do_ROOMS(self) -> None:
        """List all rooms and how many are in them."""
        try:
            rooms = self.server.rooms()
        except (Unavailable, Outcast):
            raise ProtocolError("unavailable", ERRORS["unavailable"]) from None
        self.say(format_line("ROOM", name, str(count)) for name, count in rooms)
        self.send(format_line("OK", f"{len(rooms)} rooms"))

    def say(self, lines: Iterable[bytes]) -> None:
        """Queue an answer of any length.  Blocks: while our peer does not read it."""
        for line in lines:
            self.send(line)
            if self.conn.reply_room < 0:
                self.conn.deliver()
                self.conn.wait_for_peer()

    # --- entries of the logs, in the thread that reads them, with the lock

    def is_online(self, name: str, others: list[str]) -> None:
        """Our LOGIN has come back."""
        self.name = name
        self.tell_us(format_line("OK", f"welcome, {name}"), *list_lines(others, "USERS"))

    def waits_for(self, room: RoomView) -> bool:
        """Tell whether we are about to enter this room."""
        return self._entering == self.registry.key(room.name)

    def is_in(self, room: RoomView) -> None:
        """Our JOIN has come back."""
        self._entering = ""
        self.tell_us(*list_lines(room.users.values(), "MEMBERS", room.name), b"OK")

    def leaves(self, room: RoomView) -> bool:
        """Tell whether we are about to leave this room."""
        return self._leaving == self.registry.key(room.name)

    def is_out(self) -> None:
        """Our LEAVE has come back."""
        self._leaving = ""
        self.tell_us(b"OK")

    def tell_us(self, *lines: bytes) -> None:
        """Queue a reply, and let our own thread go on."""
        for line in lines:
            self.registry.put(self.outbox, line)
        self._entry_came.set()

    def stop_waiting(self) -> None:
        """Let our own thread go on: our LOGOUT has come back, or what it waits for will not come."""
        self._entry_came.set()

    # --- the end

    def on_gone(self) -> None:
        """Hear nothing more, and give the name back."""
        self.registry.forget(self)
        self.give_name_back()
