"""Cluster: servers that are one chat keep the guarantees of one server, whatever fails between them."""

import contextlib
import hashlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import pytest

from extras.presence import listing
from step1_echo.serving import format_address
from tests.chapter import ROOT
from tests.cluster_house import SCRIPT, CutProxy, House, Talker, User, needed, read_all
from tests.crowd import follow
from tests.dialects import eventually
from tests.servers import running, tapped_by

needed()

from extras.cluster import engine
from extras.cluster.member import LEASE_S
from extras.cluster.server import ClusterServer
from extras.wiretap.relay import Spoiling

GONE_S = 5.0  # so soon the users of a dead server are offline
UNLUCKY_S = 0.3  # how long a moment lasts in which a wrong server lets somebody else come between

pytestmark = pytest.mark.long  # a learner's plain run stays under three minutes


@pytest.fixture
def house(tmp_path):
    with House(tmp_path) as house:
        yield house


def check_all(talkers, ways, listeners):
    """Let each listener read all that the talkers, who have stopped, have said in these ways; count it."""
    for way in ways:
        for listener in listeners:
            last = next(
                talker.user
                for talker in talkers
                if way in talker.ways and talker.user is not listener and not talker.cut
            )
            read_all(way, listener, last)
            for talker in talkers:
                if way in talker.ways and talker.user is not listener:
                    talker.check(way, listener)


# One chat


def test_a_name_that_two_servers_are_asked_for_goes_to_one_and_all_agree(house):
    servers = house.servers(2)
    watchers = [house.guest(server, f"watcher{n}") for n, server in enumerate(servers)]
    for n in range(30):
        pair = [User(server) for server in servers]
        for user in pair:
            user.send(f"LOGIN bob{n}\n".encode())
        replies = [user.reply() for user in pair]
        assert sorted(reply.split()[1] for reply in replies) == ["name-taken", "welcome,"], replies
        winner, loser = pair if replies[0].startswith("OK") else pair[::-1]
        for watcher in watchers:
            watcher.hear(f"ONLINE bob{n}")
            assert watcher.request(f"MSG BOB{n} it is you") == "OK"
        winner.hear(*(f"MSG {watcher.name} it is you" for watcher in watchers))
        loser.close()
        assert winner.request("LOGOUT").startswith("OK")
        winner.close()
        for watcher in watchers:
            watcher.hear(f"OFFLINE bob{n}")
            assert watcher.heard.count(f"ONLINE bob{n}") == 1


def of(verbs, user, but=""):
    """Return what a user has heard that begins with one of these verbs, but for what somebody has said."""
    own = re.compile(rf"(SAY \S+|ALL) {but} ") if but else re.compile("$^")
    return [line for line in user.heard if line.split()[0] in verbs and not own.match(line)]


@pytest.mark.long
def test_all_see_one_order_of_a_room_and_of_the_news_across_servers(house):
    servers = house.servers(3)
    listeners = [house.guest(server, f"listener{n}") for n, server in enumerate(servers)]
    talkers = [house.guest(server, f"talker{n}") for n, server in enumerate(servers)]
    for user in listeners + talkers:
        assert user.request("JOIN tea") == "OK"
    for user in listeners + talkers:
        assert user.request("WHO").startswith("OK 6")
        read_all("SAY tea", user, listeners[user is listeners[0]])
        user.heard.clear()
    talkers = [Talker(user, "SAY tea", "ALL") for user in talkers]
    for n in range(10):  # and others come and go
        comers = [User(server, f"comer{n}-{number}") for number, server in enumerate(servers)]
        for comer in comers:
            assert comer.request("LOGOUT").startswith("OK")
            comer.close()
    for talker in talkers:
        talker.stop()
    check_all(talkers, ["SAY tea", "ALL"], listeners)
    for verbs in (("SAY", "JOINED", "LEFT"), ("ALL", "ONLINE", "OFFLINE")):
        orders = {"\n".join(line for line in of(verbs, listener) if "the end" not in line) for listener in listeners}
        assert len(orders) == 1, f"not one order of {verbs}"
        (order,) = orders
        for talker in talkers:
            name = talker.user.name
            read_all("ALL", talker.user, listeners[0])
            read_all("SAY tea", talker.user, listeners[0])
            mine = [line for line in order.split("\n") if not re.match(rf"(SAY tea|ALL) {name} ", line)]
            assert [line for line in of(verbs, talker.user, name) if "the end" not in line] == mine


