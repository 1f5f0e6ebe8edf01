"""What the learner types: the chapters' pieces make our rungs, each wrong in the way that its section shows, the last one right."""

import re

import pytest

from tests.chapter import ROOT, fences
from tests.side_by_side import side_by_side
from tests.test_course import MAX_EXCERPT_LINES
from tests.typed import CHAPTERS, file_of, is_piece, typed

RUNGS = sorted(path for chapter in CHAPTERS for path in (chapter.parent / "rungs").glob("*.py"))
# PATH is where a test keeps her programs.
SERVER = "--server={python} PATH/%s {port}"
CLIENT = "--client={python} PATH/%s {host} {port}"
JUDGED = {  # her program -> (the file of its checks, how they are given it)
    "echo.py": ("test_step1_echo.py", SERVER),
    "client.py": ("test_step2_client.py", CLIENT),
    "protocol.py": ("test_step3_protocol.py", "--python=step3=PATH/%s"),
    "framing.py": ("test_step4_framing.py", "--python=step4=PATH/%s:LineBuffer"),
    "line_server.py": ("test_step4_framing.py", SERVER),
    "chat_server.py": ("test_step5_server.py", SERVER),
    "chat_client.py": ("test_step6_client.py", CLIENT),
}
# What the section after a rung mends: the checks that the rung fails, and it fails no others.
FAILS = {
    "chat_server_2.py": {"test_a_crash_harms_nobody_else", "test_a_user_who_does_not_read_delays_nobody",
                         "test_what_waits_for_one_client_is_bounded"},
    "chat_client_2.py": {"test_a_message_that_comes_while_she_types_leaves_her_line_intact",
                         "test_what_others_send_cannot_drive_the_terminal"},
}
# And of those that fail more: one that says why the next section exists.
FAILS_AMONG_OTHERS = {
    "echo_1.py": "test_many_messages_on_one_connection",
    "echo_2.py": "test_many_clients_are_served_at_once",
    "client_1.py": "test_the_server_may_speak_first_and_without_a_line_end",
    "client_2.py": "test_a_refused_connection_is_one_clear_line",
    "protocol_1.py": "test_a_good_line_is_a_request",
    "protocol_2.py": "test_a_bad_name",
    "line_server_1.py": "test_two_lines_in_one_chunk_are_two_requests",
    "chat_server_1.py": "test_a_user_who_does_not_read_delays_nobody",  # the race is in the chapter's transcript
    "framing_1.py": "test_a_200_megabyte_line_costs_the_limit_and_one_exception",
    "chat_client_1.py": "test_a_name_is_asked_for_until_the_server_accepts_one",
}


def her_name(rung):
    """Return the name of a rung in her folder: chat_server.py for chat_server_2.py."""
    return re.sub(r"_\d\.py$", ".py", rung.name)


def rungs_like(rung):
    """Return all rungs of one program of hers, the first one first."""
    return [other for other in RUNGS if her_name(other) == her_name(rung)]


LAST = [rung for rung in RUNGS if rung == rungs_like(rung)[-1]]
FIRST = [rung for rung in RUNGS if rung not in LAST]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return where each rung stands under her name, beside the last ones of all other programs."""
    made = {}
    for rung in RUNGS:
        folder = tmp_path_factory.mktemp("mine")
        for other in [*LAST, rung]:
            if other == rung or her_name(other) != her_name(rung):
                (folder / her_name(other)).write_bytes(other.read_bytes())
        made[rung] = folder
    return made


@pytest.fixture(scope="module")
def judgements(request, folders):
    """Begin to judge the rungs that are asked for: rung -> a call that waits for the verdict."""
    asked = [item.callspec.params["rung"] for item in request.session.items if "judgements" in item.fixturenames]
    arguments = {}
    for rung in asked:
        test_file, flag = JUDGED[her_name(rung)]
        arguments[rung] = [f"{ROOT}/tests/{test_file}", flag.replace("PATH", str(folders[rung])) % her_name(rung),
                           *["--patience=1"] * (rung in FIRST)]
        if rung.name in FAILS_AMONG_OTHERS:
            arguments[rung][0] += f"::{FAILS_AMONG_OTHERS[rung.name]}"
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
@pytest.mark.parametrize("rung", [rung for rung in FIRST if rung.name not in FAILS], ids=lambda rung: rung.name)
def test_a_rung_fails_where_the_next_section_says(rung, judgements):
    assert "failed" in {report.outcome for report in judgements[rung]().reports}, judgements[rung]().printed


@pytest.mark.long
@pytest.mark.parametrize("rung", [rung for rung in FIRST if rung.name in FAILS], ids=lambda rung: rung.name)
def test_a_rung_fails_in_what_the_next_section_mends_and_in_nothing_else(rung, judgements):
    failed = {re.sub(r"^.*::|\[.*", "", report.test) for report in judgements[rung]().reports if report.outcome == "failed"}
    assert failed == FAILS[rung.name], judgements[rung]().printed


def test_each_rung_is_judged():
    assert {rung.name for rung in FIRST} == set(FAILS) | set(FAILS_AMONG_OTHERS)

