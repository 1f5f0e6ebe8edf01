"""Step 4: a stream of chunks becomes lines again, wherever it was cut, in bounded memory and linear time."""

import itertools
import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from step4_framing import framing as ours
from step4_framing.framing import MAX_LINE_BYTES
from step4_framing.server import FramedServer
from tests.lesson import LINES, REQUESTS, Lesson, Raised, rule, show
from tests.servers import Chat
from tests.yours import under_test

pytestmark = pytest.mark.any_network

framing = under_test("step4", ours)  # our module, or the one that --python names
CHAPTER = "step4_framing/README.md#the-code-change-by-change"
TOO_LONG = "LineTooLong"
# A small alphabet, so that most streams have line ends, and a limit that they often pass.
PIECES = st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"bc", "é".encode()[:1], "é".encode()[1:], b"dddd", b""])
LIMIT = 4
LONG_BYTES = 128 * 2**20  # of one line: one sees whether a server keeps so much, in whatever language it is written


def reference(stream, limit):
    """What a stream contains, by the simplest code: its whole lines, each as bytes or TOO_LONG, and the rest."""
    *lines, rest = [line.removesuffix(b"\r") for line in stream.split(b"\n")]
    return [line if len(line) <= limit else TOO_LONG for line in lines], rest


class Picture:
    """The chunks that a buffer got, what it returned, and what it should have returned."""

    def __init__(self, limit):
        self.limit = limit
        self.rows = []

    def lines(self):
        head = f"what happened, with a limit of {self.limit} bytes a line"
        table = [("chunk", "fed", "expected", "came"), *self.rows[-8:]]
        widths = [max(len(row[column]) for row in table) for column in range(3)]
        return [head, *("    " + "  ".join([*map(str.ljust, row, widths), row[3]]) for row in table)]


def take_all(buffer, at_most=10**9):
    """Take lines until the buffer wants more bytes."""
    found = []
    while len(found) <= at_most:
        try:
            line = buffer.next_line()
        except Exception as error:  # noqa: BLE001 (whatever a learner's buffer raises)
            if type(error).__name__ != "LineTooLong":
                return [*found, Raised(error)]
            found.append(TOO_LONG)
        else:
            if line is None:
                return found
            found.append(line)
    return [*found, "and so on without end: next_line() never returns None"]


def new_buffer(limit):
    """Return a buffer; without a word about the limit if it is the usual one, for a buffer that has none yet."""
    return framing.LineBuffer() if limit == MAX_LINE_BYTES else framing.LineBuffer(limit)


def check(chunks, limit):
    """Feed the chunks one by one, and compare what comes out of each with the reference.

    A line that is too long may be reported as soon as it is too long, or at its end.
    """
    buffer, fed, all_came = new_buffer(limit), b"", []
    picture = Picture(limit)
    for number, chunk in enumerate(chunks, 1):
        buffer.feed(chunk)
        fed += chunk
        came = take_all(buffer, at_most=len(fed) + 1)
        whole, rest = reference(fed, limit)
        expected = whole[len(all_came) :]
        all_came += came
        if all_came == whole + [TOO_LONG] and len(rest) > limit:
            expected = came
        picture.rows.append((f"{number:>5}", short(chunk), said(expected), said(came)))
        if came != expected:
            error = next((each.error for each in came if isinstance(each, Raised)), None)
            raise Lesson(said(expected), said(came), picture, error=error)
        if hasattr(buffer, "pending") and buffer.pending > limit + 1:
            raise Lesson(f"at most {limit + 1} bytes held: the limit, and a \\r", f"it holds {buffer.pending}", picture)


def said(found):
    return ", ".join(map(short, found)) or "nothing yet"


def short(line):
    """Return bytes as text that fits in a picture; a text stays as it is."""
    if isinstance(line, str) or len(line) <= 24:
        return str(line)
    return f"{line[:4]}...{line[-4:]} ({len(line)} bytes)"


