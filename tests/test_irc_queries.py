"""WHO, WHOIS, WHOWAS, USERHOST, ISON, MONITOR; questions about the server; operators."""

import re

import pytest

from extras.ircv3.monitor import Monitor
from tests.irc_wire import STANDARD, short


def couple(irc):
    """coolNick, who made #chan, and otherNick, who is in it too and asks."""
    cool = irc.wire()
    cool.ask("NICK coolNick", "USER myusernam 0 * :My UniqueReal Name", "JOIN #chan")
    return cool, irc.client("otherNick", channel="#chan")


def who_line(flags, channel="*"):
    return f"352 {channel} myusernam 127.0.0.1 irc.test coolNick {flags} 0 My UniqueReal Name"


@pytest.mark.parametrize("mask", ["coolNick", "coolnick", "coolni*", "*UniqueReal*", "c??ln*"])
def test_who_by_nick_or_mask(irc, mask):
    cool, other = couple(irc)
    assert other.lines(f"WHO {mask}") == [who_line("H"), f"315 {mask} End of WHO list"]
    cool.ask("AWAY :brb", "OPER root secret")
    assert other.lines(f"WHO {mask}") == [who_line("G*"), f"315 {mask} End of WHO list"]


def test_who_of_a_channel_and_of_all(irc):
    cool, other = couple(irc)
    assert other.lines("WHO #CHAN")[0] == who_line("H@", "#chan")
    assert (
        other.codes("WHO #chan")
        == other.codes("WHO *")
        == other.codes("WHO 0")
        == other.codes("WHO")
        == ["352", "352", "315"]
    )
    assert other.lines("WHO idontexist", "WHO #none") == ["315 idontexist End of WHO list", "315 #none End of WHO list"]
    assert other.codes("WHO #chan o") == ["315"]
    cool.ask("OPER root secret")
    assert other.codes("WHO #chan o") == ["352", "315"]


def test_the_invisible_are_found_by_name_and_by_their_neighbours(irc):
    evan, shivaram = irc.client("evan"), irc.client("shivaram")
    evan.ask("MODE evan +i")
    assert shivaram.codes("WHO eva*") == ["315"]
    assert shivaram.codes("WHO evan") == ["352", "315"]
    evan.ask("JOIN #test")
    assert shivaram.codes("JOIN #test", "WHO eva*")[-2:] == ["352", "315"]


def test_whox(irc):
    _cool, other = couple(irc)
    for letters in ("tcuihsnfdlaor", "roaldfnshiuct"):
        line = other.lines(f"WHO coolNick %{letters},123")[0]
        assert re.fullmatch(
            r"354 123 \* myusernam 127.0.0.1 127.0.0.1 irc.test coolNick H 0 \d+ 0 n/a My UniqueReal Name",
            line,
        )
    assert other.lines("WHO #chan %tcn,321")[:2] == ["354 321 #chan coolNick", "354 321 #chan otherNick"]
    assert other.lines("WHO coolNick %z", "WHO coolNick o%")[0] == who_line("H")
    assert other.lines("WHO coolNick %tna,x:y") == ["354 0 coolNick 0", "315 coolNick End of WHO list"]


def test_whois(irc):
    cool, other = couple(irc)
    cool.ask("JOIN #secret", "MODE #secret +s")
    for line in ("WHOIS coolnick", "WHOIS irc.test coolnick", "WHOIS otherNick coolnick", "WHOIS *.test coolnick"):
        got = other.lines(line)
        assert got[:3] == [
            "311 coolNick myusernam 127.0.0.1 * My UniqueReal Name",
            "319 coolNick @#chan",
            "312 coolNick irc.test test server",
        ]
        assert re.fullmatch(r"317 coolNick \d+ \d+ seconds idle, signon time", got[3])
        assert got[4:] == ["318 coolnick End of WHOIS list"]
    assert "319 coolNick @#chan @#secret" in cool.lines("WHOIS coolNick")
    assert other.lines("WHOIS nobody", "WHOIS ghost Ghost", "WHOIS", "WHOIS bad.server coolNick") == [
        "401 nobody No such nick/channel",
        "318 nobody End of WHOIS list",
        "401 Ghost No such nick/channel",
        "318 Ghost End of WHOIS list",
        "431 No nickname given",
        "402 bad.server No such server",
    ]
    assert other.codes("WHOIS coolNick,otherNick,coolNick").count("311") == 2
    assert other.lines("OPER root secret", "WHOIS coolNick")[-4:-2] == [
        "378 coolNick is connecting from *@127.0.0.1 127.0.0.1",
        "379 coolNick is using modes +",
    ]
    assert "313 otherNick is an IRC operator" in cool.lines("WHOIS otherNick")


