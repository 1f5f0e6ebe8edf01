"""Exercise: what did she say last?"""


def test_the_last_words_of_each_are_told_whoever_asks(exercise, irc):
    irc.start(extensions=exercise.ALL)
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask("PRIVMSG #tea :one", "PRIVMSG #tea :two", "NOTICE #tea :not this", "PRIVMSG bob :nor this")
    bob.ask("PRIVMSG #tea :three")
    alice.ask()
    assert alice.lines("LASTWORDS #TEA Alice", "LASTWORDS #tea bob", "LASTWORDS #tea carol") == [
        "NOTICE alice two",
        "NOTICE alice three",
        "NOTICE alice nothing",
    ]


def test_what_was_said_elsewhere_is_not_told(exercise, irc):
    irc.start(extensions=exercise.ALL)
    alice, bob = irc.client("alice", channel="#secret"), irc.client("bob", channel="#tea")
    alice.ask("PRIVMSG #secret :the key is under the mat")
    assert bob.lines("LASTWORDS #secret alice", "LASTWORDS #nowhere alice") == ["NOTICE bob You are not there"] * 2
    assert bob.lines("LASTWORDS #tea alice") == ["NOTICE bob nothing"]


def test_words_survive_their_speaker_and_a_flood_of_nicks_does_not_grow_the_memory(exercise, irc):
    irc.start(extensions=exercise.ALL)
    alice, bob = irc.client("alice", channel="#tea"), irc.client("bob", channel="#tea")
    alice.ask("PRIVMSG #tea :goodbye")
    alice.send("QUIT")
    alice.goodbye()
    bob.ask()
    assert bob.lines("LASTWORDS #tea alice") == ["NOTICE bob goodbye"]
    for number in range(120):
        bob.ask(f"NICK bob{number}", "PRIVMSG #tea :x")
    assert bob.lines("LASTWORDS #tea alice") == ["NOTICE bob119 nothing"]