same_lines = rule(
    "the same bytes give the same lines, wherever they are cut",
    CHAPTER,
    hint="Which chunk in the table is the first that goes wrong? Feed just these chunks at a Python prompt. The "
    "usual causes: a \\r at the end of a chunk, a search for \\n in the new chunk only, a flag that is not "
    "reset.",
)
any_limit = rule(
    "with any limit, too, the same bytes give the same lines, wherever they are cut",
    CHAPTER,
    hint="LineBuffer(4) is a buffer with a limit of 4 bytes. Which chunk in the table is the first that goes wrong? A "
    "usual cause: a \\r at the end of a chunk, or a flag that is not reset.",
)
limited = rule(
    "a line over the limit is LineTooLong, a line as long as the limit is not; the delimiter does not count",
    CHAPTER,
    hint="Raise LineTooLong for it. Compare with > and not >=, without the \\n or \\r\\n. A \\r at the end may be the first "
    "half of \\r\\n.",
)
bounded = rule(
    "a line over the limit is reported once and costs no more memory than the limit",
    CHAPTER,
    hint="When the line is over the limit, throw away what you hold and remember only that you are skipping.",
)
linear = rule(
    "twice as many bytes take twice as much work, not more",
    CHAPTER,
    hint="Remember how far you have searched, and do not copy the whole rest for each line that you take out.",
)


# The lines are the same for every way to cut the stream


@same_lines
@pytest.mark.parametrize(
    "chunks",
    [
        [b"HELP\n"],
        [b"HE", b"LP\n"],
        [b"HELP", b"\n"],
        [b"HELP\r\n"],
        [b"HELP\r", b"\n"],
        [b"a\nb\nc\n"],
        [b"a\nb"],
        [b"", b"a", b"", b"\n", b""],
        [b"\n\n\n"],
        [b"\r\n\r\n"],
        [b"a\rb\n"],
        [b"a\r\r\n"],
        ["é".encode()[:1], "é\n".encode()[1:]],
    ],
    ids=str,
)
def test_cases_that_one_should_know(chunks):
    check(chunks, MAX_LINE_BYTES)


@same_lines
def test_byte_by_byte():
    check([bytes([byte]) for byte in b"LOGIN alice\r\nMSG bob hello\n" * 50], MAX_LINE_BYTES)


# Bounds


@limited
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1023, 1024, 1025, 1026])
def test_the_limit_counts_the_line_without_its_delimiter(size, ending):
    line = b"x" * size
    for chunks in ([line + ending], [line, ending], [line[:-1], line[-1:] + ending[:1], ending[1:]]):
        check(chunks + [b"next\n"], MAX_LINE_BYTES)


@any_limit
@settings(report_multiple_bugs=False)
@given(st.lists(st.lists(PIECES).map(b"".join)))
@example([b"aaaa\r", b"\n"])  # a CR at the limit, its LF still on the way
@example([b"aaaa\r", b"b\n"])  # a CR at the limit that was part of the line
@example([b"aaaaa", b"a", b"\na\n"])  # too long, reported at once, and once
@example([b"aaaaa\naaaaa\n"])
def test_any_cut_gives_the_lines_of_the_whole(chunks):
    check(chunks, LIMIT)
    check([b"".join(chunks)], LIMIT)


@any_limit
@settings(report_multiple_bugs=False)
@given(st.binary(), st.lists(st.integers(0, 50)), st.integers(1, 60))
def test_any_bytes_at_any_limit(stream, cuts, limit):
    edges = [0, *sorted(cuts), len(stream)]
    check([stream[start:end] for start, end in itertools.pairwise(edges)] + [b""], limit)


@any_limit
@pytest.mark.parametrize("stream", [b"ab\r\ncd\n\r\nef", b"aaaa\r\n12345\nb", b"\r\r\n\n\raaa\r\r\n"])
def test_every_split_of_a_short_stream(stream):
    """There are 2 ** (n - 1): between any two bytes there is a cut or not."""
    for cuts in itertools.product([False, True], repeat=len(stream) - 1):
        edges = [0, *(at for at, cut in enumerate(cuts, 1) if cut), len(stream)]
        check([stream[start:end] for start, end in itertools.pairwise(edges)], LIMIT)


