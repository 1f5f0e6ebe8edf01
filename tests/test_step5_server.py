"""Step 5's server: the whole protocol, many users, nobody waits for anybody."""

import contextlib
import re
import select
import socket
import time

import pytest

from step5_server.server import ChatServer
from tests.lesson import LINES, PROTOCOL, REQUESTS, Lesson, Meanwhile, rule, show
from tests.servers import Chat

pytestmark = pytest.mark.any_network

UNASKED = f"{PROTOCOL}#what-the-server-may-say-before-it-closes-a-connection"
direct = pytest.mark.direct  # megabytes, or dozens of clients: not through the wiretap, a byte at a time
LATE_S = 0.2  # a client that begins to read so late has lost what a hasty server throws away
SMALL_WINDOW = 32768  # bytes in a client's kernel: so most of what it does not read is still at the server
UNBOUNDED_BYTES = 40_000_000  # of messages that nobody reads: whoever keeps so many has no bound
DELAYED_S = 10  # for a hundred replies: so slow is only a server that waits for somebody
FULL_S = 0.5  # it takes no byte for so long: the kernels are full, and the server waits
UNREAD_BYTES = 16_000_000  # more than two kernels hold for a connection that nobody reads
NAMES_RULE = "Keep the names in one table, by their lower-case form, and each beside the name as its owner typed it."

HALF_CLOSED = "EOF means that the client sends nothing more. It still reads: send all replies, then close."


@pytest.fixture
def chat(serve, connect):
    """Users of step 5's server, or of the server under test."""
    return Chat(serve(ChatServer), connect)


# First the rules without which everything else goes wrong too


@rule(
    "a server sends no greeting, and one line for each reply",
    REQUESTS,
    hint="A client takes the first OK or ERR for the reply to its first request. Send nothing at the start, and no "
    "empty or second line after a reply.",
)
def test_nothing_comes_that_nobody_asked_for(chat):
    wire = chat.connect()
    wire.ask("HELP", "OK ...")
    wire.ask("HELP", "OK ...")
    wire.ask("DANCE", "ERR unknown-command ... / ERR not-logged-in ...")


@rule(
    "a message reaches the named user, with its sender and its text, and nobody else",
    REQUESTS,
    hint="Send MSG <sender> <text> to the one connection that has the name; the sender gets only OK.",
)
def test_a_message_reaches_its_user_and_no_one_else(chat):
    alice, bob, carol = chat.login("alice"), chat.login("bob"), chat.login("carol")
    alice.ask(f"MSG {bob.name} hello", "OK ...")
    bob.expect(f"MSG {alice.name} hello")
    for wire in (alice, bob, carol):
        wire.fence()


@rule(
    "requests are the same however their bytes are cut",
    LINES,
    hint="A recv() returns bytes, not lines: collect them for each connection, and take out whole lines.",
)
def test_requests_may_be_cut_and_glued(chat):
    alice, bob = chat.connect("alice"), chat.login("bob")
    name = alice.name = chat.name("alice")
    alice.send_cut(
        b"LO", f"GIN {name}".encode(), b"\nMSG", f" {bob.name} café".encode()[:-1], b"\xa9", b"\r", b"\nHELP\n"
    )
    alice.expect("OK ...", "OK ...", "OK ...")
    bob.expect(f"MSG {name} café")
    alice.fence()


@rule(
    "each mistake gets its code, and the connection goes on",
    REQUESTS,
    hint="One ERR, with the code from the table, and then wait for the next line; never close because of a mistake.",
)
@pytest.mark.parametrize(
    "line, code",
    [
        ("DANCE", "unknown-command"),
        ("MSGX you hi", "unknown-command"),
        ("MSG", "bad-arguments"),
        ("MSG bob", "bad-arguments"),
        ("LOGOUT now", "bad-arguments"),
        ("HELP me", "bad-arguments"),
        ("MSG {me} caf\udce9", "bad-encoding"),
    ],
)
def test_each_mistake_gets_its_code_and_the_connection_goes_on(chat, line, code):
    alice = chat.login("alice")
    line = line.replace("{me}", alice.name).encode("utf-8", "surrogateescape")  # \udce9 is the byte e9 alone
    alice.ask(line + b"\n", f"ERR {code} ...")
    alice.fence()


# Logging in


@rule(
    "LOGIN with a free name gets OK",
    REQUESTS,
    hint="A name has 1 to 20 characters: an ASCII letter, then ASCII letters, digits, _ or -.",
)
@pytest.mark.parametrize("stem", ["a", "Zoe", "x-1_", "a-name-of-20-chars"])
def test_a_good_name_is_accepted(chat, stem):
    chat.connect("q").ask("LOGIN q", "OK ... / ERR name-taken ...")  # another test's client may still have it
    name = (stem + chat.tag.replace("-", "_"))[:20] if len(stem) < 12 else stem[: 20 - len(chat.tag)] + chat.tag
    chat.connect(stem).ask(f"LOGIN {name}", "OK ...")


