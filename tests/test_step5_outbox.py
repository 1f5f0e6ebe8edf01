"""Step 5's outbox: nothing is lost, doubled or reordered, nobody waits, and the bound holds."""

import re
import socket
import threading
from collections import Counter

import pytest

from step5_server.codec import LineCodec
from step5_server.outbox import DRAIN_BYTES, Outbox
from step5_server.stream import Stream
from tests.interleave import explore

DEADLINE_S = 20.0  # so that no test hangs; it decides nothing else
BUFFER_BYTES = 4096  # a kernel buffer so small that the drainer has work
dontwait = pytest.mark.skipif(not hasattr(socket, "MSG_DONTWAIT"), reason="every flush goes to the drainer there")


def small_pair():
    """Return a peer's socket, and an Outbox on a small buffer to it."""
    ours, peer = socket.socketpair()
    for sock in (ours, peer):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    peer.settimeout(DEADLINE_S)
    return peer, Outbox(Stream(ours), LineCodec(), max_pending_bytes=100_000, too_slow_line=b"ERR too-slow")


@pytest.fixture
def pair():
    """Return a small_pair(), closed at the end."""
    peer, outbox = small_pair()
    yield peer, outbox
    peer.close()
    outbox.close()


def in_thread(work, *args):
    """Do it in another thread, and wait for it."""
    thread = threading.Thread(target=work, args=args)
    thread.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def fill(outbox):
    """Put more than the kernel takes, so that a drainer waits with the rest."""
    outbox.put(b"x" * 50_000)
    outbox.flush()
    assert outbox.pending_bytes


def read_to_mark(peer, outbox):
    """Send a mark after all the rest, and read up to it."""
    outbox.put(b"!")
    outbox.flush()
    while not peer.recv(65536).endswith(b"!"):
        pass


def read_all(peer):
    """Read to the EOF."""
    return b"".join(iter(lambda: peer.recv(65536), b""))


