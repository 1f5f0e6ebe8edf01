"""Pinning: keep the whole process on one core, so that the GIL never has to change cores.

Only one thread at a time runs Python.  If the threads are spread over two cores, they still
take turns, and each time one wakes another on the other core, which takes long.  On one core
the next thread goes on at once.

core   one of the machine's processors, by number
claim  a name that only one process at a time can have: two servers take two cores
"""

import os
import socket
import sys


def pin_to_one_core(label: str = "chat-server") -> socket.socket | None:
    """Keep this thread, and all that it starts, on one core that no other server has claimed.

    Returns the claim: the core is free again when it is closed, or the process ends, however
    it ends.  None where there is nothing to gain (no GIL), no core left, or no Linux.
    Thread: the main one, before it starts others.  Source: sched_setaffinity(2).
    """
    if not hasattr(os, "sched_setaffinity") or not gil_is_on():
        return None
    cores = os.sched_getaffinity(0)
    if len(cores) == 1:
        return None  # somebody has decided already
    # From the last one down: much of the system's own work is done on the first.
    for core in sorted(cores, reverse=True):
        if claim := claim_name(f"{label}-on-core-{core}"):
            os.sched_setaffinity(0, {core})
            return claim
    return None


def claim_name(name: str) -> socket.socket | None:
    """Return a socket that holds this name on this machine, or None if somebody has it.

    A name that begins with NUL is in no file system: nothing is left behind.
    Source: unix(7), "Abstract sockets".
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind("\0" + name)
    except OSError:
        claim.close()
        return None
    return claim


def gil_is_on() -> bool:
    """Tell whether only one thread at a time runs Python; not so in a free-threaded build."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()