def test_private_messages_across_servers_arrive_in_order_and_once(house):
    servers = house.servers(2)
    receivers = [house.guest(server, f"receiver{n}") for n, server in enumerate(servers)]
    ways = [f"MSG {receiver.name}" for receiver in receivers]
    talkers = [Talker(house.guest(server, f"talker{n}"), *ways) for n, server in enumerate(servers)]
    for talker in talkers:
        talker.goes_on(100)
        talker.stop()
    for way, receiver in zip(ways, receivers):
        check_all(talkers, [way], [receiver])


def test_each_log_is_read_or_written_for_those_whom_it_concerns_alone(house):
    with (
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as here,
        house.client() as redis,
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as there,
        User(here, "alice") as alice,
        User(there, "bob") as bob,
    ):
        assert alice.ask("JOIN tea", "SAY tea hello", "MSG bob psst") == ["OK"] * 3
        bob.hear("MSG alice psst")
        alices, bobs = (f"server:{server.member.membership.server}" for server in (here, there))
        assert set(here.member._positions) == {"users", alices, "room:tea"}
        assert set(there.member._positions) == {"users", bobs}, "nobody there is in the room"
        for log, verbs in {
            "users": ["ONLINE", "ONLINE"],
            "room:tea": ["JOINED", "SAY"],
            alices: ["FOLLOW"],
            bobs: ["MSG"],
        }.items():
            whats = [json.loads(entry["what"])[0] for _, entry in redis.xrange(f"chat:log:{log}")]
            assert [what for what in whats if what != "UP"] == verbs


def test_the_messages_of_a_chunk_go_to_redis_in_one_call(house):
    calls = []

    def run(slot, prefix, script, *arguments, run=engine.Slot.run):
        calls.append(script)
        return run(slot, prefix, script, *arguments)

    with (
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        User(server, "alice") as alice,
        mock.patch.object(engine.Slot, "run", run),
    ):
        assert alice.ask(*["MSG alice hi"] * 10) == ["OK"] * 10
        assert calls.count(engine.STEPS) == 1


@pytest.mark.long
def test_no_snapshot_contradicts_what_is_heard_before_and_after_it(house):
    servers = house.servers(3)
    enough, wrong = threading.Event(), []

    def come_and_go(server, number):
        for n in itertools.count():
            if enough.is_set():
                return
            with User(server, f"comer{number}-{n % 3}") as user:
                user.ask("JOIN tea", "WHO", "LEAVE tea", "JOIN tea")
                assert user.request("LOGOUT").startswith("OK")

    def watch(server, number):
        for _ in range(15):
            with User(server, name := f"watcher{number}") as user:
                assert user.ask("JOIN tea", "WHO", *["HELP"] * 20, "WHO", "LEAVE tea", "JOIN tea", "WHO", "LOGOUT")
                listed = set()
                for line in user.heard:  # a WHO must say what she thinks already
                    verb, *words = line.split()
                    if verb == "USERS" and name in words and set(words) - {name} != listed:
                        wrong.append(f"{line}, and not {listed}")
                    if verb == "USERS":
                        listed = set(words) - {name}
                    if verb in ("ONLINE", "OFFLINE"):
                        (listed.add if verb == "ONLINE" else listed.discard)(words[0])
                for verbs in (("USERS", "ONLINE", "OFFLINE"), ("MEMBERS", "JOINED", "LEFT")):
                    wrong.extend(
                        follow([line.replace("MEMBERS tea", "MEMBERS") for line in of(verbs, user)], name, *verbs)[1]
                    )

    comers = [threading.Thread(target=come_and_go, args=(server, n)) for n, server in enumerate(servers)]
    watchers = [threading.Thread(target=watch, args=(server, n)) for n, server in enumerate(servers)]
    for thread in comers + watchers:
        thread.start()
    for thread in watchers:
        thread.join()
    enough.set()
    for thread in comers:
        thread.join()
    assert not wrong


