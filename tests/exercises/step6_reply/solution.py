"""Solution: /r TEXT answers the user who wrote last."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step6_client is found

from step6_client.chat_client import Event, Reply
from step6_client.client import main
from step6_client.commands import Action, Commands


class ReplyCommands(Commands):
    """Step 6's commands, and /r."""

    COMMANDS = Commands.COMMANDS | {"r": "TEXT"}

    def __init__(self) -> None:
        super().__init__()
        self.writer = ""  # who wrote last

    def do_r(self, text: str) -> Action:
        """Say TEXT to the user who wrote last."""
        if not self.writer:
            return Action(show="! nobody has written yet")
        return self.do_msg(self.writer, text)

    def render(self, said: Reply | Event) -> str:
        if isinstance(said, Event):
            verb, _, rest = said.line.partition(" ")
            if verb == "MSG":
                self.writer = rest.partition(" ")[0]
        return super().render(said)


if __name__ == "__main__":
    sys.exit(main(ReplyCommands))
