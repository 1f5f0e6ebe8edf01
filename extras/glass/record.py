"""Record a scene: play it on a real server, and write what has happened as an animated SVG.

From the command line: `python extras/glass/record.py race > race.svg`.
"""

import argparse
import queue
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so extras is found

from extras.glass.film import svg
from extras.glass.gate import Event
from extras.glass.house import House
from extras.glass.scenes import SCENES
from extras.glass.sockets import missing_system
from extras.tls.tls_server import give_up
from extras.web.websocket import missing_library

# The film has a pace of its own: so the server need not be slow.
HASTE = 100.0
STEP_S = 60.0  # no step takes so long, even on a busy machine


def record(key: str) -> list[Event]:
    """Play a scene to its end, and return all events.

    Blocks: until then.  Raises: queue.Empty when it stands still.
    """
    house = House(("127.0.0.1", 0))
    thread = threading.Thread(target=house.serve_forever, name="house")
    thread.start()
    events: list[Event] = []
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def listen(event: Event) -> None:
        events.append(event)
        if event["kind"] == "scene":
            told.put(event)

    try:
        house.gate.listeners.append(listen)
        house.director.haste, house.director.pace_s = HASTE, 0.0
        house.director.start(1 + [scene.key for scene in SCENES].index(key))
        while (event := told.get(timeout=STEP_S))["scene"]:
            if event["done"]:
                house.director.next()
        return events[: events.index(event)]
    finally:
        house.stop()
        thread.join()


def parser() -> argparse.ArgumentParser:
    """Return the parser of our command line."""
    flags = argparse.ArgumentParser(description="Play a scene, and write it as an animated SVG to standard output.")
    flags.add_argument("scene", choices=[scene.key for scene in SCENES])
    return flags


if __name__ == "__main__":
    arguments = parser().parse_args()
    if complaint := missing_library() or missing_system():
        give_up(complaint)
    sys.stdout.write(svg(record(arguments.scene)))