@rule(
    "LOGIN with a bad name gets ERR bad-name",
    REQUESTS,
    hint="Check the whole name with one pattern, ASCII only, before you look whether somebody has it.",
)
@pytest.mark.parametrize("name", ["1st", "_x", "-x", "a" * 21, "al!ce", "al.ice", "élan", "aliçe", "a/b"])
def test_a_bad_name_is_refused(chat, name):
    wire = chat.connect()
    wire.ask(f"LOGIN {name}", "ERR bad-name ...")
    wire.ask(f"LOGIN {chat.name('alice')}", "OK ...")


@rule("two users cannot have the same name, in upper or lower case", REQUESTS, hint=NAMES_RULE)
@pytest.mark.parametrize("change", [str, str.upper, str.swapcase], ids=["same", "capitals", "swapped"])
def test_a_name_is_taken_in_any_case(chat, change):
    alice, other = chat.login("Alice"), chat.connect("other")
    other.ask(f"LOGIN {change(alice.name)}", "ERR name-taken ...")
    other.ask(f"LOGIN {chat.name('bob')}", "OK ...")
    alice.fence()


@rule(
    "a user who is logged in cannot log in again, and keeps her name",
    REQUESTS,
    hint="Before anything else, look whether this connection has a name. If you refuse, change nothing.",
)
def test_a_second_login_is_refused(chat):
    alice, other = chat.login("alice"), chat.connect("other")
    alice.ask(f"LOGIN {chat.name('carol')}", "ERR already-logged-in ...")
    alice.ask(f"LOGIN {alice.name}", "ERR already-logged-in ... / ERR name-taken ...")
    other.ask(f"LOGIN {alice.name}", "ERR name-taken ...")
    other.ask(f"LOGIN {chat.name('carol')}", "OK ...")


@direct
@rule(
    "if many ask for the same name at the same moment, one gets it",
    REQUESTS,
    hint="Look whether a name is free and take it in one step, so that no other thread comes in between: use a lock.",
    race=True,
)
def test_one_of_many_gets_the_name(chat):
    for attempt in range(5):
        wires = [chat.connect(f"client {number}") for number in range(10)]
        line = f"LOGIN {chat.name(f'race{attempt}')}\n".encode()
        threads = [Meanwhile(wire.send, line) for wire in wires]
        for thread in threads:
            thread.join()
        replies = [" ".join(wire.read_answer().reply.split()[:2]) for wire in wires]
        got = sum(reply.split()[0] == "OK" for reply in replies)
        if got != 1 or replies.count("ERR name-taken") != 9:
            raise wires[0].lesson("one OK and nine ERR name-taken", ", ".join(sorted(replies)))


def claim_when_free(chat, name):
    """Log in with a name that is about to become free; a server may need a moment for that."""
    wire = chat.connect("newcomer")
    deadline = time.monotonic() + wire.sock.gettimeout()
    while (reply := wire.request(f"LOGIN {name}").reply).startswith("ERR name-taken"):
        if time.monotonic() > deadline:
            raise wire.lesson("the name is free again", f"it is still taken: {reply}", waited=True)
        del wire.story.steps[-2:]  # the same again and again: the last one is enough
    if reply.split()[0] != "OK":
        raise wire.lesson("OK ...", reply)
    return wire


@rule(
    "LOGOUT gets OK, before login too, and then the server closes the connection",
    REQUESTS,
    hint="Write the OK, then close: the client sees the reply, then the end.",
)
@pytest.mark.parametrize("logged_in", [False, True], ids=["before login", "after login"])
def test_logout_ends_the_connection(chat, logged_in):
    wire = chat.login("alice") if logged_in else chat.connect("alice")
    wire.ask("LOGOUT", "OK ...")
    wire.compare(b"", wire.read_to_eof())


@rule(
    "a name is free again when its owner has gone, in whatever way",
    REQUESTS,
    hint="Free the name in one place, which is reached however the connection ends: LOGOUT, EOF, or an error in "
    "recv().",
)
@pytest.mark.parametrize("way", ["LOGOUT", "half-close", "close", "reset", "close in the middle of a line"])
def test_a_name_is_freed(chat, way):
    alice, bob = chat.login("Alice"), chat.login("bob")
    if way == "LOGOUT":
        alice.ask("LOGOUT", "OK ...")
    elif way == "half-close":
        alice.send_eof()
    elif way == "reset":
        alice.reset()
    else:
        if "line" in way:
            alice.send(b"MSG bo")
        alice.story.add(alice.name, "", "(closes its connection)")
        alice.close()
    newcomer = claim_when_free(chat, alice.name)
    bob.ask(f"MSG {alice.name} welcome", "OK ...")
    newcomer.expect(f"MSG {bob.name} welcome")


