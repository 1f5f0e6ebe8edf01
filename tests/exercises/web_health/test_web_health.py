"""Exercise: GET /health: how many users are online."""

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from extras.web.server import PAGE


@pytest.fixture
def answer(exercise):
    """answer(method, path) -> head and body of what the website says while two users are online."""
    website = exercise.HealthWebsite(PAGE)
    website.count = lambda: 2
    return lambda method, path: website.answer(method, path, "127.0.0.1:9080").decode().split("\r\n\r\n")


def test_it_tells_how_many_are_online(answer):
    head, body = answer("GET", "/health")
    assert head.startswith("HTTP/1.1 200 ") and body == "2 online\n"
    assert "Content-Type: text/plain" in head and "Content-Length: 9" in head


def test_head_gets_the_same_without_the_body(answer):
    head, body = answer("HEAD", "/health")
    assert head.startswith("HTTP/1.1 200 ") and "Content-Length: 9" in head and not body


def test_what_stands_behind_a_question_mark_does_not_matter(answer):
    assert answer("GET", "/health?now")[1] == "2 online\n"


def test_all_else_is_as_before(answer):
    assert answer("POST", "/health")[0].startswith("HTTP/1.1 405 ")
    assert answer("GET", "/healthy")[0].startswith("HTTP/1.1 404 ")
    assert "<title>Chat</title>" in answer("GET", "/")[1]


def test_the_server_counts_its_users(exercise, serve, connect):
    class Server(exercise.HealthServer):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            self.open_web(("127.0.0.1", 0))

    server = serve(Server)
    connect(server, "alice").ask("LOGIN alice", "OK ...")
    browser = connect(server.web.server_address, "browser")
    browser.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert browser.expect_eof().endswith(b"\r\n\r\n1 online\n")
