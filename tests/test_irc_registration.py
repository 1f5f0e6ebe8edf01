"""How an IRC session begins, stays alive and ends."""

import hashlib
import socket
import threading
import time
from unittest.mock import ANY

import pytest

from extras.irc import capabilities
from extras.irc.lines import IrcConnection
from extras.irc.more.passwords import hash_password
from extras.irc.server import IrcServer
from tests.dialects import eventually
from tests.irc_wire import IrcWire, short
from tests.servers import running
from tests.wire import DEADLINE_S


def test_nick_and_user_in_either_order_bring_the_welcome(irc):
    for nick, lines in (("one", "NICK one\r\nUSER u 0 * :Real Name"), ("two", "USER u 0 * :Real Name\r\nNICK two")):
        wire = irc.wire()
        wire.send(lines)
        welcome = wire.read_until("376")
        codes = [m.command for m in welcome if m.command[0] == "0"]
        assert list(dict.fromkeys(codes)) == ["001", "002", "003", "004", "005"]
        assert {m.params[0] for m in welcome} == {nick} and {m.source for m in welcome} == {"irc.test"}
        assert welcome[0].text == f"Welcome to the ExampleNet Network, {nick}!u@127.0.0.1"


def test_the_welcome_counts_users_as_lusers_does(irc):
    alice = irc.client("alice")
    counts = [short(m) for m in alice.welcome if m.command in ("251", "252", "253", "254", "255", "265", "266")]
    assert counts == [
        "251 There are 1 users and 0 invisible on 1 servers",
        "252 0 operator(s) online",
        "253 0 unknown connection(s)",
        "254 0 channels formed",
        "255 I have 1 clients and 0 servers",
        "265 1 1 Current local users 1, max 1",
        "266 1 1 Current global users 1, max 1",
    ]
    assert alice.lines("LUSERS") == counts


def test_lusers_counts_strangers_and_remembers_the_most(irc):
    alice, bob, stranger = irc.client("alice"), irc.client("bob"), irc.wire()
    assert stranger.lines("NICK carol") == []
    bob.send("QUIT")
    bob.goodbye()
    alice.ask("MODE alice +i", "JOIN #tea", "OPER root secret")
    assert alice.lines("LUSERS") == [
        "251 There are 0 users and 1 invisible on 1 servers",
        "252 1 operator(s) online",
        "253 1 unknown connection(s)",
        "254 1 channels formed",
        "255 I have 1 clients and 0 servers",
        "265 1 2 Current local users 1, max 2",
        "266 1 2 Current global users 1, max 2",
    ]
    stranger.send("QUIT")
    stranger.goodbye()
    assert "253 0 unknown connection(s)" in alice.lines("LUSERS")


def test_isupport_tokens_are_well_formed_and_true(irc):
    irc.start(network="Tea Net", max_channels=3)
    lines = [m for m in irc.client("alice").welcome if m.command == "005"]
    tokens = dict((token + "=").split("=")[:2] for m in lines for token in m.params[1:-1])
    assert all(3 <= len(m.params) <= 15 and m.text == "are supported by this server" for m in lines)
    assert tokens["NETWORK"] == r"Tea\x20Net" and tokens["CASEMAPPING"] == "rfc1459"
    assert tokens["CHANLIMIT"] == "#:3,&:3" and tokens["PREFIX"] == "(qohv)~@%+"
    assert tokens["CHANMODES"].startswith("beI,k,l,Cimnpst") and tokens["WHOX"] == ""


def test_the_limits_in_isupport_hold(irc):
    alice = irc.client("alice")
    assert alice.lines("NICK " + "a" * 30) == ["NICK " + "a" * 30]
    assert alice.lines("NICK " + "b" * 35) == [f"432 {'b' * 35} Erroneous nickname"]
    assert alice.codes("JOIN #" + "a" * 49)[0] == "JOIN"
    assert alice.lines("JOIN #" + "b" * 50) == [f"403 #{'b' * 50} No such channel"]


def test_before_registration_only_a_few_commands_are_known(irc):
    wire = irc.wire()
    assert wire.lines("JOIN :", "PRIVMSG bob :hi", "NONSENSE", "SERVER a.b 1 :x") == ["451 You have not registered"] * 2
    wire.ask("NICK alice")
    assert [m.params[0] for m in wire.ask("LIST")] == ["alice"]


