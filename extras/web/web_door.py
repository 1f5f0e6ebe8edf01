"""A door for browsers: one more port of a server, with the WebSocket codec."""

import functools
import socket
from collections.abc import Callable

from extras.tls.doors import Door, DoorServer
from extras.tls.stream import PlainStream, SpeakingStream
from extras.tls.tls_server import TlsServer, give_up
from extras.web.website import Website
from extras.web.websocket import (
    TEXT_ONLY,
    Frames,
    WebSocketCodec,
    binary_frame,
    missing_library,
    replacing_text_frame,
)
from step1_echo.serving import explain_bind_error

# A client that names neither gets text: every browser can read that.
# Source: IRCv3, "WebSocket support" (ircv3.net/specs/extensions/websocket).
IRC_FRAMES = {
    "text.ircv3.net": replacing_text_frame,
    "binary.ircv3.net": binary_frame,
    "": replacing_text_frame,
}


def open_web_door(
    house: DoorServer,
    address: tuple[str, int],
    website: Website,
    frames: Frames = TEXT_ONLY,
    stream: Callable[[socket.socket], SpeakingStream] = PlainStream,
) -> Door:
    """Let a server listen for browsers as well; before serve_forever().  Raises: OSError."""
    codec = functools.partial(WebSocketCodec, website=website, frames=frames)
    door = Door(address, house, stream, codec)
    house.doors.append(door)
    return door


def door_from_args(house: TlsServer, address: tuple[str, int], flag: str, website: Website, frames: Frames) -> Door:
    """Open it as the command line asks; or say why that cannot be, and exit.

    A server with a certificate encrypts here too: no page that came by https may connect without.
    """
    # A browser that is asked for a certificate would ask its user.
    stream = house.credentials.stream if house.credentials else PlainStream
    if complaint := missing_library():
        give_up(complaint)
    try:
        return open_web_door(house, address, website, frames, stream)
    except OSError as error:
        give_up(explain_bind_error(error, *address, flag))