def test_nobody_comes_between_the_list_of_who_and_its_way_out(house):
    """Else ONLINE would come first, and then a list without the newcomer."""
    with (
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        User(server, "alice") as alice,
        User(server) as bob,
    ):

        def list_lines(names, *words):
            bob.send(b"LOGIN bob\n")
            deadline = time.monotonic() + UNLUCKY_S
            while "bob" not in server.registry.users and time.monotonic() < deadline:
                select.select([], [], [], 0.01)
            return listing.list_lines(names, *words)

        with mock.patch("extras.cluster.handler.list_lines", list_lines):
            assert alice.request("WHO") == "OK 1 online"
        alice.hear("ONLINE bob")
        assert alice.heard == ["USERS alice", "ONLINE bob"]


# A server dies


def is_gone(name, listener, since, rooms=()):
    """Wait until a listener has heard that somebody has gone, out of her rooms too, in time."""
    listener.hear(f"OFFLINE {name}", *(f"LEFT {room} {name}" for room in rooms))
    assert time.monotonic() - since < GONE_S


@pytest.mark.long
def test_the_users_of_a_killed_server_are_gone_once_and_nobody_else_loses_anything(house):
    victim, *servers = house.servers(3)
    lost = [house.guest(victim, f"lost{n}") for n in range(3)]
    listeners = [house.guest(server, f"listener{n}") for n, server in enumerate(servers)]
    for user in lost + listeners:
        assert user.ask("JOIN tea", "JOIN milk") == ["OK", "OK"]
    ways = ["SAY tea", f"MSG {listeners[0].name}", "ALL"]
    talkers = [house.guest(server, f"talker{n}") for n, server in enumerate([victim, *servers])]
    for user in talkers:
        assert user.request("JOIN tea") == "OK"
    talkers = [Talker(user, *ways) for user in talkers]
    others = talkers[1:]
    for talker in talkers:
        talker.goes_on(20)
    victim.signal(signal.SIGKILL)
    since = time.monotonic()
    for listener in listeners:
        is_gone("lost0", listener, since, ("tea", "milk"))
    for talker in others:
        talker.goes_on(20)
        talker.stop()
        assert not talker.errors
    talkers[0].stop()
    again = house.guest(servers[0], "lost0")
    assert again.request("JOIN tea") == "OK"
    for way in ways:
        for listener in listeners[:1] if way.startswith("MSG") else listeners:
            read_all(way, listener, again)
            for talker in talkers:
                talker.check(way, listener)
    for listener in listeners:
        for user in [*lost, talkers[0].user]:
            assert listener.heard.count(f"OFFLINE {user.name}") == 1
        for user in lost:
            assert [listener.heard.count(f"LEFT {room} {user.name}") for room in ("tea", "milk")] == [1, 1]


@pytest.mark.long
def test_a_server_that_was_stopped_for_longer_than_its_lease_begins_anew(house):
    """It must not go on as if nothing had happened: its users are told, and nothing is doubled."""
    stopped, server = house.servers(2)
    old, talking = house.guest(stopped, "bob"), house.guest(stopped, "talker0")
    alice, listener = house.guest(server, "alice"), house.guest(server, "listener")
    for user in (old, talking, alice, listener):
        assert user.request("JOIN tea") == "OK"
    ways = ["SAY tea", f"MSG {listener.name}"]
    talkers = [Talker(talking, *ways), Talker(alice, *ways)]
    for talker in talkers:
        talker.goes_on()
    stopped.signal(signal.SIGSTOP)
    listener.hear("LEFT tea bob", "OFFLINE bob", "OFFLINE talker0")
    bob = house.guest(server, "bob")  # the name is free
    assert bob.request("JOIN tea") == "OK"
    for _ in range(10):
        assert listener.request("MSG bob to whom?") == "OK"
    stopped.signal(signal.SIGCONT)
    assert old.end().startswith("ERR shutting-down ")
    assert not [line for line in old.heard if "to whom" in line]
    eventually(lambda: len(re.findall("cluster: this is ", stopped.log)) == 2, "it has entered anew")
    ids = re.findall(r"cluster: this is (\S+),", stopped.log)
    assert ids[0] != ids[1] and "one of 2: " in stopped.log, "the old one is still there"
    eventually(lambda: talkers[0].cut, "the talker is closed, too")
    for talker in talkers:
        talker.stop()
    carol = house.guest_in_time(stopped, "carol")
    assert carol.request("JOIN tea") == "OK" and carol.request("MSG bob hello") == "OK"
    bob.hear("MSG carol hello")
    assert bob.heard.count("MSG listener to whom?") == 10
    for way in ways:
        read_all(way, listener, carol)
        for talker in talkers:
            talker.check(way, listener)
    for line in ("OFFLINE bob", "OFFLINE talker0", "LEFT tea bob", "LEFT tea talker0", "ONLINE carol"):
        assert listener.heard.count(line) == 1, line


