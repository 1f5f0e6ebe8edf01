"""Solution: TOPIC: what a room is about."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.broadcast.fast_server import server_parser
from extras.rooms.server import RoomsHandler, RoomsServer
from step1_echo.serving import main
from step3_protocol.protocol import check_text, format_line


class TopicHandler(RoomsHandler):
    """`TOPIC tea which kinds` sets the topic: the other members get `TOPIC tea alice which kinds`.

    A user who joins later gets the same line after the OK to her JOIN.
    """

    VERBS = RoomsHandler.VERBS | {"TOPIC": "room text"}

    def do_TOPIC(self, name, text):
        room = self.my_room(name)
        room.topic = room.name, self.name, check_text(text)  # disappears with the room
        self.tell(room, "TOPIC", *room.topic)
        self.ok()

    def do_JOIN(self, name):
        super().do_JOIN(name)
        topic = getattr(self.my_room(name), "topic", None)
        if topic:
            self.send(format_line("TOPIC", *topic))


class TopicServer(RoomsServer):
    """Serve chat users in rooms with topics."""

    handler_class = TopicHandler


if __name__ == "__main__":
    sys.exit(main(TopicServer, server_parser("Stay on topic.")))
