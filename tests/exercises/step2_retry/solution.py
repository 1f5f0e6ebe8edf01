"""Solution: connect to a server that may not be running yet; try again, after longer and longer pauses."""

import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so step2_client is found

from step2_client.client import CannotConnect, connect

FIRST_PAUSE_S = 0.1  # a server that is just starting needs less


def connect_patiently(host: str, port: int, tries: int, pause=time.sleep) -> socket.socket:
    """Return a connected socket; try `tries` times, and call pause(seconds) between two tries.

    Raises: CannotConnect, from the last try.
    """
    for attempt in range(tries - 1):
        try:
            return connect(host, port)
        except CannotConnect:
            pause(FIRST_PAUSE_S * 2**attempt)
    return connect(host, port)
