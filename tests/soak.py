"""A soak test: users of every kind at once, for as long as you like; every message is counted.

    python tests/soak.py --minutes 10
    python tests/soak.py --minutes 10 --seed 7 --server extras/irc/server.py

talker   says something to everybody, leaves politely, comes back
crasher  talks, and disappears in the middle: with RST, EOF or half a line
staller  stops reading for a while, and comes back; or never does, while she is flooded
vandal   sends garbage, or nothing, or a line without end
round    all of them for some seconds; then they leave, and what was sent is compared with what came
clean    a session in which the user has read all, up to the end of the connection

What must hold: each message that got its OK came to its receiver, once and in order, if all of the
receiver's sessions were clean; nobody got what was not sent; after each round the server has no
thread and no descriptor more than at its start, and no memory more than in the first third.

The seed repeats what the users decide, not when the system lets them run.
"""

import argparse
import contextlib
import itertools
import random
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so tests is found

from tests.dialects import DIALECTS, Guest, Process, eventually

ROUND_S = 10.0
# What malloc keeps for later differs from round to round, and in a soak of seconds WHOWAS is still filling
# up.  A session that is not let go of is some 20 kB: a thousand of those are far beyond this.
MEMORY_NOISE_KB = 4000
WARM_UP = 1 / 3  # of the time: until then malloc's stores and the server's histories fill up
TALKERS, CRASHERS, STALLERS, VANDALS = 12, 4, 3, 4
FLAGS = ("--max-pending", "200000", "--login-timeout", "3")


class Books:
    """Who sent what to whom, and who got it, in one round."""

    def __init__(self):
        self.lock = threading.Lock()  # guards all below
        self.taken = defaultdict(list)  # (sender, receiver) -> serials that were acknowledged
        self.unsure = defaultdict(list)  # the same, where the sender did not wait for the answer
        self.received = defaultdict(list)  # (sender, receiver) -> serials, as they came
        self.unclean = set()  # receivers with a session that did not end well
        self.sessions = 0

    def note_sent(self, sender, batch, taken):
        with self.lock:
            for (receiver, text), was_taken in zip(batch, taken):
                if was_taken:
                    self.taken[sender, receiver].append(int(text.split()[0]))

    def note_unsure(self, sender, batch):
        with self.lock:
            for receiver, text in batch:
                self.unsure[sender, receiver].append(int(text.split()[0]))

    def note_received(self, receiver, messages):
        with self.lock:
            for sender, text in messages:
                self.received[sender, receiver].append(int(text.split()[0]))

    def faults(self):
        """Return what does not agree, as lines for a person."""
        found = []
        for pair in sorted(set(self.taken) | set(self.received)):
            sender, receiver = pair
            came, taken = self.received[pair], set(self.taken[pair])
            if any(one >= other for one, other in itertools.pairwise(came)):
                found.append(f"{sender} → {receiver}: doubled or reordered: {came}")
            if invented := set(came) - taken - set(self.unsure[pair]):
                found.append(f"{sender} → {receiver}: came and was never taken: {sorted(invented)}")
            if receiver not in self.unclean and (lost := taken - set(came)):
                found.append(f"{sender} → {receiver}: taken and never came: {sorted(lost)}")
        return found


