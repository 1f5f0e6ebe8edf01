"""Exercise: log out, and stay."""

from tests.ircv3_accounts import client, register


def test_who_logs_out_is_told_and_has_no_account(exercise, irc, cheap):
    irc.start(extensions=exercise.ALL)
    register(irc, "alice")
    alice = client(irc, "al", "alice")
    assert alice.lines("LOGOUT") == ["901 al!al@127.0.0.1 You are now logged out"]
    assert "330" not in alice.codes("WHOIS al")
    assert alice.codes("LOGOUT") == [], "there is nothing left to do"


def test_the_neighbours_are_told_who_asked_for_it_and_nobody_else(exercise, irc, cheap):
    irc.start(extensions=exercise.ALL)
    register(irc, "alice")
    alice = client(irc, "al", "alice", caps="account-notify", channel="#tea")
    asked, not_asked = irc.client("bob", "account-notify", channel="#tea"), irc.client("carol", channel="#tea")
    asked.ask(), not_asked.ask()
    alice.ask("LOGOUT")
    assert asked.lines() == ["ACCOUNT *"] and not_asked.lines() == []


def test_the_nick_of_the_account_is_for_its_owner_again(exercise, irc, cheap):
    irc.start(extensions=exercise.ALL)
    register(irc, "alice")
    alice = client(irc, "al", "alice")
    alice.ask("LOGOUT")
    assert "433" in alice.codes("NICK alice")
