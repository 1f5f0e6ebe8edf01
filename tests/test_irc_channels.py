"""JOIN, PART, TOPIC, NAMES, LIST, INVITE and KICK."""

import re

import pytest

from tests.irc_wire import short


def pair(irc):
    """An operator and a member of #tea, with nothing waiting for either."""
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    return alice, bob


def test_who_joins_is_told_who_is_there_and_those_are_told(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    assert alice.lines("JOIN #Tea") == ["JOIN #Tea", "353 = #Tea @alice", "366 #Tea End of NAMES list"]
    assert bob.lines("JOIN #tEA") == ["JOIN #Tea", "353 = #Tea @alice bob", "366 #Tea End of NAMES list"]
    assert [(m.source, short(m)) for m in alice.ask()] == [("bob!bob@127.0.0.1", "JOIN #Tea")]
    assert bob.lines("JOIN #tea") == [], "twice is no event"


def test_channels_are_one_by_rfc1459_case(irc):
    alice, _bob = irc.client("alice", channel="#F]|oo{"), irc.client("bob", channel="#f}\\oo[")
    assert alice.codes() == ["JOIN"]


def test_join_takes_lists_and_keys_and_zero(irc):
    alice, bob = irc.client("alice", channel="#a,#b,&c"), irc.client("bob")
    alice.ask("MODE #a +k one", "MODE &c +k three")
    assert bob.codes("JOIN #a,#b,&c,bad,#d one,,wrong").count("JOIN") == 3
    assert bob.lines("JOIN &c,bad") == ["475 &c Cannot join channel (+k)", "403 bad No such channel"]
    assert bob.lines("JOIN 0") == ["PART #a", "PART #b", "PART #d"]
    assert alice.lines() == ["JOIN #a", "JOIN #b", "PART #a", "PART #b"]


def test_too_many_channels_of_a_kind(irc):
    irc.start(max_channels=2)
    alice = irc.client("alice")
    lines = alice.lines("JOIN #a,#b,#c,&a")
    assert "405 #c You have joined too many channels" in lines and "JOIN &a" in lines


def test_a_channel_ends_with_its_last_member(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob")
    alice.ask("TOPIC #tea :old", "PART #tea")
    assert bob.lines("JOIN #tea")[1] == "353 = #tea @bob", "a new channel, with a new operator"


def test_part_with_and_without_a_reason(irc):
    alice, bob = pair(irc)
    assert bob.lines("PART #tea") == alice.lines() == ["PART #tea"]
    bob.ask("JOIN #tea")
    assert bob.lines("PART #tea,#none :bye all") == ["PART #tea bye all", "403 #none No such channel"]
    assert alice.lines() == ["JOIN #tea", "PART #tea bye all"]
    assert bob.lines("PART #tea", "PART") == ["442 #tea You're not on that channel", "461 PART Not enough parameters"]


def test_the_topic(irc):
    alice, bob = pair(irc)
    assert bob.lines("TOPIC #tea") == ["331 #tea No topic is set"]
    assert bob.lines("TOPIC #tea :mine") == ["482 #tea You're not channel operator"]
    assert alice.lines("TOPIC #tea :Tea time") == bob.lines() == ["TOPIC #tea Tea time"]
    carol = irc.client("carol")
    joined = carol.lines("JOIN #tea")
    assert joined[1] == "332 #tea Tea time" and re.fullmatch("333 #tea alice [0-9]+", joined[2])
    assert carol.lines("TOPIC #tea") == joined[1:3]
    alice.ask("MODE #tea -t")
    carol.ask()
    assert carol.lines("TOPIC #tea :") == ["TOPIC #tea "]
    assert carol.lines("TOPIC #tea", "TOPIC #none", "TOPIC") == [
        "331 #tea No topic is set",
        "403 #none No such channel",
        "461 TOPIC Not enough parameters",
    ]
    carol.ask("PART #tea")
    assert carol.lines("TOPIC #tea") == ["442 #tea You're not on that channel"]


def test_a_topic_is_cut_to_its_limit(irc):
    alice = irc.client("alice", channel="#tea")
    assert len(alice.ask("TOPIC #tea :" + "é" * 230)[0].text.encode()) == 390


def test_names(irc):
    alice, bob = pair(irc)
    assert alice.lines("NAMES #tea") == ["353 = #tea @alice bob", "366 #tea End of NAMES list"]
    bob.ask("JOIN #b")
    assert alice.lines("NAMES #TEA,#b,#tea,#none") == [
        "353 = #tea @alice bob",
        "353 = #b @bob",
        "366 #TEA,#b,#tea,#none End of NAMES list",
    ]
    assert alice.lines("NAMES invalid") == ["366 invalid End of NAMES list"]
    irc.client("carol")
    assert alice.lines("NAMES") == [
        "353 = #tea @alice bob",
        "353 = #b @bob",
        "353 * * carol",
        "366 * End of NAMES list",
    ]


def test_hidden_channels_are_for_their_members(irc):
    alice, _bob = pair(irc)
    carol = irc.client("carol")
    for mode, symbol in (("s", "@"), ("p", "*")):
        alice.ask(f"MODE #tea +{mode}")
        assert carol.lines("NAMES #tea") == ["366 #tea End of NAMES list"]
        assert not [line for line in carol.lines("LIST") if line.startswith("322")]
        assert "319" not in carol.codes("WHOIS alice")
        assert carol.codes("WHO #tea") == ["315"]
        assert alice.lines("NAMES #tea")[0].startswith(f"353 {symbol} #tea")
        assert "322 #tea 2 " in alice.lines("LIST")
        alice.ask(f"MODE #tea -{mode}")


def test_the_invisible_are_shown_to_members_only(irc):
    alice, bob = pair(irc)
    carol = irc.client("carol")
    bob.ask("MODE bob +i")
    assert carol.lines("NAMES #tea")[0] == "353 = #tea @alice"
    assert alice.lines("NAMES #tea")[0] == "353 = #tea @alice bob"


def test_long_lists_take_several_lines(irc):
    clients = [irc.client(f"somebody-with-a-long-name-{n:03}", channel="#tea") for n in range(40)]
    got = clients[0].ask("NAMES #tea")
    names = " ".join(m.text for m in got if m.command == "353").split()
    assert len(got) > 2 and [name.lstrip("@") for name in names] == [client.nick for client in clients]


def test_list_with_conditions(irc):
    alice, bob = irc.client("alice", channel="#chan1,#chan2"), irc.client("bob", channel="#chan2")
    alice.ask("TOPIC #chan1 :One")

    def names(conditions):
        return {m.params[1] for m in bob.ask(f"LIST {conditions}") if m.command == "322"}

    assert bob.codes("LIST")[0] == "321" and bob.codes("LIST")[-1] == "323"
    assert "322 #chan1 1 One" in bob.lines("LIST #CHAN1")
    for conditions, expected in {
        "": "12",
        "*an1": "1",
        "#c*n2": "2",
        "*an3": "",
        "!*an1": "2",
        "!*an3": "12",
        ">0": "12",
        "<1": "",
        ">1": "2",
        "<2": "1",
        "C<10": "12",
        "C>10": "",
        "C<0": "",
        "T<10": "1",
        "T>10": "",
        ">0,!*1": "2",
        "#none": "",
        "#chan1,#CHAN2": "12",
        "#chan1,*2,#none": "12",
        "#chan1,*2,>1": "2",
        "#chan1,!*1": "",
        ",#chan1,": "1",
    }.items():
        assert names(conditions) == {f"#chan{n}" for n in expected}, conditions


def test_invite(irc):
    alice, bob, carol = irc.client("alice", channel="#tea"), irc.client("bob"), irc.client("carol", channel="#tea")
    alice.ask("MODE #tea +i")
    carol.ask()
    assert alice.lines("INVITE nobody #tea") == ["401 nobody No such nick/channel"]
    assert alice.lines("INVITE bob #none") == ["403 #none No such channel"]
    assert alice.lines("INVITE bob") == ["461 INVITE Not enough parameters"]
    assert alice.lines("INVITE carol #tea") == ["443 carol #tea is already on channel"]
    assert bob.lines("JOIN #tea", "INVITE carol #tea") == [
        "473 #tea Cannot join channel (+i)",
        "442 #tea You're not on that channel",
    ]
    assert carol.lines("INVITE bob #tea") == ["482 #tea You're not channel operator"]
    assert alice.lines("INVITE bob #tea") == ["341 bob #tea"]
    assert [(m.source, short(m)) for m in bob.ask("INVITE")] == [
        ("alice!alice@127.0.0.1", "INVITE bob #tea"),
        ("irc.test", "336 #tea"),
        ("irc.test", "337 End of INVITE list"),
    ]
    assert carol.lines() == [], "others are not told"
    assert bob.codes("JOIN #tea")[0] == "JOIN"
    bob.ask("PART #tea")
    assert bob.codes("JOIN #tea") == ["473"], "an invitation is good for one join"


def test_anyone_may_invite_to_an_open_channel(irc):
    _alice, bob = pair(irc)
    carol = irc.client("carol")
    assert bob.lines("INVITE carol #tea") == ["341 carol #tea"]
    carol.ask("AWAY :out")
    assert bob.lines("INVITE carol #tea") == ["341 carol #tea", "301 carol out"]


def test_an_operators_invitation_lifts_a_ban_and_a_limit(irc):
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob")
    alice.ask("MODE #tea +bl bob!*@* 1")
    assert bob.codes("JOIN #tea") == ["474"]
    alice.ask("INVITE bob #tea")
    assert bob.codes("JOIN #tea")[:2] == ["INVITE", "JOIN"]
    alice.ask("KICK #tea bob")
    assert bob.codes("JOIN #tea") == ["KICK", "474"]


@pytest.mark.parametrize("line", ["KICK #tea bob,carol :bye", "KICK #tea,#TEA bob,carol :bye"])
def test_kick_several(irc, line):
    alice, bob = pair(irc)
    carol = irc.client("carol", channel="#tea")
    alice.ask(), bob.ask()
    expected = ["KICK #tea bob bye", "KICK #tea carol bye"]
    assert alice.lines(line) == carol.lines() == expected
    assert bob.lines() == expected[:1]
    assert alice.lines("NAMES #tea")[0] == "353 = #tea @alice"


def test_kick_and_its_errors(irc):
    alice, bob = pair(irc)
    carol = irc.client("carol")
    assert carol.lines("KICK #tea bob", "KICK #none bob") == [
        "442 #tea You're not on that channel",
        "403 #none No such channel",
    ]
    assert bob.lines("KICK #tea alice") == ["482 #tea You're not channel operator"]
    assert alice.lines("KICK #tea carol", "KICK #tea", "KICK #a,#b bob") == [
        "441 carol #tea They aren't on that channel",
        "461 KICK Not enough parameters",
        "461 KICK Not enough parameters",
    ]
    assert alice.lines("KICK #tea bob") == ["KICK #tea bob alice"], "the default reason is who kicks"
    assert alice.lines("PRIVMSG #tea :hi") == [] and bob.lines() == ["KICK #tea bob alice"]


def test_half_operators_kick_members_only(irc):
    alice, bob = pair(irc)
    irc.client("carol", channel="#tea")
    alice.ask("MODE #tea +h bob")
    bob.ask()
    assert bob.codes("KICK #tea alice") == ["482"]
    assert bob.codes("KICK #tea carol") == ["KICK"]
    assert bob.codes("MODE #tea +o bob") == ["482"]
    assert bob.codes("MODE #tea +m") == ["MODE"]


def test_texts_are_cut_to_what_005_tells(irc):
    alice, bob = pair(irc)
    long = "é" * 230
    assert len(alice.ask(f"KICK #tea bob :{long}")[0].text.encode()) == 390
    alice.ask(f"AWAY :{long}")
    bob.ask()
    assert len(bob.ask("PRIVMSG alice :hi")[0].text.encode()) == 390


def test_what_others_can_fill_is_bounded(irc):
    irc.start(max_channels=151)
    alice, bob = irc.client("alice"), irc.client("bob")
    alice.ask(*(line for n in range(150) for line in (f"JOIN #c{n}", f"INVITE bob #c{n}")))
    invitations = irc.server.registry.user("bob").invitations
    assert [channel.name for channel in invitations] == [f"#c{n}" for n in range(50, 150)]
    alice.ask("JOIN #tea", "MODE #tea -n+b nobody")
    for start in range(0, 1100, 100):
        bob.ask(*(line for n in range(start, start + 100) for line in (f"NICK b{n}", "PRIVMSG #tea :x")))
    assert len(irc.server.registry.channel("#tea").lists._verdicts) <= 1000


def test_an_invitation_ends_with_its_channel_or_its_user(irc):
    """Else a channel that has ended would stay in memory, with all its masks."""
    alice, bob, carol = irc.client("alice", channel="#tea"), irc.client("bob"), irc.client("carol")
    alice.ask("INVITE bob #tea", "INVITE carol #tea")
    channel, user = irc.server.registry.channel("#tea"), irc.server.registry.user("bob")
    carol.send("QUIT")
    carol.goodbye()
    assert channel.invited == {user}
    bob.ask()
    alice.ask("PART #tea", "JOIN #tea", "MODE #tea +i")
    assert bob.codes("JOIN #tea") == ["473"]
    assert not user.invitations and not channel.invited


def test_a_join_names_no_more_channels_than_one_may_be_in(irc):
    irc.start(max_channels=2)
    alice = irc.client("alice")
    names = ["#a", "&b", "#c", "&d", "#e", "#f"]
    assert alice.codes("JOIN " + ",".join(names)) == ["JOIN", "353", "366"] * 4 + ["407"]