LOGIN = b"NICK eve\r\nUSER e 0 * :e\r\nJOIN #tea\r\nPRIVMSG #tea :spam\r\n"


@pytest.mark.parametrize(
    "start, why",
    [
        (b"POST / HTTP/1.1\r\nHost: irc.test:6667\r\n\r\n", "This is IRC, not HTTP"),
        (b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "This is IRC, not HTTP"),
        (b"OPTIONS * HTTP/1.0\n", "This is IRC, not HTTP"),
        (b"CONNECT irc.test:25 HTTP/1.1\r\n\r\n", "This is IRC, not HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\n", "This is IRC, not HTTP"),
        (b"POST /" + b"x" * 600 + b" HTTP/1.1\r\n", "This is IRC, not HTTP"),
        (b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\n", "Input line was too long"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "this port is without TLS"),  # and no line end for long
        (b"\x16", "this port is without TLS"),
    ],
)
def test_a_browser_cannot_be_made_to_speak_irc(irc, start, why, caplog):
    alice, eve = irc.client("alice", channel="#tea"), irc.wire()
    eve.send(start + (b"" if start[0] == 0x16 else LOGIN))
    assert [short(m) for m in eve.goodbye()] == [f"ERROR Closing Link: 127.0.0.1 ({why})"]
    assert alice.lines() == [] and alice.lines("NICK eve") == ["NICK eve"], "it has no name either"
    assert why in caplog.text


def test_who_is_in_may_say_what_looks_like_http(irc):
    alice = irc.client("alice")
    assert alice.lines("GET / HTTP/1.1", "PRIVMSG alice HTTP/1.1") == [
        "421 GET Unknown command",
        "PRIVMSG alice HTTP/1.1",
    ]


def test_of_several_nicks_and_users_the_last_counts(irc):
    wire = irc.wire()
    wire.send("NICK a1\r\nNICK a2\r\nUSER u\r\nUSER u 0 * :\r\nNICK\r\nNICK *\r\nNICK :\r\nUSER last 0 * :x")
    assert [short(m) for m in wire.read_until("001")] == [
        "461 USER Not enough parameters",
        "461 USER Not enough parameters",
        "431 No nickname given",
        "432 * Erroneous nickname",
        "431 No nickname given",
        "001 Welcome to the ExampleNet Network, a2!last@127.0.0.1",
    ]
    assert wire.codes("USER again 0 * :x", "PASS x")[-2:] == ["462", "462"]


def test_a_user_name_holds_nothing_that_means_something(irc):
    wire = irc.wire()
    assert wire.ask("NICK alice", "USER !:e*v?i@l,\x02 0 * :x")[0].text.endswith("alice!evil@127.0.0.1")
    assert wire.lines("WHO alice %u")[0] == "354 evil"
    wire = irc.wire()
    assert wire.ask("NICK bob", "USER !: 0 * :x")[0].text.endswith("bob!user@127.0.0.1")


def test_user_bits_set_modes(irc):
    wire = irc.wire()
    wire.send("NICK alice\r\nUSER u 12 * :x")
    assert "221 +iw" in [short(m) for m in wire.read_until("376")]


def test_a_nick_belongs_to_one(irc):
    irc.client("alice")
    wire = irc.wire()
    assert wire.lines("NICK ALICE") == ["433 ALICE Nickname is already in use"]
    assert wire.codes("NICK {bob}", "USER u 0 * :x")[0] == "001"
    assert irc.wire().codes("NICK [BOB]") == ["433"], "{ and [ are one letter in two cases"


@pytest.mark.parametrize("end", ["QUIT", "rst", "eof", "NICK other"])
def test_a_nick_is_free_when_its_owner_left(irc, end):
    alice = irc.client("alice", channel="#tea")
    bob = irc.client("bob", channel="#tea")
    alice.ask()
    if end == "rst":
        alice.reset()
    elif end == "eof":
        alice.close()
    else:
        alice.send(end)
    assert bob.read().command in ("QUIT", "NICK")
    assert irc.client("ALICE").welcome


def test_an_unregistered_owner_frees_its_nick_too(irc):
    wire = irc.wire()
    wire.send("NICK alice\r\nQUIT")
    wire.goodbye()
    assert irc.client("alice").welcome


@pytest.mark.parametrize("secret", ["tea", hash_password("tea")], ids=["plain", "hash"])
def test_a_password_is_asked_for(irc, secret):
    irc.start(options={"password": secret})
    for first, last in (
        ("PASS tea", "376"),
        ("PASS bad\r\nPASS tea", "376"),
        ("PASS tea\r\nPASS bad", "ERROR"),
        ("PING x", "ERROR"),
    ):
        wire = irc.wire()
        wire.send(first + "\r\nNICK alice\r\nUSER u 0 * :x\r\nPASS tea")
        got = wire.read_until("376", "ERROR")
        assert got[-1].command == last
        assert ("464" in [m.command for m in got]) == (last == "ERROR")
        wire.send("QUIT")
        wire.goodbye()


def test_who_is_sent_away_for_a_password_was_never_here(irc):
    irc.start(options={"password": "tea"})
    friend, wire = irc.wire(), irc.wire()
    friend.ask("PASS tea", "NICK friend", "USER f 0 * :x", "MONITOR + alice")
    wire.send("PASS bad\r\nNICK alice\r\nUSER a 0 * :x")
    assert [m.command for m in wire.goodbye()] == ["464", "ERROR"]
    assert friend.lines("WHOWAS alice")[0] == "406 alice There was no such nickname"


def test_a_connection_is_good_for_one_password(irc, monkeypatch):
    """A hundred strangers who tried one after the other took all the processor, 16 MiB each."""
    irc.start(options={"password": hash_password("tea")})
    reckoned, scrypt = [], hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda password, **how: reckoned.append(password) or scrypt(password, **how))
    wire = irc.wire()
    wire.send("\r\n".join(f"PASS guess{n}" for n in range(50)))
    wire.ask()
    assert not reckoned, "nobody needs to know yet"
    wire.send("NICK alice\r\nUSER u 0 * :x\r\nPASS tea\r\nNICK bob")
    assert wire.goodbye()[-1].command == "ERROR"
    assert reckoned == [b"guess49"]


