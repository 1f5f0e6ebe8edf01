"""Whatever one says to the extensions: no bug of ours, no connection's end, and one answer for each label."""

import logging
import random

import pytest

from tests.ircv3_accounts import client, register

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]
# These end the connection, or its labels belong to something else.
NOT = {"QUIT", "DIE", "CAP", "BATCH", "OPER", "KILL", "SQUIT", "RESTART"}
WORDS = (
    "#tea #TEA #none & alice bob nobody * + - 0 5 -1 302 LATEST BEFORE AFTER AROUND BETWEEN TARGETS msgid=x msgid= timestamp=x "
    "timestamp=2020-01-01T00:00:00.000Z timestamp=9999-12-31T23:59:59.999Z timestamp=0000-01-01T00:00:00.000Z GET SET LIST SUB "
    "UNSUB SUBS SYNC CLEAR url *playback PLAY nan 1e400 +a,b L C S IDENTIFY REGISTER GHOST REGAIN PASSWD CERT ADD DEL HELP INFO "
    "TRANSFER UNREGISTER ALWAYS-ON sesame x'OR'1'='1 % _ +b +i -i a:alice m:*!*@* @#tea $* NickServ,ChanServ smt/discord \udcff "
    "\U0001f600 \u202e a@b.c PLAIN SCRAM-SHA-256 AAAA AGFsaWNlAHNlc2FtZQ== ==== ? a,b,c"
).split() + ["a" * 400, "é" * 200]
LAST = ["", "", " :", " ::", " :a b", " :\x01ACTION\x01", " : ", " :\udc80"]


@pytest.mark.parametrize("utf8_only", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_no_command_of_an_extension_is_a_bug_and_each_label_comes_back_once(irc, caplog, utf8_only, seed):
    irc.start(utf8_only=utf8_only, options={"always_on": "opt-in"})
    register(irc, "alice", "bob")
    commands, chance = sorted({*irc.server.commands} - NOT), random.Random(seed)
    caps = sorted({*irc.server.capabilities} - {"sasl", "sts"})
    for number in range(50):
        nick = chance.choice(["alice", "bob"])
        wire = client(irc, nick) if number % 2 else irc.client(f"guest{number}", "sasl")
        wire.ask(*(f"CAP REQ {cap}" for cap in caps), "JOIN #tea")
        for _ in range(10):
            labels = [f"{number}-{chance.random()}" for _ in range(5)]
            lines = [
                f"@label={label} "
                + " ".join([chance.choice(commands), *chance.choices(WORDS, k=chance.choice(range(5)))])
                + chance.choice(LAST)
                for label in labels
            ]
            try:
                got = [message.tags["label"] for message in wire.ask(*lines) if "label" in message.tags]
            except (EOFError, ConnectionError):  # too many wrong passwords, or somebody's GHOST
                break
            assert sorted(got) == sorted(labels), lines
        wire.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
