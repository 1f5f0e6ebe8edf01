"""Exercise: which answer belongs to which request?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.message import Message, format_message, parse_message


class Labels:
    """The client's end of labeled-response: lines in, complete answers out.

    An answer is one message with the label; or none, if that is an ACK; or all that is in the batch whose
    start has the label, and in batches inside that, without the BATCH lines.
    """

    def request(self, command: str, *params: str) -> tuple[str, bytes]:
        """Return a new label, and the line that asks with it, without CR LF."""
        label = "1"  # TODO
        return label, f"@label={label} ".encode() + format_message(command, *params)

    def hear(self, line: bytes) -> tuple[str, list[Message]] | None:
        """Take a line.  Return a label and its whole answer; "" and a message that is no answer; or None."""
        message = parse_message(line)
        return "", [message]  # TODO