def test_cap_suspends_registration(irc):
    wire = irc.wire()
    assert wire.lines("CAP LS 302", "NICK alice", "USER u 0 * :x", "CAP LIST")[-1] == "CAP alice LIST "
    assert wire.lines("CAP REQ :foo multi-prefix") == ["CAP alice NAK foo multi-prefix"]
    assert wire.lines("CAP REQ :multi-prefix server-time") == ["CAP alice ACK multi-prefix server-time"]
    assert wire.lines("CAP BAD") == ["410 BAD Invalid CAP command"]
    got = wire.ask("CAP END")
    assert got[0].command == "001" and "time" in got[0].tags
    assert wire.lines("CAP REQ :-server-time", "CAP LIST") == [
        "CAP alice ACK -server-time",
        "CAP alice LIST multi-prefix",
    ]


def test_cap_notify_is_a_part_of_version_302(irc):
    alice = irc.wire()
    assert alice.lines("CAP LS 302", "CAP REQ :-cap-notify")[-1] == "CAP * NAK -cap-notify"
    assert alice.lines("CAP REQ :cap-notify") == ["CAP * ACK cap-notify"]
    bob = irc.wire()
    assert bob.lines("CAP LS", "CAP REQ :-cap-notify")[-1] == "CAP * ACK -cap-notify"


