"""A chat server without a network, for the scheduler: each user is a handler, and what she says is an actor's work.

    stage = Stage(PresenceServer, "alice", "bob")
    actors = {"carol": lambda: stage.say("carol", "LOGIN carol"), "bob": lambda: stage.leave("bob")}

heard   the lines that a user's peer has got
"""

import types

from extras.broadcast.fan_out import flush_all
from step5_server.outbox import MAX_PENDING_BYTES


class Peer:
    """A socket whose peer reads everything at once."""

    def __init__(self):
        self.got = b""

    def send(self, data, flags=0):
        self.got += data
        return len(data)

    sendall = send

    def setsockopt(self, *args):
        pass

    def shutdown(self, how):
        pass


class Stage:
    """Users on a server; those who are named first are logged in."""

    def __init__(self, server_class, *names):
        self.handler_class = server_class.handler_class
        self.registry = server_class.registry_class()
        self.server = types.SimpleNamespace(
            registry=self.registry,
            max_pending_bytes=MAX_PENDING_BYTES,
            deliver=flush_all,
            admit=lambda handler: None,
            retire=lambda handler: None,
            dismiss=lambda *args: None,
        )
        self.users = {}
        for name in names:
            self.say(name, f"LOGIN {name}")
        for user in self.users.values():
            user.request.got = b""  # what they heard of each other is no matter

    def user(self, name):
        """Return a user's handler; she connects if she has not yet."""
        if name not in self.users:
            handler = self.users[name] = self.handler_class.__new__(self.handler_class)
            handler.request, handler.client_address, handler.server = Peer(), ("127.0.0.1", 1), self.server
            handler.setup()
        return self.users[name]

    def say(self, name, *lines):
        """Answer lines of hers that came in one chunk, as handle() does."""
        user = self.user(name)
        user.conn.codec.feed("".join(line + "\n" for line in lines).encode())
        user.answer_lines()
        user.conn.deliver()

    def leave(self, name):
        """Her connection has ended: do what finish() does."""
        user = self.user(name)
        with user.registry.lock:
            user.free()
        user.conn.deliver()

    def heard(self, name):
        return self.users[name].request.got.decode().splitlines()
