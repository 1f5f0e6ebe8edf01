"""The transcripts of the chapters are true: replay each of them; and test the replayer with small ones."""

import os
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chapter import all_fences, fences
from tests.film import fault, file_of
from tests.transcript import LANGUAGES, Mismatch, Screen, missing_tool, replay

ON_WINDOWS = sys.platform == "win32"
needs_sh = pytest.mark.skipif(ON_WINDOWS, reason="the transcripts show a Unix shell and its keys")
TRANSCRIPTS = all_fences(*LANGUAGES)
SIDE_BY_SIDE = 4  # a replay mostly waits for its programs; more at a time would slow them down


@pytest.fixture(scope="module")
def replays(request):
    """Begin with all that this run asks for, some side by side: fence -> a call that waits for its end."""
    asked = [item.callspec.params["fence"] for item in request.session.items if "replays" in item.fixturenames]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {fence: pool.submit(replay, fence).result for fence in dict.fromkeys(asked) if not missing_tool(fence)}


def test_there_are_transcripts():
    assert TRANSCRIPTS


def params(fences):
    """Mark as long what needs Redis, the attacks, which wait for what does not come, and a server that dawdles."""

    def is_long(fence):
        dawdles = any("presence/naive_server.py" in line for line in fence.body)
        return dawdles or str(fence).startswith(("extras/cluster/README.md", "step5_server/STRANGERS.md"))

    return [pytest.param(fence, marks=[pytest.mark.long] * is_long(fence)) for fence in fences]


@needs_sh
@pytest.mark.parametrize("fence", params(TRANSCRIPTS), ids=str)
def test_the_text_shows_what_the_programs_print(fence, replays):
    missing = missing_tool(fence)
    if missing and os.environ.get("CI") == "true" and sys.platform == "linux":
        pytest.fail(f"{missing}: in CI no transcript may go untested")
    if missing:
        pytest.skip(missing)
    try:
        replays[fence]()
    except Mismatch as mismatch:
        pytest.fail(str(mismatch), pytrace=False)


@needs_sh
@pytest.mark.parametrize("fence", params(filter(file_of, TRANSCRIPTS)), ids=str)
def test_a_moving_picture_shows_what_the_terminals_show(fence, replays):
    """The test above says so where a tool is missing, or the text itself is not true."""
    if missing := missing_tool(fence):
        pytest.skip(missing)
    try:
        seen = replays[fence]()
    except Mismatch:
        pytest.fail("its text is not true", pytrace=False)
    if wrong := fault(fence, seen):
        pytest.fail(wrong, pytrace=False)


# The replayer itself

ECHO = "python -uc 'import sys; [print(line, end=str()) for line in iter(sys.stdin.readline, str())]'"
PROMPT = 'python -c \'while True: print("told", input("? "))\''


@pytest.fixture
def block(tmp_path):
    """Return a maker of Fences from text, which is indented as the test is."""

    def make(text, info="transcript"):
        path = tmp_path / "chapter.md"
        path.write_text(f"```{info}\n{textwrap.dedent(text).strip()}\n```\n", encoding="utf-8")
        return fences(path)[0]

    return make


@needs_sh
@pytest.mark.parametrize(
    "text",
    [
        "alice$ echo hello\nalice< hello",
        "alice$ echo one two three\nalice< one ... three",
        "alice$ seq 100\nalice< 1\nalice< ...\nalice< 99\nalice< 100",
        "alice$ seq 100\nalice< 1\nalice< ...\nalice$ echo $?\nalice< 0",
        "alice$ exit 3\nalice$ echo $?\nalice< 3",
        "alice$ printf unfinished\nalice< unfinished\nalice$ echo $?\nalice< 0",
        f"# a comment\n  bob$ {ECHO}\nalice$ {ECHO}\nalice> hi\n  bob> ho\n  bob< ho\nalice< hi\nalice> ^D",
        f"alice$ {ECHO}\nalice_ half\nalice>  done\nalice< half done\nalice> ^D\nalice$ echo $?\nalice< 0",
        "alice$ sleep 60\nalice> ^C\nalice$ echo $?\nalice< 130",
        "alice$ printf 'a\\nb' | python -c 'print(len(input()))'\nalice< 1",
    ],
)
def test_a_true_transcript_passes(block, text):
    replay(block(text))


