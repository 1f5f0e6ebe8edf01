"""Exercise: which answer belongs to which request?"""

import pytest


@pytest.fixture
def labels(exercise):
    return exercise.Labels()


def heard(labels, *lines):
    """Feed lines; give the (label, commands) that came of them, None left out."""
    told = [labels.hear(line) for line in lines]
    return [(answer[0], [message.command for message in answer[1]]) for answer in told if answer is not None]


def test_each_request_has_a_label_of_its_own(labels):
    asked = [labels.request("ISON", "bob") for _ in range(3)]
    assert len({label for label, _ in asked}) == 3
    assert all(line == f"@label={label} ISON bob".encode() for label, line in asked)


def test_what_has_no_label_is_no_answer(labels):
    assert heard(labels, b":bob!b@host PRIVMSG #tea :hi", b"@time=12:00 PING :x") == [("", ["PRIVMSG"]), ("", ["PING"])]


def test_one_message_is_an_answer_and_an_ack_is_one_without_a_message(labels):
    assert heard(labels, b"@label=7 :s 303 alice :bob", b"@label=8 :s ACK") == [("7", ["303"]), ("8", [])]


def test_a_batch_is_an_answer_when_it_ends(labels):
    lines = (b"@label=7 :s BATCH +a labeled-response", b"@batch=a :s 353 x", b"@batch=a :s 366 x", b":s BATCH -a")
    assert heard(labels, *lines[:3]) == []
    assert heard(labels, lines[3]) == [("7", ["353", "366"])]


def test_others_speak_meanwhile(labels):
    assert heard(
        labels,
        b"@label=7 :s BATCH +a labeled-response",
        b"@batch=a :s 353 x",
        b":bob!b@host PRIVMSG #tea :hi",
        b"@batch=a :s 366 x",
        b":s BATCH -a",
    ) == [("", ["PRIVMSG"]), ("7", ["353", "366"])]


def test_a_batch_in_a_batch_is_in_the_answer(labels):
    assert heard(
        labels,
        b"@label=7 :s BATCH +a labeled-response",
        b"@batch=a :s 332 x",
        b"@batch=a :s BATCH +b netjoin",
        b"@batch=b :bob!b@host JOIN #tea",
        b":s BATCH -b",
        b"@batch=a :s 366 x",
        b":s BATCH -a",
    ) == [("7", ["332", "JOIN", "366"])]


def test_two_answers_may_come_at_once(labels):
    assert heard(
        labels,
        b"@label=7 :s BATCH +a labeled-response",
        b"@label=8 :s BATCH +b chathistory #tea",
        b"@batch=b :s PRIVMSG x",
        b"@batch=a :s 353 x",
        b":s BATCH -b",
        b":s BATCH -a",
    ) == [("8", ["PRIVMSG"]), ("7", ["353"])]


def test_a_batch_that_nobody_asked_for_is_no_answer(labels):
    assert heard(labels, b":s BATCH +n netsplit", b"@batch=n :bob!b@host QUIT", b":s BATCH -n") == [
        ("", ["BATCH"]),
        ("", ["QUIT"]),
        ("", ["BATCH"]),
    ]


def test_what_has_been_answered_is_forgotten(labels):
    for number in (b"1", b"2"):  # the server may use a name for a batch again
        assert heard(
            labels, b"@label=" + number + b" :s BATCH +a labeled-response", b"@batch=a :s 353 x", b":s BATCH -a"
        ) == [(number.decode(), ["353"])]


def test_a_real_server_is_understood(labels, irc):
    alice, _bob = irc.client("alice", "labeled-response batch"), irc.client("bob")
    (join, line), (ison, other), (pong, third) = (
        labels.request("JOIN", "#tea"),
        labels.request("ISON", "bob"),
        labels.request("PONG"),
    )
    alice.send(b"\r\n".join((line, other, third, b"PING end\r\n")))
    answers = {}
    while "PONG" not in answers.get("", []):
        for label, commands in heard(labels, alice.line().strip()):
            answers.setdefault(label, []).extend(commands)
    assert answers == {join: ["JOIN", "353", "366"], ison: ["303"], pong: [], "": ["PONG"]}