def test_a_call_of_a_server_that_was_buried_is_not_carried_out(house):
    """However late it comes: it may have been on its way when the server was declared dead."""
    with (
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        house.client() as redis,
        User(server, "alice") as alice,
    ):
        buried = engine.Membership("nobody-123", server.member.membership.memory, 0)
        entries = redis.get("chat:entries")
        for step in (
            ["LOGIN", "bob", "bob", "1"],
            ["ALL", "alice", "alice", "1", "hello"],
            ["MSG", "alice", "alice", "1", "alice", "hello"],
        ):
            with pytest.raises(engine.Outcast):
                server.engine.steps(buried, [step])
        assert redis.get("chat:entries") == entries
        assert alice.request("WHO") == "OK 1 online"


def test_when_redis_has_stood_still_nobody_is_buried_by_the_first_who_is_heard_again(house):
    """The beats of the others may stand right behind that one."""
    slot, lease_ms = engine.Slot(house.url), int(LEASE_S * 1000)
    with house.client() as redis, contextlib.closing(slot):
        memory = slot.run("chat:", engine.ENTER, "one", "a memory")[0]
        slot.run("chat:", engine.ENTER, "other", "")

        def beat(own_ms_ago, others_ms_ago):
            seconds, microseconds = redis.time()
            now = seconds * 1000 + microseconds // 1000
            redis.hset("chat:beats", mapping={"one": now - own_ms_ago, "other": now - others_ms_ago})
            answer = slot.run("chat:", engine.BEAT, memory, "0", "one", str(lease_ms), "yes")
            return answer, redis.hexists("chat:beats", "other")

        assert beat(lease_ms + 1000, lease_ms + 1000) == (["late"], True)
        assert beat(500, lease_ms - 1000) == (["ok"], True)
        assert beat(500, lease_ms + 1000) == (["ok"], False)


def test_a_call_that_comes_back_late_casts_out_nobody_who_came_after_it(house):
    """It was sent as a server that has been buried since; by then we have entered anew."""
    with running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server, house.client() as redis:

        def late(membership):
            redis.hdel("chat:beats", membership.server)  # as who buries it does
            eventually(lambda: server.member.membership not in (None, membership), "it has entered anew")
            bob.log_in_in_time("bob")
            return server.engine.steps(membership, [["ALL", "alice", "alice", "1", "late"]])

        with User(server) as bob:
            with pytest.raises(engine.Outcast):
                server.call(late)
            assert bob.request("WHO") == "OK 1 online"


# Redis fails


def away(*users):
    """Wait until the servers of these users have noticed that Redis is away."""
    for user in users:
        eventually(lambda: user.request("LEAVE nowhere").startswith("ERR unavailable"), "Redis is away")


def back(*users):
    """Wait until the servers of these users have noticed that Redis is back."""
    for user in users:
        eventually(lambda: user.request("LEAVE nowhere").startswith("ERR not-in-room"), "Redis is back")


