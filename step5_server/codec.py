"""A codec: from bytes to lines when we read, and from a line to bytes when we write.

This one is step 4's.  Others frame the same lines in another way: IRC ends them with CR LF, a
browser sends each in a WebSocket frame.  What reads and what writes does not know which it is.
"""

from step4_framing.framing import LineBuffer, frame_line


class LineCodec(LineBuffer):
    """Lines that end with LF: feed() and next_line() are the buffer's, frame() is the way back."""

    frame = staticmethod(frame_line)  # lines for many are framed once for all with the same frame()
    opened = True  # whether lines may come: not before a handshake of the codec's own
    goodbye = b""  # what follows our last line
    ended = False  # whether the peer has said goodbye in a way of the codec's own
