"""--rfc2812: the letter of RFC 2812, and what suites for it expect where it says nothing."""

import pytest

from tests.irc_wire import irc, short  # noqa: F401  (a fixture)


@pytest.fixture
def strict(irc):
    """A Network whose server keeps to the letter; it has no message of the day."""
    irc.start(rfc2812=True)
    return irc


def raw(wire, *lines):
    """ask(), as the lines stand on the wire: colons matter here."""
    wire.send("\r\n".join(lines) + "\r\nPING fence")
    got = []
    while not (line := wire.read_line().decode().rstrip()).endswith("PONG irc.test :fence"):
        got.append(line)
    return got


def test_the_welcome_to_the_letter(strict):
    wire = strict.wire()
    wire.send("NICK user1\r\nUSER user1 * * :User One")
    got = wire.read_until("422")
    assert [short(m) for m in got[:2]] == [
        "001 Welcome to the Internet Relay Network user1!user1@127.0.0.1",
        "002 Your host is irc.test, running version tutorial-1.0",
    ]
    assert [m.command for m in got] == ["001", "002", "003", "004", "251", "252", "253", "254", "255", "422"]
    assert len(got[3].params) == 5 and [len(m.params) for m in got[4:]] == [2, 3, 3, 3, 2, 2]
    assert [short(m) for m in got[4:]] == [
        "251 There are 1 users and 0 services on 1 servers", "252 0 operator(s) online", "253 0 unknown connection(s)",
        "254 0 channels formed", "255 I have 1 clients and 0 servers", "422 MOTD File is missing",
    ]


def test_a_connection_is_unknown_until_it_says_something(strict):
    quiet, named = strict.wire(), strict.wire()
    named.ask("NICK named")
    alice = strict.client("alice")
    lines = alice.lines("LUSERS")
    assert "253 1 unknown connection(s)" in lines and "255 I have 2 clients and 0 servers" in lines
    quiet.close()


def test_the_colons_stand_where_they_stood(strict):
    alice, bob = strict.client("alice"), strict.client("bob")
    assert raw(alice, "JOIN #t") == [
        ":alice!alice@127.0.0.1 JOIN #t",
        ":irc.test 353 alice = #t :@alice",
        ":irc.test 366 alice #t :End of NAMES list",
    ]
    bob.ask("JOIN #t")
    assert raw(
        alice, "MODE #t +v bob", "MODE #t", "TOPIC #t :Hi", "MODE alice -o", "NICK al", "PART #t :bye"
    )[1:] == [
        ":alice!alice@127.0.0.1 MODE #t +v bob",
        ":irc.test 324 alice #t +",
        ":alice!alice@127.0.0.1 TOPIC #t :Hi",
        ":alice MODE alice :-o",
        ":alice!alice@127.0.0.1 NICK :al",
        ":al!alice@127.0.0.1 PART #t :bye",
    ]


def test_channels_start_without_modes_and_closed_to_outsiders(strict):
    alice, bob = strict.client("alice", channel="#t"), strict.client("bob")
    assert alice.lines("MODE #t", "MODE #t -m", "MODE #t +t", "MODE #t +t") == [
        "324 #t +",
        "MODE #t -m",
        "MODE #t +t",
        "MODE #t +t",
    ]
    assert bob.lines("PRIVMSG #t :x", "PRIVMSG #none :x") == [
        "404 #t Cannot send to channel",
        "401 #none No such nick/channel",
    ]
    assert alice.lines("MODE #t +o nobody", "MODE #t +o bob", "MODE #t +o", "MODE #t +z bob") == [
        "441 nobody #t They aren't on that channel", "441 bob #t They aren't on that channel",
        "472 o is unknown mode char to me for #t", "472 z is unknown mode char to me for #t",
    ]
    assert bob.lines("MODE #t +v alice") == ["482 #t You're not channel operator"]


def test_a_key_is_taken_off_before_another_is_set(strict):
    alice = strict.client("alice", channel="#t")
    assert alice.lines("MODE #t +k one", "MODE #t +k two", "MODE #t -k one") == [
        "MODE #t +k one",
        "467 #t Channel key already set",
        "MODE #t -k one",
    ]


def test_topics_are_for_members(strict):
    alice, bob = strict.client("alice", channel="#t"), strict.client("bob")
    alice.ask("TOPIC #t :Hi")
    assert bob.lines("TOPIC #t", "TOPIC #none", "TOPIC #none :x") == [
        "442 #t You're not on that channel",
        "442 #none You're not on that channel",
        "442 #none You're not on that channel",
    ]
    assert bob.codes("JOIN #t") == ["JOIN", "332", "353", "366"], "333 is younger than RFC 2812"


def test_who_a_star_leaves_out_ones_neighbours(strict):
    alice, bob, carol = strict.client("alice", channel="#t"), strict.client("bob", channel="#t"), strict.client("carol")
    assert [m.params[5] for m in alice.ask("WHO *") if m.command == "352"] == ["carol"]
    assert [m.params[5] for m in carol.ask("WHO *") if m.command == "352"] == [
        "alice",
        "bob",
        "carol",
    ], "no channel, no neighbour"


def test_whois_and_list_and_oper(strict):
    alice, bob = strict.client("alice", channel="#t"), strict.client("bob")
    alice.ask("AWAY :out", "OPER root secret")
    assert bob.lines("WHOIS alice") == [
        "311 alice alice 127.0.0.1 * Real alice", "319 alice @#t ", "312 alice irc.test test server",
        "301 alice out", "313 alice is an IRC operator", "318 alice End of WHOIS list",
    ]
    assert bob.lines("WHOIS nobody", "WHOIS", "LIST") == [
        "401 nobody No such nick/channel",
        "322 #t 1 ",
        "323 End of LIST",
    ]
    assert bob.lines("OPER root secret") == ["381 You are now an IRC operator"]
    assert bob.lines("MODE bob +a", "MODE bob +o", "MODE bob +z", "MODE alice +i", "MODE nobody +i") == [
        "501 Unknown MODE flag", "502 Cannot change mode for other users", "502 Cannot change mode for other users",
    ]


def test_ping_without_a_token_and_quit(strict):
    alice, bob = strict.client("alice", channel="#t"), strict.client("bob", channel="#t")
    alice.ask()
    assert bob.ask("PING")[0].params == ["irc.test"]
    bob.send("QUIT")
    assert [short(m) for m in bob.goodbye()] == ["ERROR Closing Link: 127.0.0.1 (Client Quit)"]
    assert alice.lines() == ["QUIT Client Quit"]


def test_invitations_have_rfc2812s_order_and_need_no_channel(strict):
    alice, bob = strict.client("alice"), strict.client("bob")
    assert alice.lines("INVITE bob #new") == ["341 #new bob"]
    assert bob.lines() == ["INVITE bob #new"]
