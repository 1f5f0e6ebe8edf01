"""Exercise: The subprotocol `words`: each line as a list in JSON."""

import json

from extras.web.websocket import text_frame

# How often a line is cut, where its last word is a text that may have spaces; others are cut everywhere.
CUTS = {"OK": 1, "ERR": 2, "MSG": 2, "ALL": 2, "SAY": 3}


def words_frame(line: bytes) -> bytes:
    """Frame a line as JSON: SAY tea bob hello there -> ["SAY", "tea", "bob", "hello there"]."""
    return text_frame(line)  # TODO


# For WebSocketCodec: subprotocol -> frame; "" is for clients that choose none.
FRAMES = {"": text_frame}  # TODO
