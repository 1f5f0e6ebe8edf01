"""Read markers: how far one has read, told to one's own clients and to nobody else."""

import pytest

from extras.ircv3 import read_marker
from extras.ircv3.read_marker import ReadMarker
from tests.irc_wire import short
from tests.ircv3_accounts import client, login, register

CAP = "draft/read-marker"
OLD, NEW = "timestamp=2020-01-01T00:00:00.001Z", "timestamp=2020-01-02T00:00:00.999Z"
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("cheap")]


def test_a_marker_is_told_before_the_names_and_only_moves_forward(irc):
    alice, bob = irc.client("alice", CAP), irc.client("bob", CAP, "#tea")
    assert [short(message) for message in alice.ask("JOIN #TEA") if message.command in ("MARKREAD", "366")] == [
        "MARKREAD #tea *",
        "366 #tea End of NAMES list",
    ]
    assert alice.lines(f"MARKREAD #Tea {OLD}", f"MARKREAD #tea {NEW}", f"MARKREAD #tea {OLD}", "MARKREAD #tea") == [
        f"MARKREAD #Tea {OLD}",
        *[f"MARKREAD #tea {NEW}"] * 3,
    ]
    assert bob.codes() == ["JOIN"] and bob.lines("MARKREAD #tea") == ["MARKREAD #tea *"]


def test_the_markers_of_an_account_are_there_after_a_restart_and_those_of_a_guest_end_with_it(irc, tmp_path):
    irc.start(options={"db": str(tmp_path / "irc.db")})
    register(irc, "alice")
    alice, guest = client(irc, "alice"), irc.client("guest")
    assert (
        alice.lines(f"MARKREAD #tea {OLD}", f"MARKREAD bob {NEW}")[-1]
        == guest.lines(f"MARKREAD bob {NEW}")[0]
        == f"MARKREAD bob {NEW}"
    )
    guest.send("QUIT")
    guest.goodbye()
    assert irc.client("guest").lines("MARKREAD bob") == ["MARKREAD bob *"]
    irc.server.stop()
    irc.start(options={"db": str(tmp_path / "irc.db")})
    assert client(irc, "alice").lines("MARKREAD #TEA", "MARKREAD Bob") == [
        f"MARKREAD #TEA {OLD}",
        f"MARKREAD Bob {NEW}",
    ]
    assert list(irc.server.extensions[ReadMarker]._markers) == [b"alice"]


def test_the_markers_of_a_guest_end_with_it_though_it_has_logged_in(irc):
    register(irc, "alice")
    guest = irc.client("guest", f"sasl {CAP}")
    guest.ask(f"MARKREAD #tea {OLD}")
    login(guest, "alice")
    guest.send(f"MARKREAD #tea {NEW}\r\nQUIT")
    guest.goodbye()
    irc.server.stop()  # which waits until it has gone
    assert list(irc.server.extensions[ReadMarker]._markers) == [b"alice"]


@pytest.mark.parametrize(
    "request_, answer",
    [
        ("MARKREAD", "NEED_MORE_PARAMS"),
        ("MARKREAD #tea *", "INVALID_PARAMS *"),
        ("MARKREAD #tea msgid=7", "INVALID_PARAMS msgid=7"),
        ("MARKREAD #tea timestamp=2020-13-01T00:00:00.000Z", "INVALID_PARAMS timestamp=2020-13-01T00:00:00.000Z"),
        ("MARKREAD 'OR'1'='1", "INVALID_PARAMS 'OR'1'='1"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_its_code(request_, answer, irc):
    (got,) = irc.client("alice", CAP).ask(request_)
    assert [got.command, *got.params[:-1]] == ["FAIL", "MARKREAD", *answer.split()]


def test_nobody_has_read_what_will_be_said(irc):
    alice = irc.client("alice", CAP)
    (got,) = alice.lines("MARKREAD #tea timestamp=2999-01-01T00:00:00.000Z")
    assert got.startswith("MARKREAD #tea timestamp=20")


def test_of_too_many_markers_the_oldest_is_forgotten_on_disk_too(irc, tmp_path, monkeypatch):
    monkeypatch.setattr(read_marker, "MAX_MARKERS", 2)
    irc.start(options={"db": str(tmp_path / "irc.db")})
    register(irc, "alice")
    client(irc, "alice").ask(f"MARKREAD #a {OLD}", f"MARKREAD #b {OLD}", f"MARKREAD #a {NEW}", f"MARKREAD #c {OLD}")
    for _ in range(2):
        assert sorted(irc.server.extensions[ReadMarker]._markers[b"alice"]) == [b"#a", b"#c"]
        irc.server.stop()
        irc.start(options={"db": str(tmp_path / "irc.db")})


def test_markers_go_with_a_channel_that_is_renamed(irc, tmp_path):
    irc.start(options={"db": str(tmp_path / "irc.db")})
    register(irc, "alice")
    alice, bob = client(irc, "alice"), irc.client("bob", channel="#tea")
    alice.ask(f"MARKREAD #tea {OLD}")
    assert bob.lines(f"MARKREAD #tea {NEW}", "RENAME #tea #coffee", "MARKREAD #coffee", "MARKREAD #tea")[-2:] == [
        f"MARKREAD #coffee {NEW}",
        "MARKREAD #tea *",
    ]
    for _ in range(2):
        assert client(irc, "al", "alice").lines("MARKREAD #coffee", "MARKREAD #tea") == [
            f"MARKREAD #coffee {OLD}",
            "MARKREAD #tea *",
        ]
        irc.server.stop()
        irc.start(options={"db": str(tmp_path / "irc.db")})
