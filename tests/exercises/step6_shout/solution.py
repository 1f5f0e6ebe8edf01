"""Solution: /shout NAME TEXT sends the text in capitals."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step6_client is found

from step6_client.client import main
from step6_client.commands import Action, Commands


class ShoutCommands(Commands):
    """Step 6's commands, and /shout."""

    COMMANDS = Commands.COMMANDS | {"shout": "NAME TEXT"}

    def do_shout(self, name: str, text: str) -> Action:
        """Say TEXT to NAME in capitals."""
        return self.do_msg(name, text.upper())


if __name__ == "__main__":
    sys.exit(main(ShoutCommands))
