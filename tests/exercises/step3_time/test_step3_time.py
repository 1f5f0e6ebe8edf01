"""Exercise: a verb TIME."""

from datetime import datetime, timedelta


def test_the_reply_is_the_time(exercise):
    session = exercise.TimeSession()
    session.answer(b"LOGIN alice")
    before = datetime.now()
    [reply] = session.answer(b"time")
    ok, told = reply.decode().split(" ", 1)
    assert ok == "OK"
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(told) <= datetime.now()


def test_it_wants_a_login_and_no_argument(exercise):
    session = exercise.TimeSession()
    assert session.answer(b"TIME")[0].startswith(b"ERR not-logged-in ")
    session.answer(b"LOGIN alice")
    assert session.answer(b"TIME please")[0].startswith(b"ERR bad-arguments ")


def test_help_tells_of_it(exercise):
    [reply] = exercise.TimeSession().answer(b"HELP")
    assert b"TIME" in reply.split() and b"MSG" in reply.split()