@direct
@rule(
    "a name is free again when its owner crashes with many replies on their way",
    REQUESTS,
    hint="When a send to her fails, nobody must go on waiting for room in her queue: take out what is in it, or "
    "give it up.",
)
def test_a_name_is_freed_though_replies_wait(chat):
    for number in range(3):
        alice = chat.login(f"alice{number}")
        alice.send(b"HELP\n" * 10_000)
        alice.reset()
        claim_when_free(chat, alice.name)


@rule(
    "a LOGIN that was refused gives no name, and frees none when its connection ends",
    REQUESTS,
    hint="Remember a connection's name only when the LOGIN has succeeded. At its end free the name only if the "
    "table still says that it belongs to this very connection.",
)
@pytest.mark.parametrize("way", ["LOGOUT", "half-close", "reset"])
def test_a_refused_login_frees_nobodys_name(chat, way):
    alice, bob = chat.login("Alice"), chat.login("bob")
    for number in range(3):
        other = chat.connect(f"other {number}")
        other.ask(f"LOGIN {alice.name if number else alice.name.lower()}", "ERR name-taken ...")
        other.ask(f"MSG {bob.name} hi", "ERR not-logged-in ...")
        if way == "reset":
            other.reset()
            continue
        if way == "LOGOUT":
            other.ask("LOGOUT", "OK ...")
        else:
            other.send_eof()
        other.read_to_eof()
    bob.send_cut(b"HE", b"LP\n")  # a moment for the server to see the ends
    bob.expect("OK ...")
    chat.connect("newcomer").ask(f"LOGIN {alice.name}", "ERR name-taken ...")
    bob.ask(f"MSG {alice.name} still there?", "OK ...")
    alice.expect(f"MSG {bob.name} still there?")


