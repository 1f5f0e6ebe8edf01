"""Users with several clients, and with none."""

import json
import sqlite3
import sys
import threading
from contextlib import contextmanager, suppress
from typing import NamedTuple

import pytest

from extras.ircv3 import always, missed
from extras.ircv3.always import Always
from extras.ircv3.database import DatabaseError
from extras.ircv3.history import History
from extras.ircv3.storage import Storage
from tests.irc_wire import short
from tests.ircv3_accounts import client, login, register
from tests.wire import DEADLINE_S

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


@pytest.fixture
def on(irc):
    """A network where alice's clients share her nick, and she stays; bob has an account, too."""
    return start(irc)


def start(irc, path=None, mode="opt-out", **options):
    irc.start(options={"always_on": mode, "db": path} | options)
    register(irc, "alice", "bob")
    return irc


def attach(irc, caps=""):
    """One more client of alice's; nothing of its welcome is left."""
    wire = client(irc, "alice", caps=caps)
    wire.burst = wire.ask()
    return wire


def lines(messages):
    return [f":{message.nick} {short(message)}" for message in messages]


def leave(wire):
    """End a session; when its EOF comes, it has ended."""
    wire.send("QUIT")
    wire.goodbye()


# --- several sessions ---------------------------------------------------------------------------


def test_a_second_client_of_the_account_shares_the_user_and_sees_its_channels(on):
    first = client(on, "alice", channel="#tea")
    first.ask("TOPIC #tea :green")
    second = attach(on)
    assert second.welcome[0].params[0] == "alice"
    assert lines(second.burst)[:3] == [":alice JOIN #tea", ":irc.test 332 #tea green", second_topic(second)]
    assert lines(second.burst)[3:] == [":irc.test 353 = #tea @alice", ":irc.test 366 #tea End of NAMES list"]
    assert not first.ask()  # nobody has joined
    assert len(on.server.registry.users) == 1


def second_topic(wire):
    return next(line for line in lines(wire.burst) if " 333 " in line)


@pytest.mark.parametrize("account", ["", "bob"])
def test_nobody_else_shares_it(on, account):
    client(on, "alice")
    wire = on.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl", "NICK alice", "USER u 0 * :r")
    if account:
        login(wire, account)
    assert wire.codes("CAP END") == ["433"]
    assert wire.codes("NICK other")[0] == "001"


def test_a_client_that_cannot_log_in_is_told_at_once(on):
    client(on, "alice")
    assert on.wire().codes("NICK alice") == ["433"]


def test_without_the_flag_an_account_has_one_session(irc):
    start(irc, mode="off")
    client(irc, "alice")
    wire = irc.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl", "USER u 0 * :r")
    login(wire, "alice")
    assert wire.codes("NICK alice", "CAP END") == ["433"]


def test_what_one_session_does_the_others_see(on):
    first = client(on, "alice", channel="#tea")
    second = attach(on)
    bob = client(on, "bob", channel="#tea")
    first.ask(), second.ask()
    first.ask("PRIVMSG #tea :to all", "PRIVMSG bob :to bob", "PRIVMSG alice :to me", "NOTICE @#tea :to ops")
    assert lines(second.ask()) == [
        ":alice PRIVMSG #tea to all",
        ":alice PRIVMSG bob to bob",
        ":alice PRIVMSG alice to me",
        ":alice NOTICE @#tea to ops",
    ]
    first.ask("JOIN #rice", "MODE #rice +m", "TOPIC #rice :long")
    assert lines(second.ask()) == [
        ":alice JOIN #rice",
        ":irc.test 353 = #rice @alice",
        ":irc.test 366 #rice End of NAMES list",
        ":alice MODE #rice +m",
        ":alice TOPIC #rice long",
    ]
    first.ask("PART #rice :over", "MODE alice +i", "NICK alina")
    assert lines(second.ask()) == [":alice PART #rice over", ":alice MODE alice +i", ":alice NICK alina"]
    assert lines(bob.ask())[-1] == ":alice NICK alina"
    bob.ask("PRIVMSG alina :hello")
    assert lines(first.ask()) == lines(second.ask()) == [":bob PRIVMSG alina hello"]