@pytest.mark.long
@pytest.mark.parametrize(
    "number, away_s",
    [(signal.SIGTERM, 0), (signal.SIGKILL, 0), (signal.SIGKILL, LEASE_S + 1)],
    ids=["shut down", "killed", "away for longer than the lease"],
)
def test_nothing_that_got_ok_is_lost_or_doubled_when_redis_restarts(house, number, away_s):
    servers = house.servers(2)
    listeners = [house.guest(server, f"listener{n}") for n, server in enumerate(servers)]
    talking = [house.guest(server, f"talker{n}") for n, server in enumerate(servers)]
    leaver = house.guest(servers[0], "leaver")
    for user in [*listeners, *talking, leaver]:
        assert user.request("JOIN tea") == "OK"
    ways = ["SAY tea", f"MSG {listeners[0].name}", "ALL"]
    talkers = [Talker(user, *ways) for user in talking]
    for round in range(1 if away_s else 3):
        for talker in talkers:
            talker.goes_on(30)
        house.end(number)
        away(*listeners)
        until = time.monotonic() + away_s
        while not round:
            for listener in listeners:
                assert listener.request("HELP").startswith("OK LOGIN")
                assert listener.request("JOIN milk").startswith("ERR unavailable ")
            if time.monotonic() > until:
                assert leaver.request("LOGOUT").startswith("OK")
                leaver.close()
                break
        house.start()
        back(*listeners)
    for talker in talkers:
        talker.goes_on(30)
        talker.stop()
        assert talker.errors <= {"ERR unavailable"}
    check_all(talkers, ["SAY tea", "ALL"], listeners)
    check_all(talkers, [ways[1]], listeners[:1])
    again = house.guest_in_time(servers[1], "leaver")
    for listener in listeners:
        assert listener.request("JOIN milk") == "OK"
        listener.hear("LEFT tea leaver")
        listener.heard.remove("ONLINE leaver")
        assert listener.heard.count("OFFLINE leaver") == listener.heard.count("LEFT tea leaver") == 1
        assert [line for line in listener.heard if line.startswith("OFFLINE")] == ["OFFLINE leaver"], (
            "nobody else is buried"
        )
    assert again.request("WHO").startswith("OK 5 ")
    for server in servers:
        assert "out of it" not in server.log


@pytest.mark.long
@pytest.mark.parametrize("which", ["empty", "older"])
def test_a_redis_that_has_lost_its_memory_is_noticed_and_said(house, which):
    servers = house.servers(2)
    users = [house.guest(server, f"user{n}") for n, server in enumerate(servers)]
    for user in users:
        assert user.request("JOIN tea") == "OK"
    if which == "older":
        house.end()
        shutil.copytree(house.folder / "appendonlydir", house.folder / "older")
        house.start()
        back(*users)
    late = house.guest(servers[0], "late")
    for n in range(3):
        assert late.request(f"MSG user1 {n}") == "OK"
    house.end(signal.SIGKILL)
    away(*users)
    house.forget()
    if which == "older":
        shutil.move(house.folder / "older", house.folder / "appendonlydir")
    house.start()
    for user in [*users, late]:
        assert user.end().startswith("ERR shutting-down ")
    for server in servers:
        eventually(lambda: server.log.count("cluster: this is ") == 2, "it has entered anew")
        assert "out of it" in server.log
    again = [house.guest_in_time(server, f"user{n}") for n, server in enumerate(servers)]
    for user in again:
        assert user.request("JOIN tea") == "OK"
    for user, other in zip(again, again[::-1]):
        read_all("SAY tea", user, other)
        eventually(lambda: user.request("WHO").startswith("OK 2 "), "whom the older memory knows is gone")


# Redis is slow, or an answer is lost

DELAY_S = 0.2  # in each direction


@pytest.mark.long
def test_where_redis_is_slow_nobody_waits_for_it_who_does_not_have_to(house):
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(tapped_by(Spoiling(delay_s=DELAY_S), ("127.0.0.1", house.port)))
        slow = stack.enter_context(running(ClusterServer(("127.0.0.1", 0), redis=f"redis://127.0.0.1:{address[1]}")))
        fast = house.server()
        alice, listener = (stack.enter_context(User(slow, name)) for name in ("alice", "listener"))
        asker = stack.enter_context(User(slow))
        bob = stack.enter_context(User(fast, "bob"))
        for user in (alice, bob, listener):
            assert user.request("JOIN tea") == "OK"
        ways = ["SAY tea", "MSG listener", "ALL"]
        talkers = [Talker(alice, *ways), Talker(bob, *ways)]
        waits, answers = [], []
        while not all(talker.said >= 20 for talker in talkers):
            began = time.monotonic()
            with slow.registry.lock:
                waits.append(time.monotonic() - began)
            began = time.monotonic()
            assert asker.request("HELP").startswith("OK LOGIN")
            answers.append(time.monotonic() - began)
        for talker in talkers:
            talker.stop()
        began = time.monotonic()
        assert alice.request("SAY tea how long?") == "OK"
        assert time.monotonic() - began > DELAY_S, "it has gone through the slow network"
        check_all(talkers, ways, [listener])
        assert max(waits) < DELAY_S, "somebody has held the lock while waiting for Redis"
        assert max(answers) < DELAY_S, "HELP has waited for Redis"
        for line in ("OFFLINE bob", "OFFLINE alice", "LEFT tea bob"):
            assert line not in listener.heard