def test_who_understands_is_told_of_a_capability_that_comes_or_goes(irc):
    new, old = irc.client("new", caps="away-notify"), irc.client("old")
    older, stranger = irc.client("older"), irc.wire()
    new.ask("CAP LS 302", "CAP LS")
    older.ask("CAP REQ :cap-notify away-notify")
    stranger.ask("CAP LS 302", "CAP REQ :away-notify")

    def change(is_there):
        with irc.server.registry.lock:
            for name in ("away-notify", "draft/metadata-3"):
                capabilities.changed(irc.server, name, is_there)

    change(is_there=False)
    deleted = ["CAP {} DEL away-notify", "CAP {} DEL draft/metadata-3"]
    assert new.lines() == [line.format("new") for line in deleted]
    assert older.lines("CAP LIST") == [line.format("older") for line in deleted] + ["CAP older LIST cap-notify"]
    assert stranger.lines("CAP LIST") == [line.format("*") for line in deleted] + ["CAP * LIST "]
    change(is_there=True)
    assert [line.partition("=")[::2] for line in new.lines()] == [
        ("CAP new NEW away-notify", ""),
        ("CAP new NEW draft/metadata-3", ANY),
    ]
    assert older.lines() == ["CAP older NEW away-notify", "CAP older NEW draft/metadata-3"], "no value: it is not 302"
    assert old.lines() == []


def test_ls_without_a_number_has_no_values_and_takes_nothing_back(irc):
    alice = irc.wire()
    assert any("sasl=" in line for line in alice.lines("CAP LS 302"))
    (without,) = alice.lines("CAP LS")
    assert " sasl " in without and "=" not in without
    assert alice.lines("CAP REQ :-cap-notify") == ["CAP * NAK -cap-notify"]


def test_cap_is_answered_to_a_star_before_the_nick(irc):
    assert [short(m) for m in irc.wire().ask("CAP LIST")] == ["CAP * LIST "]
    names = irc.wire().ask("CAP LS")[0].text.split()
    assert {"multi-prefix", "echo-message", "server-time"} <= set(names) and not [n for n in names if "=" in n]


def test_a_renaming_reaches_each_neighbour_once(irc):
    alice, bob, carol = (irc.client(nick, channel="#a,#b") for nick in ("alice", "bob", "carol"))
    carol.ask("PART #a,#b")
    for wire in (alice, bob, carol):
        wire.ask()
    assert [(m.source, short(m)) for m in alice.ask("NICK Alice2")] == [("alice!alice@127.0.0.1", "NICK Alice2")]
    assert bob.lines() == ["NICK Alice2"]
    assert carol.lines() == []
    assert alice.lines("NICK ALICE2", "NICK ALICE2") == ["NICK ALICE2"]
    assert alice.lines("NICK bob", "NICK 9") == ["433 bob Nickname is already in use", "432 9 Erroneous nickname"]
    assert carol.codes("PRIVMSG alice2 :hi", "PRIVMSG alice :hi") == ["401"]


def test_ping_is_answered_with_its_token(irc):
    alice = irc.client("alice")
    alice.send("PING abc def")
    assert short(alice.read()) == "PONG irc.test abc"
    assert alice.lines("PING", "PING :", "PONG", "PONG x") == ["409 No origin specified"] * 2


def test_quit_is_told_once_and_ends_with_error(irc):
    alice, bob = irc.client("alice", channel="#a,#b"), irc.client("bob", channel="#a,#b")
    alice.ask()
    bob.send("QUIT :gone fishing\r\nPRIVMSG #a :after the end")
    assert [short(m) for m in bob.goodbye()] == ["ERROR Closing Link: 127.0.0.1 (Quit: gone fishing)"]
    assert [(m.source, short(m)) for m in alice.ask()] == [("bob!bob@127.0.0.1", "QUIT Quit: gone fishing")]


def test_a_quit_without_a_reason_is_told_without_one(irc):
    alice, bob = irc.client("alice", channel="#a"), irc.client("bob", channel="#a")
    alice.ask()
    bob.send("QUIT")
    bob.goodbye()
    assert alice.lines() == ["QUIT Quit: "], "modern.ircdocs.horse: just this"


def test_a_lost_connection_is_a_quit(irc):
    alice, bob = irc.client("alice", channel="#a"), irc.client("bob", channel="#a")
    alice.ask()
    bob.close()
    assert short(alice.read()) == "QUIT Connection closed"


def test_the_silent_are_asked_and_then_sent_away(irc):
    irc.start(ping_timeout_s=0.2)
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    got = []
    while not got or got[-1].command != "QUIT":  # alice answers, bob does not
        got.append(alice.read())
        if got[-1].command == "PING":
            alice.send("PONG :" + got[-1].text)
    assert short(got[-1]).startswith("QUIT Ping timeout")
    assert [m.command for m in bob.goodbye() if m.command != "JOIN"] == ["PING", "ERROR"]


