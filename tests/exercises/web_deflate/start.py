"""Exercise: Compressed frames, each by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from extras.web.websocket import WebSocketCodec


def deflated_frame(line: bytes) -> bytes:
    """Frame a line, compressed; it depends on the line alone, so one frame is good for all."""
    raise NotImplementedError  # TODO


class DeflateCodec(WebSocketCodec):
    """A codec that agrees on permessage-deflate if the client offers it.  Source: RFC 7692."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        # TODO

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk; after the handshake, `frame` is the right one for this client."""
        return super().feed(chunk)  # TODO