@pytest.mark.parametrize(
    "request_", ["LOGIN bob", "JOIN milk", "SAY tea once", "MSG listener once", "ALL once", "LEAVE tea"]
)
def test_a_request_whose_answer_was_lost_is_not_carried_out_twice(house, request_):
    with (
        CutProxy(house.port) as proxy,
        running(ClusterServer(("127.0.0.1", 0), redis=proxy.url)) as cut,
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        User(server, "listener") as listener,
        User(cut) as bob,
    ):
        assert listener.ask("JOIN tea", "JOIN milk") == ["OK", "OK"]
        if request_ != "LOGIN bob":
            assert bob.request("LOGIN bob").startswith("OK")
            assert bob.request("JOIN tea") == "OK"
        proxy.losing = b'[["' + request_.split()[0].encode()
        reply = bob.request(request_)
        assert reply.startswith("OK"), "it has been carried out"
        eventually(lambda: proxy.lost == 1, "its answer was lost")
        eventually(lambda: bob.request("LEAVE nowhere").startswith("ERR not-"), "Redis is there again")
        if request_ == "LOGIN bob":
            assert bob.request("JOIN tea") == "OK"
        for way in ("ALL", "MSG listener", "JOIN tea", "SAY tea"):
            bob.request(f"{way} the end" if way != "JOIN tea" else way)
        listener.hear("ALL bob the end", "MSG bob the end", "SAY tea bob the end")
        event = {
            "LOGIN": "ONLINE bob",
            "JOIN": "JOINED milk bob",
            "SAY": "SAY tea bob once",
            "MSG": "MSG bob once",
            "ALL": "ALL bob once",
            "LEAVE": "LEFT tea bob",
        }[request_.split()[0]]
        assert listener.heard.count(event) == 1


# Late, behind, and on the wrong day


def shorter_logs(length):
    """Return scripts whose logs keep fewer entries; a context manager."""
    stack = contextlib.ExitStack()
    for script in [script for script in vars(engine).values() if isinstance(script, engine.Script)]:
        text = re.sub(r"LOG_LENGTH = \d+", f"LOG_LENGTH = {length}", script.text)
        assert text != script.text
        stack.enter_context(mock.patch.object(script, "text", text))
        stack.enter_context(mock.patch.object(script, "sha", hashlib.sha1(text.encode()).hexdigest()))
    return stack


NODE = 100  # Redis trims a stream by whole nodes, of so many entries


def test_logs_are_trimmed_and_rooms_that_are_over_leave_nothing_behind(house):
    with (
        shorter_logs(NODE),
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        house.client() as redis,
        User(server, "alice") as alice,
        User(server, "bob") as bob,
    ):
        for user in (alice, bob):
            assert user.request("JOIN tea") == "OK"
        for n in range(10):
            assert (
                alice.ask(*[f"{way} {n}" for way in ("SAY tea", "ALL", "MSG bob") for _ in range(NODE)])
                == ["OK"] * 3 * NODE
            )
            read_all("MSG bob", bob, alice)
        logs = redis.keys("chat:log:*")
        assert len(logs) == 3
        for log in logs:
            assert redis.xlen(log) <= 3 * NODE
        for n in range(3):
            for user in (alice, bob):
                assert user.ask(f"JOIN room{n}", f"SAY room{n} hello", f"LEAVE room{n}") == ["OK"] * 3
        for user in (alice, bob):
            assert user.request("LOGOUT").startswith("OK")
        eventually(lambda: not redis.exists("chat:names"), "all have gone")
        for key in redis.scan_iter():
            if "room" in key or "tea" in key or "members" in key or "of:" in key:
                assert 0 < redis.ttl(key) <= 60, f"{key} stays for ever"


