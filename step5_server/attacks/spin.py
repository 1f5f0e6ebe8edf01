"""Nothing left: the server cannot accept one more connection.  Does it rest, or does it spin?

Linux only: it reads in /proc what the server's process has used of the processor.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from guest import PORT, Guest


def server_pid() -> str:
    """Return the number of the process that listens on the port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    inode = next(row[9] for row in rows if row[1].endswith(f":{PORT:04X}") and row[3] == "0A")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # it has ended, or it is not ours
            if os.readlink(descriptor) == f"socket:[{inode}]":
                return descriptor.parts[2]
    raise LookupError("no process of ours listens there")


def used_s(pid: str) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


crowd = [Guest() for _ in range(100)]
print("mallory has opened 100 connections, and is quiet")
pid = server_pid()
before_s = used_s(pid)
time.sleep(1)
used = used_s(pid) - before_s
print(f"in the next second the server uses the processor for {used:.2f} s")
sys.exit(used > 0.15)