def test_a_message_comes_once_to_each_session_whatever_it_has_asked_for(on):
    wires = [client(on, "alice", channel="#tea")]
    wires += [attach(on, caps) for caps in ("echo-message", "echo-message message-tags", "batch labeled-response")]
    bob = client(on, "bob", channel="#tea")
    for wire in wires:
        wire.ask()
    for number, wire in enumerate(wires):
        sent = [f"PRIVMSG {target} :{number}" for target in ("#tea", "bob", "alice")]
        own = wire.codes(*sent)
        is_echoed = number in (1, 2)
        assert own == ["PRIVMSG"] * (4 if is_echoed else 1)  # what one sends to oneself comes back, too
        for other in wires:
            if other is not wire:
                assert [short(message) for message in other.ask()] == [line.replace(":", "") for line in sent]
        assert len(bob.ask()) == 2


def test_each_session_has_its_own_capabilities(on):
    plain, tagged = client(on, "alice", channel="#tea"), attach(on, "message-tags server-time extended-join")
    client(on, "bob", channel="#tea").ask("PRIVMSG #tea :hi")
    (_, said), (joined, tagged_said) = plain.ask()[-2:], tagged.ask()
    assert not said.tags and set(tagged_said.tags) == {"time", "msgid"}
    assert joined.params == ["#tea", "bob", "Real bob"]


def test_quit_ends_one_session_only(on):
    first, second = client(on, "alice", channel="#tea"), attach(on)
    bob = client(on, "bob", channel="#tea")
    first.ask(), second.ask()
    first.send("QUIT :one out")
    assert lines(first.goodbye()) == [":alice QUIT Quit: one out", ": ERROR Closing Link: 127.0.0.1 (Quit: one out)"]
    assert not second.ask() and not bob.ask()
    assert second.lines("PRIVMSG bob :still here") == [] and lines(bob.ask()) == [":alice PRIVMSG bob still here"]


def test_kill_ends_all_sessions_and_an_absent_user(on):
    first, second = client(on, "alice", channel="#tea"), attach(on)
    root = client(on, "bob", channel="#tea")
    root.ask("OPER root secret", "KILL alice :enough")
    for wire in first, second:
        assert lines(wire.goodbye())[-2:] == [
            ":bob KILL alice enough",
            ": ERROR Closing Link: 127.0.0.1 (Killed (bob (enough)))",
        ]
    leave(client(on, "alice"))
    assert root.lines("KILL alice :enough", "WHOIS alice")[0] == "401 alice No such nick/channel"
    assert not on.server.extensions[Always].users.keys() - {"bob"}


def test_a_user_is_away_if_all_its_sessions_are(on):
    first, second = client(on, "alice", channel="#tea"), attach(on, "away-notify")
    bob = client(on, "bob", caps="away-notify", channel="#tea")
    first.ask(), second.ask()
    assert first.codes("AWAY :lunch") == ["306"]
    assert not bob.ask() and not second.ask()
    second.ask("AWAY :asleep")
    assert lines(bob.ask()) == [":alice AWAY asleep"]
    assert bob.lines("PRIVMSG alice :hi") == ["301 alice asleep"]
    third = attach(on)  # who connects is not away
    assert lines(bob.ask()) == [":alice AWAY"] and lines(second.ask())[-1] == ":alice AWAY"
    leave(third)
    assert lines(bob.ask()) == [":alice AWAY asleep"]
    first.ask("AWAY")
    assert lines(bob.ask()) == [":alice AWAY"]


def test_sessions_are_bounded(on, monkeypatch):
    monkeypatch.setattr(always, "MAX_SESSIONS", 2)
    client(on, "alice"), attach(on)
    wire = on.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl", "NICK alice", "USER u 0 * :r")
    login(wire, "alice")
    assert wire.codes("CAP END") == ["433"]


def test_multiclient_can_be_refused(on):
    first = client(on, "alice")
    assert [message.text for message in first.ask("NS SET MULTICLIENT OFF")] == ["MULTICLIENT is off now."]
    wire = on.wire()
    wire.ask("CAP LS 302", "CAP REQ sasl", "USER u 0 * :r")
    login(wire, "alice")
    assert wire.codes("NICK alice", "CAP END") == ["433"]
    first.ask("NS SET MULTICLIENT ON")
    assert wire.codes("NICK alice")[0] == "001"


