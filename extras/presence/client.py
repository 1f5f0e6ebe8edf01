"""The client, with /who; it says in words who comes and goes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step6_client is found

from extras.broadcast.client import BroadcastCommands
from step6_client.client import main
from step6_client.commands import Action


class PresenceCommands(BroadcastCommands):
    """Broadcast's commands, and one more."""

    COMMANDS = BroadcastCommands.COMMANDS | {"who": ""}
    # No name begins with "* ": otherwise a user called "online" could imitate these.
    EVENTS = BroadcastCommands.EVENTS | {
        "USERS": "* online: {}",
        "ONLINE": "* {} is online",
        "OFFLINE": "* {} has gone",
    }

    def do_who(self) -> Action:
        """Ask who is here."""
        return Action(send="WHO")


if __name__ == "__main__":
    sys.exit(main(PresenceCommands))