@rule(
    "a second LOGIN that was refused frees nobody's name when its connection ends",
    REQUESTS,
    hint="Free the name that the connection has, not the one that it last asked for.",
)
def test_a_refused_second_login_frees_only_her_own_name(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    bob.ask(f"LOGIN {alice.name}", "ERR already-logged-in ... / ERR name-taken ...")
    bob.ask("LOGOUT", "OK ...")
    claim_when_free(chat, bob.name)
    chat.connect("newcomer").ask(f"LOGIN {alice.name}", "ERR name-taken ...")


@rule(
    "after LOGOUT nothing counts that the client has sent, in the same segment or later",
    REQUESTS,
    hint="Note for the connection that it is over. From then on throw away what comes, and what you hold already.",
)
@pytest.mark.parametrize("when", ["in the same segment", "in the same segment, a long line", "later"])
def test_what_follows_a_logout_does_not_count(chat, when):
    alice, bob = chat.login("alice"), chat.login("bob")
    more = f"MSG {bob.name} ghost\nLOGIN {chat.name('ghost')}\nHELP\n".encode()
    if "long" in when:
        more = b"x" * 1200 + b"\n" + more  # no ERR line-too-long either
    if when == "later":
        alice.ask("LOGOUT", "OK ...")
        with contextlib.suppress(Lesson):  # the server may be gone
            for _ in range(3):
                alice.send_cut(more, more)
    else:
        alice.send(b"LOGOUT\n" + more)
        alice.expect("OK ...")
    alice.compare(b"", alice.read_to_eof())
    bob.send_cut(b"HE", b"LP\n")  # a moment for the server to obey what it should not
    bob.expect("OK ...")
    bob.ask(f"MSG {chat.name('ghost')} hi", "ERR no-such-user ...")


@rule("what was asked before a half-close is still answered, then comes the server's EOF", REQUESTS, hint=HALF_CLOSED)
def test_requests_before_a_half_close_are_answered(chat):
    for wire in chat.connect("stranger"), chat.login("alice"):
        wire.send(b"HELP\nDANCE\n")
        wire.send_eof()
        wire.expect("OK ...", "ERR ...")
        wire.expect_end()


@direct
@rule(
    "a client that half-closes and reads late gets all its replies, then the server's EOF", REQUESTS, hint=HALF_CLOSED
)
def test_a_late_reader_gets_all_replies_after_a_half_close(chat):
    alice = chat.login("alice")
    alice.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
    text = "x" * 900
    requests = "".join(f"MSG {alice.name} {n} {text}\n" for n in range(200))
    sender = Meanwhile(lambda: (alice.send(requests.encode()), alice.send_eof()))
    select.select([], [], [], LATE_S)
    left = [f"MSG {alice.name} {n} {text}" for n in range(200)]
    for _ in range(400):
        line = alice.read_line()
        if line.startswith("MSG") and (not left or line != left.pop(0)) or not line.startswith(("MSG", "OK")):
            raise alice.lesson("OK ..., and her 200 messages in order", show(line.encode()))
    sender.join()
    alice.expect_end()


@rule(
    "half a line at the end of the stream is dropped, never obeyed",
    LINES,
    hint="recv() has returned nothing: what you hold is half a line, and may mean something else than the whole "
    "one. Forget it.",
)
@pytest.mark.parametrize("way", ["half-close", "close"])
def test_half_a_line_at_the_end_is_not_obeyed(chat, way):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.send(f"MSG {bob.name} I owe you 100\nMSG {bob.name} I pay 10".encode())
    alice.expect("OK ...")
    bob.expect(f"MSG {alice.name} I owe you 100")
    if way == "half-close":
        alice.send_eof()
        alice.expect_end()
    else:
        alice.close()
        claim_when_free(chat, alice.name)
    bob.send_cut(b"HE", b"LP\n")  # a moment for the server to obey what it should not
    bob.expect("OK ...")


# Messages


@rule(
    "a text arrives as it was sent, with all its spaces",
    REQUESTS,
    hint="Cut the line at its first two spaces only: all the rest is the text. Do not split, strip or join it.",
)
@pytest.mark.parametrize(
    "text",
    [
        "a  b   c",
        "  two before",
        "two after  ",
        "tab\there",
        "grüße 世界 🌍",
        ':-) \\n 100% {x} "q"',
        "OK",
        "x" * 100,
        "e\u0301 is two characters",
        "a\u2028b \u2029 c",
        "\ufeffbyte order mark",
    ],
)
def test_a_text_arrives_as_it_was_sent(chat, text):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.ask(f"MSG {bob.name} {text}", "OK ...")
    bob.expect(f"MSG {alice.name} {text}")


@rule("a name is found in upper or lower case, and shown as its owner typed it", REQUESTS, hint=NAMES_RULE)
def test_names_are_shown_as_typed_and_found_in_any_case(chat):
    alice, bob = chat.login("AliCe"), chat.login("Bob")
    alice.ask(f"MSG {bob.name.swapcase()} hi", "OK ...")
    bob.expect(f"MSG {alice.name} hi")
    bob.ask(f"MSG {alice.name.lower()} hi", "OK ...")
    alice.expect(f"MSG {bob.name} hi")


@rule(
    "a message to oneself is allowed", REQUESTS, hint="Nothing special: the receiver's connection is the sender's own."
)
def test_a_message_to_oneself(chat):
    alice = chat.login("alice")
    alice.send(f"MSG {alice.name} note")
    alice.expect_in_any_order(f"MSG {alice.name} note", "OK ...")
    alice.fence()


@rule(
    "a message that got OK arrives, though its sender leaves at once",
    REQUESTS,
    hint="OK means that the message is queued for its receiver. What happens to the sender afterwards does not matter.",
)
def test_a_message_outlives_its_sender(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.send(f"MSG {bob.name} last words\nLOGOUT\n".encode())
    alice.expect("OK ...", "OK ...")
    bob.expect(f"MSG {alice.name} last words")


@direct
@rule(
    "messages from one user to another arrive in order, once each",
    REQUESTS,
    hint="Have one queue for each receiver, and only one writer at a time that empties it.",
)
def test_messages_arrive_in_order_once_each(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    for start in range(0, 500, 100):
        alice.send(b"".join(f"MSG {bob.name} {n}\n".encode() for n in range(start, start + 100)))
        alice.expect(*["OK ..."] * 100)
    bob.expect(*[f"MSG {alice.name} {n}" for n in range(500)])
    bob.fence()


@direct
@rule(
    "lines of several senders do not mix",
    REQUESTS,
    hint="Two threads that write to one socket must take turns, each with a whole line and its \\n: use a lock or "
    "a queue.",
    race=True,
)
def test_lines_of_several_senders_do_not_mix(chat):
    bob, senders = chat.login("bob"), [chat.login(name) for name in ("alice", "carol", "dave", "erin")]
    text = "x" * 700
    threads = [Meanwhile(wire.send, f"MSG {bob.name} {text}\n".encode() * 100) for wire in senders]
    left = {wire.name: 100 for wire in senders}
    for _ in range(400):
        line = bob.read_line()
        verb, _, rest = line.partition(" ")
        sender, _, came = rest.partition(" ")
        if verb != "MSG" or came != text or not left.get(sender):
            raise bob.lesson(f"MSG <one of the four> {show(text.encode())}", show(line.encode()))
        left[sender] -= 1
    for thread in threads:
        thread.join()
    for wire in senders:
        wire.expect(*["OK ..."] * 100)


@rule(
    "a message to nobody gets ERR no-such-user",
    REQUESTS,
    hint="Look the name up when the message comes: nobody has the name of a user who has left or never logged in.",
)
def test_a_message_to_nobody(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.ask(f"MSG {chat.name('nobody')} hi", "ERR no-such-user ...")
    bob.ask("LOGOUT", "OK ...")
    bob.read_to_eof()
    deadline = time.monotonic() + alice.sock.gettimeout()
    while alice.request(f"MSG {bob.name} hi").reply.startswith("OK"):  # it may need a moment to see it
        if time.monotonic() > deadline:
            raise alice.lesson("ERR no-such-user ...", "OK, long after the user has left", waited=True)


@rule(
    "a text of spaces only, or with control characters, is refused and reaches nobody",
    REQUESTS,
    hint="Check the text before you queue it: 0x00 to 0x1f but the tab, and 0x7f. With Escape (0x1b) a message "
    "could control its reader's terminal. Only one \\r before the \\n is part of the line's end.",
)
@pytest.mark.parametrize(
    "text", ["   ", "\x1b[2J", "bell\x07", "nul\x00", "back\x08space", "delete\x7f", "return\r\r", "re\rturn", ""]
)
def test_a_bad_text_is_refused(chat, text):
    alice, bob = chat.login("alice"), chat.login("bob")
    codes = "ERR bad-text ..." if text.strip(" ") else "ERR bad-text ... / ERR bad-arguments ..."
    alice.ask(f"MSG {bob.name} {text}", codes)
    bob.fence()


# One reply each


@direct
@rule(
    "a line over 1024 bytes gets ERR line-too-long, once, and the next line counts",
    LINES,
    hint="Once the line is over the limit, remember only that you are skipping, up to its \\n; answer once.",
)
@pytest.mark.parametrize("size", [1025, 100_000])
def test_a_line_too_long(chat, size):
    alice = chat.login("alice")
    head = f"MSG {alice.name} ".encode()
    alice.send(head + b"x" * (size - len(head)) + b"\nDANCE\n")
    alice.expect("ERR line-too-long ...", "ERR unknown-command ...")
    alice.fence()


@direct
@rule(
    "a line of 1024 bytes is not too long; its end (\\n or \\r\\n) does not count",
    LINES,
    hint="Compare the length of the line without its \\n or \\r\\n, and with >, not >=.",
)
def test_a_line_of_1024_bytes(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    head = f"MSG {bob.name} "
    text = "x" * (1024 - len(head))
    for end in [b"\n"], [b"\r\n"], [b"\r", b"\n"]:
        alice.send_cut((head + text).encode() + end[0], *end[1:])
        alice.expect("OK ...")
        bob.expect(f"MSG {alice.name} {text}")


@direct
@rule(
    "the limit counts bytes, not characters",
    LINES,
    hint="é is one character and two bytes. Measure the line before you decode it.",
)
def test_the_limit_counts_bytes(chat):
    alice = chat.login("alice")
    alice.ask(f"MSG {alice.name} {'é' * 600}", "ERR line-too-long ...")
    alice.fence()


@rule(
    "one space separates two words: what has more is not tidied up",
    LINES,
    hint="Cut at each single space: two of them have an empty word between them, which is no name. split() without "
    "an argument hides that.",
)
@pytest.mark.parametrize(
    "line", ["LOGIN  {name}", "LOGIN {name} smith", "LOGIN\t{name}", " LOGIN {name}", "LOGIN \u00a0{name}"]
)
def test_words_have_one_space_between_them(chat, line):
    wire, name = chat.connect(), chat.name("alice")
    wire.ask(line.replace("{name}", name), "ERR bad-arguments ... / ERR bad-name ... / ERR unknown-command ...")
    wire.ask(f"LOGIN {name}", "OK ...")  # it is still free, and so is she


@rule(
    "a line of spaces is not empty: it gets an ERR",
    LINES,
    hint="Only a line without any byte, after its \\n or \\r\\n is off, is empty. Do not strip before you look.",
)
@pytest.mark.parametrize("line", [" ", "   ", "\t"])
def test_a_line_of_spaces_gets_an_err(chat, line):
    wire = chat.connect()
    wire.ask(line, "ERR ...")
    wire.fence()


@rule(
    "a verb that is not known gets ERR unknown-command, before login too",
    REQUESTS,
    hint="Look the verb up first, and only then whether she has logged in.",
)
def test_an_unknown_verb_before_login(chat):
    wire = chat.connect()
    wire.ask("DANCE", "ERR unknown-command ...")
    wire.ask("MSGS bob hi", "ERR unknown-command ...")
    wire.ask(f"MSG {chat.name('bob')} hi", "ERR not-logged-in ...")


@rule(
    "a LOGIN that was refused is no login",
    REQUESTS,
    hint="Note that she is logged in only when the LOGIN has succeeded.",
)
@pytest.mark.parametrize(
    "name, code", [("4lice", "bad-name"), ("{bob}", "name-taken"), ("a b", "bad-arguments ... / ERR bad-name")]
)
def test_a_refused_login_is_no_login(chat, name, code):
    bob, wire = chat.login("bob"), chat.connect()
    wire.ask(f"LOGIN {name.replace('{bob}', bob.name.upper())}", f"ERR {code} ...")
    wire.ask(f"MSG {bob.name} hi", "ERR not-logged-in ...")
    bob.fence()
    wire.ask(f"LOGIN {chat.name('alice')}", "OK ...")


@rule("LOGIN without a name gets ERR bad-arguments", REQUESTS, hint="Count the words before you look at them.")
def test_login_without_a_name(chat):
    wire = chat.connect()
    wire.ask("LOGIN", "ERR bad-arguments ...")
    wire.ask(f"LOGIN {chat.name('alice')}", "OK ...")


@rule(
    "before login MSG gets ERR not-logged-in; HELP and LOGIN are allowed",
    REQUESTS,
    hint="Remember for each connection whether it has a name, and check that before you do what the line says.",
)
def test_before_login(chat):
    bob, wire = chat.login("bob"), chat.connect()
    wire.ask(f"MSG {bob.name} hi", "ERR not-logged-in ...")
    wire.ask("HELP", "OK ...")
    wire.ask(f"MSG {bob.name} {'x' * 2000}", "ERR line-too-long ...")
    bob.fence()
    wire.ask(f"LOGIN {chat.name('alice')}", "OK ...")
    wire.ask(f"MSG {bob.name} hi", "OK ...")


@rule("HELP gets OK and the verbs, on one line", REQUESTS, hint="One line is one reply: put all the verbs on it.")
def test_help_lists_the_verbs(chat):
    wire = chat.connect()
    reply = wire.request("HELP").reply
    missing = {"LOGIN", "MSG", "LOGOUT", "HELP"} - set(re.findall("[A-Z]+", reply.upper()))
    if missing or not reply.startswith("OK"):
        raise wire.lesson("OK, with LOGIN, MSG, LOGOUT and HELP", reply)
    wire.fence()


@rule(
    "a verb may be in upper or lower case",
    REQUESTS,
    hint="Compare the first word in capitals; leave the rest as it is.",
)
def test_a_verb_counts_in_any_case(chat):
    wire, name = chat.connect(), chat.name("alice")
    wire.ask("help", "OK ...")
    wire.ask(f"login {name}", "OK ...")
    wire.send(f"mSg {name} Mixed Case")
    wire.expect_in_any_order(f"MSG {name} Mixed Case", "OK ...")
    wire.ask("Logout", "OK ...")


@direct
@rule(
    "each request gets exactly one reply, in order, however many are sent at once",
    REQUESTS,
    hint="Finish the answer to one line before you look at the next. An empty line is no request.",
)
def test_one_reply_each_in_order(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    nobody = chat.name("nobody")
    requests = f"MSG {bob.name} hi\nDANCE\n\nMSG {nobody} hi\r\nMSG\nHELP\n".encode()
    alice.send(requests * 50)
    alice.expect(*["OK ...", "ERR unknown-command ...", "ERR no-such-user ...", "ERR bad-arguments ...", "OK ..."] * 50)
    alice.fence()
    bob.expect(*[f"MSG {alice.name} hi"] * 50)


@rule(
    "a \\r before the \\n is dropped",
    LINES,
    hint="telnet ends its lines with \\r\\n. Remove one \\r from the end of a whole line, before you look at the "
    "words.",
)
def test_lines_may_end_in_cr_lf(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    alice.ask(b"HELP\r\n", "OK ...")
    alice.ask(f"MSG {bob.name} hi\r\n".encode(), "OK ...")
    bob.expect(f"MSG {alice.name} hi")
    alice.send(b"\r\n")  # an empty line
    alice.fence()


@rule(
    "replies and events end with a bare \\n", LINES, hint="A reader accepts \\r\\n too, but a server writes only \\n."
)
def test_lines_end_with_a_bare_newline(chat):
    alice = chat.login("alice")
    alice.send(f"MSG {alice.name} hi")
    alice.expect_in_any_order(f"MSG {alice.name} hi", "OK ...")
    for line in alice.raw_lines:
        if line.endswith(b"\r\n"):
            raise alice.lesson("a line that ends with \\n alone", show(line))


# Many users


@direct
@rule(
    "fifty users talk at once",
    REQUESTS,
    hint="Serve all connections at the same time: a thread for each, or one loop for all.",
)
def test_fifty_users(chat):
    users = [chat.login(f"u{number}") for number in range(50)]
    for user, neighbour in zip(users, users[1:] + users[:1]):
        user.send(f"MSG {neighbour.name} hello, neighbour")
    for user, neighbour in zip(users[-1:] + users[:-1], users):
        neighbour.expect_in_any_order(f"MSG {user.name} hello, neighbour", "OK ...")
    for user in users:
        user.fence()


@rule(
    "a client that says nothing, or half a line, keeps nobody waiting",
    REQUESTS,
    hint="recv() on one connection must not keep you from the others.",
)
def test_a_silent_client_keeps_nobody_waiting(chat):
    silent, half = chat.connect("silent"), chat.connect("half")
    half.send(b"LOGIN so")
    alice = chat.login("alice")
    alice.fence()
    half.send(f"mebody{chat.tag}\n".encode())
    half.expect("OK ...")
    silent.fence()


def replies_in_time(wire, count, silent):
    """Return the replies to messages for a user who does not read: nobody may wait for her."""
    start, replies = time.monotonic(), []
    while len(replies) < count:
        try:
            replies.append(wire.read_line())
        except Lesson as lesson:
            lesson.expected = f"{wire.name}: OK ..., though {silent.name} does not read"
            raise
        if time.monotonic() - start > DELAYED_S:
            raise wire.lesson(
                f"{wire.name}: {count} replies, though {silent.name} does not read",
                f"{len(replies)} of them in {DELAYED_S} s",
                waited=True,
            )
    return replies


@pytest.mark.slow
@direct
@rule(
    "a user who does not read keeps nobody else waiting",
    UNASKED,
    hint="A send to a user who does not read blocks. Give each receiver a queue, and let nobody wait for it. If "
    "too much waits in it, close that connection.",
)
@pytest.mark.usefixtures("impatient")
def test_a_user_who_does_not_read_delays_nobody(chat):
    mallory, alice, bob, carol = (chat.login(name) for name in ("mallory", "alice", "bob", "carol"))
    line = f"MSG {mallory.name} {'x' * 900}\n".encode()
    mallory.story.add(mallory.name, "", "(reads nothing from here on)")
    enough = time.monotonic() + 15  # less for a slow server
    for _ in range(UNREAD_BYTES // len(line) // 100):
        if time.monotonic() > enough:
            break
        alice.send(line * 100)
        if not replies_in_time(alice, 100, mallory)[-1].startswith("OK"):
            break  # the server has given mallory up, as it may
    bob.ask(f"MSG {carol.name} hello", "OK ...")
    carol.expect(f"MSG {bob.name} hello")
    alice.ask(f"MSG {carol.name} hello", "OK ...")
    carol.expect(f"MSG {alice.name} hello")
    chat.login("dave").fence()


@pytest.mark.slow
@direct
@rule(
    "a client that crashes harms nobody else",
    REQUESTS,
    hint="If recv() or send() fails, end that one connection and nothing else, also when you send to another user.",
)
def test_a_crash_harms_nobody_else(chat):
    alice, bob = chat.login("alice"), chat.login("bob")
    senders = [alice, *(chat.login(f"sender{number}") for number in range(4))]
    for number in range(5):
        victim = chat.login(f"victim{number}")
        for sender in senders:  # enough that the server is amid them when the victim crashes
            sender.send(f"MSG {victim.name} hello\n".encode() * 200)
        victim.send(b"HELP\n" * 50)
        victim.reset()
        for sender in senders:
            for _ in range(200):
                reply = sender.read_line()
                if not reply.startswith(("OK", "ERR no-such-user")):
                    raise sender.lesson("OK or ERR no-such-user", reply)
    alice.ask(f"MSG {bob.name} still here?", "OK ...")
    bob.expect(f"MSG {alice.name} still here?")
    chat.login("carol").fence()


@pytest.mark.slow
@direct
@rule(
    "a client that does not read its own replies is not read either, or closed",
    REQUESTS,
    hint="Before you take the next request, wait until the replies to those before have gone, or until little "
    "waits. If you queue them without a bound, one client can fill your memory.",
)
def test_what_a_client_asks_for_and_does_not_read_is_bounded(chat):
    mallory, bob = chat.login("mallory"), chat.login("bob")
    mallory.story.add(mallory.name, "", "(sends requests, and reads nothing from here on)")
    mallory.sock.settimeout(FULL_S)
    requests = f"MSG {mallory.name} {'x' * 900}\n".encode() * 100
    sent = 0
    with contextlib.suppress(OSError):  # it takes no more, or has ended the connection
        while sent < UNBOUNDED_BYTES:
            sent += mallory.sock.send(requests)
        raise mallory.lesson(
            "that the server reads no more, or closes, while its replies wait",
            f"it has taken {sent} bytes of requests, and keeps a reply for each",
        )
    bob.fence()


@pytest.mark.slow
@direct
@rule(
    "what waits for one client is bounded: a client that does not read is closed in the end",
    REQUESTS,
    hint="Count what waits in a receiver's queue. Above a bound, a megabyte say, close that connection and forget "
    "the queue. To drop single messages is no way: they got OK.",
)
@pytest.mark.usefixtures("impatient")
def test_what_waits_for_one_client_is_bounded(chat):
    alice, mallory = chat.login("alice"), chat.login("mallory")
    mallory.story.add(mallory.name, "", "(reads nothing from here on)")
    text, replies = "x" * 950, []
    while len(replies) < UNBOUNDED_BYTES // 1000 and replies[-1:] in ([], ["OK"]):
        start = len(replies)
        alice.send("".join(f"MSG {mallory.name} {n} {text}\n" for n in range(start, start + 100)).encode())
        replies += [
            "OK" if reply.startswith("OK ") else " ".join(reply.split(" ")[:2])
            for reply in replies_in_time(alice, 100, mallory)
        ]
    if bad := set(replies) - {"OK", "ERR no-such-user", "ERR unavailable"}:
        raise alice.lesson("OK or ERR no-such-user", bad.pop())
    for number in [number for number, reply in enumerate(replies) if reply == "OK"]:
        try:
            line = mallory.read_line()
        except Lesson as lesson:
            if lesson.waited:
                lesson.expected = f"message number {number}, which got OK, or the end of the connection"
                raise
            return  # the end
        if line.startswith("ERR too-slow"):
            return
        if line != f"MSG {alice.name} {number} {text}":
            raise mallory.lesson(f"message number {number}, or the end of the connection", show(line.encode()))
    if replies[-1] == "OK":
        raise mallory.lesson(
            f"the end of {mallory.name}'s connection, since so much waited for her",
            f"the server has kept all of {len(replies)} messages, of 1000 bytes each",
        )


@direct
@rule(
    "users who come and go leave nothing behind",
    REQUESTS,
    hint="When a connection ends, it must give back all that it has taken: its name, its socket, its thread.",
)
def test_users_come_and_go(chat):
    alice = chat.login("alice")
    for number in range(100):
        wire = chat.connect("guest")
        wire.send(f"LOGIN {chat.name(f'g{number}')}\nMSG {alice.name} {number}\nLOGOUT\n".encode())
        wire.expect("OK ...", "OK ...", "OK ...")
        wire.close()
        alice.expect(f"MSG {chat.name(f'g{number}')} {number}")
    alice.fence()


# Our own server: what only its settings can show


@pytest.fixture
def login(serve, connect):
    return Chat(serve(ChatServer), connect).login


@direct
def test_ten_thousand_pipelined_requests_get_their_replies_in_order(login):
    alice = login("alice")
    bob = login("bob")
    alice.send(b"".join(f"MSG {bob.name} {n}\nNOPE\n".encode() for n in range(5000)))
    for n in range(5000):
        assert alice.read_line() == "OK"
        assert alice.read_line().startswith("ERR unknown-command")
    assert [bob.read_line() for _ in range(5000)] == [f"MSG {alice.name} {n}" for n in range(5000)]


@direct
@pytest.mark.usefixtures("impatient")
def test_a_slow_consumer_is_cut_off_at_the_bound(serve, connect):
    chat = Chat(serve(ChatServer, max_pending_bytes=100_000), connect)
    alice, mallory, bob = (chat.login(name) for name in ("alice", "mallory", "bob"))
    count = 0
    while alice.request(f"MSG {mallory.name} {'x' * 900}").reply == "OK":
        count += 1
    assert count * 900 < UNREAD_BYTES
    alice.ask(f"MSG {bob.name} hello", "OK")
    bob.expect(f"MSG {alice.name} hello")


@direct
def test_stop_delivers_all_that_was_acknowledged(serve, connect):
    server = serve(ChatServer)
    alice, bob = connect(server), connect(server)
    alice.request("LOGIN alice")
    bob.request("LOGIN bob")
    for n in range(100):
        assert alice.request(f"MSG bob {n}").reply == "OK"
    server.stop()
    lines = bob.expect_eof().decode().splitlines()
    assert lines[:-1] == [f"MSG alice {n}" for n in range(100)]
    assert lines[-1].startswith("ERR shutting-down")
    assert alice.expect_eof().startswith(b"ERR shutting-down")


def test_too_many_clients_are_refused_politely_and_a_place_gets_free(serve, connect):
    server = serve(ChatServer, max_clients=1)
    alice = connect(server)
    assert alice.request("LOGIN alice").reply.startswith("OK")
    bob = connect(server)
    assert bob.expect_eof().startswith(b"ERR server-full")
    alice.request("LOGOUT")
    carol = connect(server)
    assert carol.request("LOGIN alice").reply.startswith("OK")


def test_whoever_does_not_log_in_is_sent_away(serve, connect):
    server = serve(ChatServer, login_timeout_s=0.1)
    alice = connect(server)
    assert alice.expect_eof().startswith(b"ERR login-timeout")