def test_who_guesses_an_operators_password_loses_this_session_only(on):
    first, second = client(on, "alice"), attach(on)
    second.send("OPER x y\r\n" * 3)
    assert lines(second.goodbye())[-1] == ": ERROR Closing Link: 127.0.0.1 (Too many wrong passwords)"
    assert first.ask("PING x")


# --- none ---------------------------------------------------------------------------------------


def test_a_user_without_sessions_stays_and_is_away(on):
    alice = client(on, "alice", channel="#tea")
    bob = client(on, "bob", caps="away-notify", channel="#tea")
    bob.ask("MONITOR + alice")
    alice.send("QUIT :bye")
    assert lines(alice.goodbye())[-2:] == [":alice QUIT Quit: bye", ": ERROR Closing Link: 127.0.0.1 (Quit: bye)"]
    assert lines(bob.ask()) == [":alice AWAY Not connected"]
    assert bob.lines("PRIVMSG alice :hi") == ["301 alice Not connected"]
    assert "301 alice Not connected" in bob.lines("WHOIS alice")
    assert bob.lines("ISON alice") == ["303 alice"]
    assert bob.lines("WHO alice")[0].split()[6] == "G"
    assert bob.lines("NAMES #tea")[0] == "353 = #tea @alice bob"
    assert bob.lines("MONITOR S")[0].startswith("730 alice!")
    back = attach(on)
    assert lines(back.burst)[:2] == [":alice JOIN #tea", ":irc.test 353 = #tea @alice bob"]
    assert lines(bob.ask()) == [":alice AWAY"]


def test_a_lost_connection_is_no_quit_either(on):
    alice = client(on, "alice", channel="#tea")
    bob = client(on, "bob", caps="away-notify", channel="#tea")
    alice.close()
    assert short(bob.read()) == "AWAY Not connected"


def test_who_has_not_logged_in_does_not_stay(on):
    carol = on.client("carol", channel="#tea")
    bob = client(on, "bob", channel="#tea")
    leave(carol)
    assert lines(bob.ask()) == [":carol QUIT Quit: "]


def test_opt_in_means_that_one_asks_for_it(irc):
    start(irc, mode="opt-in")
    bob = client(irc, "bob", channel="#tea")
    client(irc, "alice", channel="#tea").send("QUIT :gone")
    assert [message.command for message in (bob.read(), bob.read())] == ["JOIN", "QUIT"]
    alice = client(irc, "alice", channel="#tea")
    alice.ask("PRIVMSG NickServ :set always-on true")
    leave(alice)
    assert bob.codes("NAMES #tea") == ["JOIN", "353", "366"]
    alice = attach(irc)
    alice.ask("PRIVMSG NickServ :set always-on false")
    alice.send("QUIT")
    assert lines(bob.read_until("QUIT"))[-1] == ":alice QUIT Quit: "


def test_a_wish_that_cannot_be_written_is_not_done_and_said(irc, monkeypatch):
    start(irc, mode="opt-in")
    first = client(irc, "alice")
    database = irc.server.extensions[Storage].database

    def fail(db):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", lambda function, write=database.write: write(fail))
        assert first.lines("NS SET ALWAYS-ON ON") == [
            "NOTICE alice Accounts are temporarily unavailable: try again later."
        ]
    leave(first)
    assert client(irc, "bob").codes("WHOIS alice")[0] == "401"


@pytest.mark.parametrize("order", ["SET", "SET ALWAYS-ON", "SET ALWAYS-ON maybe", "SET NICE ON", "SET A B C"])
def test_a_wrong_order_gets_a_line_of_help(on, order):
    (told,) = client(on, "alice").ask(f"NS {order}")
    assert "ALWAYS-ON|MULTICLIENT" in told.text


def test_absent_users_are_bounded(on, monkeypatch):
    monkeypatch.setattr(always, "MAX_ABSENT", 0)
    bob = client(on, "bob", channel="#tea")
    client(on, "alice", channel="#tea").close()
    assert bob.read_until("QUIT")


def test_who_is_absent_for_too_long_leaves_when_somebody_connects(on):
    bob = client(on, "bob", channel="#tea")
    leave(client(on, "alice", channel="#tea"))
    bob.ask()
    on.server.extensions[Always].absent["alice"] -= 31 * 86400
    assert on.client("carol").codes("WHOIS alice")[0] == "401"
    assert lines(bob.ask()) == [":alice QUIT Away for too long"]