@needs_sh
@pytest.mark.parametrize(
    "text, told",
    [
        ("alice$ echo hello\nalice< hullo", "+ alice< hello|printed something else"),
        ("alice$ echo hello\nalice$ true", "more than the text"),
        ("alice$ true\nalice< hello", "did not print this line"),
        ("alice$ exit 3\nalice$ echo $?\nalice< 0", "something else"),
        ("alice$ seq 3\nalice< 1\nalice< 3", "something else"),
        (f"alice$ {ECHO}\nalice> hi\nalice< hi\nalice< hi", "did not come within"),
        (f"alice$ {ECHO}\nalice$ echo two", "its end did not come"),
        ("alice$ sh -c \"trap '' INT; echo deaf; exec sleep 60\"\nalice< deaf\nalice> ^C", "its end did not come"),
        ("alice> typed to nobody", "no program runs"),
        ("alice says hello", "not of the form"),
        ("alice$ echo 1 2 3\nalice< 1 ... 4", "something else"),
    ],
)
def test_a_false_transcript_fails_and_says_how(block, text, told):
    with pytest.raises(Mismatch) as failure:
        replay(block(text), deadline_s=0.3)
    assert any(part in str(failure.value) for part in told.split("|"))


@needs_sh
def test_on_a_terminal_a_line_is_shown_once_with_its_prompt(block):
    replay(
        block(
            f"""
        alice$ {PROMPT}
        alice_ hel
        alice> lo
        alice< told hello
        alice> bye
        alice< told bye
        alice> ^D
        alice< Traceback ...
        alice< ...
        alice< EOFError
        alice$ echo $?
        alice< 1
        """,
            "transcript pty",
        )
    )


@needs_sh
def test_a_console_block_is_one_shell(block):
    replay(block("$ printf 'hi\\nho\\n'\nhi\nho\n$ false\n$ echo $?\n1", "console"))
    with pytest.raises(Mismatch):
        replay(block("$ printf 'hi\\nho\\n'\nhi", "console"))


@needs_sh
def test_a_bare_environment_in_an_empty_directory(block):
    replay(
        block(
            "$ ls\n$ python -c 'import os; print(sorted(set(os.environ) - {\"LC_CTYPE\", \"PWD\"}))'\n['HOME', 'PATH']",
            "console",
        )
    )


@needs_sh
def test_the_text_shows_its_process_whatever_the_real_one(block):
    replay(
        block("""
        server$ python -uc 'print("here, process %d" % __import__("os").getpid()) or __import__("time").sleep(60)'
        server< here, process 2003
         other$ kill -TERM 2003
        server$ echo $?
        server< 143
        """)
    )


def test_the_screen_shows_a_redrawn_line():
    screen = Screen()
    for chunk in (b"> hal", b"\r\x1b[", b"Kbob: hi\r\n> half", b"\x1b[31m\x1b[0m\b\b\xc3", b"\xa9"):
        screen.feed(chunk)
    assert [screen.line(row) for row in range(2)] == ["bob: hi", "> haéf"]


@needs_sh
def test_the_text_shows_its_port_whatever_the_real_one(block, monkeypatch, tmp_path):
    """A server without --port, a second one that finds it taken, a client, and one after the server's end."""
    folder = tmp_path / "step9_any"
    folder.mkdir()
    (folder / "server.py").write_text(
        textwrap.dedent("""
        import argparse, socketserver
        parser = argparse.ArgumentParser()
        parser.add_argument("--port", type=int, default=9000)
        port = parser.parse_args().port
        class Hello(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"hello\\n")
        class Server(socketserver.TCPServer):
            allow_reuse_address = True
        try:
            with Server(("127.0.0.1", port), Hello) as server:
                print("listening on %s:%d" % server.server_address, flush=True)
                server.serve_forever()
        except OSError:
            raise SystemExit(f"port {port} is taken")
        except KeyboardInterrupt:
            pass
        """)
    )
    (folder / "client.py").write_text(
        textwrap.dedent("""
        import socket, sys
        port = int(sys.argv[sys.argv.index("--port") + 1])
        try:
            print(socket.create_connection(("127.0.0.1", port)).recv(100).decode(), end="")
        except ConnectionRefusedError:
            sys.exit(f"{port} refused")
        """)
    )
    monkeypatch.setattr("tests.transcript.ROOT", tmp_path)
    replay(
        block("""
          bob$ python step9_any/client.py
          bob< 9000 refused
        server$ python step9_any/server.py
        server< listening on 127.0.0.1:9000
        other$ python step9_any/server.py
        other< port 9000 is taken
          bob$ python step9_any/client.py
          bob< hello
          bob$ python step9_any/client.py --port 9000
          bob< hello
        other$ python step9_any/server.py --port 9001
        other< listening on 127.0.0.1:9001
          bob$ python step9_any/client.py --port 9001
          bob< hello
        server> ^C
        server$ echo $?
        server< 0
          bob$ python step9_any/client.py
          bob< 9000 refused
          bob$ echo $?
          bob< 1
        """)
    )