class User(threading.Thread):
    """One user, session after session, until the round is over."""

    def __init__(self, soak, kind, number):
        super().__init__(name=f"{kind.__name__}{number}")
        self.soak, self.kind, self.number = soak, kind, number
        self.user = f"{kind.__name__}{number}"
        self.random = random.Random(f"{soak.seed} {soak.round} {self.user}")
        self.serial = 0
        self.fault = None

    def run(self):
        try:
            while not self.soak.over.is_set():
                self.kind(self)
                with self.soak.books.lock:
                    self.soak.books.sessions += 1
        except BaseException as fault:  # noqa: BLE001 (for the main thread to show)
            self.fault = fault
            self.soak.over.set()

    # What the kinds below are made of

    def connect(self, **options):
        return Guest(self.soak.dialect, self.soak.server.address, **options)

    @contextlib.contextmanager
    def session(self, **options):
        """Log in; at the end leave politely and read all, or note that this was not possible."""
        books, dialect = self.soak.books, self.soak.dialect
        with self.connect(**options) as guest:
            while not guest.login(self.user):
                pass  # our last session has not ended yet, as the server sees it
            books.note_received(self.user, guest.early)
            try:
                yield guest
                guest.send(dialect.goodbye)
                books.note_received(self.user, filter(None, map(dialect.parse, guest.rest())))
            except (EOFError, ConnectionError) as end:
                if "staller" not in self.user:
                    raise AssertionError(f"{self.user} was cut off: {end!r}") from end
                books.unclean.add(self.user)

    def batch(self, names, most=8, size=0):
        """Make messages to different users, each with a serial number."""
        batch = []
        for name in self.random.sample(names, self.random.randint(1, min(most, len(names)))):
            self.serial += 1
            batch.append((name, b"%d %s" % (self.serial, b"x" * self.random.randint(0, size))))
        return batch

    def talk(self, guest, names, **options):
        """Send a batch and read its answers."""
        batch = self.batch(names, **options)
        self.soak.books.note_unsure(self.user, batch)
        taken, came = self.soak.dialect.exchange(guest, batch)
        self.soak.books.note_sent(self.user, batch, taken)
        self.soak.books.note_received(self.user, came)
        return taken

    def pause(self, seconds):
        self.soak.over.wait(self.random.uniform(0, seconds))


# The kinds of users


def talker(me):
    with me.session() as guest:
        for _ in range(me.random.randint(1, 60)):
            me.talk(guest, me.soak.names, size=200)
            if me.random.random() < 0.05:
                me.pause(0.05)


def crasher(me):
    with me.connect() as guest:
        if not guest.login(me.user):
            return
        me.soak.books.unclean.add(me.user)
        for _ in range(me.random.randint(0, 5)):
            me.talk(guest, me.soak.names)
        batch = me.batch(me.soak.names, most=20)
        me.soak.books.note_unsure(me.user, batch)
        data = b"".join(me.soak.dialect.message(*message) for message in batch)
        guest.send(data[: me.random.randint(0, len(data))])
        how = me.random.choice(["RST", "EOF", "half-close"])
        if how == "RST":
            guest.reset()
        elif how == "half-close":
            guest.sock.shutdown(1)
            me.soak.books.note_received(me.user, filter(None, map(me.soak.dialect.parse, guest.rest())))


def staller(me):
    with me.session(receive_bytes=8192) as guest:
        me.pause(2.0)  # reads nothing meanwhile
        me.talk(guest, me.soak.names)
        me.pause(0.2)


def flooder(me):
    """Write to a staller as fast as it goes, until she is cut off or the round is over."""
    with me.session() as guest:
        for _ in range(200):
            me.talk(guest, me.soak.stallers, size=350)  # IRC allows 512 in all
            if me.soak.over.is_set():
                break
    me.pause(0.5)


def vandal(me):
    with me.connect() as guest, contextlib.suppress(ConnectionError, EOFError):
        what = me.random.choice(["garbage", "silence", "long line", "nothing", "pipeline"])
        if what == "garbage":
            for _ in range(20):
                guest.send(me.random.randbytes(me.random.randint(1, 3000)))
        elif what == "long line":
            for _ in range(50):
                guest.send(b"x" * 20_000)
        elif what == "pipeline":  # and reads none of the replies
            guest.send(me.soak.dialect.login(me.user) + me.soak.dialect.sign_of_life * 3000)
        elif what == "silence":
            me.pause(4.0)
        me.pause(0.1)
        guest.reset() if me.random.random() < 0.5 else guest.close()


