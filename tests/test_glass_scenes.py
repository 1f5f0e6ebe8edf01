"""The guided scenes of extras/glass: the data, who carries them out, the film; then each over the real server."""

import queue
import re
import threading
import xml.etree.ElementTree as ElementTree

import pytest

from extras.glass.film import MAX_FRAMES, frames, runs, shown, svg
from extras.glass.scenes import SCENES, Director, Scene, Step
from tests.chapter import ROOT

DEADLINE_S = 30.0  # on a busy machine


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
        scene = Scene("small", "A small one", "step5_server", tuple(Step(f"step {n}", plan) for n, plan in enumerate(plans, 1)))
        monkeypatch.setattr("extras.glass.scenes.SCENES", (scene,))
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
    small = stage((
        {"do": "add", "name": "alice"},
        {"let": ("alice", "postman"), "until": {"kind": "sent", "lane": "alice"}},
        {"do": "pause"},
    ))
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
    assert film[-1][1][1, "outbox"] == "4999 bytes wait"


def test_each_text_is_shown_in_one_element_for_as_long_as_it_stands():
    assert runs(["a", "a", "", "b", "a"]) == [(0, 1, "a"), (3, 3, "b"), (4, 4, "a")]


def test_bytes_that_are_no_text_have_marks():
    assert shown("caf\xc3\xa9\r\n") == "café\\r⏎"
    assert shown("caf\xc3") == "caf\\xc3"
