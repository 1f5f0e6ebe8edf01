"""Solution: a verb TIME, whose reply is OK and the time: `OK 2030-01-31T12:30:59`."""

from datetime import datetime

from step3_protocol.protocol import format_line
from step3_protocol.session import Session


class TimeSession(Session):
    """Answer TIME too."""

    verbs = Session.verbs | {"TIME": ""}  # HELP and the error texts need no change

    def do_TIME(self) -> list[bytes]:
        return [format_line("OK", datetime.now().isoformat(timespec="seconds"))]