def test_a_second_user_of_an_account_does_not_stay(on):
    bob = client(on, "bob", channel="#tea")
    client(on, "alice", channel="#tea")
    client(on, "alina", account="alice", channel="#tea").send("QUIT")
    assert lines(bob.read_until("QUIT"))[-1] == ":alina QUIT Quit: "


# --- after a restart ----------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [True, False])
def test_a_user_is_here_again_after_a_restart(irc, tmp_path, leaves):
    start(irc, str(tmp_path / "irc.db"))
    alice = client(irc, "alice", channel="#tea")
    alice.ask("MODE alice +i", "JOIN #rice", "NICK alina", "OPER root secret")
    if leaves:
        alice.send("QUIT")
        alice.goodbye()
    irc.server.stop()
    irc.start(options={"always_on": "opt-out", "db": str(tmp_path / "irc.db")})
    bob = client(irc, "bob", channel="#tea")
    assert bob.lines("NAMES #tea")[0] == "353 = #tea @alina bob"
    assert bob.lines("PRIVMSG alina :hi") == ["301 alina Not connected"]
    assert "313" not in bob.codes("WHOIS alina")  # to be an operator ends with the session
    back = client(irc, "alina", account="alice")
    assert {"JOIN #tea", "JOIN #rice", "221 +i"} <= {short(message) for message in back.welcome + back.ask()}


def test_the_new_name_of_a_channel_is_written_at_once(on):
    client(on, "alice", channel="#tea")
    client(on, "bob", caps="draft/channel-rename", channel="#chai").ask("INVITE alice #chai")
    attach(on).ask("JOIN #chai")
    database = on.server.extensions[Always]._database

    def channels():
        ((state,),) = database.read(
            lambda db: db.execute("SELECT state FROM always WHERE account = 'alice'").fetchall()
        )
        return list(json.loads(state)["channels"])

    assert channels() == ["#tea", "#chai"]
    assert "RENAME #chai #coffee " in client(on, "bob", caps="draft/channel-rename").lines("RENAME #chai #coffee")
    assert channels() == ["#tea", "#coffee"]


def test_who_was_killed_or_does_not_want_to_is_not(irc, tmp_path):
    start(irc, str(tmp_path / "irc.db"))
    client(irc, "alice", channel="#tea")
    bob = client(irc, "bob", channel="#rice")
    bob.ask("OPER root secret", "KILL alice :enough", "NS SET ALWAYS-ON OFF")
    irc.server.stop()
    irc.start(options={"always_on": "opt-out", "db": str(tmp_path / "irc.db")})
    assert irc.client("carol").lines("LUSERS")[0] == "251 There are 1 users and 0 invisible on 1 servers"


# --- where one is from --------------------------------------------------------------------------

HOME, PHONE = "203.0.113.1", "203.0.113.2"


class From(NamedTuple):
    """A network whose clients come from one address."""

    irc: object
    address: str

    def wire(self):
        wire = self.irc.wire()
        wire.send(f"PROXY TCP4 {self.address} 192.0.2.1 1 2")
        return wire


def start_afar(irc, **options):
    """Give a network for each of alice's two addresses, and bob, who watches her in a channel."""
    irc.start(options={"always_on": "opt-out"} | options, proxies=["127.0.0.1"])
    home, phone = From(irc, HOME), From(irc, PHONE)
    register(home, "alice", "bob")
    return home, phone, client(home, "bob", caps="chghost", channel="#tea")


def host_of(bob):
    """The host that WHO and WHOIS show, and a message has; what bob is told before."""
    told = lines(bob.ask())
    (seen,) = {got.params[3] for got in bob.ask("WHO alice", "WHOIS alice") if got.command in ("311", "352")}
    return seen, [line for line in told if " JOIN " not in line and " AWAY" not in line]


def test_others_see_the_host_of_the_session_that_is_here_longest(irc):
    home, phone, bob = start_afar(irc)
    first = client(home, "alice", channel="#tea")
    second, _ = client(phone, "alice", caps="chghost"), client(home, "alice")
    assert host_of(bob) == (HOME, [])
    leave(first)
    assert short(second.read_until("CHGHOST")[-1]) == f"CHGHOST alice {PHONE}"
    assert host_of(bob) == (PHONE, [f":alice CHGHOST alice {PHONE}"])
    leave(client(home, "alice"))
    assert host_of(bob) == (PHONE, [])
    second.ask("PRIVMSG bob :hi")
    assert [got.source for got in bob.ask()] == [f"alice!alice@{PHONE}"]