def test_invisible_users_keep_their_channels_to_their_neighbours(irc):
    cool, other = couple(irc)
    cool.ask("MODE coolNick +i", "JOIN #more")
    assert "319 coolNick @#chan" in other.lines("WHOIS coolNick")


def test_whowas(irc):
    alice = irc.client("alice")
    for ident in ("ident2", "ident3"):
        wire = irc.wire()
        wire.ask("NICK nick2", f"USER {ident} 0 * :Realname")
        wire.send("QUIT")
        wire.goodbye()
    wire = irc.client("nick3")
    wire.ask("NICK nick4")

    def names(line):
        return [m.params[2] for m in alice.ask(line) if m.command == "314"]

    assert alice.lines("WHOWAS nick2 1")[0] == "314 nick2 ident3 127.0.0.1 * Realname"
    assert alice.codes("WHOWAS nick2 1") == ["314", "312", "369"]
    for count, expected in (("", 2), ("1", 1), ("2", 2), ("-1", 2), ("0", 2), ("x", 2)):
        assert names(f"WHOWAS NICK2 {count}") == ["ident3", "ident2"][:expected]
    assert names("WHOWAS nick2,nick3") == names("WHOWAS nick3,nick2") == ["nick3", "ident3", "ident2"]
    assert alice.lines("WHOWAS nick3,nick2")[-1] == "369 nick3,nick2 End of WHOWAS"
    assert alice.lines("WHOWAS never", "WHOWAS") == [
        "406 never There was no such nickname",
        "369 never End of WHOWAS",
        "431 No nickname given",
    ]


def test_the_history_of_names_is_bounded(irc):
    alice = irc.client("alice")
    alice.ask(*(f"NICK n{n}" for n in range(1100)))
    assert len(irc.server.registry.past) == 1000


def test_userhost_and_ison(irc):
    alice = irc.client("alice")
    irc.client("bob")
    alice.ask("OPER root secret")
    assert alice.lines("USERHOST alice nobody BOB", "USERHOST", "USERHOST nobody") == [
        "302 alice*=+alice@127.0.0.1 bob=+bob@127.0.0.1",
        "461 USERHOST Not enough parameters",
        "302 ",
    ]
    assert alice.lines("ISON bob x Alice", "ISON :bob alice x", "ISON x", "ISON") == [
        "303 bob alice",
        "303 bob alice",
        "303 ",
        "461 ISON Not enough parameters",
    ]


def test_monitor(irc):
    alice, eve = irc.client("alice"), irc.client("eve")
    assert alice.lines("MONITOR + bob,carol,bad*") == ["731 bob,carol"]
    bob = irc.client("bob")
    assert alice.lines() == ["730 bob!bob@127.0.0.1"]
    assert alice.lines("MONITOR S", "MONITOR L") == [
        "730 bob!bob@127.0.0.1",
        "731 carol",
        "732 bob,carol",
        "733 End of MONITOR list",
    ]
    bob.ask("NICK BOB", "NICK carol")
    assert alice.lines() == ["731 BOB", "730 carol!bob@127.0.0.1"]
    assert alice.lines("MONITOR - carol") == []
    bob.ask("NICK bob")
    assert alice.lines() == ["730 bob!bob@127.0.0.1"]
    bob.close()
    assert short(alice.read()) == "731 bob"
    alice.ask("MONITOR C")
    irc.client("bob")
    assert alice.lines("MONITOR L") == ["733 End of MONITOR list"] and eve.lines() == []
    for start in range(0, 100, 25):
        alice.ask("MONITOR + " + ",".join(f"n{n}" for n in range(start, start + 25)))
    assert alice.lines("MONITOR + one,two") == ["734 100 one,two Monitor list is full"]
    alice.close()
    irc.client("n1")
    assert not irc.server.extensions[Monitor].watchers or eve.ask() == []


