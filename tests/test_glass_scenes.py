"""The guided scenes of extras/glass: the data, who carries them out, each over the real server, the film; then in Chromium.

With CHAT_PICTURE=new in the environment it also makes the chapters' pictures anew.
"""

import os
import queue
import re
import subprocess
import sys
import threading
from xml.etree import ElementTree

import pytest

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says how to get it

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

import itertools

from extras.glass.director import Director
from extras.glass.film import MAX_FRAMES, frames, runs, shown, svg
from extras.glass.house import House
from extras.glass.scenes import SCENES, Scene, Step, let
from step4_framing.framing import MAX_LINE_BYTES
from step5_server.connection import CHUNK_BYTES
from tests.chapter import ROOT
from tests.servers import running
from tests.test_web_browser import DESK

DEADLINE_S = 30.0  # on a busy machine
MAX_FILM_BYTES = 300_000
MAX_PICTURE_BYTES = 200_000


# The data


@pytest.mark.parametrize("number", range(1, 7))
def test_the_chapter_of_a_scene_says_where_to_see_it(number):
    text = (ROOT / SCENES[number - 1].chapter / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"[Ss]cenes? (\d and )?{number}\b", text) and "glass/README.md#the-six-scenes" in text


def test_every_scene_is_in_the_glass_servers_own_chapter():
    text = (ROOT / "extras" / "glass" / "README.md").read_text(encoding="utf-8")
    for number, scene in enumerate(SCENES, 1):
        assert f"| {number} | {scene.title} |" in text


def test_the_text_of_a_step_fits_into_the_picture():
    assert all(len(step.text) < 118 * 4 - 60 for scene in SCENES for step in scene.steps)


# The director


class Stage:
    """A server that is not there: it notes the commands, and says what it is told to."""

    def __init__(self, monkeypatch, *plans):
        scene = Scene(
            "small", "A small one", "step5_server", tuple(Step(f"step {n}", plan) for n, plan in enumerate(plans, 1))
        )
        monkeypatch.setattr("extras.glass.director.SCENES", (scene,))
        self.commands, self.told = queue.SimpleQueue(), queue.SimpleQueue()
        self.director = Director(self.do, lambda kind, **event: self.told.put({"kind": kind, **event}))
        self.director.pace_s = 0

    def do(self, command):
        self.commands.put(command)
        return 7 if command["do"] == "add" else None

    def tells(self, step, done):
        """Check what the director says next."""
        event = self.told.get(timeout=DEADLINE_S)
        assert (event["kind"], event["step"], event["done"]) == ("scene", step, done)

    def was_told(self, **command):
        """Check the next command."""
        assert self.commands.get(timeout=DEADLINE_S) == command


@pytest.fixture
def stage(monkeypatch):
    stages = []

    def build(*plans):
        stages.append(Stage(monkeypatch, *plans))
        return stages[-1]

    yield build
    for each in stages:
        each.director.end()
    assert not [thread for thread in threading.enumerate() if thread.name == "director"]


def test_a_step_is_done_when_all_has_been_seen_in_order(stage):
    small = stage(({"do": "add", "name": "alice"}, {"kind": "named", "lane": "alice"}, {"do": "pause"}), ())
    small.director.start(1)
    small.tells(1, False)
    small.was_told(do="add", name="alice")
    small.director.see({"kind": "named", "lane": 3})
    small.director.next()  # not yet: the step is under way
    small.director.see({"kind": "named", "lane": 7})
    small.was_told(do="pause")
    small.tells(1, True)
    small.director.next()
    small.tells(2, False)
    small.tells(2, True)
    small.director.next()
    assert small.told.get(timeout=DEADLINE_S) == {"kind": "scene", "scene": 0}


def test_a_thread_is_let_pass_until_the_event_has_come_and_no_further(stage):
    small = stage(
        (
            {"do": "add", "name": "alice"},
            let("alice postman", {"kind": "sent", "lane": "alice"}),
            {"do": "pause"},
        )
    )
    small.director.start(1)
    small.was_told(do="add", name="alice")
    for thread in ("postman", "lane 7", "postman"):
        small.was_told(do="step", thread=thread)
    small.director.see({"kind": "sent", "lane": 7, "thread": "postman"})
    while (command := small.commands.get(timeout=DEADLINE_S))["do"] == "step":
        pass  # those that were under way
    assert command == {"do": "pause"}


