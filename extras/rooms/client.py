"""The client, with /join, /leave and /rooms; plain text goes to the room entered last."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step6_client is found

from extras.presence.client import PresenceCommands
from step6_client.chat_client import Reply
from step6_client.client import main
from step6_client.commands import Action


class RoomsCommands(PresenceCommands):
    """Presence's commands, and those for rooms.

    rooms   the rooms she is in, as far as we know; the one she entered last stands last
    """

    COMMANDS = PresenceCommands.COMMANDS | {"join": "ROOM", "leave": "[ROOM]", "rooms": ""}
    EVENTS = PresenceCommands.EVENTS | {
        "SAY": "[{}] {}: {}",
        "MEMBERS": "* [{}] in here: {}",
        "JOINED": "* [{}] {} has come in",
        "LEFT": "* [{}] {} has left",
        "ROOM": "* [{}] members: {}",
    }

    def __init__(self) -> None:
        super().__init__()
        self.rooms: list[str] = []

    def do_join(self, room: str) -> Action:
        """Go into ROOM; plain text then goes there."""
        if self.target != "LOGIN":
            self.rooms = [*self.without(room), room]
            self.target = f"SAY {room}"
        return Action(send=f"JOIN {room}")

    def do_leave(self, room: str = "") -> Action:
        """Leave ROOM, or the last one; plain text then goes to the one before."""
        if not room and not self.rooms:
            return Action(show="! you are in no room; /join ROOM first")
        room = room or self.rooms[-1]
        if self.forget(room) and self.rooms:
            self.target = f"SAY {self.rooms[-1]}"
        return Action(send=f"LEAVE {room}")

    def do_rooms(self) -> Action:
        """Ask which rooms there are."""
        return Action(send="ROOMS")

    def heed(self, reply: Reply) -> None:
        """Learn from a reply: if she was not let in, plain text goes nowhere.

        It was meant for that room, so it must not go to the room before.
        """
        super().heed(reply)
        verb, _, room = reply.request.partition(" ")
        if verb == "JOIN" and reply.code not in ("", "already-joined"):
            self.forget(room)

    def forget(self, room: str) -> bool:
        """Take the room off the list; return whether plain text went there (now it goes nowhere)."""
        self.rooms = self.without(room)
        went_there = self.target.lower() == f"say {room}".lower()
        if went_there:
            self.target = ""
        return went_there

    def without(self, room: str) -> list[str]:
        """Return the rooms that she is in, except this one."""
        return [other for other in self.rooms if other.lower() != room.lower()]


if __name__ == "__main__":
    sys.exit(main(RoomsCommands))
