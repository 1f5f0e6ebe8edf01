"""Step 5 under load: users come and go, and every message is counted."""

import random
import threading
import time
from collections import Counter

from step5_server.registry import Registry
from step5_server.server import ChatHandler, ChatServer
from tests.wire import Wire

USERS, MESSAGES_EACH, LINES_A_SESSION = 20, 300, 30
NAMES = [f"user{n}" for n in range(USERS)]


class User(threading.Thread):
    """A user who logs in, writes to others, logs out and comes back under the same name."""

    def __init__(self, address, number):
        super().__init__()
        self.address = address
        self.random = random.Random(number)
        self.user = NAMES[number]
        self.sent = Counter()  # (sender, receiver) -> messages that got an OK
        self.sessions = []  # the events of each session
        self.serial = 0
        self.fault = None

    def run(self):
        try:
            while self.serial < MESSAGES_EACH:
                self.live_one_session()
        except BaseException as fault:  # noqa: BLE001 (for the main thread to show)
            self.fault = fault

    def live_one_session(self):
        events = []
        with Wire(self.address) as wire:
            # The OK to LOGOUT means that the name is free: nobody else wants it.
            assert wire.request(f"LOGIN {self.user}").reply.startswith("OK")
            for _ in range(LINES_A_SESSION):
                to = self.random.choice(NAMES)
                answer = wire.request(f"MSG {to} {self.serial}")
                events += answer.events
                if answer.reply == "OK":
                    self.sent[self.user, to] += 1
                else:
                    assert answer.reply.startswith("ERR no-such-user")
                self.serial += 1
            events += wire.request("LOGOUT").events
            assert wire.expect_eof() == b""
        self.sessions.append(events)


class YieldingRegistry(Registry):
    """Lets another thread run between the look and the use, where the races would be."""

    def get(self, name):
        member = super().get(name)
        time.sleep(0)  # releases the GIL; waits for nothing
        return member


class YieldingServer(ChatServer):
    registry_class = YieldingRegistry


def test_every_message_is_counted_while_users_come_and_go(serve):
    server = serve(YieldingServer)
    users = [User(server.server_address, number) for number in range(USERS)]
    for user in users:
        user.start()
    for user in users:
        user.join()
        assert user.fault is None, user.fault
    sent, received = Counter(), Counter()
    for user in users:
        sent += user.sent
        for events in user.sessions:
            last = {}  # sender -> serial number of its last message
            for event in events:
                verb, sender, serial = event.split(" ")
                assert verb == "MSG"
                assert int(serial) > last.get(sender, -1), "doubled or reordered"
                last[sender] = int(serial)
                received[sender, user.user] += 1
    assert received == sent
    assert sum(sent.values()) > USERS * MESSAGES_EACH / 4  # most are online at any time
    assert server.registry.names() == []


class FailingHandler(ChatHandler):
    """It has a bug: it cannot help anybody."""

    def do_HELP(self):
        raise ZeroDivisionError


def test_a_bug_of_ours_loses_nothing_that_was_acknowledged_before_it(serve, connect):
    server = serve(type("FailingServer", (ChatServer,), {"handler_class": FailingHandler}))
    alice, bob = connect(server), connect(server)
    for wire, name in ((alice, "alice"), (bob, "bob")):
        assert wire.request(f"LOGIN {name}").reply.startswith("OK")
    alice.send(b"MSG bob one\nMSG bob two\nHELP\nMSG bob three\n")
    assert alice.read_to_eof() == b"OK\nOK\n"
    assert [bob.read_line() for _ in range(2)] == ["MSG alice one", "MSG alice two"]
    assert bob.request("LOGOUT").events == []
