"""A line buffer that tells what it keeps and what it gives: step 4's, the learner's, or step 5's codec."""

from extras.glass.gate import Gate, text_of
from step4_framing.framing import LineTooLong
from step5_server.codec import LineCodec


def telling_buffer(buffer_class: type) -> type:
    """Return the LineBuffer that also tells what it keeps and gives.  Thread: a lane's own."""

    class TellingBuffer(buffer_class):
        gate: Gate

        def feed(self, chunk: bytes):
            answer = super().feed(chunk)
            self.tell_kept()
            self.gate.stop()
            return answer

        def next_line(self) -> bytes | None:
            try:
                line = super().next_line()
            except LineTooLong:
                self.tell_too_long()
                raise
            except Exception as error:  # a rung has a LineTooLong of its own
                if type(error).__name__ == "LineTooLong":
                    self.tell_too_long()
                raise
            if line is not None:
                self.gate.tell("line", line=text_of(line))
                self.gate.stop()
            return line

        def tell_too_long(self) -> None:
            self.gate.tell("line", too_long=True)
            self.tell_kept()
            self.gate.stop()

        def tell_kept(self) -> None:
            lines, rest = (self._lines, self._rest) if hasattr(self, "_lines") else (self.lines, self.rest)
            self.gate.tell("kept", lines=len(lines), rest=text_of(rest))

    return TellingBuffer


class TellingCodec(telling_buffer(LineCodec)):
    """Step 5's codec."""