@bounded
def test_a_200_megabyte_line_costs_the_limit_and_one_exception():
    buffer, size, fed, found = framing.LineBuffer(), 65536, 0, []
    tracemalloc.start()
    try:
        while fed < 200 * 2**20:
            buffer.feed(b"x" * size)  # a new one each time, so that one sees whether a buffer keeps them
            fed += size
            found += take_all(buffer, at_most=1)
            held, _ = tracemalloc.get_traced_memory()
            if held > 4 * size:
                raise Lesson(
                    f"at most the {MAX_LINE_BYTES} bytes of the limit held",
                    f"about {held} bytes held, of a line that has {fed} by now and is not over",
                )
    finally:
        tracemalloc.stop()
    buffer.feed(b"end of it\nHELP\n")
    found += take_all(buffer, at_most=2)
    if found != [TOO_LONG, b"HELP"]:
        raise Lesson("LineTooLong once, and then the next line, HELP", said(found))


def work(chunks, at_most_s=1e9):
    """Return the CPU time that a buffer takes for these chunks and their lines."""
    buffer = framing.LineBuffer(10**6)
    taken, most = 0, len(chunks) + sum(map(len, chunks))
    start = time.thread_time()
    for chunk in chunks:
        buffer.feed(chunk)
        line = b""
        while line is not None:
            line = buffer.next_line()
            taken += 1
            if taken > most:
                raise Lesson("None, as soon as no whole line is left", "lines without end")
            if taken % 256 == 0 and time.thread_time() - start > at_most_s:
                return at_most_s
    return time.thread_time() - start