def test_a_server_that_is_further_behind_than_a_log_is_long_says_so_and_begins_anew(house, caplog):
    with (
        shorter_logs(NODE),
        running(ClusterServer(("127.0.0.1", 0), redis=house.url, name="behind")) as behind,
        running(ClusterServer(("127.0.0.1", 0), redis=house.url)) as server,
        User(behind, "bob") as bob,
        User(server, "alice") as alice,
    ):
        with behind.registry.lock:  # so long nobody there can carry out what comes
            for n in range(10):
                assert alice.ask(*[f"ALL {n}"] * NODE) == ["OK"] * NODE
        assert bob.end().startswith("ERR shutting-down ")
        assert "it has missed something in the log users" in caplog.text
        eventually(lambda: caplog.text.count("cluster: this is behind-") == 2, "it has entered anew")
        alice.hear("OFFLINE bob")
        with User(behind) as again:
            again.log_in_in_time("bob")
            assert again.request("MSG alice hello") == "OK"
            alice.hear("MSG bob hello")


@pytest.mark.long
def test_a_server_that_starts_late_gets_a_consistent_snapshot_under_load(house):
    servers = house.servers(2)
    stay = [house.guest(server, f"stays{n}") for n, server in enumerate(servers)]
    for user in stay:
        assert user.request("JOIN tea") == "OK"
    talkers = [Talker(user, "SAY tea") for user in stay]
    enough = threading.Event()

    def come_and_go(server, number):
        while not enough.is_set():
            with User(server, f"comer{number}") as user:
                assert user.ask("JOIN tea", "LEAVE tea", "LOGOUT")

    comers = [threading.Thread(target=come_and_go, args=(server, n)) for n, server in enumerate(servers)]
    for thread in comers:
        thread.start()
    wrong = []
    for n in range(3):
        with house.server() as late, User(late, name := f"late{n}") as user:
            assert user.request("JOIN tea") == "OK"
            for talker in talkers:
                talker.goes_on(30)
            assert user.request("WHO").startswith("OK")
            for verbs in (("USERS", "ONLINE", "OFFLINE"), ("MEMBERS", "JOINED", "LEFT")):
                lines = [line.replace("MEMBERS tea", "MEMBERS") for line in of(verbs, user)]
                here, impossible = follow(lines, name, *verbs)
                wrong += impossible
                assert {user.name for user in stay} <= here
            for talker in talkers:
                heard = talker.said_in("SAY tea", user)
                assert heard and heard == list(range(heard[0], heard[-1] + 1)), "a gap in what she hears since her JOIN"
            assert user.request("LOGOUT").startswith("OK")
    enough.set()
    for thread in [*comers]:
        thread.join()
    for talker in talkers:
        talker.stop()
    assert not wrong


WRONG_CLOCK = """
import sys, time
sys.path.insert(0, {root!r})
right = time.time
time.time = lambda: right() + {wrong_s}
from extras.cluster.server import ClusterServer, parser
from step1_echo.serving import main
sys.exit(main(ClusterServer, parser()))
"""


@pytest.mark.long
def test_a_clock_that_is_wrong_by_an_hour_harms_nothing(house):
    right = house.server()
    wrong = []
    for hours in (1, -1):
        script = house.folder / f"wrong{hours}.py"
        script.write_text(WRONG_CLOCK.format(root=str(ROOT), wrong_s=3600 * hours))
        wrong.append(house.server(script=str(script)))
    victim = house.server()
    users = [house.guest(server, f"user{n}") for n, server in enumerate([right, *wrong])]
    house.guest(victim, "lost")
    for user in users:
        assert user.request("JOIN tea") == "OK"
    talkers = [Talker(user, "SAY tea") for user in users]
    until = time.monotonic() + LEASE_S + 1
    eventually(lambda: time.monotonic() > until, "a wrong lease would be over")
    victim.signal(signal.SIGKILL)
    since = time.monotonic()
    for talker in talkers:
        talker.stop()
    for user in users:
        is_gone("lost", user, since)
    check_all(talkers, ["SAY tea"], users)
    for user in users:
        assert [line for line in user.heard if line.startswith("OFFLINE")] == ["OFFLINE lost"]


# Machines, cables and a switch


