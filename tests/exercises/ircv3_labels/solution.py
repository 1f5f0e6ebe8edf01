"""Solution: which answer belongs to which request?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.message import Message, format_message, parse_message


class Labels:
    """The client's end of labeled-response: lines in, complete answers out.

    An answer is one message with the label; or none, if that is an ACK; or all that is in the batch whose
    start has the label, and in batches inside that, without the BATCH lines.
    """

    def __init__(self):
        self._asked = 0
        self._open: dict[str, str] = {}  # open batch -> the label of the answer that it belongs to
        self._outer: dict[str, str] = {}  # label -> the batch that is its answer
        self._answers: dict[str, list[Message]] = {}  # label -> what has come so far

    def request(self, command: str, *params: str) -> tuple[str, bytes]:
        """Return a new label, and the line that asks with it, without CR LF."""
        self._asked += 1
        label = str(self._asked)
        return label, f"@label={label} ".encode() + format_message(command, *params)

    def hear(self, line: bytes) -> tuple[str, list[Message]] | None:
        """Take a line.  Return a label and its whole answer; "" and a message that is no answer; or None."""
        message = parse_message(line)
        label = message.tags.get("label") or self._open.get(message.tags.get("batch"), "")
        if message.command == "BATCH":
            return self._batch(message, label)
        if "label" in message.tags:
            return label, [] if message.command == "ACK" else [message]
        if label:
            self._answers[label].append(message)
            return None
        return "", [message]

    def _batch(self, message: Message, label: str) -> tuple[str, list[Message]] | None:
        """Take the start of a batch, or its end."""
        sign, batch = message.params[0][0], message.params[0][1:]
        if sign == "+":
            if not label:
                return "", [message]
            self._open[batch] = label
            if "label" in message.tags:
                self._outer[label], self._answers[label] = batch, []
            return None
        label = self._open.pop(batch, "")
        if not label:
            return "", [message]
        if self._outer[label] != batch:
            return None
        del self._outer[label]
        return label, self._answers.pop(label)
