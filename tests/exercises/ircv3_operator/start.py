"""Exercise: a tag for what the server's operators do."""

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.event import Event
from extras.irc.extension import Capability, Extension
from extras.irc.server import EXTENSIONS, IrcServer, parser
from step1_echo.serving import main

NAME = "example.org/operator"


class OperatorTag(Extension):
    """Who asks for example.org/operator gets a tag of that name, without a value, with all that an operator does."""

    def __init__(self, *args):
        super().__init__(*args)
        self.capabilities = (Capability(NAME, "shows that an operator of the server does this"),)


def operator_tag(event: Event) -> Mapping[str, str]:
    """Give the tag, if an operator has done this."""
    return {}  # TODO; and who calls this?


class OperatorServer(IrcServer):
    """Serve IRC, and show who runs the server."""

    def __init__(self, *args, extensions=(*EXTENSIONS, OperatorTag), **settings):
        super().__init__(*args, extensions=extensions, **settings)


if __name__ == "__main__":
    sys.exit(main(OperatorServer, parser()))