def test_who_monitors_can_follow_from_afar(irc):
    caps = "away-notify setname"
    bob = irc.client("bob", caps="setname", channel="#tea")
    near = irc.client("near", caps=f"extended-monitor {caps}", channel="#tea")
    afar, away_only, plain = (
        irc.client(nick, caps=f"{own}")
        for nick, own in (
            ("afar", f"extended-monitor {caps}"),
            ("only", "extended-monitor away-notify"),
            ("plain", caps),
        )
    )
    for watcher in (near, afar, away_only, plain):
        watcher.ask("MONITOR + BOB")
    bob.ask("MONITOR + bob", "AWAY :tea", "AWAY", "SETNAME :Robert")
    assert afar.lines() == near.lines() == ["AWAY tea", "AWAY", "SETNAME Robert"], "once, neighbour or not"
    assert away_only.lines() == ["AWAY tea", "AWAY"] and plain.lines() == []
    afar.ask("MONITOR C")
    assert bob.lines("AWAY :more") and afar.lines() == []


# --- about the server -------------------------------------------------------------------------------


def test_the_motd_is_the_file_as_it_is_now(irc, tmp_path):
    path = tmp_path / "motd.txt"
    irc.start(motd_file=str(path))
    alice = irc.client("alice")
    assert alice.lines("MOTD") == ["422 MOTD File is missing"]
    path.write_bytes(b"one\r\n\xe9\x1b\n\n\x1d\x0b\x0c\x1c\xe2\x80\xa8end\r")
    assert alice.lines("MOTD", "MOTD no.where") == [
        "375 - irc.test Message of the day - ",
        "372 - one",
        "372 - \ufffd\ufffd",
        "372 - ",
        "372 - \x1d\ufffd\ufffd\ufffd\u2028end",
        "376 End of MOTD command",
        "402 no.where No such server",
    ]


def test_questions_about_the_server(irc):
    alice = irc.client("alice")
    assert alice.lines("VERSION")[0] == "351 tutorial-1.0 irc.test standard library only"
    assert alice.codes("VERSION *.test")[:3] == ["351", "005", "005"]
    assert re.fullmatch(r"391 irc.test \w+ \w+ \d+ \d{4} -- \d\d:\d\d:\d\d .*", alice.lines("TIME")[0])
    assert alice.codes("INFO") == ["371"] * 4 + ["374"]
    assert alice.codes("ADMIN irc.test") == ["256", "257", "258", "259"]
    assert alice.lines("LINKS") == ["364 irc.test irc.test 0 test server", "365 * End of LINKS list"]
    assert alice.lines("LINKS *.org") == ["365 *.org End of LINKS list"]
    for verb in ("VERSION", "TIME", "INFO", "ADMIN", "MOTD"):
        assert alice.lines(f"{verb} nowhere") == ["402 nowhere No such server"]


def test_what_needs_other_servers_or_services_says_that_there_are_none(irc):
    alice = irc.client("alice")
    denied = "481 Permission Denied- You're not an IRC operator"
    assert alice.lines(
        "SUMMON bob",
        "USERS",
        "SERVLIST",
        "SQUERY irchelp :HELP",
        "TRACE",
        "CONNECT other.server",
        "SQUIT other.server :bye",
    ) == [
        "445 SUMMON has been disabled",
        "446 USERS has been disabled",
        "235 * * End of service listing",
        "408 irchelp No such service",
        "205 User users alice",
        "262 irc.test tutorial-1.0 End of TRACE",
        denied,
        denied,
    ]
    alice.ask("OPER root secret")
    assert alice.lines("TRACE nowhere", "CONNECT a.b", "SQUIT a.b :x") == [
        "402 nowhere No such server",
        "402 a.b No such server",
        "402 a.b No such server",
    ]


def test_stats(irc):
    alice = irc.client("alice")
    assert re.fullmatch(r"242 Server Up 0 days 0:00:\d\d", alice.lines("STATS u")[0])
    assert alice.lines("STATS o") == ["243 O * * root", "219 o End of STATS report"]
    assert "212 STATS 3" in alice.lines("STATS m")
    assert alice.codes("STATS l") == ["211", "219"]
    assert alice.lines("STATS", "STATS k") == ["219 * End of STATS report", "219 k End of STATS report"]


@pytest.mark.parametrize("verb", ["HELP", "HELPOP"])
def test_help(irc, verb):
    alice = irc.client("alice")
    got = alice.ask(f"{verb} privmsg")
    assert [got[0].command, got[-1].command] == ["704", "706"] and {m.command for m in got[1:-1]} == {"705"}
    assert {m.params[1].upper() for m in got} == {"PRIVMSG"}
    assert alice.ask(verb)[0].command == "704"
    assert alice.lines(f"{verb} NOTHING", f"{verb} :no such") == [
        "524 NOTHING No help available on this topic",
        "524 * No help available on this topic",
    ]


