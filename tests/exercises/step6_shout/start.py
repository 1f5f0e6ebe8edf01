"""Exercise: /shout NAME TEXT sends the text in capitals."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step6_client is found

from step6_client.client import main
from step6_client.commands import Action, Commands


class ShoutCommands(Commands):
    """Step 6's commands, and /shout."""

    # TODO: a row in COMMANDS, and a method


if __name__ == "__main__":
    sys.exit(main(ShoutCommands))