def test_who_never_registers_is_sent_away_and_its_nick_is_free_at_once(irc):
    irc.start(login_timeout_s=0.2)
    wire = irc.wire()
    wire.send("NICK alice")
    assert [m.command for m in wire.goodbye()] == ["ERROR"]
    assert irc.client("alice").welcome, "though the other end has not hung up yet"


def test_a_full_server_says_so(irc):
    irc.start(max_clients=1)
    irc.client("alice")
    assert [m.command for m in irc.wire().goodbye()] == ["ERROR"]


def pass_time(server, seconds, stopped=False):
    """Let the last sign of life of everybody be longer ago, and sweep; `stopped`: the server was."""
    conns = [session.conn for user in server.registry.users for session in user.sessions]
    eventually(lambda: stopped or all(conn.is_reading for conn in conns), "their threads are back in recv()")
    with server.registry.lock:
        for conn in conns:
            conn.forgive(-seconds)
        if stopped:
            server._swept_at -= seconds
        server.sweep(time.monotonic())


def test_who_does_not_answer_our_ping_is_sent_away(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    pass_time(irc.server, 119)
    assert alice.lines() == bob.lines() == [], "too early to ask"
    pass_time(irc.server, 121)
    assert short(alice.read()) == short(bob.read()) == "PING irc.test"
    pass_time(irc.server, 119)
    alice.send("PONG irc.test")
    assert alice.lines() == []
    pass_time(irc.server, 2)
    assert "Ping timeout: 240 seconds" in bob.goodbye()[-1].text
    assert alice.lines() == []


def test_nobody_is_silent_while_the_server_is_stopped(irc):
    """Ctrl-Z, a laptop's lid: all who were idle were sent away, and not one had been asked."""
    alice = irc.client("alice")
    pass_time(irc.server, 10_000, stopped=True)
    assert alice.lines() == [], "it has just been heard, as far as we were here"
    pass_time(irc.server, 121)
    assert short(alice.read()) == "PING irc.test"
    pass_time(irc.server, 10_000, stopped=True)
    assert alice.lines() == []


def test_who_is_held_back_is_not_silent(irc, monkeypatch):
    """A client that said much was sent away though its PONG was there to be read."""
    held, release = threading.Event(), threading.Event()
    monkeypatch.setattr(IrcConnection, "rest", lambda conn, seconds: (held.set(), release.wait(DEADLINE_S)))
    irc.start(flood=(5.0, 1.0))
    alice = irc.client("alice")
    pass_time(irc.server, 121)
    assert short(alice.read()) == "PING irc.test"
    alice.send("\r\n".join(["WHO nobody"] * 50))
    held.wait(DEADLINE_S)
    with irc.server.registry.lock:
        (conn,) = [session.conn for user in irc.server.registry.users for session in user.sessions]
        conn.heard_at = conn.pinged_at - 1  # as if we had asked her only now
        conn.forgive(-500)
        irc.server.sweep(time.monotonic())
    alice.send("PONG irc.test")
    release.set()
    assert alice.codes()[-1] == "315"


def test_die_needs_no_thread(irc, monkeypatch):
    root = irc.client("root")
    root.ask("OPER root secret")
    (acceptor,) = [thread for thread in threading.enumerate() if thread.name == "acceptor"]

    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        root.send("DIE")
        acceptor.join(DEADLINE_S)
    assert not acceptor.is_alive()
    assert root.codes() == [], "whoever said it is told with the others, when the server stops"


def test_a_stopping_server_tells_everyone(irc):
    server, alice = irc.start(), irc.client("alice")
    server.stop()
    assert [m.command for m in alice.goodbye()] == ["ERROR"]


def test_a_flooder_is_slowed_down_and_loses_nothing(irc):
    irc.start(flood=(5.0, 200.0))
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.send("\r\n".join(f"PRIVMSG bob :{n}" for n in range(60)))
    assert [bob.read().text for _ in range(60)] == [str(n) for n in range(60)]


def test_a_sign_of_life_costs_no_token(irc):
    irc.start(flood=(5.0, 0.001))  # the sixth message would wait for a quarter of an hour
    alice = irc.client("alice")
    for _ in range(20):
        assert alice.ask() == []


def test_what_a_flooder_said_before_its_eof_still_counts(irc):
    irc.start(flood=(5.0, 200.0))
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.send("\r\n".join(f"PRIVMSG bob :{n}" for n in range(20)))
    alice.sock.shutdown(socket.SHUT_WR)
    assert [bob.read().text for _ in range(20)] == [str(n) for n in range(20)]


def test_a_flooder_that_resets_its_connection_is_gone_at_once(irc):
    """Its lines could be read for half a minute more, and it kept its nick as long."""
    irc.start(flood=(5.0, 20.0))
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.send("\r\n".join(["PRIVMSG #tea :x"] * 600))
    bob.read_until("PRIVMSG")
    alice.reset()
    assert len(bob.read_until("QUIT")) < 100


@pytest.fixture
def behind_proxy(irc):
    """A Network whose clients all come from a proxy that is trusted."""
    irc.start(proxies=["127.0.0.1"], max_per_host=1)
    return irc


def test_a_proxy_tells_whom_it_speaks_for(behind_proxy):
    def client(nick, header):
        wire = behind_proxy.wire()
        wire.send(f"PROXY {header}\r\nNICK {nick}\r\nUSER u 0 * :x")  # in one segment
        return wire, [short(m) for m in wire.read_until("376", "ERROR")]

    alice, got = client("alice", "TCP4 203.0.113.7 192.0.2.1 51234 6697")
    assert got[0].endswith("alice!u@203.0.113.7")
    alice.ask("JOIN #tea", "MODE #tea +b *!*@203.0.113.7")
    bob, got = client("bob", "TCP6 2001:db8::1 2001:db8::2 51234 6697")
    assert got[0].endswith("bob!u@2001:db8::1")
    assert bob.codes("JOIN #tea")[0] == "JOIN", "a ban of one is not a ban of all"
    _, got = client("carol", "TCP4 203.0.113.7 192.0.2.1 51235 6697")
    assert got == ["ERROR Closing Link: * (too many from your address)"], "--max-per-host counts the client's"
    _, got = client("dave", "TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 51236 6697")
    assert got[0].endswith("dave!u@203.0.113.9")
    _, got = client("proxy", "UNKNOWN")  # as its own checks say
    assert got[0].endswith("proxy!u@127.0.0.1")


@pytest.mark.parametrize(
    "header",
    [
        "NICK eve",
        "PROXY TCP4 irc.test 1.2.3.4 1 2",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.4 1 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 x 2",
        "PROXY TCP4 " + "1" * 200,
        "PROXY \xe9",
        "",
    ],
)
def test_a_proxy_that_does_not_tell_is_sent_away(behind_proxy, header, caplog):
    wire = behind_proxy.wire()
    wire.send(header + "\r\nNICK eve\r\nUSER u 0 * :x")
    assert [short(m) for m in wire.goodbye()] == ["ERROR Closing Link: * (PROXY header expected)"]
    assert "PROXY header" in caplog.text and not behind_proxy.server.registry.users


def test_a_proxy_that_ends_early_leaves_nothing(behind_proxy, caplog):
    wire = behind_proxy.wire()
    wire.send(b"PROXY TCP4 203")
    wire.sock.shutdown(socket.SHUT_WR)
    wire.goodbye()
    assert "no PROXY header: EOF inside it" in caplog.text


def test_nobody_else_is_believed(irc):
    irc.start(proxies=["192.0.2.9"])
    wire = irc.wire()
    wire.send("PROXY TCP4 203.0.113.7 192.0.2.1 51234 6697\r\nNICK eve\r\nUSER u 0 * :x")
    assert wire.read().text.endswith("eve!u@127.0.0.1")


def test_ipv6_addresses_do_not_look_like_a_text():
    try:
        server = IrcServer(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with running(server), IrcWire(server.server_address) as wire:
        wire.send("NICK alice\r\nUSER u 0 * :x")
        assert wire.read().text.endswith("alice!u@0::1")