def test_another_scene_may_begin_at_any_moment(stage):
    small = stage(({"kind": "never"},))
    for _ in range(2):
        small.director.start(1)
        small.tells(1, False)
    with pytest.raises(ValueError):
        small.director.start(2)


# Each scene over the real server


class Played:
    """A scene that has been played to its end: what has happened, step by step."""

    def __init__(self, house, key):
        self.scene = next(scene for scene in SCENES if scene.key == key)
        self.events: list[dict] = []
        told: queue.SimpleQueue = queue.SimpleQueue()
        house.gate.listeners.append(self.events.append)
        house.gate.listeners.append(lambda event: told.put(event) if event["kind"] == "scene" else None)
        house.director.haste, house.director.pace_s, house.director.still_s = 200, 0, 0.1
        house.director.start(SCENES.index(self.scene) + 1)
        while (event := told.get(timeout=DEADLINE_S))["scene"]:
            assert event["text"] == self.scene.steps[event["step"] - 1].text
            if event["done"]:
                house.director.next()
        names = [(event["name"], event["lane"]) for event in self.events if event["kind"] == "named"]
        self.lanes = dict(reversed(names))

    def step(self, number):
        """Return the events between the beginning of a step and the moment when it is done."""
        edges = [
            place for place, event in enumerate(self.events) if event["kind"] == "scene" and event.get("step") == number
        ]
        return self.events[edges[0] : edges[1]]

    def until(self, number):
        """Return the events up to the moment when a step is done."""
        return self.events[: self.events.index(self.step(number)[-1]) + 1]


def of(events, kind, **fields):
    """Return the events of a kind that have these fields."""
    return [event for event in events if event["kind"] == kind and fields.items() <= event.items()]


def holders_overlap(events):
    """Tell whether somebody got the lock while another had it."""
    holders = [event["holder"] for event in of(events, "lock")]
    return any(a is not None and b is not None and a != b for a, b in itertools.pairwise(holders))


@pytest.fixture
def play():
    """Play a scene on a house of its own, and leave no thread behind."""
    with running(House(("127.0.0.1", 0))) as house:
        yield lambda key: Played(house, key)


def test_scene_1_a_line_in_two_chunks_is_one_line(play):
    played = play("two_chunks")
    alice, bob = played.lanes["alice"], played.lanes["bob"]
    chunks = [event["data"] for event in of(played.events, "chunk", lane=alice)]
    assert chunks == ["LOGIN alice\n", "MSG bob hel", "lo\n", "MSG bob caf\xc3", "\xa9\n"]
    assert not of(played.step(2), "line") and of(played.until(2), "kept")[-1]["rest"] == "MSG bob hel"
    assert [event["line"] for event in of(played.step(3), "line")] == ["MSG bob hello"]
    assert [event["data"] for event in of(played.events, "put", lane=bob, by=alice)] == [
        "MSG alice hello\n",
        "MSG alice caf\xc3\xa9\n",
    ]


def test_scene_2_two_lines_in_a_chunk_are_two_and_leave_with_one_send(play):
    played = play("one_chunk")
    alice, bob = played.lanes["alice"], played.lanes["bob"]
    assert len(of(played.step(2), "chunk", lane=alice)) == 1
    assert [event["line"] for event in of(played.step(2), "line", lane=alice)] == ["MSG bob one", "MSG bob two"]
    assert [event["bytes"] for event in of(played.step(2), "sent", lane=bob)] == [len("MSG alice one\nMSG alice two\n")]
    assert [event["line"] for event in of(played.step(3), "line")] == ["MSG bob three"]
    assert [event["line"] for event in of(played.step(4), "line")] == ["MSG bob four"]


