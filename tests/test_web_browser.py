"""The page in a real browser: Chromium without a window, driven by Playwright.

Run by name, since it is long: pytest tests/test_web_browser.py.  With CHAT_PICTURE=new in the
environment it also makes the picture of the chapter anew.
"""

import contextlib
import os
import re
import subprocess
import sys

import pytest

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says how to get it

import itertools

from extras.web.server import PAGE, WebServer
from extras.web.website import Website
from tests.chapter import ROOT
from tests.dialects import eventually
from tests.servers import running
from tests.wire import Wire

pytestmark = pytest.mark.long

PICTURE = ROOT / "extras" / "web" / "page.png"
MAX_PICTURE_BYTES = 150_000
PHONE = {"width": 360, "height": 640}
DESK = {"width": 1100, "height": 700}


@pytest.fixture
def chat(chromium):
    """A server, and users who come to it by page or by terminal."""
    with contextlib.ExitStack() as stack:
        yield Chat(chromium, stack)


class Chat:
    """A server, who may come again at the same ports, and its users."""

    def __init__(self, chromium, stack):
        self._chromium, self._stack = chromium, stack
        self._running = None
        self.server = None
        self.start()
        stack.callback(self.stop)

    def start(self, website=None):
        """Start the server; if it ran before, at the same ports."""
        address = self.server.server_address if self.server else ("127.0.0.1", 0)
        web_address = self.server.web.server_address if self.server else ("127.0.0.1", 0)
        self._running = contextlib.ExitStack()
        self.server = WebServer(address)
        self.server.open_web(web_address, website)
        self._running.enter_context(running(self.server))
        self.url = f"http://{self.server.web.where()}/"

    def stop(self):
        self._running.close()

    def open(self, **options):
        """Open the page in a browser of its own."""
        context = self._chromium.new_context(**({"viewport": DESK} | options))
        self._stack.callback(context.close)
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("dialog", lambda dialog: (page.faults.append(dialog.message), dialog.dismiss()))
        page.goto(self.url)
        return page

    def page(self, name, **options):
        """Open the page and log in."""
        page = self.open(**options)
        log_in(page, name)
        return page

    def wire(self, name):
        """Return a user who types the protocol herself."""
        wire = self._stack.enter_context(Wire(self.server.server_address, name))
        wire.sift = lambda line: (
            line if line.split(" ")[0] not in ("USERS", "ONLINE", "OFFLINE", "MEMBERS", "JOINED", "LEFT") else ""
        )
        wire.ask(f"LOGIN {name}", "OK ...")
        return wire


def log_in(page, name):
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#my-name")).to_have_text(name)
    expect(page.locator("#status")).to_have_attribute("data-state", "online")


def join(page, room):
    page.get_by_label("Name of the room to join").fill(room)
    page.keyboard.press("Enter")
    expect(page.locator("#members-title")).to_be_visible()


def say(page, text):
    page.locator("#message").fill(text)
    page.keyboard.press("Enter")


def go_to(page, name):
    page.get_by_role("navigation").get_by_role("button", name=name).click()


def come_back(page):
    """Let the page try to connect now, if it has not done so by itself."""
    page.evaluate("() => dispatchEvent(new Event('online'))")
    expect(page.locator("#status")).to_have_attribute("data-state", "online")


def texts(page):
    """Return the locator of all messages in the log."""
    return page.get_by_role("log").locator(".text")


def unread(page, name):
    """Return the locator of the number beside a conversation."""
    return page.get_by_role("navigation").get_by_role("button", name=name).locator(".unread")


# Two people and more