def test_who_is_absent_keeps_the_host_of_the_last_session_until_the_next_one_comes(irc, tmp_path):
    path = str(tmp_path / "irc.db")
    home, phone, bob = start_afar(irc, db=path)
    leave(client(home, "alice", channel="#tea"))
    assert host_of(bob) == (HOME, [])
    plain = client(home, "bobby", account="bob", channel="#tea")
    leave(client(phone, "alice"))
    assert host_of(bob) == (PHONE, [f":alice CHGHOST alice {PHONE}"])
    assert lines(plain.ask()) == []
    irc.server.stop()
    irc.start(options={"always_on": "opt-out", "db": path}, proxies=["127.0.0.1"])
    assert host_of(client(home, "bob"))[0] == PHONE


def test_a_client_that_comes_back_from_elsewhere_is_told_its_channels_with_its_new_host(irc):
    home, phone, _ = start_afar(irc)
    leave(client(home, "alice", channel="#tea"))
    back = client(phone, "alice")
    assert [got.source for got in back.ask() if got.command == "JOIN"] == [f"alice!alice@{PHONE}"]
    assert f"378 alice is connecting from *@{PHONE} {PHONE}" in back.lines("WHOIS alice")


def test_with_cloaks_all_sessions_of_an_account_have_one_host_and_its_address_is_the_one_that_is_here(irc):
    home, phone, bob = start_afar(irc, cloak="key")
    leave(client(home, "alice", channel="#tea"))
    back = client(phone, "alice")
    assert host_of(bob) == ("user/alice", [])
    assert f"378 alice is connecting from *@{PHONE} {PHONE}" in back.lines("WHOIS alice")


def test_who_logs_in_later_keeps_her_cloak_when_another_session_goes(irc):
    home, phone, bob = start_afar(irc, cloak="key")
    first = home.wire()
    first.ask("NICK alice_", "USER alice 0 * :A")
    first.ask("NS IDENTIFY alice sesame", "NICK alice", "JOIN #tea")
    bob.ask()
    leave(client(phone, "alice"))
    assert host_of(bob) == ("user/alice", [])


def test_who_monitors_somebody_is_told_her_new_host(irc):
    home, phone, _ = start_afar(irc)
    leave(client(home, "alice"))
    watcher = client(home, "watcher", account="bob", caps="extended-monitor chghost")
    watcher.ask("MONITOR + alice")
    client(phone, "alice")
    assert lines(watcher.ask()) == [f":alice CHGHOST alice {PHONE}"]


# --- races --------------------------------------------------------------------------------------


@contextmanager
def switching():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def waiting(irc):
    """A client that has logged in, and registers with its next line."""
    wire = irc.wire()
    wire.nick = "alice"
    wire.ask("CAP LS 302", "CAP REQ sasl", "NICK alice", "USER u 0 * :r")
    assert login(wire, "alice") == ["900", "903"]
    return wire


def race(*actions):
    """Run these at the same moment, each in a thread of its own."""
    gate = threading.Barrier(len(actions))

    def run(action):
        gate.wait(DEADLINE_S)
        action()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)


def end(wire):
    wire.send("CAP END")
    return wire.read_until("376", "422")


def check(irc):
    """What is true of the world at any moment, whatever has happened."""
    world, extension = irc.server.registry, irc.server.extensions[Always]
    with world.lock:
        assert all(user.sessions or key in extension.absent for key, user in extension.users.items())
        assert not any(extension.users[key].sessions for key in extension.absent)
        assert all(world.user(user.nick) is user for user in world.users)
        assert all(session.name == user.nick for user in world.users for session in user.sessions)
        assert set(extension.users.values()) == set(extension.keys) <= set(world.users)


def test_two_sessions_that_attach_at_the_same_moment_share_one_user(on):
    client(on, "alice", channel="#tea")
    with switching():
        for _ in range(5):
            wires = [waiting(on) for _ in range(4)]
            race(*(lambda wire=wire: end(wire) for wire in wires))
            user = on.server.registry.user("alice")
            assert len(user.sessions) == 5 and len(on.server.registry.users) == 1
            wires[0].ask()
            for wire in wires[1:]:
                wire.ask()
            wires[0].send("PRIVMSG #tea :once")
            for wire in wires[1:]:
                assert short(wire.read()) == "PRIVMSG #tea once"
            for wire in wires:
                wire.send("QUIT")
                wire.goodbye()
            check(on)


