"""RELAYMSG: a bridge's people speak under names that are nobody's here, and the bridge cannot be anybody."""

import pytest

from tests.irc_wire import short
from tests.ircv3_accounts import client, register
from tests.test_ircv3_chathistory import CAPS, past, same

pytestmark = pytest.mark.usefixtures("cheap")


def test_an_operator_brings_what_was_said_elsewhere_and_its_account_is_not_on_it(irc):
    register(irc, "bridge")
    bridge = client(irc, "bridge", caps=CAPS + " draft/relaymsg", channel="#tea")
    bob, old = irc.client("bob", CAPS + " draft/relaymsg", "#tea"), irc.client("old", channel="#tea")
    bridge.ask()
    (answer,) = bridge.ask("@label=x RELAYMSG #TEA smt/discord :hello there")
    bob.ask("PING x")
    (got,) = old.ask()
    assert (answer.tags["label"], answer.source, short(answer)) == (
        "x",
        "smt/discord!relay@irc.test",
        "PRIVMSG #tea hello there",
    )
    assert (
        short(got) == "PRIVMSG #tea hello there"
        and answer.tags["draft/relaymsg"] == "bridge"
        and "account" not in answer.tags
    )
    same([answer], past(bob, "#tea"))


@pytest.mark.parametrize(
    "nick", ["smt", "a!b/c", "a/b@c", "/discord", "smt/", "a b/c", "a,b/c", "#a/b", "x" * 30 + "/y", "ü/b"]
)
def test_a_name_that_could_be_somebody_s_is_refused(nick, irc):
    bridge = irc.client("bridge", channel="#tea")
    assert bridge.lines(f"RELAYMSG #tea {nick} :hi")[0].startswith("FAIL RELAYMSG INVALID_NICK ")


def test_only_an_operator_of_the_channel_may_do_that(irc):
    irc.client("op", channel="#tea")
    bob, outside = irc.client("bob", channel="#tea"), irc.client("outside")
    assert bob.lines("RELAYMSG #tea smt/discord hi")[0].startswith("FAIL RELAYMSG PRIVS_NEEDED ")
    assert outside.codes("RELAYMSG #tea smt/discord hi", "RELAYMSG #milk smt/discord hi") == ["442", "403"]