def test_two_people_chat_one_in_a_terminal(chat):
    alice = chat.page("alice")
    join(alice, "tea")
    client = subprocess.Popen(
        [
            sys.executable,
            ROOT / "extras" / "rooms" / "client.py",
            "--name",
            "bob",
            "--port",
            str(chat.server.server_address[1]),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with client:
        told = iter(client.stdout.readline, "")
        assert next(told) == "* welcome, bob\n" and next(told) == "* online: alice\n"
        client.stdin.write("/join tea\n")
        assert next(told) == "* [tea] in here: alice bob\n"
        expect(alice.get_by_role("log")).to_contain_text("bob has come in")
        client.stdin.write("hello from the terminal\n")
        expect(texts(alice)).to_have_text(["hello from the terminal"])
        say(alice, "hello from the page")
        assert next(told) == "[tea] alice: hello from the page\n"
        client.stdin.close()
    expect(alice.get_by_role("log")).to_contain_text("bob has left")
    assert not alice.faults


def test_people_come_and_go_and_write_in_private(chat):
    alice, bob = chat.page("alice"), chat.page("Bob")
    expect(alice.get_by_role("list", name="People")).to_have_text(re.compile("Bob"))
    go_to(alice, "Bob")
    say(alice, "psst")
    expect(unread(bob, "alice")).to_have_text("1 unread")
    go_to(bob, "alice")
    expect(texts(bob)).to_have_text(["psst"])
    say(bob, "yes?")
    expect(texts(alice)).to_have_text(["psst", "yes?"])
    bob.context.close()
    expect(alice.locator("#subtitle")).to_have_text("offline")
    say(alice, "still there?")
    state = alice.get_by_role("log").locator(".state").last
    expect(state).to_contain_text("not delivered: nobody of this name is online")
    wire = chat.wire("bob")
    alice.get_by_role("button", name="Send again").click()
    wire.expect("MSG alice still there?")
    expect(alice.get_by_role("button", name="Send again")).to_have_count(0)


def test_rooms_can_be_found_joined_and_left(chat):
    bob = chat.wire("bob")
    bob.ask("JOIN Tea", "OK")
    bob.ask("JOIN code", "OK")
    alice = chat.page("alice")
    alice.get_by_role("button", name="Which rooms are there?").click()
    dialog = alice.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_text([re.compile("code.*1 member"), re.compile("Tea.*1 member")])
    dialog.get_by_role("button", name="Tea").click()
    expect(alice.locator("#members-title")).to_have_text("2 in here")
    expect(alice.get_by_role("heading", name="#Tea")).to_be_visible()
    alice.locator("#members").click()
    expect(alice.locator("#member-list")).to_have_text(re.compile("bob.*alice"))
    alice.get_by_role("button", name="Leave").click()
    expect(alice.get_by_role("list", name="Rooms")).to_be_empty()
    bob.expect_among(b"LEFT Tea alice")  # the page does not wait for the server's answer
    assert bob.request("ROOMS").events == ["ROOM Tea 1", "ROOM code 1"]
    join(alice, "CODE")
    expect(alice.get_by_role("heading", name="#code", exact=True)).to_be_visible()
    alice.get_by_label("Name of the room to join").fill("no room")
    alice.keyboard.press("Enter")
    expect(alice.locator("#join-error")).to_contain_text("A room's name is a letter")


def test_a_name_that_is_taken_is_said_in_words_and_another_one_is_tried(chat):
    chat.wire("alice")
    page = chat.open()
    page.get_by_label("Your name").fill("Alice")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Somebody else has this name; choose another.")
    page.get_by_label("Your name").fill("2nd alice")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("A name is a letter, then")
    log_in(page, "alice2")


def test_a_hundred_messages_come_in_order_and_the_last_one_is_seen(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    bob.send(b"".join(b"ALL message %d\n" % number for number in range(100)))
    expect(texts(alice)).to_have_count(100)
    assert texts(alice).all_text_contents() == [f"message {number}" for number in range(100)]
    expect(texts(alice).last).to_be_in_viewport()
    alice.get_by_role("log").hover()
    alice.mouse.wheel(0, -10_000)
    expect(texts(alice).first).to_be_in_viewport()
    bob.ask("ALL one more", *["OK"] * 101)
    expect(alice.get_by_role("button", name="New messages")).to_be_visible()
    expect(texts(alice).last).not_to_be_in_viewport()
    alice.get_by_role("button", name="New messages").click()
    expect(texts(alice).last).to_be_in_viewport()


def test_a_hundred_messages_of_ours_are_sent_in_the_order_in_which_they_were_typed(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    say(alice, "\n".join(f"message {number}" for number in range(100)))
    bob.expect(*(f"ALL alice message {number}" for number in range(100)))
    expect(texts(alice)).to_have_count(100)
    expect(alice.locator("[data-state=ok]")).to_have_count(100)


def test_each_reply_is_told_at_its_own_message(chat):
    alice = chat.page("alice")
    say(alice, "\x01one\ntwo\nthree")
    expect(alice.locator("#log [data-state=failed]")).to_have_count(1)
    expect(alice.locator("#log [data-state=ok]")).to_have_count(2)
    assert alice.locator("#log li").evaluate_all("lines => lines.map((line) => line.dataset.state)") == [
        "failed",
        "ok",
        "ok",
    ]


def test_what_is_unread_is_counted_until_it_is_seen(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    join(alice, "tea")
    bob.ask("JOIN tea", "OK")
    for line in ("ALL one", "MSG alice two", "MSG alice three", "SAY tea seen at once"):
        bob.ask(line, "OK")
    expect(texts(alice)).to_have_text(["seen at once"])
    expect(unread(alice, "Everybody")).to_have_text("1 unread")
    expect(unread(alice, "bob")).to_have_text("2 unread")
    expect(unread(alice, "tea")).to_be_hidden()
    expect(alice).to_have_title("(3) Chat")
    go_to(alice, "bob")
    expect(unread(alice, "bob")).to_be_hidden()
    expect(alice).to_have_title("(1) Chat")


# What is typed is not lost


def test_a_reload_keeps_the_name_the_rooms_what_was_said_and_what_was_being_typed(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    join(alice, "tea")
    bob.ask("JOIN tea", "OK")
    bob.ask("SAY tea before", "OK")
    say(alice, "mine")
    bob.expect("SAY tea alice mine")
    alice.locator("#message").fill("half a sen")
    alice.reload()
    expect(alice.locator("#members-title")).to_have_text("2 in here")
    expect(texts(alice)).to_have_text(["before", "mine"])
    expect(alice.locator("#message")).to_have_value("half a sen")
    bob.ask("SAY tea after", "OK")
    expect(texts(alice)).to_have_text(["before", "mine", "after"])


def test_after_a_restart_of_the_server_all_is_as_before_and_what_was_typed_meanwhile_is_sent(chat):
    alice = chat.page("alice")
    join(alice, "tea")
    chat.stop()
    status = alice.get_by_role("main").get_by_role("status")
    expect(status).to_contain_text("Offline")
    say(alice, "typed while offline")
    go_to(alice, "Everybody")
    say(alice, "and this to all")
    expect(alice.get_by_role("log")).to_contain_text("waits until you are online")
    alice.context.set_offline(True)  # else she may be back before bob is in the room
    chat.start()
    bob = chat.wire("bob")
    bob.ask("JOIN tea", "OK")
    alice.context.set_offline(False)
    come_back(alice)
    bob.expect("SAY tea alice typed while offline", "ALL alice and this to all")
    expect(alice.get_by_role("log")).not_to_contain_text("waits")


def test_more_is_kept_of_what_waits_than_of_what_was_read(chat):
    alice = chat.page("alice")
    chat.stop()
    expect(alice.locator("#status")).to_have_attribute("data-state", "offline")
    say(alice, "\n".join(f"message {number}" for number in range(600)))
    expect(texts(alice)).to_have_count(600)
    chat.start()
    bob = chat.wire("bob")
    come_back(alice)
    bob.expect(*(f"ALL alice message {number}" for number in range(600)))


def test_who_was_in_the_room_before_the_connection_was_lost_is_not_shown_as_if_she_were_still_there(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    bob.request("JOIN tea")
    join(alice, "tea")
    expect(alice.locator("#members-title")).to_have_text("2 in here")
    alice.context.set_offline(True)
    alice.evaluate("() => dispatchEvent(new Event('offline'))")
    expect(alice.locator("#my-state")).to_have_text("(offline)")
    expect(alice.locator("#members-title")).to_be_hidden()
    bob.request("LEAVE tea")
    chat.wire("carol").request("JOIN tea")
    alice.context.set_offline(False)
    come_back(alice)
    expect(alice.locator("#members-title")).to_have_text("2 in here")
    alice.locator("#members").click()
    expect(alice.locator("#member-list")).to_have_text(re.compile("carol.*alice"))


def test_what_was_on_its_way_when_a_room_was_left_is_forgotten_when_it_is_joined_again(chat):
    alice = chat.page("alice")
    join(alice, "tea")
    with chat.server.registry.lock:
        alice.get_by_role("button", name="Leave").click()
        outbox = chat.server.registry.get("alice").outbox
        outbox.put(outbox.codec.frame(b"JOINED tea ghost"))
        outbox.flush()
    join(alice, "tea")
    expect(alice.locator("#members-title")).to_have_text("1 in here")


def test_a_store_that_cannot_be_read_is_given_up(chat):
    alice = chat.open()
    alice.evaluate("sessionStorage.setItem('chat', '{')")
    alice.reload()
    log_in(alice, "alice")
    assert not alice.faults


def test_the_page_comes_back_by_itself(chat):
    alice = chat.page("alice")
    chat.stop()
    expect(alice.locator("#status")).to_have_attribute("data-state", "offline")
    chat.start()
    expect(alice.locator("#status")).to_have_attribute("data-state", "online")
    say(alice, "back")
    expect(alice.locator("[data-state=ok]")).to_have_count(1)


NO_SERVER = """() => {
    window.attempts = [];
    window.WebSocket = class {
        static OPEN = 1;
        readyState = 3;
        constructor() { attempts.push(Date.now()); setTimeout(() => this.onclose?.()); }
        close() {}
    };
}"""


def test_when_the_next_attempt_fails_too_the_page_says_that_the_server_cannot_be_reached(chat):
    alice = chat.page("alice")
    alice.evaluate(NO_SERVER)
    chat.server.registry.get("alice").conn.kick("a test")
    expect(alice.locator("#status-text")).to_contain_text("Offline: the server cannot be reached")


def test_the_pauses_between_attempts_grow_but_not_for_ever(chat):
    alice = chat.open()
    alice.clock.install()
    log_in(alice, "alice")
    alice.evaluate(NO_SERVER)
    chat.server.registry.get("alice").conn.kick("a test")
    expect(alice.locator("#countdown")).to_have_text("Next try in 1 second.")
    alice.clock.run_for(300_000)
    attempts = alice.evaluate("attempts")
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert all(one < other for one, other in itertools.pairwise(pauses[:5])), pauses
    assert all(0.8 * 30_000 <= pause <= 1.2 * 30_000 + 2000 for pause in pauses[6:]), pauses
    assert len(pauses) > 8
    alice.get_by_role("button", name="Try now").click()
    assert alice.evaluate("attempts.length") == len(attempts) + 1


def test_after_a_success_the_first_pause_is_a_short_one_again(chat):
    alice = chat.page("alice")
    alice.evaluate("""() => {
        const countdown = document.getElementById("countdown");
        window.told = [];
        new MutationObserver(() => told.push(countdown.textContent)).observe(countdown, {childList: true});
    }""")
    for count in range(1, 5):
        chat.server.registry.get("alice").conn.kick("a test")
        alice.wait_for_function("count => told.filter((text) => text).length >= count", arg=count)
        expect(alice.locator("#status")).to_have_attribute("data-state", "online")
    assert set(alice.evaluate("told")) == {"Next try in 1 second.", ""}


def test_what_was_sent_and_not_answered_is_uncertain_and_not_said_twice_by_itself(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    with chat.server.registry.lock:  # no request is answered now
        say(alice, "did you get this?")
        expect(alice.locator("[data-state=sent]")).to_have_count(1)
        chat.server.registry.get("alice").conn.kick("a test")
        expect(alice.get_by_role("log")).to_contain_text("perhaps not delivered")
    expect(alice.locator("#status")).to_have_attribute("data-state", "online")
    assert bob.request("HELP").events == []
    alice.get_by_role("button", name="Send again").click()
    bob.expect("ALL alice did you get this?")


def test_a_server_that_has_died_silently_is_noticed(chat):
    alice = chat.open()
    alice.clock.install()
    log_in(alice, "alice")
    with chat.server.registry.lock:  # as if the cable were pulled: nothing comes, and no end
        alice.clock.run_for(30_000)
        expect(alice.locator("#status")).to_have_attribute("data-state", "online")
        alice.clock.run_for(15_000)
        expect(alice.locator("#status-text")).to_contain_text("Offline: the server does not answer")


def test_a_living_server_that_is_silent_is_only_asked(chat):
    alice = chat.open()
    alice.clock.install()
    log_in(alice, "alice")
    conn = chat.server.registry.get("alice").conn
    for _ in range(4):
        heard_at = conn.heard_at
        alice.clock.run_for(27_000)
        eventually(lambda: conn.heard_at > heard_at, "a HELP")
        expect(alice.locator("#status")).to_have_attribute("data-state", "online")
    say(alice, "replies still fit their requests")
    expect(alice.locator("[data-state=ok]")).to_have_count(1)


def test_our_own_lost_connection_that_still_has_the_name_is_waited_for(chat):
    alice = chat.page("alice")
    alice.context.set_offline(True)
    alice.evaluate("() => dispatchEvent(new Event('offline'))")
    expect(alice.locator("#status-text")).to_contain_text("Offline: this device is offline")
    eventually(lambda: chat.server.registry.get("alice") is None, "alice has gone")
    ghost = chat.wire("alice")
    alice.context.set_offline(False)
    expect(alice.locator("#status-text")).to_contain_text("your name is in use")
    expect(alice.get_by_role("button", name="Choose another name")).to_be_visible()
    ghost.request("LOGOUT")
    expect(alice.locator("#status")).to_have_attribute("data-state", "online")


def test_the_servers_last_words_are_shown(chat):
    alice = chat.page("alice")
    with chat.server.registry.lock:  # she cannot log in again meanwhile
        chat.server.dismiss(chat.server.registry.get("alice"), "too-slow", "more is sent to you than you read")
        expect(alice.locator("#status-text")).to_contain_text("Offline: more is sent to you than you read")


def test_a_message_that_is_too_long_stays_in_its_field(chat):
    alice = chat.page("alice")
    say(alice, "é" * 511)
    expect(alice.get_by_role("main").get_by_role("alert")).to_have_text("Too long by 2 bytes: make two messages of it.")
    expect(alice.locator("#message")).to_have_value("é" * 511)
    say(alice, "é" * 510)
    expect(alice.locator("[data-state=ok]")).to_have_count(1)


def test_a_complaint_goes_when_the_message_is_changed(chat):
    alice = chat.page("alice")
    say(alice, "é" * 511)
    complaint = alice.get_by_role("main").get_by_role("alert")
    expect(complaint).to_contain_text("Too long")
    alice.locator("#message").fill("short")
    expect(complaint).to_be_hidden()


def test_the_field_grows_with_a_long_text_but_not_for_ever(chat):
    alice = chat.page("alice")
    field = alice.locator("#message")
    fits = (
        "() => { const field = document.getElementById('message'); return field.scrollHeight <= field.clientHeight; }"
    )
    low = field.bounding_box()["height"]
    field.fill("word " * 60)  # no line break, and yet several lines on the screen
    assert field.bounding_box()["height"] > low and alice.evaluate(fits)
    field.fill("word " * 1000)
    assert field.bounding_box()["height"] < 8 * low and not alice.evaluate(fits)
    field.fill("")
    assert field.bounding_box()["height"] == low


def test_when_the_page_gets_lower_the_last_message_stays_in_sight(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    for number in range(30):
        bob.ask(f"ALL message {number}", "OK")
    expect(texts(alice).last).to_be_in_viewport()
    # As when a phone is turned, or shows its keyboard: the browser may tell of scrolling first, and of the new size then.
    alice.evaluate("""() => {
        const log = document.getElementById("log");
        log.style.maxHeight = "100px";
        log.dispatchEvent(new Event("scroll"));
    }""")
    expect(texts(alice).last).to_be_in_viewport()


def test_a_command_of_the_terminals_is_not_told_to_everybody(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    say(alice, "/msg carol a secret")
    expect(alice.get_by_role("main").get_by_role("alert")).to_contain_text("There are no commands here")
    say(alice, " /msg is a command")
    bob.expect("ALL alice  /msg is a command")


def test_several_lines_are_several_messages(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    alice.locator("#message").press_sequentially("one")
    alice.keyboard.press("Shift+Enter")
    alice.keyboard.press("Shift+Enter")
    alice.keyboard.type("  two")
    alice.keyboard.press("Enter")
    bob.expect("ALL alice one", "ALL alice   two")


def test_a_log_out_forgets_what_was_read(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    bob.ask("MSG alice secret", "OK")
    go_to(alice, "bob")
    expect(texts(alice)).to_have_text(["secret"])
    alice.get_by_role("button", name="Log out").click()
    expect(alice.get_by_label("Your name")).to_be_visible()
    assert "secret" not in alice.content() and alice.evaluate("sessionStorage.length") == 0
    eventually(lambda: chat.server.registry.get("alice") is None, "the name is free")


# What others write is text

HOSTILE = [
    '<img src=x onerror="window.pwned = 1">',
    "<script>window.pwned = 1</script>",
    "</li></ol><h1>mine</h1>",
    "<svg onload=pwned=1>",
    "<a href=javascript:pwned=1>click</a>",
    "javascript:pwned=1//",
    "{{constructor.constructor('pwned=1')()}} ${pwned=1}",
    "&lt;b&gt; &amp; &#x1F600; \"'`",
    "\u202eright to left\u202c \u2066\u200b",
    "x" * 1000,
    "Z\u0351\u0363a\u0361lgo\u0489 " + "\u0301" * 200,
    "]]>--><!-- \\u003cimg\\u003e",
    "http://evil.example/?q=<b>",
    "__proto__ constructor toString",
]


def test_what_others_write_is_text_whatever_it_is(chat):
    alice, mallory = chat.page("alice"), chat.wire("mallory")
    asked = []
    alice.on("request", lambda request: asked.append(request.url))
    before = alice.locator("body *").count()
    for text in HOSTILE:
        mallory.ask(f"ALL {text}", "OK")
        mallory.ask(f"MSG alice {text}", "OK")
    mallory.ask("JOIN constructor", "OK")
    mallory.ask("JOIN __proto__", "ERR bad-name ...")
    expect(texts(alice)).to_have_count(len(HOSTILE))
    assert texts(alice).all_text_contents() == HOSTILE
    go_to(alice, "mallory")
    assert texts(alice).all_text_contents() == HOSTILE
    join(alice, "constructor")
    assert alice.evaluate("window.pwned") is None
    assert alice.locator("#talk img, #talk script, #talk svg, #talk a, #talk h1 h1, #log b").count() == 0
    assert alice.locator("h1:text('mine')").count() == 0
    assert not alice.faults and not asked
    assert before < alice.locator("body *").count()


NAIVE = (
    'make("div", "text", line.text)',
    '(() => { const text = make("div", "text"); text.innerHTML = line.text; return text; })()',
)


def with_naive_page(folder):
    """Copy the page, with innerHTML where the right one has textContent."""
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name == "view.js":
            assert NAIVE[0] in text
            text = text.replace(*NAIVE)
        (folder / file.name).write_text(text, encoding="utf-8")
    return Website(folder)


def test_with_innerhtml_a_message_runs_as_a_program(chat, tmp_path):
    chat.stop()
    chat.start(website=with_naive_page(tmp_path))
    alice = chat.page("alice", bypass_csp=True)
    chat.wire("mallory").ask(f"ALL {HOSTILE[0]}", "OK")
    alice.wait_for_function("() => window.pwned === 1")


def test_the_content_security_policy_stops_even_a_naive_page(chat, tmp_path):
    chat.stop()
    chat.start(website=with_naive_page(tmp_path))
    alice = chat.page("alice")
    chat.wire("mallory").ask(f"ALL {HOSTILE[0]}", "OK")
    eventually(lambda: alice.evaluate("1") and alice.faults, "an error")
    assert "TrustedHTML" in alice.faults[0] and alice.evaluate("window.pwned") is None


CONNECT = """url => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send("LOGIN mallory");
    socket.onmessage = message => done(message.data);
    socket.onerror = () => done("refused");
})"""


@pytest.fixture
def elsewhere(chromium):
    """The address of a page that is not ours: another port makes another origin."""
    server = WebServer(("127.0.0.1", 0))
    server.open_web(("127.0.0.1", 0))
    with running(server):
        yield f"http://{server.web.where()}/"


def ask_from(elsewhere, chat):
    """Let a page of another origin log in to our server; return what it gets."""
    page = chat.open(bypass_csp=True)  # its own policy, if it has one, is no help against its owner
    page.goto(elsewhere)
    return page.evaluate(CONNECT, chat.url.replace("http:", "ws:"))


def test_a_page_from_elsewhere_may_not_connect(elsewhere, chat):
    assert ask_from(elsewhere, chat) == "refused"


def test_without_a_look_at_the_origin_any_page_may_chat_in_your_name(elsewhere, chat):
    chat.stop()
    chat.start(website=Website(PAGE, ["*"]))
    assert ask_from(elsewhere, chat) == "OK welcome, mallory"


# By keyboard, by screen reader, on a phone, in the dark


def test_everything_can_be_done_with_the_keyboard(chat):
    bob = chat.wire("bob")
    alice = chat.open()
    alice.keyboard.type("alice")  # the field has the focus
    alice.keyboard.press("Enter")
    expect(alice.locator("#message")).to_be_focused()
    alice.keyboard.press("Alt+j")
    alice.keyboard.type("tea")
    alice.keyboard.press("Enter")
    expect(alice.locator("#title")).to_have_text("#tea")
    expect(alice.locator("#message")).to_be_focused()
    alice.keyboard.press("Alt+ArrowDown")
    expect(alice.locator("#title")).to_have_text("bob")
    alice.keyboard.type("hi")
    alice.keyboard.press("Enter")
    bob.expect("MSG alice hi")
    alice.keyboard.press("Alt+ArrowUp")
    expect(alice.locator("#title")).to_have_text("#tea")
    bob.ask("ALL news", "OK")
    expect(unread(alice, "Everybody")).to_have_text("1 unread")
    alice.keyboard.press("Alt+u")
    expect(alice.locator("#title")).to_have_text("Everybody")
    reached = []
    for _ in range(14):
        alice.keyboard.press("Tab")
        reached.append(alice.evaluate("document.activeElement.id || document.activeElement.textContent"))
    for stop in ("logout", "room", "list-rooms", "log"):
        assert stop in reached, reached
    assert any(text.startswith("bob") for text in reached)
    alice.keyboard.press("Escape")
    expect(alice.locator("#message")).to_be_focused()


def test_everything_has_a_name_for_a_screen_reader(chat):
    alice, bob = chat.page("alice"), chat.wire("bob")
    log = alice.get_by_role("log", name="Everybody")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_have_attribute("aria-busy", "false")
    expect(alice.get_by_role("textbox", name="Message to everybody")).to_be_visible()
    expect(alice.get_by_role("textbox", name="Name of the room to join")).to_be_visible()
    expect(alice.get_by_role("navigation", name="Conversations").get_by_role("list", name="People")).to_be_visible()
    bob.ask("MSG alice hi", "OK")
    expect(alice.locator("#elsewhere")).to_have_text("bob has written to you")
    expect(alice.get_by_role("button", name=re.compile("bob.* 1 unread|bob.*1 unread"))).to_be_visible()
    unnamed = alice.evaluate("""() => [...document.querySelectorAll("button, input, textarea")].filter(
        (one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length || one.getAttribute("aria-labelledby")))
        .map((one) => one.outerHTML)""")
    assert unnamed == []


WIDE = """() => [...document.querySelectorAll("body *")].filter(
    (one) => one.checkVisibility() && getComputedStyle(one).position !== "absolute"
             && (one.getBoundingClientRect().right > innerWidth + 1
                 || one.clientWidth && one.scrollWidth > one.clientWidth + 1)).map((one) => one.outerHTML.slice(0, 100))"""


def test_on_a_phone_nothing_scrolls_sideways_and_nothing_is_cut_off(chat):
    mallory = chat.wire("W" * 20)
    mallory.ask("JOIN " + "M" * 20, "OK")
    alice = chat.open(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    sideways = "document.scrollingElement.scrollWidth > innerWidth"
    assert not alice.evaluate(sideways) and alice.evaluate(WIDE) == []
    log_in(alice, "alice")
    alice.get_by_role("button", name="All conversations").click()
    join_field = alice.get_by_label("Name of the room to join")
    assert not alice.evaluate(sideways) and alice.evaluate(WIDE) == []
    join_field.fill("M" * 20)
    alice.keyboard.press("Enter")
    expect(alice.locator("#members-title")).to_have_text("2 in here")
    for text in ("w" * 900, "W W " * 200, "\u202e" + "<" * 500):
        mallory.ask(f"SAY {'M' * 20} {text}", "OK")
    say(alice, "y" * 900)
    expect(texts(alice)).to_have_count(4)
    alice.locator("#members").click()
    assert not alice.evaluate(sideways) and alice.evaluate(WIDE) == []
    expect(alice.get_by_role("button", name="Send")).to_be_in_viewport()


CONTRAST = """() => {
    const luminance = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const told = [];
    for (const one of document.querySelectorAll("body *")) {
        if (!one.checkVisibility() || ![...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
        const [light, dark] = [luminance(parse(getComputedStyle(one).color)), luminance(behind(one))].sort((a, b) => b - a);
        const ratio = (light + 0.05) / (dark + 0.05);
        if (ratio < 4.5) told.push([ratio, one.outerHTML.slice(0, 120)]);
    }
    return told;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_by_day_and_by_night_everything_can_be_read(chat, scheme):
    """Contrast of 4.5 to 1 at least.  Source: WCAG 2.2, 1.4.3."""
    users = [chat.wire(name) for name in ("bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan")]
    alice = chat.open(color_scheme=scheme)
    assert alice.evaluate(CONTRAST) == []
    log_in(alice, "alice")
    for wire in users:
        wire.request("ALL hello")
    users[0].request("MSG alice hi")
    users[1].close()
    say(alice, "hello\n\x01")
    expect(alice.get_by_role("log")).to_contain_text("not delivered: there is a control character in it")
    expect(unread(alice, "bob")).to_have_text("1 unread")
    alice.wait_for_function("() => document.getAnimations().length === 0")
    assert alice.evaluate(CONTRAST) == []
    dark = sum(
        map(int, re.findall(r"\d+", alice.locator("body").evaluate("one => getComputedStyle(one).backgroundColor")))
    )
    assert dark < 200 if scheme == "dark" else dark > 600
    chat.stop()
    expect(alice.locator("#status-text")).to_contain_text("Offline")
    assert alice.evaluate(CONTRAST) == []


# Over TLS


def test_over_https_the_page_is_the_same(chromium, certificates):
    ports = "--port 0 --web-port 0 --tls-port 0".split()
    command = [sys.executable, ROOT / "extras/web/server.py", *ports, "--tls-cert", certificates / "ours.pem"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        context = chromium.new_context(ignore_https_errors=True)
        try:
            url = [server.stdout.readline() for _ in range(3)][-1].removeprefix("open ").strip()
            page = context.new_page()
            page.goto(url)
            log_in(page, "alice")
            say(page, "hello")
            expect(page.locator("[data-state=ok]")).to_have_count(1)
            assert page.evaluate("isSecureContext") and url.startswith("https://")
        finally:
            context.close()
            server.terminate()


# The picture of the chapter


def test_the_picture_in_the_chapter_is_of_this_page(chat, tmp_path):
    bob, carol, dave = (chat.wire(name) for name in ("bob", "carol", "dave"))
    bob.ask("JOIN tea", "OK")
    carol.ask("JOIN tea", "OK")
    alice = chat.open()
    alice.clock.set_fixed_time("2026-11-27T16:03:00")
    log_in(alice, "alice")
    join(alice, "tea")
    carol.request("SAY tea The kettle is on. Who wants some?")
    bob.request("SAY tea Me, please!")
    bob.request("SAY tea And no, <img src=x onerror=alert(1)> does nothing here.")
    expect(texts(alice)).to_have_count(3)
    say(alice, "Two cups for me, please.")
    bob.request("MSG alice psst, are you there?")
    bob.request("MSG alice I have biscuits")
    dave.request("ALL Good afternoon")
    expect(unread(alice, "bob")).to_have_text("2 unread")
    expect(unread(alice, "Everybody")).to_have_text("1 unread")
    expect(alice.locator("[data-state=ok]")).to_have_count(1)
    picture = PICTURE if os.environ.get("CHAT_PICTURE") == "new" else tmp_path / "page.png"
    alice.set_viewport_size({"width": 900, "height": 520})
    picture.write_bytes(alice.screenshot())
    assert picture.stat().st_size < MAX_PICTURE_BYTES
