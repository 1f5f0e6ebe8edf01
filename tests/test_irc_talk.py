"""PRIVMSG, NOTICE, TAGMSG and AWAY, and the capabilities that change how a message looks."""

import pytest

from extras.broadcast import turns
from extras.irc.server import IrcServer
from extras.tls.stream import PlainStream
from tests.irc_wire import short
from tests.wire import DEADLINE_S


def test_messages_to_users_and_channels(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    for command in ("PRIVMSG", "NOTICE"):
        assert alice.lines(f"{command} bob,#tea,BOB :hello  there ") == []
        assert [(m.source, short(m)) for m in bob.ask()] == [
            ("alice!alice@127.0.0.1", f"{command} bob hello  there "),
            ("alice!alice@127.0.0.1", f"{command} #tea hello  there "),
            ("alice!alice@127.0.0.1", f"{command} bob hello  there "),
        ]
    assert alice.lines("PRIVMSG alice :me") == ["PRIVMSG alice me"]


def test_a_user_may_be_meant_in_full(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    assert alice.lines("PRIVMSG BOB!bob@127.0.0.1 :hi", "PRIVMSG bob!eve@127.0.0.1 :hi") == [
        "401 bob!eve@127.0.0.1 No such nick/channel"
    ]
    assert bob.lines() == ["PRIVMSG bob hi"]


def test_each_target_gets_it_once(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.ask("PRIVMSG bob,bob :once")
    assert bob.lines() == ["PRIVMSG bob once"]


def test_errors_are_for_privmsg_alone(irc):
    alice = irc.client("alice")
    assert alice.lines(
        "PRIVMSG #none :x",
        "PRIVMSG nobody,,:odd :x",
        "PRIVMSG",
        "PRIVMSG bob",
        "PRIVMSG bob :",
        "PRIVMSG @ :x",
        "PRIVMSG $* :x",
    ) == [
        "401 #none No such nick/channel",
        "401 nobody No such nick/channel",
        "401 * No such nick/channel",
        "401 * No such nick/channel",
        "411 No recipient given (PRIVMSG)",
        "412 No text to send",
        "412 No text to send",
        "401 @ No such nick/channel",
        "481 Permission Denied- You're not an IRC operator",
    ]
    assert alice.lines("NOTICE #none :x", "NOTICE nobody :x", "NOTICE", "NOTICE bob", "NOTICE $* :x") == []
    targets = ",".join(f"n{n}" for n in range(25))
    assert alice.codes(f"PRIVMSG {targets} :x") == ["401"] * 20 + ["407"]


def test_status_messages_reach_that_status_and_higher(irc):
    alice, bob, carol, dave = (irc.client(nick, channel="#tea") for nick in ("alice", "bob", "carol", "dave"))
    alice.ask("MODE #tea +hv bob carol")
    for wire in (alice, bob, carol, dave):
        wire.ask()
    assert dave.lines("PRIVMSG @#tea :ops", "PRIVMSG %#TEA :half", "NOTICE +#tea :voices", "PRIVMSG @%#tea :both") == []
    assert alice.lines() == ["PRIVMSG @#tea ops", "PRIVMSG %#tea half", "NOTICE +#tea voices", "PRIVMSG @%#tea both"]
    assert bob.lines() == ["PRIVMSG %#tea half", "NOTICE +#tea voices", "PRIVMSG @%#tea both"]
    assert carol.lines() == ["NOTICE +#tea voices"]


def test_operators_speak_to_all_users_of_the_server(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.ask("OPER root secret")
    assert alice.lines("NOTICE $*.test :maintenance", "PRIVMSG $*.org,$*,$a.*:x :x") == [
        "401 $*.org No such nick/channel",
        "413 $* No toplevel domain specified",
        "414 $a.*:x Wildcard in toplevel domain",
    ]
    assert bob.lines() == ["NOTICE $*.test maintenance"]


def test_away(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    assert bob.lines("AWAY :at lunch") == ["306 You have been marked as being away"]
    assert alice.lines("PRIVMSG bob :hi", "NOTICE bob :hi") == ["301 bob at lunch"]
    assert "301 bob at lunch" in alice.lines("WHOIS bob")
    assert alice.lines("USERHOST bob") == ["302 bob=-bob@127.0.0.1"]
    assert bob.lines("AWAY")[-1] == "305 You are no longer marked as being away"
    assert alice.lines("PRIVMSG bob :hi", "USERHOST bob") == ["302 bob=+bob@127.0.0.1"]


@pytest.mark.parametrize("colon", ["", ":"])
def test_a_line_over_the_limit_is_cut_and_delivered(irc, colon):
    # It used to be refused (417): the sender's window showed it as said, and nobody had received it.
    alice, bob = irc.client("alice"), irc.client("bob")
    front = f"PRIVMSG bob {colon}"
    for letters in ("a" * (510 - len(front)), "a" * (506 - len(front)) + "😃", "a" * 511, "ж" * 330, "x😃" * 1000):
        assert alice.lines(front + letters) == []
        got = bob.read().text
        assert letters.startswith(got) and len(got.encode()) > 440, "the source takes its part of 512"
    assert alice.ask("PING " + "x" * 600)[0].text.startswith("x" * 450)
    assert alice.lines("PRIVMSG bob " + "a" * 20_000) == ["417 Input line was too long"], "was not kept"


@pytest.mark.parametrize("sep", [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\r"])
def test_lines_end_in_cr_lf_or_either(irc, sep):
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.send(b"".join(b"PRIVMSG bob :%d" % n + sep for n in range(3)))
    assert [bob.read().text for _ in range(3)] == ["0", "1", "2"]


ESCAPE = "\x1b]0;evil\x07 \x9b31m\x7f\x00"
SHOWN = "�]0;evil� �31m��"


def test_control_characters_leave_for_nobodys_terminal(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask("MODE #tea +v-t bob")
    bob.ask(
        f"PRIVMSG #tea :{ESCAPE}",
        f"NOTICE alice :{ESCAPE}",
        f"TOPIC #tea :{ESCAPE}",
        f"PART #tea :{ESCAPE}",
        f"SETNAME :{ESCAPE}",
        f"AWAY :{ESCAPE}",
        "JOIN #tea",
    )
    bob.send(f"QUIT :{ESCAPE}")
    bob.goodbye()
    got = alice.lines("LIST", "WHOWAS bob", f"KICK #tea alice :{ESCAPE}", "JOIN #" + ESCAPE)
    assert sum(SHOWN in line for line in got) == 8, "PRIVMSG, NOTICE, TOPIC, PART, QUIT, 322, 314, KICK"
    assert all(letter.isprintable() for line in got for letter in line), got
    assert [line[:3] for line in got if line.startswith("403")] == ["403"]


def test_formatting_and_ctcp_pass(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    for text in (
        "\x02bold\x02 \x0304,12red\x03 \x04ff0000hex \x0fplain \x11mono\x11 \x16reverse \x1ditalics \x1estrike \x1funder",
        "\x01ACTION pours\x01",
        "\x01DCC SEND tea.txt 2130706433 4000 42\x01",
        "\x01PING 1 2\x01",
        "a\tb",
        "\u202eright to left\u202c \u200d\u2028",
    ):
        alice.ask(f"PRIVMSG bob :{text}")
        assert bob.read().text == text


def test_what_is_not_utf8_is_shown_and_its_sender_warned(irc):
    # One such byte ends a Python client that decodes strictly, as most bots do.
    alice, bob = irc.client("alice"), irc.client("bob")
    assert any("UTF8ONLY" in m.params for m in alice.welcome)
    alice.send(b"PRIVMSG bob :caf\xe9 \xff!\r\nNOTICE bob :\xd0\r\nPRIVMSG bob :caf\xc3\xa9\r\nJOIN #caf\xe9\r\n")
    assert [(m.command, *m.params[:2]) for m in alice.ask()] == [
        ("WARN", "PRIVMSG", "INVALID_UTF8"),
        ("WARN", "JOIN", "INVALID_UTF8"),
        ("403", "alice", "#caf\ufffd"),
    ], "a NOTICE is never answered"
    assert bob.lines() == ["PRIVMSG bob caf\ufffd \ufffd!", "NOTICE bob \ufffd", "PRIVMSG bob café"]


def test_bytes_that_are_not_utf8_are_carried_where_that_is_wanted(irc):
    irc.start(utf8_only=False)
    alice, bob = irc.client("alice", channel="#caf\udce9"), irc.client("bob")
    assert not any("UTF8ONLY" in m.params for m in alice.welcome)
    alice.send(b"PRIVMSG bob :caf\xe9 \xff\x9b!\r\n")  # 9b is a letter of CP866, and CSI in Latin-1
    assert bob.read().text == "caf\udce9 \udcff\udc9b!"
    assert bob.codes("JOIN #caf\udce9")[1] == "353"
    assert alice.lines("TOPIC #caf\udce9 :\udce9")[-1] == "TOPIC #caf\udce9 \udce9"


# --- capabilities ---------------------------------------------------------------------------------


def test_echo_and_time(irc):
    alice = irc.client("alice", caps="echo-message server-time", channel="#tea")
    bob, carol = irc.client("bob", caps="server-time", channel="#tea"), irc.client("carol", channel="#tea")
    alice.ask(), bob.ask()
    (echo,) = alice.ask("PRIVMSG #tea :hi")
    (copy,), (plain,) = bob.ask(), carol.ask()
    assert short(echo) == short(copy) == short(plain) == "PRIVMSG #tea hi"
    assert list(echo.tags) == list(copy.tags) == ["time"] and not plain.tags
    assert [short(m) for m in alice.ask("NOTICE bob :x", "PRIVMSG alice :me")] == [
        "NOTICE bob x",
        "PRIVMSG alice me",
        "PRIVMSG alice me",
    ]


def test_client_tags_reach_those_who_know_tags(irc):
    alice = irc.client("alice", caps="message-tags echo-message", channel="#tea")
    bob = irc.client("bob", caps="message-tags", channel="#tea")
    carol = irc.client("carol", caps="server-time", channel="#tea")
    alice.ask(), bob.ask()
    (echo,) = alice.ask(r"@+x=a\:b;label=no;+y PRIVMSG #tea hi")
    (copy,), (plain,) = bob.ask(), carol.ask()
    assert echo.tags == copy.tags and copy.tags["+x"] == r"a\:b" and copy.tags["+y"] == "" and copy.tags["msgid"]
    assert set(copy.tags) == {"msgid", "+x", "+y"} and set(plain.tags) == {"time"}
    (echo,) = alice.ask("@+typing=active TAGMSG #tea")
    (copy,) = bob.ask()
    assert echo == copy and short(copy) == "TAGMSG #tea" and carol.ask() == []
    assert carol.codes("TAGMSG #tea") == ["421"]


def test_tags_have_a_limit_of_their_own(irc):
    alice = irc.client("alice", caps="message-tags echo-message", channel="#tea")
    tag = "@a=b;+c=" + "x" * 4087
    assert alice.ask(tag + " TAGMSG #tea")[0].tags["+c"] == "x" * 4087
    assert alice.codes(tag + "x TAGMSG #tea", tag + "x PRIVMSG #tea :hi") == ["417", "417"]
    (echo,) = alice.ask(tag + " PRIVMSG #tea :" + "y" * 600)
    assert echo.tags["+c"] == "x" * 4087 and len(echo.text) > 440, "only tags are refused; a text is cut"


def test_labels_tie_replies_to_their_request(irc):
    caps = "batch echo-message labeled-response message-tags"
    alice, bob = irc.client("alice", caps=caps), irc.client("bob", caps=caps)
    (echo,) = alice.ask("@label=1;+t=v PRIVMSG bob :hi")
    (copy,) = bob.ask()
    assert echo.tags.pop("label") == "1" and echo.tags == copy.tags
    assert alice.ask("@label=2 PONG x")[0][2:] == ("ACK", [])
    (got,) = alice.ask("@label=3 SETNAME :Alice")  # without setname, she is not told
    assert (got.command, got.tags["label"]) == ("ACK", "3")
    assert alice.ask("@label=3 NONSENSE")[0].tags == {"label": "3"}
    got = alice.ask("@label=4 JOIN #tea")
    number = got[0].params[0][1:]
    assert [m.command for m in got] == ["BATCH", "JOIN", "353", "366", "BATCH"]
    assert (
        got[0].tags == {"label": "4"} and got[0].params[1:] == ["labeled-response"] and got[-1].params == ["-" + number]
    )
    assert all(m.tags["batch"] == number for m in got[1:-1])
    got = alice.ask("@label=5 PRIVMSG alice :me")
    assert sorted("label" in m.tags for m in got) == [False, True]
    assert [m.command for m in alice.ask("@label=6 PRIVMSG bob,alice,#tea :all")][-1] == "BATCH"
    assert alice.ask("@label=7 MODE #tea +m")[0].tags["label"] == "7"


def test_batches_are_for_those_who_know_them(irc):
    alice = irc.client("alice", caps="labeled-response")
    assert alice.ask("@label=1 PING x")[0].tags == {"label": "1"}
    got = alice.ask("@label=2 JOIN #tea")
    assert [m.command for m in got] == ["JOIN", "353", "366"] and not any(m.tags for m in got)


def test_away_notify(irc):
    alice = irc.client("alice", caps="away-notify", channel="#a,#b")
    bob = irc.client("bob", channel="#a,#b")
    alice.ask()
    bob.ask("AWAY :lunch")
    assert [(m.nick, short(m)) for m in alice.ask()] == [("bob", "AWAY lunch")]
    bob.ask("PART #a", "JOIN #a", "AWAY")
    assert [short(m) for m in alice.ask()] == ["PART #a", "JOIN #a", "AWAY lunch", "AWAY"]


def test_extended_join_invite_notify_and_userhost_in_names(irc):
    alice = irc.client("alice", caps="extended-join invite-notify userhost-in-names", channel="#tea")
    bob, carol = irc.client("bob"), irc.client("carol", channel="#tea")
    assert alice.lines("NAMES #tea") == [
        "JOIN #tea * Real carol",
        "353 = #tea @alice!alice@127.0.0.1 carol!carol@127.0.0.1",
        "366 #tea End of NAMES list",
    ]
    carol.ask("INVITE bob #tea")
    assert alice.lines() == ["INVITE bob #tea"]
    assert bob.lines("JOIN #tea")[:2] == ["INVITE bob #tea", "JOIN #tea"]


def test_setname(irc):
    alice = irc.client("alice", caps="setname", channel="#tea")
    bob, carol = irc.client("bob", caps="setname", channel="#tea"), irc.client("carol", channel="#tea")
    alice.ask(), bob.ask()
    assert alice.lines("SETNAME :A. Liddell") == bob.lines() == ["SETNAME A. Liddell"]
    assert carol.lines() == []
    assert carol.ask("WHOIS alice")[0].text == "A. Liddell"


def test_a_capability_can_be_taken_and_given_back_in_a_channel(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    for request, tags in (("message-tags", True), ("-message-tags", False)):
        alice.ask(f"CAP REQ :{request}")
        bob.ask("PRIVMSG #tea :hi")
        assert bool(alice.read().tags) is tags


def test_bots_are_marked(irc):
    alice, bob = irc.client("alice", caps="message-tags"), irc.client("bob")
    bob.ask("MODE bob +B", "PRIVMSG alice :beep")
    assert "bot" in alice.read().tags
    assert "335 bob is a bot" in alice.lines("WHOIS bob")
    assert "B" in alice.ask("WHO bob")[0].params[6]


def test_a_neighbour_hears_once_whatever_it_shares_and_however_it_looks(irc):
    alice = irc.client("alice", channel="#a,#b")
    looks = ["", "server-time", "message-tags", "server-time message-tags", "server-time echo-message"]
    others = [irc.client(f"u{n}", f"away-notify {caps}", "#b,#a") for n, caps in enumerate(looks * 2)]
    afar = irc.client("afar", "extended-monitor away-notify")
    afar.ask("MONITOR + alice")
    for other in others:
        other.ask()
    assert alice.codes("AWAY :tea") == ["JOIN", "JOIN"] * len(others) + ["306"]
    assert [other.lines() for other in [*others, afar]] == [["AWAY tea"]] * (len(others) + 1)


class NotingStream(PlainStream):
    """It notes what its connection's outbox is given, and is about to send."""

    def __init__(self, sock, given):
        super().__init__(sock)
        self.given = given

    def seal(self, pieces):
        self.given += pieces
        return b"".join(pieces)


class NotingHandler(IrcServer.handler_class):
    given = []  # of all connections

    def stream(self):
        stream = NotingStream(self.request, self.given)
        stream.speak, stream.complain = self.speak, self.complain
        return stream


class NotingServer(IrcServer):
    handler_class = NotingHandler


def test_a_chunk_is_one_piece_for_each_member_and_the_same_for_all_who_see_it_so(irc, monkeypatch):
    """A line was dressed anew for each: 2.5 ms under the lock for who has 200 neighbours."""
    monkeypatch.setattr(turns, "TURN_S", DEADLINE_S)  # the chunk is one step, also on a busy machine
    irc.start(NotingServer)
    looks = ["", "server-time message-tags"] * 4
    alice, *others = [irc.client(f"u{n}", caps, "#tea") for n, caps in enumerate(["", *looks])]
    for each in alice, *others:
        each.ask()
    NotingHandler.given.clear()
    assert alice.lines("\r\n".join(["PRIVMSG #tea :x"] * 10)) == []
    assert [len(other.lines()) for other in others] == [10] * len(others)
    pieces = [piece for piece in NotingHandler.given if b" PRIVMSG #tea " in piece]
    assert [piece.count(b"\n") for piece in pieces] == [10] * len(others)
    assert len(set(map(id, pieces))) == 2
