"""What the learner types: the chapters' pieces make our rungs, each wrong in the way that its section shows, the last one right."""

import re

import pytest

from tests.chapter import fences
from tests.progress import JUDGED
from tests.side_by_side import side_by_side
from tests.test_course import MAX_EXCERPT_LINES
from tests.typed import CHAPTERS, LAST_RUNGS, RUNGS, file_of, her_name, is_piece, put_rungs, typed

LAST = list(LAST_RUNGS.values())
FIRST = [rung for rung in RUNGS if rung not in LAST]
# The lesson that a rung gets first: what its chapter's next section mends.
FIRST_LESSON = {
    "echo_1.py": "a connection is echoed until its client ends it",
    "echo_2.py": "a client that says nothing keeps nobody waiting",
    "client_1.py": "what arrives is printed at once, with a line end or without",
    "client_2.py": "when the server ends the connection, the client says so and exits with status 1",
    "protocol_1.py": "a good line becomes its verb and its arguments, a text with its spaces",
    "protocol_2.py": "a name is a letter, then letters, digits, _ or -, at most 20 in all",
    "line_server_1.py": "two lines in one segment are two requests",
    "framing_1.py": "a line over the limit is LineTooLong, a line as long as the limit is not; the delimiter does not count",
    "chat_server_1.py": "a user who does not read keeps nobody else waiting",  # before it watch.py tells of the race
    "chat_server_2.py": "a user who does not read keeps nobody else waiting",
    "chat_client_1.py": "a name is asked for until the server accepts one",
    "chat_client_2.py": "a message that comes while she types leaves her half-typed line intact",
}
# The rungs that are nearly right: all the checks that each fails.
FAILS = {
    "chat_server_2.py": {
        "test_a_crash_harms_nobody_else",
        "test_a_user_who_does_not_read_delays_nobody",
        "test_what_waits_for_one_client_is_bounded",
    },
    "chat_client_2.py": {
        "test_a_message_that_comes_while_she_types_leaves_her_line_intact",
        "test_what_others_send_cannot_drive_the_terminal",
    },
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return where each rung stands under her name, beside the last ones of all other programs."""
    made = {}
    for rung in RUNGS:
        made[rung] = tmp_path_factory.mktemp("mine")
        put_rungs(made[rung], {her_name(rung): rung.read_text(encoding="utf-8")})
    return made


@pytest.fixture(scope="module")
def judgements(request, folders):
    """Begin to judge the rungs that are asked for: rung -> a call that waits for the verdict."""
    asked = [item.callspec.params["rung"] for item in request.session.items if "judgements" in item.fixturenames]
    arguments = {}
    for rung in asked:
        test_file, flag = JUDGED[her_name(rung)]
        arguments[rung] = [
            str(test_file),
            flag.replace("{path}", str(folders[rung] / her_name(rung))),
            *["--patience=1"] * (rung in FIRST),
            *["-x"] * (rung in FIRST and rung.name not in FAILS),
        ]
    with side_by_side(arguments) as runs:
        yield runs


def lines(text):
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_the_pieces_of_the_chapter_make_the_rung(rung):
    chapter = rung.parents[1] / "README.md"
    text = chapter.read_text(encoding="utf-8").split("\n")
    named_at = next(number for number, line in enumerate(text, 1) if f"](rungs/{rung.name})" in line)
    assert lines(typed(chapter, named_at)[her_name(rung)]) == lines(rung.read_text(encoding="utf-8"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.parent.name)
def test_a_piece_is_short_and_explained_and_leaves_a_program(chapter):
    text = chapter.read_text(encoding="utf-8").split("\n")
    pieces = [fence for fence in fences(chapter) if is_piece(fence)]
    assert pieces
    for piece in pieces:
        shown = [line for line in piece.body if line.strip() and not line.startswith("-")]
        assert len(shown) <= MAX_EXCERPT_LINES, piece
        before = next(line for line in reversed(text[: piece.line_number - 1]) if line.strip())
        assert not before.startswith("```"), f"{piece} comes without a word"
        compile(typed(chapter, piece.line_number + 1)[file_of(piece)], str(piece), "exec")


@pytest.mark.long
@pytest.mark.parametrize("rung", [rung for rung in LAST if her_name(rung) in JUDGED], ids=lambda rung: rung.name)
def test_the_last_rung_passes_all_checks_of_its_step(rung, judgements):
    run = judgements[rung]()
    assert {report.outcome for report in run.reports} == {"passed"}, run.printed


@pytest.mark.long
@pytest.mark.parametrize("rung", FIRST, ids=lambda rung: rung.name)
def test_the_first_lesson_of_a_rung_is_what_the_next_section_mends(rung, judgements):
    run = judgements[rung]()
    lesson = next(report.text for report in run.reports if report.outcome == "failed")
    assert lesson.startswith(f"rule      {FIRST_LESSON[rung.name]}\n"), run.printed


@pytest.mark.long
@pytest.mark.parametrize("rung", [rung for rung in FIRST if rung.name in FAILS], ids=lambda rung: rung.name)
def test_a_rung_fails_in_what_the_next_section_mends_and_in_nothing_else(rung, judgements):
    failed = {
        re.sub(r"^.*::|\[.*", "", report.test) for report in judgements[rung]().reports if report.outcome == "failed"
    }
    assert failed == FAILS[rung.name], judgements[rung]().printed