@linear
@pytest.mark.parametrize(
    "chunks_of",
    [
        lambda size: [b"x"] * size,  # a long line byte by byte: is it searched from the beginning each time?
        lambda size: [b"x" * size + b"\n"],
        lambda size: [b"\n" * size],  # many lines in one chunk: is the rest copied for each?
        lambda size: [b"ab\n" * (size // 3)],
    ],
    ids=["byte by byte", "one long line", "empty lines", "short lines"],
)
def test_a_hundred_times_the_bytes_take_about_a_hundred_times_the_work(chunks_of):
    """It compares two times.  A buffer that searches or copies bytes again needs up to 10,000 times the work."""
    few, many = chunks_of(4_000), chunks_of(400_000)
    unit = max(min(work(few) for _ in range(5)), 1e-4)
    if work(many, 600 * unit) >= 600 * unit:
        raise Lesson("about 100 times the work for 400,000 bytes as for 4,000", "more than 600 times the work")


# On the wire


def test_a_framed_line_comes_back():
    buffer = ours.LineBuffer()
    buffer.feed(ours.frame_line(b"OK") + ours.frame_line(b"") + ours.frame_line("grüße".encode()))
    assert take_all(buffer) == [b"OK", b"", "grüße".encode()]


@pytest.fixture
def alice(serve, connect):
    """A logged-in user of step 4's server, or of the server under test."""
    return Chat(serve(FramedServer), connect).login("Alice")


@rule(
    "a server sends no greeting, and one line for each reply",
    REQUESTS,
    hint="A client takes the first OK or ERR for the reply to its first request. Send nothing at the start, and no "
    "empty or second line after a reply.",
)
def test_nothing_comes_that_nobody_asked_for(serve, connect):
    wire = connect(serve(FramedServer))
    wire.ask("HELP", "OK ...")
    wire.ask("HELP", "OK ...")
    wire.ask("DANCE", "ERR unknown-command ... / ERR not-logged-in ...")


@rule(
    "a message to oneself arrives, to anybody else it gets ERR no-such-user",
    REQUESTS,
    hint="Compare the names in lower case; she is alone here. The event shows the name as she typed it at LOGIN.",
)
def test_one_is_alone_here(alice):
    alice.send(f"MSG {alice.name.swapcase()} hi")
    alice.expect_in_any_order(f"MSG {alice.name} hi", "OK ...")
    alice.ask(f"MSG no-{alice.name} hi", "ERR no-such-user ...")
    alice.fence()


ONE_EACH = "A recv() returns bytes, not lines: collect them, and answer as often as there is a whole line, no more."


@rule("two lines in one segment are two requests", LINES, hint=ONE_EACH)
def test_two_lines_in_one_chunk_are_two_requests(alice):
    alice.send(b"HELP\nDANCE\nHELP\n")
    alice.expect("OK ...", "ERR unknown-command ...", "OK ...")
    alice.fence()


@rule("a line cut anywhere is one request", LINES, hint=ONE_EACH)
def test_a_line_cut_anywhere_is_one_request(alice):
    stream = b"HELP\nDANCE\n"
    for cut in range(1, len(stream)):
        alice.send_cut(stream[:cut], stream[cut:])
        alice.expect("OK ...", "ERR unknown-command ...")
    alice.fence()


@rule("a line that comes byte by byte is one request", LINES, hint=ONE_EACH)
def test_one_line_in_many_chunks_is_one_request(alice):
    line = f"MSG {alice.name} hi\n".encode()
    alice.send_cut(*(line[at : at + 1] for at in range(len(line))))
    alice.expect_in_any_order(f"MSG {alice.name} hi", "OK ...")
    alice.fence()


@rule(
    "a character cut in two arrives whole",
    LINES,
    hint="One character of UTF-8 may be four bytes, and a chunk may end between them: decode whole lines, not chunks.",
)
def test_a_character_cut_in_two_arrives_whole(alice):
    event = f"MSG {alice.name} grüße 🌍"
    line = event.encode() + b"\n"
    for cut in (line.index(b"\xc3") + 1, len(line) - 3, len(line) - 2):
        alice.send_cut(line[:cut], line[cut:])
        alice.expect_in_any_order(event, "OK ...")


@rule(
    "a \\r before the \\n is dropped",
    LINES,
    hint="telnet ends its lines with \\r\\n. Remove one \\r from the end of a whole line, before you look at the "
    "words.",
)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut between the two"])
def test_lines_of_telnet_end_in_cr_lf(alice, cut):
    for line, reply in (
        (b"HELP\r\n", ["OK ..."]),
        (b"DANCE\r\n", ["ERR unknown-command ..."]),
        (f"MSG {alice.name} hi\r\n".encode(), [f"MSG {alice.name} hi", "OK ..."]),
    ):
        alice.send_cut(*([line[:-1], line[-1:]] if cut else [line]))
        alice.expect_in_any_order(*reply)
    alice.fence()


@rule("an empty line is ignored: no reply", LINES, hint="\\n alone and \\r\\n alone are empty lines: skip them.")
@pytest.mark.parametrize("empty", [b"\n", b"\r\n"], ids=["LF", "CR LF"])
def test_empty_lines_get_no_reply(alice, empty):
    alice.send(empty + empty + b"DANCE\n" + empty)
    alice.expect("ERR unknown-command ...")
    alice.fence()


@rule(
    "each reply is one line that ends with a bare \\n",
    LINES,
    hint="A reader accepts \\r\\n too, but a server writes only \\n. A second \\n would be an empty line.",
)
def test_replies_end_with_a_bare_newline(alice):
    alice.ask(b"HELP\r\n", "OK ...")
    alice.ask("DANCE", "ERR unknown-command ...")
    for line in alice.raw_lines:
        if line.endswith(b"\r\n"):
            raise alice.lesson("a line that ends with \\n alone", show(line))


@pytest.mark.direct
@rule(
    "a thousand requests in one go get their replies in order",
    REQUESTS,
    hint="Before you wait for more bytes, answer every line that you have, one after the other.",
)
def test_a_thousand_pipelined_requests_get_their_replies_in_order(alice):
    alice.send(b"HELP\nDANCE\nLOGIN x\n" * 333)
    alice.expect(*["OK ...", "ERR unknown-command ...", "ERR already-logged-in ..."] * 333)
    alice.fence()


@pytest.mark.direct
@rule(
    "a line of 1024 bytes is not too long; its end (\\n or \\r\\n) does not count",
    LINES,
    hint="Compare the length of the line without its \\n or \\r\\n, and with >, not >=.",
)
@pytest.mark.parametrize("end", [[b"\n"], [b"\r\n"], [b"\r", b"\n"]], ids=["LF", "CR LF", "CR, then LF"])
def test_a_line_of_1024_bytes_is_not_too_long(alice, end):
    head = f"MSG {alice.name} "
    event = head + "x" * (MAX_LINE_BYTES - len(head))
    alice.send_cut(event.encode() + end[0], *end[1:])
    alice.expect_in_any_order(event, "OK ...")


@pytest.mark.direct
@rule(
    "a line over 1024 bytes gets ERR line-too-long, once, and the next line counts",
    LINES,
    hint="Once the line is over the limit, remember only that you are skipping, up to its \\n; answer once.",
)
@pytest.mark.parametrize("size", [1025, 1026, 2048, 5000, 300_000])
def test_a_line_too_long_is_answered_once_and_the_next_one_counts(alice, size):
    head = f"MSG {alice.name} ".encode()
    line = head + b"x" * (size - len(head)) + b"\n"
    alice.send(line + b"DANCE\n")
    alice.expect("ERR line-too-long ...", "ERR unknown-command ...")
    alice.send_cut(line[:700], line[700:1200], line[1200:])  # the same line, whatever its chunks
    alice.expect("ERR line-too-long ...")
    alice.fence()


@pytest.mark.direct
@rule(
    "a line over 1024 bytes is thrown away without being held in memory",
    LINES,
    hint="When what you hold of a line is over the limit, forget it, and remember only that you are skipping. Who "
    "waits for the \\n first has the whole line in memory, however long it is.",
)
def test_a_line_too_long_is_not_held(serve, connect):
    server = serve(FramedServer)
    memory_bytes = getattr(server, "memory_bytes", lambda: None)
    alice = Chat(server, connect).login("alice")
    before = memory_bytes()
    for _ in range(LONG_BYTES // 2**20):
        alice.send(b"x" * 2**20)
    after = memory_bytes()
    if before and after and after - before > LONG_BYTES * 7 // 8:
        raise alice.lesson(
            f"about as much memory after {LONG_BYTES >> 20} MB of one line as before them",
            f"the server has {after - before >> 20} MB more",
        )
    alice.send(f"MSG {alice.name} hi")  # the end of the long line
    alice.expect("ERR line-too-long ...")
    alice.fence()


@pytest.mark.direct
@rule(
    "the limit counts bytes, not characters",
    LINES,
    hint="é is one character and two bytes. Measure the line before you decode it.",
)
def test_the_limit_counts_bytes(alice):
    head = f"MSG {alice.name} "
    alice.ask(head + "é" * 600, "ERR line-too-long ...")
    alice.fence()


@rule(
    "a line that is not UTF-8 gets ERR bad-encoding, and the connection goes on",
    REQUESTS,
    hint="Decode strictly, and answer with the ERR if that fails. If you replace or leave out bytes, you change "
    "what somebody said.",
)
@pytest.mark.parametrize(
    "text",
    [b"\xff", b"caf\xe9", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"],
    ids=["ff", "Latin-1", "half a character", "a surrogate", "too long a form"],
)
def test_bad_utf_8_is_answered(alice, text):
    alice.ask(f"MSG {alice.name} ".encode() + text + b"\n", "ERR bad-encoding ...")
    alice.fence()


HALF_CLOSED = "EOF means that the client sends nothing more. It still reads: send all replies, then close."


@rule("what was asked before a half-close is still answered, then comes the server's EOF", REQUESTS, hint=HALF_CLOSED)
def test_requests_before_a_half_close_are_answered(alice):
    alice.send(b"HELP\nDANCE\n")
    alice.send_eof()
    alice.expect("OK ...", "ERR unknown-command ...")
    alice.expect_end()


@rule(
    "what stands after the last \\n at the end of the stream is dropped, never obeyed",
    LINES,
    hint="recv() has returned nothing: what you hold is half a line, and may mean something else than the whole "
    "one. Forget it.",
)
@pytest.mark.parametrize("half", ["MSG {me} I pay 10", "HELP", "HELP\r", "LOGOU"])
def test_half_a_line_at_eof_is_not_a_request(alice, half):
    alice.send(b"DANCE\n" + half.replace("{me}", alice.name).encode())
    alice.send_eof()
    alice.expect("ERR unknown-command ...")
    alice.expect_end()


@rule(
    "LOGOUT gets OK, and then the server closes the connection",
    REQUESTS,
    hint="Send the OK first, then close: a client that waits for the end must see it.",
)
def test_logout_ends_the_connection(alice):
    alice.ask("LOGOUT", "OK ...")
    alice.compare(b"", alice.read_to_eof())


@rule(
    "what follows a LOGOUT in the same segment does not count",
    REQUESTS,
    hint="The lines behind it may be in your buffer already: after a LOGOUT take no more out of it.",
)
def test_what_follows_a_logout_is_not_answered(alice):
    alice.send(f"LOGOUT\nHELP\nMSG {alice.name} hi\n".encode())
    alice.expect("OK ...")
    alice.compare(b"", alice.read_to_eof())