def test_scene_3_one_who_does_not_read_stops_everybody_until_she_does(play):
    played = play("freeze")
    alice, bob = played.lanes["alice"], played.lanes["bob"]
    assert of(played.until(3), "lock")[-1] | {"holder": alice, "queue": [bob]} == of(played.until(3), "lock")[-1]
    assert of(played.until(3), "state", lane=alice)[-1]["state"] == "sends"
    assert of(played.until(3), "state", lane=bob)[-1]["state"] == "wants"
    assert not of(played.until(3), "named", lane=bob) and of(played.step(4), "named", lane=bob)
    assert not holders_overlap(played.events)


def test_scene_4_the_slow_consumer_is_cut_off_and_nobody_has_waited_for_her(play):
    played = play("slow_consumer")
    alice, bob, mallory = (played.lanes[name] for name in ("alice", "bob", "mallory"))
    assert of(played.step(2), "drainer", lane=mallory, runs=True)
    assert of(played.step(3), "named", lane=bob) and not of(played.until(3), "cut")
    assert of(played.step(3), "sent", lane=bob) and of(played.until(3), "state", lane=bob)[-1]["state"] == "reads"
    assert len(of(played.events, "cut")) == len(of(played.events, "cut", lane=mallory)) == 1
    bound = of(played.events, "sent", lane=mallory)[0]["bound"]
    before = played.events[: played.events.index(of(played.events, "cut")[0])]
    waited = [event["unsent"] for event in of(before, "sent", lane=mallory)]
    assert max(waited) > bound > max(waited) - CHUNK_BYTES - MAX_LINE_BYTES, (
        "cut with the first chunk that was too much"
    )
    assert not of(played.events, "state", lane=alice, state="sends")
    assert of(played.step(5), "reply", lane=bob)
    assert not holders_overlap(played.events)


def test_scene_5_the_race_is_there_without_the_lock_and_not_with_it(play):
    played = play("race")
    looks = [(event["lane"], event["found"]) for event in of(played.step(2), "table", does="looks")]
    left, right = looks[0][0], looks[1][0]
    assert looks == [(left, False), (right, False)]
    assert [event["lane"] for event in of(played.step(2), "table", does="takes")] == [left, right]
    assert [event["line"] for event in of(played.step(2), "reply")] == ["OK welcome, alice"] * 2
    assert not of(played.step(3), "sent", lane=left) and of(played.step(3), "sent", lane=right)
    assert of(played.until(5), "lock")[-1]["holder"] is not None and len(of(played.until(5), "lock")[-1]["queue"]) == 1
    assert [event["found"] for event in of(played.step(5) + played.step(6), "table", does="looks")] == [False, True]
    assert len(of(played.step(6), "table", does="takes")) == 1
    assert not holders_overlap(played.events)


def test_scene_6_lines_of_three_users_leave_with_one_send(play):
    played = play("postman")
    dave = played.lanes["dave"]
    assert not of(played.step(2) + played.step(3), "sent"), "the postman stood still"
    waiting = [event["data"] for event in of(played.step(2) + played.step(3), "put", lane=dave)]
    assert waiting == ["ALL alice one\n", "ALL bob two\n", "ALL carol three\n"]
    assert [event["bytes"] for event in of(played.step(4), "sent", lane=dave)] == [sum(map(len, waiting))]


