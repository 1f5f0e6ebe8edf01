"""The client, with /all."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step6_client is found

from step6_client.client import main
from step6_client.commands import Action, Commands


class BroadcastCommands(Commands):
    """Step 6's commands, and one more."""

    COMMANDS = Commands.COMMANDS | {"all": "TEXT"}
    EVENTS = Commands.EVENTS | {"ALL": "{} to all: {}"}

    def do_all(self, text: str) -> Action:
        """Say TEXT to everybody."""
        return Action(send=f"ALL {text}")


if __name__ == "__main__":
    sys.exit(main(BroadcastCommands))