class Soak:
    """One server, and round after round of users."""

    def __init__(self, dialect, server, seed, seconds):
        self.dialect, self.server, self.seed = dialect, server, seed
        self.warm_at = time.monotonic() + seconds * WARM_UP
        self.round = 0
        self.stallers = [f"staller{n}" for n in range(STALLERS)]
        self.names = [f"talker{n}" for n in range(TALKERS)] + [f"crasher{n}" for n in range(CRASHERS)] + self.stallers
        self.threads, self.fds = server.threads(), server.fds()
        self.memory_kb = 0  # the most after any round of the warm-up
        self.messages = self.sessions = 0

    def run_round(self, seconds):
        """Run all users for so long; return the faults that the books show."""
        self.round += 1
        self.over = threading.Event()
        self.books = Books()
        kinds = [talker] * TALKERS + [crasher] * CRASHERS + [staller] * STALLERS + [vandal] * VANDALS + [flooder]
        counts = defaultdict(int)
        users = []
        for kind in kinds:
            users.append(User(self, kind, counts[kind]))
            counts[kind] += 1
        for user in users:
            user.start()
        self.over.wait(seconds)
        self.over.set()
        for user in users:
            user.join()
        faults = [f"{user.user}: {user.fault!r}" for user in users if user.fault]
        faults += self.books.faults()
        self.messages += sum(map(len, self.books.taken.values()))
        self.sessions += self.books.sessions
        return faults + self.leftovers()

    def leftovers(self):
        """Return what the server has not given back."""
        try:
            eventually(
                lambda: (self.server.threads(), self.server.fds()) <= (self.threads, self.fds),
                "as few threads and descriptors as at the start",
            )
        except AssertionError:
            pass
        faults = []
        if self.server.threads() > self.threads:
            faults.append(f"{self.server.threads()} threads, {self.threads} at the start")
        if self.server.fds() > self.fds:
            faults.append(f"{self.server.fds()} descriptors, {self.fds} at the start")
        memory_kb = self.server.memory_kb()
        if self.round == 1 or time.monotonic() < self.warm_at:
            self.memory_kb = max(self.memory_kb, memory_kb)
        elif memory_kb > self.memory_kb + MEMORY_NOISE_KB:
            faults.append(f"{memory_kb} kB of memory, {self.memory_kb} in the first third")
        return faults

    def progress(self, seconds):
        return (
            f"{seconds:5.0f} s  round {self.round}  {self.messages:,} messages  {self.sessions:,} sessions  "
            f"server: {self.server.threads()} threads, {self.server.fds()} descriptors, "
            f"{self.server.memory_kb():,} kB"
        )


def soak(dialect, seconds, seed, say=print):
    """Run it; return the faults.  Blocks: for about that many seconds."""
    with tempfile.TemporaryDirectory() as directory:
        with Process(dialect.script, *dialect.flags, *FLAGS, log=f"{directory}/log") as server:
            run = Soak(dialect, server, seed, seconds)
            start = time.monotonic()
            round_s, faults = min(ROUND_S, seconds / 3), []
            while not faults and (round_s := min(round_s, start + seconds - time.monotonic())) > 0:
                faults = run.run_round(round_s)
                say(run.progress(time.monotonic() - start))
            server.signal(signal.SIGTERM)
            if status := server.wait():
                faults.append(f"exit status {status}")
            if "Traceback" in server.log:
                faults.append(f"its log:\n{server.log}")
    say(
        f"{run.messages:,} messages and {run.sessions:,} sessions in {run.round} rounds, seed {seed}: "
        + ("every message accounted for, nothing left behind" if not faults else f"{len(faults)} faults")
    )
    for fault in faults:
        say("  " + fault[:2000])
    return faults


def main(argv=None):
    parser = argparse.ArgumentParser(description="Send users of all kinds to a server, and count every message.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None, help="repeats what the users decide")
    parser.add_argument("--server", default=DIALECTS[0].script, choices=[dialect.script for dialect in DIALECTS])
    args = parser.parse_args(argv)
    seed = random.randrange(1_000_000) if args.seed is None else args.seed
    (dialect,) = [dialect for dialect in DIALECTS if dialect.script == args.server]
    print(f"soaking {args.server} for {args.minutes:g} minutes, seed {seed}", flush=True)
    return 1 if soak(dialect, args.minutes * 60, seed, say=lambda text: print(text, flush=True)) else 0


if __name__ == "__main__":
    sys.exit(main())