def test_one_scene_after_the_other_begins_with_nobody_there(play):
    first, second = play("one_chunk"), play("two_chunks")
    assert min(second.lanes.values()) > max(first.lanes.values())
    numbers = [event["n"] for event in second.events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no gap"


# The film


def event(kind, **fields):
    return {"kind": kind, **fields}


def scene(done):
    return event("scene", scene=1, title="Tea & cake", text="<b>", done=done)


def test_what_users_write_is_text_in_the_film():
    film = svg([scene(False), event("connected", lane=1), event("chunk", lane=1, data="<script>&\n"), scene(True)])
    root = ElementTree.fromstring(film)
    assert "│<script>&⏎│" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_a_flood_makes_no_long_film_and_its_end_is_shown():
    flood = [event("put", lane=1, queued=number) for number in range(5000)]
    film = frames([scene(False), event("connected", lane=1), *flood, scene(True)])
    assert len(film) == MAX_FRAMES
    assert film[-1][1][0, "outbox"] == "4999 bytes wait"


def test_each_text_is_shown_in_one_element_for_as_long_as_it_stands():
    assert runs(["a", "a", "", "b", "a"]) == [(0, 1, "a"), (3, 3, "b"), (4, 4, "a")]


def test_bytes_that_are_no_text_have_marks():
    assert shown("caf\xc3\xa9\r\n") == "café\\r⏎"
    assert shown("caf\xc3") == "caf\\xc3"


@pytest.mark.long
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.key)
def test_a_recorded_scene_is_small_and_tells_every_step(scene):
    film = subprocess.run(
        [sys.executable, ROOT / "extras" / "glass" / "record.py", scene.key],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    ).stdout
    assert len(film.encode()) < MAX_FILM_BYTES
    texts = " ".join(text.text for text in ElementTree.fromstring(film).iter("{http://www.w3.org/2000/svg}text"))
    assert all(step.text[:30] in texts for step in scene.steps)


def test_the_film_in_the_chapter_is_one_that_was_recorded():
    film = (ROOT / "extras" / "glass" / "race.svg").read_text(encoding="utf-8")
    assert len(film.encode()) < MAX_FILM_BYTES
    assert "ERR name-taken" in film and SCENES[4].title in film


# Each scene in Chromium: what its picture says when a step is done


class Watched:
    """A page on a house of its own."""

    def __init__(self, house, page):
        self.house, self.page = house, page
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(f"http://{house.desk.where()}/")
        expect(page.locator("#mode")).to_have_text("runs")  # it hears the server; before that nobody hears it

    def row(self, name):
        """Return the lane of whoever has this name."""
        return self.page.locator("#lanes > li:not([data-state=gone])").filter(
            has=self.page.locator(".pick .name").get_by_text(name, exact=True)
        )

    def cell(self, name, part):
        """Return a part of a lane."""
        return self.row(name).locator(f".cell.{part}")

    def shows_state(self, name, state):
        """Check what a lane's thread does."""
        expect(self.row(name)).to_have_attribute("data-state", state)

    def lock(self, holder, *queue):
        """Check who has the lock, and who waits."""
        expect(self.page.locator("#lock-text")).to_have_text(f"{holder} has the lock" if holder else "The lock is free")
        expect(self.page.locator("#lock-queue li")).to_have_count(len(queue))
        for place, name in enumerate(queue):
            expect(self.page.locator("#lock-queue li").nth(place)).to_contain_text(name)


def half_a_line_is_kept(page):
    expect(page.cell("alice", "buffer").locator(".rest")).to_have_attribute("aria-label", "kept: MSG bob hel")
    expect(page.cell("alice", "bytes").locator(".chunk")).to_have_count(2)
    expect(page.cell("bob", "outbox")).not_to_contain_text("hel")


def the_line_is_whole(page):
    expect(page.cell("alice", "request").locator(".param")).to_have_text(["bob", "hello"])
    expect(page.cell("alice", "buffer")).to_contain_text("empty")
    expect(page.cell("alice", "bytes")).to_contain_text("in 3 chunks")


def half_a_letter_made_no_harm(page):
    expect(page.cell("alice", "request").locator(".param")).to_have_text(["bob", "café"])
    expect(page.cell("alice", "bytes")).to_contain_text("in 5 chunks")


def two_lines_came_in_one_chunk(page):
    expect(page.cell("alice", "bytes")).to_contain_text("in 2 chunks")
    expect(page.cell("alice", "request").locator(".param")).to_have_text(["bob", "two"])


def half_a_line_waits_behind_a_whole_one(page):
    expect(page.cell("alice", "request").locator(".param")).to_have_text(["bob", "three"])
    expect(page.cell("alice", "buffer").locator(".rest")).to_have_attribute("aria-label", "kept: MSG bob fo")


def all_is_frozen(page):
    page.lock("alice", "lane")  # he has no name yet: he waits to get it
    page.shows_state("alice", "sends")
    page.shows_state("no name yet", "wants")
    expect(page.cell("alice", "lock")).to_contain_text("stuck in send()")