def test_every_command_has_help_that_names_its_source(irc):
    for name, verb in STANDARD.items():
        assert re.search(r"RFC 2812|modern.ircdocs.horse|IRCv3", verb.function.__doc__), name


# --- operators --------------------------------------------------------------------------------------


def test_oper(irc):
    alice, bob = irc.client("alice"), irc.client("bob")
    assert alice.lines("OPER root wrong", "OPER nobody secret", "OPER root") == [
        "464 Password incorrect",
        "464 Password incorrect",
        "461 OPER Not enough parameters",
    ]
    assert alice.lines("OPER root secret") == ["381 You are now an IRC operator", "MODE alice +o"]
    bob.send("OPER root a\r\nOPER root b\r\nOPER root c")
    assert [m.command for m in bob.goodbye()] == ["464", "464", "464", "ERROR"]


def test_an_operator_without_a_name_of_its_own(irc):
    irc.start(options={"oper": [("*", "secret")]})
    assert irc.client("alice").codes("OPER whoever wrong", "OPER whoever secret")[:2] == ["464", "381"]


def test_kill(irc):
    root, alice, bob = irc.client("root"), irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    assert alice.lines("KILL bob :no") == ["481 Permission Denied- You're not an IRC operator"]
    root.ask("OPER root secret")
    assert root.lines("KILL bob", "KILL nobody :x", "KILL irc.test :x") == [
        "461 KILL Not enough parameters",
        "401 nobody No such nick/channel",
        "483 You can't kill a server!",
    ]
    assert root.lines("KILL bob :spam") == []
    assert [short(m) for m in bob.goodbye()] == [
        "KILL bob spam",
        "ERROR Closing Link: 127.0.0.1 (Killed (root (spam)))",
    ]
    assert alice.lines() == ["QUIT Killed (root (spam))"]
    root.send("KILL root :me")
    assert [m.command for m in root.goodbye()] == ["KILL", "ERROR"]


def test_wallops(irc):
    alice, bob, root = irc.client("alice"), irc.client("bob"), irc.client("root")
    alice.ask("MODE alice +w")
    assert alice.lines("WALLOPS :x", "WALLOPS") == [
        "481 Permission Denied- You're not an IRC operator",
        "461 WALLOPS Not enough parameters",
    ]
    root.ask("OPER root secret", "WALLOPS :hi everyone")
    assert [(m.nick, short(m)) for m in alice.ask()] == [("root", "WALLOPS hi everyone")] and bob.lines() == []


def test_an_operator_of_the_server_rescues_a_channel_without_one(irc):
    alice, _bob, root = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea"), irc.client("root")
    alice.ask("MODE #tea -o alice")
    root.ask("OPER root secret")
    assert root.lines("MODE #tea +o bob") == []
    assert alice.lines()[-1] == "MODE #tea +o bob"
    assert root.lines("KICK #tea alice", "NAMES #tea") == ["353 = #tea @bob", "366 #tea End of NAMES list"]


def test_rehash_and_die_are_for_operators(irc, tmp_path):
    path = tmp_path / "motd"
    path.write_text("one")
    irc.start(motd_file=str(path))
    root = irc.client("root")
    assert root.lines("REHASH", "DIE") == ["481 Permission Denied- You're not an IRC operator"] * 2
    root.ask("OPER root secret")
    assert root.lines("REHASH") == [f"382 {path} Rehashing"]


def test_a_repeated_name_counts_once_wherever_it_is_repeated(irc):
    """Else 500 bytes of question would be many times as much of answer."""
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask()
    names = ",".join(["ghost", "GHOST"] * 30)
    assert alice.codes(f"WHOIS {names}") == ["401", "318"]
    assert alice.codes(f"WHOWAS {names}") == ["406", "369"]
    assert alice.codes(f"KICK #tea {names}") == ["441"]
    assert alice.codes(f"MONITOR + {names}", "MONITOR C") == ["731"]
    channels = ",".join(["#none", "#NONE"] * 30)
    assert alice.codes(f"PART {channels}") == ["403"]
    assert alice.codes(f"NAMES {channels}") == ["366"]
    assert alice.lines("USERHOST bob BOB", "ISON bob BOB ghost") == ["302 bob=+bob@127.0.0.1", "303 bob"]
    assert alice.codes("PRIVMSG bob,bob :once", "KICK #tea bob,BOB") == ["KICK"]
    assert bob.lines() == ["PRIVMSG bob once", "KICK #tea bob alice"]