@pytest.mark.long
def test_a_server_whose_cable_is_pulled_is_gone_for_the_others_and_begins_anew_when_it_is_back(namespaces, tmp_path):
    cables = Path(__file__).with_name("cluster_cables.py")
    run = subprocess.run(["unshare", "--net", sys.executable, cables, tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


# The checks of step 5 and the extras


CHECKS = ("test_step5_server", "test_broadcast", "test_presence", "test_rooms")


@pytest.mark.long
def test_a_cluster_of_three_passes_the_checks_of_a_chat(house):
    addresses = ",".join(format_address(server.address) for server in house.servers(3))
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--connect",
            addresses,
            *(str(ROOT / "tests" / f"{name}.py") for name in CHECKS),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    assert run.returncode == 0, run.stdout


# What its owner sees


def test_the_log_says_who_is_in_the_cluster_at_each_change_and_how_it_is_now_and_then(house):
    first = house.server("--status", "0.1", name="tea")
    assert re.search(r"cluster: this is (tea-\w+), one of 1: \1\n", first.log)
    second = house.server(name="milk")
    assert re.search(r"cluster: this is (milk-\w+), one of 2: \1 tea-\w+\n", second.log)
    eventually(lambda: re.search(r"cluster: milk-\w+ is up\n", first.log), "the others see it come")
    alice, bob = house.guest(first, "alice"), house.guest(second, "bob")
    assert [alice.request("JOIN tea"), bob.request("JOIN tea")] == ["OK", "OK"]
    eventually(
        lambda: "cluster: status: 1 users here, 2 in all, 1 rooms followed, Redis answers\n" in first.log,
        "a status line",
    )
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert bob.end().startswith("ERR shutting-down ")
    eventually(lambda: re.search(r"cluster: milk-\w+ is down\n", first.log), "and go")
    alice.hear("LEFT tea bob", "OFFLINE bob")


@pytest.mark.parametrize("script", [SCRIPT, "extras/cluster/naive_server.py"])
def test_a_server_without_redis_says_so_in_a_line(house, script):
    house.end()
    run = subprocess.run(
        [sys.executable, ROOT / script, "--port", "0", "--redis", house.url], capture_output=True, text=True
    )
    assert run.returncode == 1 and run.stdout == ""
    assert len(run.stderr.splitlines()) == 1 and "apt install redis-server" in run.stderr


def test_a_server_that_redis_does_not_let_in_says_so_in_a_line(house):
    with house.client() as redis:
        redis.config_set("requirepass", "tea")
    run = subprocess.run(
        [sys.executable, ROOT / SCRIPT, "--port", "0", "--redis", house.url], capture_output=True, text=True
    )
    assert run.returncode == 1 and run.stdout == ""
    assert len(run.stderr.splitlines()) == 1 and "authenticated" in run.stderr
    secret = house.url.replace("//", "//:tea@")
    assert house.guest(house.server(redis=secret), "alice").request("WHO").startswith("OK 1 ")


@pytest.mark.parametrize("setting, value, usual", [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")])
def test_a_redis_that_is_full_or_may_not_write_makes_requests_unavailable_and_nothing_else(
    house, setting, value, usual
):
    server = house.server()
    alice, bob = house.guest(server, "alice"), house.guest(server, "bob")
    with house.client() as redis:
        redis.config_set(setting, value)
        for _ in range(3):
            assert alice.request("MSG bob lost").startswith("ERR unavailable ")
        assert alice.request("HELP").startswith("OK LOGIN")
        redis.config_set(setting, usual)
    eventually(lambda: alice.request("MSG bob hello") == "OK", "Redis works again")
    bob.hear("MSG alice hello")
    assert "MSG alice lost" not in bob.heard
    assert "a bug of ours" not in server.log


def test_a_server_that_only_redis_s_own_machine_may_use_says_so_in_a_line(house):
    """A Redis in its protected mode answers so: the first thing that happens on a second machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            with listener.accept()[0] as sock:
                sock.recv(4096)
                sock.sendall(b"-DENIED Redis is running in protected mode\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        run = subprocess.run(
            [sys.executable, ROOT / SCRIPT, "--port", "0", "--redis", url], capture_output=True, text=True
        )
        thread.join()
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1 and "protected mode" in run.stderr
