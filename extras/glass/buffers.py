"""A line buffer that tells what it keeps and what it gives: step 4's, the learner's, or step 5's codec."""

from typing import TYPE_CHECKING, Any

from extras.glass.gate import Gate, text_of
from step4_framing.framing import LineTooLong
from step5_server.codec import LineCodec

if TYPE_CHECKING:
    from step4_framing.framing import LineBuffer as Buffer  # the learner's has the same two methods
else:
    Buffer = object


class TellingBuffer(Buffer):
    """What every buffer tells: the base of a class, before a buffer's.  Thread: a lane's own."""

    gate: Gate

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk)
        self.tell_kept()
        self.gate.stop()

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
        me: Any = self  # ours, or hers, whose names have no underscore
        lines, rest = (me._lines, me._rest) if hasattr(me, "_lines") else (me.lines, me.rest)
        self.gate.tell("kept", lines=len(lines), rest=text_of(rest))


class TellingCodec(TellingBuffer, LineCodec):
    """Step 5's codec."""