@pytest.mark.parametrize("mode", ["opt-in", "opt-out"])
def test_the_last_session_ends_while_another_one_attaches(irc, mode):
    start(irc, mode=mode)
    first = client(irc, "alice", channel="#tea")
    bob = client(irc, "bob", channel="#tea")
    with switching():
        for _ in range(20):
            wire = waiting(irc)
            race(lambda: leave(first), lambda: end(wire))
            check(irc)
            wire.ask("JOIN #tea")  # if the first was gone before, this is another user
            assert len(irc.server.registry.user("alice").sessions) == 1
            first = wire
    assert set(bob.codes()) <= {"JOIN", "QUIT"} if mode == "opt-in" else not bob.ask()
    assert bob.lines("NAMES #tea")[0].split()[-1] in ("@alice", "alice", "bob")


@pytest.mark.parametrize("line", ["KILL alice :enough", "NICK alina"])
def test_a_kill_or_a_rename_while_a_session_attaches(on, line):
    root = client(on, "bob")
    root.ask("OPER root secret")
    with switching():
        for _ in range(10):
            first = client(on, "alice", channel="#tea")
            actor = root if "KILL" in line else first
            wire = waiting(on)
            race(lambda: actor.ask(line), lambda: wire.send("CAP END"))
            check(on)
            if actor is first:
                # Under whatever nick, it is the same user.
                assert wire.read_until("376", "422")[0].command == "001"
                check(on)
                assert {user.nick for user in on.server.registry.users} <= {"bob", "alina", "alice"}
                users = [user for user in on.server.registry.users if user.account == "alice"]
                assert len(users) == 1 and len(users[0].sessions) == 2
                first.ask("NICK alice")
                root.ask("KILL alice :next")
            else:
                first.goodbye()
                with suppress(EOFError, ConnectionError):  # it is killed, too, or comes when alice has gone
                    wire.ask()
                root.ask("KILL alice :next")
            check(on)


# --- what was missed ----------------------------------------------------------------------------


def texts(messages):
    """What was said, and where."""
    return [" ".join(message.params) for message in messages if message.command in ("PRIVMSG", "NOTICE")]


def test_what_was_missed_comes_once_in_order_before_what_is_new(on):
    alice = client(on, "alice", channel="#tea")
    alice.ask("JOIN #rice")
    bob = client(on, "bob", channel="#tea")
    bob.ask("JOIN #rice", "PRIVMSG #tea :she reads it", "PRIVMSG alice :she reads it")
    alice.ask()
    leave(alice)
    sent = [f"PRIVMSG {target} :{number}" for number in range(3) for target in ("#tea", "alice", "#rice")]
    bob.ask(*sent, "NOTICE #tea :n")
    back = attach(on)
    bob.ask("PRIVMSG #tea :new")
    assert texts(back.welcome + back.burst + back.ask()) == [
        "#tea 0",
        "#tea 1",
        "#tea 2",
        "#tea n",
        "#rice 0",
        "#rice 1",
        "#rice 2",
        "alice 0",
        "alice 1",
        "alice 2",
        "#tea new",
    ]
    leave(back)
    assert texts(attach(on).burst) == []


def test_what_was_missed_is_in_batches_with_its_time_and_id_for_who_knows_them(on):
    alice, bob = (
        client(on, "alice", channel="#tea"),
        client(on, "bob", caps="message-tags echo-message", channel="#tea"),
    )
    leave(alice)
    echoes = bob.ask("PRIVMSG #tea :hi", "PRIVMSG alice :you")
    back = attach(on, "batch server-time message-tags")
    batches = [message for message in back.burst if message.command == "BATCH"]
    assert [message.params[1:] for message in batches] == [["chathistory", "#tea"], [], ["chathistory", "bob"], []]
    said = [message for message in back.burst if message.command == "PRIVMSG"]
    assert [message.tags["batch"] for message in said] == [batches[0].params[0][1:], batches[2].params[0][1:]]
    assert all(message.tags["time"] for message in said)
    assert [message.tags["msgid"] for message in said] == [
        message.tags["msgid"] for message in echoes if message.command == "PRIVMSG"
    ]


