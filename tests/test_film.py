"""The chapters' moving pictures: how they are made; test_transcripts.py compares each with its replay."""

import re
import sys
from xml.etree import ElementTree

import pytest

from tests.chapter import ROOT, Fence, all_fences
from tests.film import COLUMNS, Film, fault, file_of, main, svg
from tests.transcript import LANGUAGES, Replay, Step

MAX_BYTES = 200_000  # a reader on the road pays for each
PICTURES = [fence for fence in all_fences(*LANGUAGES) if file_of(fence)]


def session(path, *rows, info="transcript pty picture=session.svg"):
    """Return a block, and what its replay has seen: a Step for each "alice> hello", with the row that shows it."""
    steps = [re.match(r"(\w+)(.) (.*)", said).groups() for said, _ in rows]
    seen = [(Step(*step, number), row) for number, (step, (_, row)) in enumerate(zip(steps, rows), 2)]
    return Fence(path / "chapter.md", 1, info, tuple(said for said, _ in rows)), seen


def shown(film, name):
    """Return what a window shows, one moment after the other."""
    texts = []
    for _, picture in film.pictures:
        rows = [picture[place] for place in sorted(picture) if place[0] == name]
        text = ["".join(part for _, part in row.pieces) for row in rows]
        if texts[-1:] != [text]:
            texts.append(text)
    return texts


@pytest.mark.skipif(sys.platform == "win32", reason="a replay wants a Unix terminal")
def test_the_last_picture_is_the_screen_with_its_prompts(tmp_path):
    asks = "import sys; [print('told', input('what? ')) for _ in 'ab']"
    fence, _ = session(
        tmp_path,
        (f'alice$ python -c "{asks}"', ""),
        ("alice_ hel", ""),
        ("alice> lo", ""),
        ("alice< told hello", ""),
        ("alice> bye", ""),
        ("alice< told bye", ""),
    )
    replay = Replay(fence, str(tmp_path))
    replay.run()
    screen = replay.terminals["alice"].screen
    rows = [screen.line(row) for row in range(screen.row)]
    assert rows[0] == "what? hello"
    assert shown(Film(fence, replay.seen, 1), "alice")[-1][-len(rows) :] == rows


def test_half_a_line_moves_down_when_something_comes(tmp_path):
    fence, seen = session(
        tmp_path,
        ("alice$ chat", "$ chat"),
        ("alice_ hel", "> hel"),
        ("bob$ say hi", "$ say hi"),
        ("alice< bob: hi", "bob: hi"),
        ("alice> lo", "> hello"),
    )
    assert shown(Film(fence, seen, 1), "alice") == [
        ["$ "],
        ["$ chat"],
        ["$ chat", "> "],
        ["$ chat", "> hel"],
        ["$ chat", "bob: hi", "> hel"],
        ["$ chat", "bob: hi", "> hello"],
    ]


def test_a_key_that_ends_no_line_leaves_the_line_open(tmp_path):
    fence, seen = session(
        tmp_path, ("alice$ nc", "$ nc"), ("alice_ hel", "hel"), ("alice> ^D", "hel^D"), ("alice> lo", "hello")
    )
    assert shown(Film(fence, seen, 1), "alice")[-4:] == [["$ nc", row] for row in ("hel", "hel^D", "hel", "hello")]


def test_a_long_line_goes_on_in_the_next_row(tmp_path):
    most = COLUMNS[1][1]
    fence, seen = session(tmp_path, (f"alice$ {'x' * 2 * most}", f"$ {'x' * 2 * most}"))
    film = Film(fence, seen, 1)
    assert shown(film, "alice")[-1] == ["$ " + "x" * (most - 2), "x" * most, "xx"]
    first, second, third = (film.pictures[-1][1]["alice", row] for row in range(3))
    assert [row.typed for row in (first, second, third)] == [most - 2, most, 2]
    assert third.late_ms == second.late_ms + most * second.key_ms > second.late_ms > first.late_ms == 0


def test_only_the_windows_that_the_block_asks_for_are_shown(tmp_path):
    fence, seen = session(
        tmp_path,
        ("maker$ true", "$ true"),
        ("bob$ ls", "$ ls"),
        ("alice$ ls", "$ ls"),
        info="transcript picture=session.svg windows=alice,bob",
    )
    assert Film(fence, seen, 1).names == ["alice", "bob"]
    assert "maker</text>" not in svg(fence, seen)


def test_a_comment_is_seen_before_what_follows_it(tmp_path):
    fence, seen = session(tmp_path, ("alice$ wait", "$ wait"), ("x< # Hours go by.", ""), ("alice< done", "done"))
    fence = Fence(fence.path, 1, fence.info, (fence.body[0], "# Hours go by.", fence.body[2]))
    film = Film(fence, [seen[0], seen[2]], 1)
    text, begin, end = film.remarks[0]
    assert text == "Hours go by." and begin < end < film.pictures[-1][0]


def test_a_picture_that_is_missing_or_differs_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.film.ROOT", tmp_path)
    fence, seen = session(tmp_path, ("alice$ echo <&>", "$ echo <&>"), ("alice< <&>", "<&>"))
    assert "python tests/film.py chapter.md" in fault(fence, seen)
    file_of(fence).write_text(svg(fence, seen), encoding="utf-8")
    assert not fault(fence, seen)
    assert fault(fence, [*seen, seen[-1]])


@pytest.mark.skipif(sys.platform == "win32", reason="a replay wants a Unix terminal")
@pytest.mark.parametrize("printed", ["hello", "hullo"])
def test_only_a_true_session_gets_a_picture(tmp_path, monkeypatch, capsys, printed):
    chapter = tmp_path / "chapter.md"
    chapter.write_text(f"```transcript picture=hello.svg\nalice$ echo hello\nalice< {printed}\n```\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["film.py", str(chapter)])
    told = main()
    if printed == "hello":
        assert told == 0 and "hello.svg" in capsys.readouterr().out
    else:
        assert "chapter.md:1: what happens is not what it says" in told and "alice< hello" in told
    assert (tmp_path / "hello.svg").exists() == (printed == "hello")


def test_a_chapter_that_is_not_there_is_told_in_words(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["film.py", "nowhere.md"])
    with pytest.raises(SystemExit):
        main()
    assert "there is no nowhere.md" in capsys.readouterr().err


@pytest.mark.parametrize("fence", PICTURES, ids=str)
def test_a_picture_is_small_and_for_every_reader(fence):
    text = file_of(fence).read_text(encoding="utf-8")
    picture = ElementTree.fromstring(text)
    assert len(text.encode()) <= MAX_BYTES
    assert picture.get("role") == "img"
    namespace = "{http://www.w3.org/2000/svg}"
    assert picture.find(f"{namespace}title").text and picture.find(f"{namespace}desc").text == "\n".join(fence.body)
    assert not picture.findall(f".//{namespace}script") and not re.search(r"(href|url\()", text)
    assert "prefers-color-scheme" in text and "prefers-reduced-motion" in text
    assert re.search(rf"!\[\w.*\]\({re.escape(file_of(fence).name)}\)", fence.path.read_text(encoding="utf-8"))


def test_every_picture_of_a_session_belongs_to_one_block():
    films = [
        path
        for place in ("*.svg", "step*/*.svg", "extras/*/*.svg")
        for path in ROOT.glob(place)
        if '<title id="title">A session in' in path.read_text(encoding="utf-8")
    ]
    assert sorted(films) == sorted(map(file_of, PICTURES))