@pytest.mark.parametrize("reads_bytes", [100, 65536])
def test_nothing_is_lost_doubled_or_reordered(pair, reads_bytes):
    """Puts race with flushes, flushes with flushes, and all of them with the drainer."""
    peer, outbox = pair
    outbox.max_pending_bytes = 1 << 30
    putters, count = 4, 1500

    def put(number):
        for n in range(count):
            outbox.put(b"%d %d\n" % (number, n))
            outbox.flush()

    def wait():
        for _ in range(count):
            outbox.wait_until_sent(0)

    threads = [threading.Thread(target=put, args=(n,)) for n in range(putters)]
    threads += [threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
    # No flush comes after the one of the last put, so a lost wake-up ends in a timeout here.
    data = b""
    while data.count(b"\n") < putters * count:
        data += peer.recv(reads_bytes)
    for thread in threads:
        thread.join(DEADLINE_S)
    lines = [tuple(map(int, line.split())) for line in data.splitlines()]
    for number in range(putters):
        assert [n for who, n in lines if who == number] == list(range(count))


class FakeSocket:
    """A socket whose kernel takes `room` bytes at once, and the rest from sendall() only; no bytes after close()."""

    def __init__(self, room=1000):
        self.room, self.got = room, b""

    def send(self, data, flags):
        taken, self.room = data[: self.room], max(self.room - len(data), 0)
        if not taken:
            raise BlockingIOError
        self.sendall(taken)
        return len(taken)

    def sendall(self, data):
        self.got += data

    def shutdown(self, how):
        pass

    def close(self):
        self.got += b"(closed)"


class IfInsteadOfWhile(Outbox):
    """WRONG ON PURPOSE: it does not look at the queue once more after letting go."""

    def flush(self):
        if self._queue and self._lock.acquire(False):
            try:
                self._send(self._take())
            finally:
                self._lock.release()


class TakesUnlocked(Outbox):
    """WRONG ON PURPOSE: two may send at once."""

    def flush(self):
        while self._queue:
            self._send(self._take())


class ClosesAtOnce(Outbox):
    """WRONG ON PURPOSE: a send may be under way."""

    def close(self):
        self._sock.close()


class ClosesBesideTheDrainer(Outbox):
    """WRONG ON PURPOSE: the drainer may be in a send."""

    def close(self):
        self.abort()
        self._sock.close()


def flush_at_once(outbox_class, room=1000, most=3000):
    """Let two say two lines each, in all orders.  Raises: AssertionError, if something is lost, doubled or reordered."""

    def scene():
        sock = FakeSocket(room)
        outbox = outbox_class(Stream(sock), LineCodec())

        def say(*lines):
            for line in lines:
                outbox.put(line)
                outbox.flush()

        def check(saw):
            assert sorted(sock.got) == list(b"1234"), f"the peer got {sock.got}"
            assert sock.got.index(b"1") < sock.got.index(b"2") and sock.got.index(b"3") < sock.got.index(b"4")
            assert set(saw.values()) == {None}

        return {"alice": lambda: say(b"1", b"2"), "bob": lambda: say(b"3", b"4")}, check

    return explore(scene, outbox_class.flush, Outbox._take, Outbox._send, Outbox._drain, most=most)


@dontwait
def test_a_flush_that_finds_another_at_work_leaves_its_lines_to_it():
    flush_at_once(Outbox)


@dontwait
def test_with_if_instead_of_while_they_would_stay_there():
    with pytest.raises(AssertionError, match="the peer got"):
        flush_at_once(IfInsteadOfWhile)


@dontwait
def test_without_the_lock_two_would_send_the_same():
    with pytest.raises(AssertionError):
        flush_at_once(TakesUnlocked)


@dontwait
@pytest.mark.parametrize("room", [0, 2])
def test_what_the_drainer_sends_is_neither_lost_nor_doubled_nor_reordered(room):
    flush_at_once(Outbox, room, most=300)


def test_a_flush_during_a_look_at_what_is_pending_is_not_lost(pair):
    """wait_until_below() holds the lock for a moment: a flush may come just then."""
    peer, outbox = pair
    send = outbox._send

    def send_and_meet_a_flush(data):
        outbox._send = send
        outbox.put(b"two")
        in_thread(outbox.flush)
        send(data)

    outbox._send = send_and_meet_a_flush
    outbox.wait_until_below(0)
    assert peer.recv(100) == b"two"


def test_a_flush_during_the_drainers_last_look_is_not_lost(pair):
    peer, outbox = pair
    keep = outbox._keep

    def keep_and_meet_a_flush(data):
        keep(data)
        if threading.current_thread() is outbox._drainer and not outbox.pending_bytes:
            outbox._keep = keep
            outbox.put(b"!")
            in_thread(outbox.flush)

    outbox._keep = keep_and_meet_a_flush
    fill(outbox)
    while not peer.recv(65536).endswith(b"!"):
        pass


@dontwait
def test_many_lines_leave_in_one_send():
    sizes = []

    class Socket:
        def send(self, data, flags):
            sizes.append(len(data))
            return len(data)

    outbox = Outbox(Stream(Socket()), LineCodec())
    for _ in range(100):
        outbox.put(b"0123456789\n")
    outbox.flush()
    outbox.flush()
    assert sizes == [1100]


def test_nobody_waits_for_a_peer_that_does_not_read(pair):
    _peer, outbox = pair
    fill(outbox)
    outbox.put(b"y" * 1000)
    in_thread(outbox.flush)
    assert outbox.pending_bytes


def overflow(outbox, max_lines=1_000_000) -> list[bytes]:
    """Put numbered lines that nobody reads, until the peer is cut off; return them."""
    lines = []
    while not outbox.ended and len(lines) < max_lines:
        lines.append(b"%06d\n" % len(lines))
        outbox.put(lines[-1])
        outbox.flush()
    return lines


def test_over_the_bound_the_peer_is_cut_off_and_little_is_kept(pair):
    _peer, outbox = pair
    lines = overflow(outbox)
    assert outbox.overflowed
    # The kernel had some, the bound allows some; and what is being sent to the peer stays.
    assert len(lines) * 7 < outbox.max_pending_bytes + 500_000
    assert outbox.pending_bytes <= DRAIN_BYTES + 7 + len(b"ERR too-slow\n")


def test_who_is_cut_off_and_reads_again_gets_whole_lines_and_the_reason(pair):
    peer, outbox = pair
    lines = overflow(outbox)
    *got, last = read_all(peer).splitlines(keepends=True)
    assert last == b"ERR too-slow\n"
    assert got and got == lines[: len(got)]


def test_to_be_cut_off_wakes_whoever_reads_the_socket(pair):
    _peer, outbox = pair
    chunks = []
    reader = threading.Thread(target=lambda: chunks.append(outbox._sock.recv(100)))
    reader.start()
    overflow(outbox)
    reader.join(DEADLINE_S)
    assert chunks == [b""]


def test_who_is_cut_off_and_never_reads_waits_for_nothing(pair):
    """Its own thread may be waiting for it to read its replies just then."""
    _peer, outbox = pair
    fill(outbox)
    waiter = threading.Thread(target=outbox.wait_until_below, args=(0,))
    waiter.start()
    overflow(outbox)
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()


@dontwait
def test_after_a_send_that_failed_the_connection_is_ended(pair):
    """What a dead peer has sent before may still be there to read: nobody must obey it."""
    peer, outbox = pair
    peer.close()
    outbox.put(b"hello\n")
    outbox.flush()
    assert outbox.ended


def test_a_flooder_waits_while_the_peer_reads_and_half_of_the_bound_is_free_then(pair):
    peer, outbox = pair
    outbox.put(b"x" * 90_000)
    outbox.flush()
    assert outbox.pending_bytes > 50_000
    flooder = threading.Thread(target=outbox.wait_for_reader, args=(DEADLINE_S, Outbox(Stream(None), LineCodec())))
    flooder.start()
    got = 0
    while flooder.is_alive() and got < 90_000:
        got += len(peer.recv(100))
    flooder.join(DEADLINE_S)
    assert not flooder.is_alive()
    assert outbox.pending_bytes <= 50_000


def test_a_peer_that_reads_nothing_is_waited_for_once(pair):
    peer, outbox = pair
    outbox.put(b"x" * 90_000)
    outbox.flush()
    outbox.wait_for_reader(0.001, Outbox(Stream(None), LineCodec()))
    in_thread(outbox.wait_for_reader, 2 * DEADLINE_S, Outbox(Stream(None), LineCodec()))  # would take too long
    # It reads again, so it is worth waiting for.
    read_to_mark(peer, outbox)
    assert not outbox._stalled


def test_a_flooder_that_is_gone_waits_for_nobody(pair):
    _peer, outbox = pair
    outbox.put(b"x" * 90_000)
    outbox.flush()
    sender = Outbox(Stream(None), LineCodec())
    sender.ended = True
    in_thread(outbox.wait_for_reader, 2 * DEADLINE_S, sender)


def test_a_peer_that_pauses_below_the_bound_loses_nothing(pair):
    peer, outbox = pair
    fill(outbox)
    for n in range(1000):
        outbox.put(b"%03d\n" % n)
        outbox.flush()
    outbox.end()
    data = read_all(peer).lstrip(b"x")
    assert data == b"".join(b"%03d\n" % n for n in range(1000))


def test_a_drainer_ends_when_all_is_sent(pair):
    peer, outbox = pair
    fill(outbox)
    drainer = outbox._drainer
    assert drainer.is_alive()
    read_to_mark(peer, outbox)
    drainer.join(DEADLINE_S)
    assert not drainer.is_alive()
    assert outbox._drainer is None


def test_the_end_comes_after_everything(pair):
    peer, outbox = pair
    fill(outbox)
    outbox.put(b"last message\n")
    outbox.end(b"last words")
    outbox.put(b"too late\n")
    outbox.flush()
    outbox.end(b"twice")
    assert read_all(peer).lstrip(b"x") == b"last message\nlast words\n"


def test_the_end_comes_after_what_the_kernel_did_not_take_at_once(pair):
    peer, outbox = pair
    outbox.put(b"x" * 90_000)
    outbox.end(b"last words")
    assert read_all(peer) == b"x" * 90_000 + b"last words\n"


def test_to_wait_until_below_ends_when_the_peer_reads(pair):
    peer, outbox = pair
    fill(outbox)
    assert not outbox.wait_until_sent(0.01)
    waiter = threading.Thread(target=outbox.wait_until_below, args=(0,))
    waiter.start()
    read_to_mark(peer, outbox)
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()
    assert outbox.wait_until_sent(0)


def test_to_wait_until_below_ends_when_the_peer_is_gone_or_cut_off(pair):
    peer, outbox = pair
    fill(outbox)
    waiter = threading.Thread(target=outbox.wait_until_below, args=(0,))
    waiter.start()
    peer.close()
    waiter.join(DEADLINE_S)
    assert not waiter.is_alive()


def test_an_abort_wakes_whoever_reads_the_socket(pair):
    _peer, outbox = pair
    chunks = []
    reader = threading.Thread(target=lambda: chunks.append(outbox._sock.recv(100)))
    reader.start()
    outbox.abort()
    reader.join(DEADLINE_S)
    assert chunks == [b""]


def test_without_a_thread_for_the_drainer_the_slow_peer_is_lost_and_no_one_else(pair, monkeypatch):
    peer, outbox = pair

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    outbox.put(b"x" * 10_000_000)
    outbox.flush()
    assert outbox.ended
    assert re.fullmatch(b"x*", read_all(peer))


def close_at_once(outbox_class, room):
    """Close while another thread flushes.  Raises: AssertionError, if in some order a send comes after the close."""

    def scene():
        sock = FakeSocket(room)
        outbox = outbox_class(Stream(sock), LineCodec())

        def say():
            outbox.put(b"secret")
            outbox.flush()

        def check(saw):
            assert sock.got.endswith(b"(closed)"), "the next connection, which has our number, got it"

        return {"talker": say, "closer": outbox.close}, check

    return explore(
        scene,
        outbox_class.close,
        Outbox.flush,
        Outbox._send,
        Outbox._drain,
        FakeSocket.send,
        FakeSocket.sendall,
        most=600,
    )


@dontwait
@pytest.mark.parametrize("room", [1000, 3])
def test_a_send_never_reaches_the_next_connection(room):
    close_at_once(Outbox, room)


@dontwait
@pytest.mark.parametrize("outbox_class, room", [(ClosesAtOnce, 1000), (ClosesBesideTheDrainer, 3)])
def test_with_a_close_that_waits_for_nobody_it_would(outbox_class, room):
    with pytest.raises(AssertionError, match="the next connection"):
        close_at_once(outbox_class, room)


def test_a_close_waits_for_the_drainer():
    left_before = Counter(thread.name for thread in threading.enumerate())
    peer, outbox = small_pair()
    fill(outbox)
    outbox.close()
    assert Counter(thread.name for thread in threading.enumerate()) == left_before
    assert outbox._sock.fileno() == -1
    peer.close()