def test_a_client_that_asks_for_history_itself_gets_none_unasked(on):
    leave(client(on, "alice", channel="#tea"))
    client(on, "bob", channel="#tea").ask("PRIVMSG #tea :hi")
    back = attach(on, "batch draft/chathistory")
    assert texts(back.burst) == []
    assert texts(back.ask("CHATHISTORY LATEST #tea * 10")) == ["#tea hi"]


def test_a_second_client_gets_nothing_that_the_first_has_got(on):
    client(on, "alice", channel="#tea")
    client(on, "bob", channel="#tea").ask("PRIVMSG #tea :hi")
    assert texts(attach(on).burst) == []


def test_what_was_said_in_a_channel_from_which_one_was_thrown_out_is_not_told(on):
    bob = client(on, "bob", channel="#tea")
    leave(client(on, "alice", channel="#tea"))
    bob.ask("PRIVMSG #tea :before", "KICK #tea alice", "PRIVMSG #tea :secret")
    assert texts(attach(on).burst) == []


def test_of_too_much_the_newest_comes(on, monkeypatch):
    monkeypatch.setattr(missed, "MOST_OF_EACH", 3)
    leave(client(on, "alice", channel="#tea"))
    client(on, "bob", channel="#tea").ask(*(f"PRIVMSG #tea :{number}" for number in range(9)))
    assert texts(attach(on).burst) == ["#tea 6", "#tea 7", "#tea 8"]


def test_who_does_not_quit_rather_reads_twice_than_never(on):
    alice = client(on, "alice", channel="#tea")
    bob = client(on, "bob", caps="away-notify", channel="#tea")
    alice.ask()
    alice.send("PRIVMSG #tea :her own")
    bob.read_until("PRIVMSG")
    bob.ask("PRIVMSG #tea :perhaps read")
    alice.close()
    bob.read_until("AWAY")
    back = attach(on)
    assert texts(back.burst) == ["#tea perhaps read"]
    leave(back)
    assert texts(attach(on).burst) == []


def test_a_client_that_says_nothing_has_perhaps_not_read_what_it_missed(on):
    leave(client(on, "alice", channel="#tea"))
    bob = client(on, "bob", caps="away-notify", channel="#tea")
    bob.ask("PRIVMSG #tea :old")
    mute = waiting(on)
    mute.send("CAP END")
    mute.read_until("PRIVMSG")
    mute.close()
    assert [short(message) for message in (bob.read(), bob.read())] == ["AWAY", "AWAY Not connected"]
    assert texts(attach(on).burst) == ["#tea old"]


def test_it_is_there_after_a_restart(irc, tmp_path):
    start(irc, str(tmp_path / "irc.db"))
    leave(client(irc, "alice", channel="#tea"))
    client(irc, "bob", channel="#tea").ask("PRIVMSG #tea :one", "PRIVMSG alice :you")
    client(irc, "bobby", account="bob", channel="#tea").ask("PRIVMSG #tea :own")
    irc.server.stop()
    irc.start(options={"always_on": "opt-out", "db": str(tmp_path / "irc.db")})
    bob = client(irc, "bob")
    assert texts(bob.ask()) == []  # he has read it all
    bob.ask("PRIVMSG #tea :two")
    assert texts(attach(irc).burst) == ["#tea one", "#tea own", "#tea two", "alice you"]


def test_a_database_that_does_not_answer_is_said_and_the_client_is_let_in(on, monkeypatch):
    leave(client(on, "alice", channel="#tea"))

    def read(function):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(on.server.extensions[History], "read", read)
    back = attach(on)
    assert texts(back.burst) == ["alice What you have missed is temporarily unavailable"]
    assert back.lines("NAMES #tea")[0] == "353 = #tea @alice"


class Gate:
    """Holds up the first reading of history, so that something happens meanwhile."""

    def __init__(self, irc, monkeypatch, behind=False):
        self.behind = behind  # what was read is there, and has not been told
        history = irc.server.extensions[History]
        self.reading, self.go_on, self._read = threading.Event(), threading.Event(), history.read
        monkeypatch.setattr(history, "read", self.read)

    def read(self, function):
        is_first = not self.reading.is_set()
        found = self._read(function) if self.behind or not is_first else None
        if is_first:
            self.reading.set()
            assert self.go_on.wait(DEADLINE_S)
        return self._read(function) if found is None else found