def nobody_is_frozen(page):
    page.lock("")
    page.shows_state("bob", "reads")


def a_drainer_waits(page):
    expect(page.cell("mallory", "outbox")).to_contain_text("a drainer waits for this peer")
    expect(page.cell("mallory", "outbox").get_by_role("meter")).not_to_have_attribute("aria-valuenow", "0")


def bob_is_there(page):
    a_drainer_waits(page)
    page.shows_state("bob", "reads")


def mallory_is_cut_off(page):
    gone = page.page.locator("#lanes > li[data-state=gone]")
    expect(gone).to_contain_text(["mallory"])
    expect(gone.locator(".outbox")).to_contain_text(["cut off: too slow"])


def bob_has_his_answer(page):
    expect(page.cell("bob", "request").locator(".reply")).to_contain_text("OK LOGIN")


def two_are_alice(page):
    expect(page.row("alice")).to_have_count(2)
    expect(page.page.locator("#lock-text")).to_have_text("This server has no lock")


def one_waits_at_the_lock(page):
    page.lock("lane 4", "lane 5")


def one_is_alice(page):
    expect(page.row("alice")).to_have_count(1)
    expect(page.cell("no name yet", "request").locator(".reply")).to_contain_text("ERR name-taken")
    page.lock("")


def three_lines_wait(page):
    expect(page.cell("dave", "outbox").locator("li")).to_have_count(3)
    expect(page.page.locator("#postman")).to_contain_text("the postman walks")


def all_have_left(page):
    expect(page.cell("dave", "outbox").locator("li")).to_have_count(0)
    expect(page.page.locator("#postman")).to_have_text("the postman sleeps")


SEEN = {
    "two_chunks": {2: half_a_line_is_kept, 3: the_line_is_whole, 4: half_a_letter_made_no_harm},
    "one_chunk": {2: two_lines_came_in_one_chunk, 3: half_a_line_waits_behind_a_whole_one},
    "freeze": {3: all_is_frozen, 4: nobody_is_frozen},
    "slow_consumer": {2: a_drainer_waits, 3: bob_is_there, 4: mallory_is_cut_off, 5: bob_has_his_answer},
    "race": {2: two_are_alice, 5: one_waits_at_the_lock, 6: one_is_alice},
    "postman": {3: three_lines_wait, 4: all_have_left},
}
# The steps whose pictures stand in the chapters.
PICTURES = {"two_chunks": 2, "freeze": 3, "slow_consumer": 3, "postman": 3}


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 7), ids=[scene.key for scene in SCENES])
def test_the_picture_shows_what_each_step_says(chromium, tmp_path, number):
    scene = SCENES[number - 1]
    with running(House(("127.0.0.1", 0), "rooms", ("127.0.0.1", 0))) as house:
        house.director.haste, house.director.pace_s, house.director.still_s = 100, 0, 0.1
        context = chromium.new_context(viewport=DESK)
        watched = Watched(house, context.new_page())
        page = watched.page
        page.get_by_label("A guided scene").select_option(str(number))
        for place, step in enumerate(scene.steps, 1):
            expect(page.locator("#scene-text")).to_have_text(step.text)
            expect(page.locator("#scene-state")).to_contain_text(f"{place} of {len(scene.steps)}")
            expect(page.get_by_role("button", name="Next", exact=True)).to_have_attribute("aria-disabled", "false")
            if seen := SEEN[scene.key].get(place):
                seen(watched)
            if PICTURES.get(scene.key) == place:
                take_picture(page, scene.key, tmp_path)
            page.get_by_role("button", name="Next", exact=True).click()
        expect(page.locator("#scene-text")).to_be_hidden()
        assert not watched.faults
        context.close()


def take_picture(page, key, tmp_path):
    folder = ROOT / "extras" / "glass" if os.environ.get("CHAT_PICTURE") == "new" else tmp_path
    picture = folder / f"{key}.png"
    picture.write_bytes(page.locator("#stage").screenshot(animations="disabled"))
    assert picture.stat().st_size < MAX_PICTURE_BYTES
