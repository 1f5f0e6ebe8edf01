"""The postman: each filled outbox once a round, nobody waits for ever, nothing is lost at the end."""

import threading

import pytest

from extras.broadcast.postman import Postman
from extras.broadcast.server import BroadcastHandler, BroadcastServer
from step5_server.connection import CHUNK_BYTES
from step5_server.stream import Stream
from tests.crowd import log_in

DEADLINE_S = 10.0


class Letterbox:
    """In place of an outbox: notes which threads flush it, and can make the postman wait."""

    def __init__(self, name: str, flushed: list):
        self.name = name
        self.flushed = flushed
        self.by = []  # the threads that flushed it
        self.aborted = False
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def flush(self):
        self.flushed.append(self.name)
        self.by.append(threading.current_thread().name)
        self.reached.set()
        assert self.go_on.wait(DEADLINE_S)

    def abort(self):
        self.aborted = True


@pytest.fixture
def postman():
    postman = Postman()
    yield postman
    postman.end()
    assert not postman._thread.is_alive()


@pytest.fixture
def boxes():
    """Return eight letterboxes, a to h, that note in one list in which order they are flushed."""
    flushed = []
    return [Letterbox(name, flushed) for name in "abcdefgh"]


def in_a_thread(function, *args) -> threading.Thread:
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def join(*threads):
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_one_or_two_are_flushed_by_the_sender_itself(postman, boxes):
    postman.deliver(boxes[:1])
    postman.deliver(boxes[1:3])
    assert boxes[0].flushed == ["a", "b", "c"]
    assert all(box.by == [threading.current_thread().name] for box in boxes[:3])


def test_more_are_flushed_by_the_postman(postman, boxes):
    postman.deliver(boxes[:3])
    postman.end()
    assert boxes[0].flushed == ["a", "b", "c"]
    assert all(box.by == ["postman"] for box in boxes[:3])


def test_a_round_takes_each_once_and_first_come_first_served(postman, boxes):
    a, b, c, d, e, f, g, h = boxes
    a.go_on.clear()
    postman.deliver([a, b, c])
    assert a.reached.wait(DEADLINE_S)  # the postman stands at a, and meanwhile:
    join(in_a_thread(postman.deliver, [f, e, d]))
    join(in_a_thread(postman.deliver, [d, a, f, e]))
    join(in_a_thread(postman.deliver, [h, d, g]))
    a.go_on.set()
    postman.end()
    assert "".join(a.flushed) == "abc" + "fedahg"


def test_a_sender_hands_over_once_a_round_and_then_waits(postman, boxes):
    a, b, c, d, e, f, g, h = boxes
    a.go_on.clear()
    d.go_on.clear()
    handed_over = []

    def send():
        for some in ([a, b, c], [d, e, f], [g, h, a]):
            postman.deliver(some)
            handed_over.append(len(some))
            if some[0] is a:
                assert a.reached.wait(DEADLINE_S)

    sender = in_a_thread(send)
    assert a.reached.wait(DEADLINE_S)
    # Its second batch waits for the next round, and so it must wait with its third until
    # that round begins, which is when the postman stands at d.
    a.go_on.set()
    assert d.reached.wait(DEADLINE_S)
    d.go_on.set()
    join(sender)
    postman.end()
    assert "".join(a.flushed) == "abcdefgha"


def test_a_flood_does_not_pile_up_while_the_postman_is_away(postman, boxes):
    a, b, c, d, *_ = boxes
    a.go_on.clear()
    postman.deliver([a, b, c])
    assert a.reached.wait(DEADLINE_S)
    handed_over = []
    once = threading.Event()

    def flood():
        for n in range(1000):
            postman.deliver([b, c, d])
            handed_over.append(n)
            once.set()

    flooder = in_a_thread(flood)
    assert once.wait(DEADLINE_S)
    join(in_a_thread(postman.deliver, [b, c, d]))  # another sender is not held up
    assert handed_over == [0]
    a.go_on.set()
    join(flooder)


def test_what_waits_at_the_end_is_carried_and_later_mail_is_flushed_by_its_sender(postman, boxes):
    a, b, c, d, e, f, g, h = boxes
    a.go_on.clear()
    postman.deliver([a, b, c])
    assert a.reached.wait(DEADLINE_S)
    join(in_a_thread(postman.deliver, [d, e, f]))
    ending = in_a_thread(postman.end)
    a.go_on.set()
    join(ending)
    assert "".join(a.flushed) == "abcdef"
    postman.deliver([f, g, h])
    assert g.by == [threading.current_thread().name]


def test_the_end_frees_a_sender_who_waits(postman, boxes):
    a, b, c, d, e, f, g, h = boxes
    a.go_on.clear()
    postman.deliver([a, b, c])
    assert a.reached.wait(DEADLINE_S)

    def send():
        postman.deliver([d, e, f])
        postman.deliver([f, g, h])  # waits for the round of d, e, f, which is the last one

    sender, ending = in_a_thread(send), in_a_thread(postman.end)
    a.go_on.set()
    join(sender, ending)
    assert sorted(a.flushed) == sorted("abcdeffgh")


def test_a_bug_in_one_flush_does_not_stop_everybodys_mail(postman, boxes, caplog):
    a, b, c, *_ = boxes
    a.flush = None  # calling it raises TypeError
    postman.deliver([a, b, c])
    postman.end()
    assert a.aborted and "".join(a.flushed) == "bc"
    assert caplog.text.count("a bug of ours") == 1


class NotingStream(Stream):
    """It notes how many pieces have waited, each time that some are sent."""

    waited = []  # for all connections

    def seal(self, pieces):
        self.waited.append(len(pieces))
        return b"".join(pieces)


class NotingHandler(BroadcastHandler):
    def stream(self):
        return NotingStream(self.request)


class NotingServer(BroadcastServer):
    handler_class = NotingHandler


def test_a_flood_arrives_whole_and_never_waits_in_a_heap(serve, connect):
    NotingStream.waited.clear()
    alice, *others = log_in(connect, serve(NotingServer), "alice", *(f"bob{n}" for n in range(20)))
    line = "x" * 100

    def hear(wire, heard):
        heard.extend(wire.read_line() for _ in range(20_000))

    heard_by = [[] for _ in others]
    threads = [in_a_thread(hear, wire, heard) for wire, heard in zip(others, heard_by)]
    threads.append(in_a_thread(alice.send, f"ALL {line}\n".encode() * 20_000))
    assert all(alice.read_line() == "OK" for _ in range(20_000))
    join(*threads)
    assert all(heard == [f"ALL alice {line}"] * 20_000 for heard in heard_by)
    # What two deliveries of one chunk each bring, and what one reply more may add.
    assert 1 < max(NotingStream.waited) <= 3 * CHUNK_BYTES / len(line)


def test_stop_loses_nothing_that_was_acknowledged(serve, connect):
    server = serve(BroadcastServer)
    alice, *others = log_in(connect, server, "alice", *(f"bob{n}" for n in range(20)))
    for n in range(200):
        assert alice.request(f"ALL {n}").reply == "OK"
    server.stop()
    for wire in others:
        *lines, last = wire.expect_eof().decode().splitlines()
        assert lines == [f"ALL alice {n}" for n in range(200)]
        assert last.startswith("ERR shutting-down")