def test_what_happens_while_it_is_read_comes_behind_it_and_once(on, monkeypatch):
    bob = client(on, "bob", channel="#tea,#rice")
    leave(client(on, "alice", channel="#tea,#rice"))
    bob.ask("PRIVMSG #tea :old", "PRIVMSG alice :old")
    gate, wire = Gate(on, monkeypatch), waiting(on)
    wire.send("CAP END")
    assert gate.reading.wait(DEADLINE_S)
    bob.ask("PRIVMSG #tea :meanwhile", "PRIVMSG alice :meanwhile", "TOPIC #tea :green", "KICK #tea alice", "NICK bobby")
    gate.go_on.set()
    wire.read_until("366")
    wire.read_until("366")
    assert [short(message) for message in wire.ask()] == [
        "PRIVMSG alice old",
        "PRIVMSG alice meanwhile",
        "PRIVMSG #tea meanwhile",
        "TOPIC #tea green",
        "KICK #tea alice bob",
        "NICK bobby",
    ]


@pytest.mark.parametrize("behind", [True, False])
def test_what_is_taken_back_while_it_is_read_is_not_told(on, monkeypatch, behind):
    bob = client(on, "bob", caps="echo-message message-tags draft/message-redaction", channel="#tea")
    leave(client(on, "alice", channel="#tea"))
    old = bob.ask("PRIVMSG #tea :old")[-1]
    gate, wire = Gate(on, monkeypatch, behind), waiting(on)
    wire.send("CAP END")
    assert gate.reading.wait(DEADLINE_S)
    new = bob.ask("PRIVMSG #tea :new")[-1]
    assert bob.codes(*(f"REDACT #tea {message.tags['msgid']}" for message in (old, new))) == ["REDACT"] * 2
    gate.go_on.set()
    wire.read_until("366")
    assert texts(wire.ask()) == []


def test_what_was_said_behind_closed_doors_is_not_told_in_the_next_channel_of_that_name(on, monkeypatch):
    bob = client(on, "bob", channel="#tea")
    leave(client(on, "alice", channel="#tea"))
    bob.ask("MODE #tea +s", "PRIVMSG #tea :secret")
    gate, wire = Gate(on, monkeypatch), waiting(on)
    wire.send("CAP END")
    assert gate.reading.wait(DEADLINE_S)
    bob.ask("KICK #tea alice", "PART #tea")
    assert "#tea" not in on.server.registry.channels
    attach(on, "draft/chathistory").ask("JOIN #tea")
    gate.go_on.set()
    wire.read_until("366")
    assert "#tea secret" not in texts(wire.ask())


def test_a_kill_while_it_is_read_ends_the_client_too(on, monkeypatch):
    root = client(on, "bob")
    root.ask("OPER root secret")
    leave(client(on, "alice", channel="#tea"))
    gate, wire = Gate(on, monkeypatch), waiting(on)
    wire.send("CAP END")
    assert gate.reading.wait(DEADLINE_S)
    root.ask("KILL alice :enough")
    gate.go_on.set()
    assert wire.goodbye()[-1].command == "ERROR"
    check(on)
    assert root.codes("WHOIS alice")[0] == "401"


def test_nothing_is_lost_and_nothing_comes_twice_however_often_one_comes_and_goes(on):
    alice, bob = client(on, "alice", channel="#tea"), client(on, "bob", channel="#tea")
    got, number = [], 0
    for _ in range(15):
        leave_and_talk = [f"PRIVMSG #tea :{number + n}" for n in range(3)]
        number += 3
        read = []
        race(lambda: read.extend(quit_and_read(alice)), lambda: bob.ask(*leave_and_talk))
        got += read
        alice = waiting(on)
        talk = [f"PRIVMSG #tea :{number + n}" for n in range(3)]
        number += 3
        race(lambda: alice.send("CAP END"), lambda: bob.ask(*talk))
        got += alice.read_until("366")
        got += alice.ask()
    assert texts(got) == [f"#tea {n}" for n in range(number)]


def quit_and_read(wire):
    wire.send("QUIT")
    return wire.goodbye()
