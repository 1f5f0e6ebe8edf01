"""Exercise: WHERE bob: which server is he on?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.cluster.handler import ClusterHandler
from extras.cluster.server import ClusterServer, parser
from step1_echo.serving import main
from step3_protocol.protocol import ProtocolError, format_line


class WhereHandler(ClusterHandler):
    """`WHERE bob` is answered `OK s2-4f1c9a`: the server that bob is connected to."""

    VERBS = ClusterHandler.VERBS | {"WHERE": "name"}

    def do_WHERE(self, name):
        self.send(format_line("OK", "nowhere"))  # TODO


class WhereServer(ClusterServer):
    """Serve chat users who want to know where others are."""

    handler_class = WhereHandler


if __name__ == "__main__":
    sys.exit(main(WhereServer, parser()))
