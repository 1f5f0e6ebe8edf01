"""Bob's cable could be pulled at any time.  Will the server's system ever ask whether he is there?

Linux only: /proc/net/tcp tells of each connection which timer runs for it.
"""

import sys
from pathlib import Path

from guest import PORT, Guest

bob = Guest("bob")
bobs_port = bob.sock.getsockname()[1]
for row in Path("/proc/net/tcp").read_text().splitlines():
    words = row.split()
    if words[1].endswith(f":{PORT:04X}") and words[2].endswith(f":{bobs_port:04X}"):
        kind, _, ticks = words[5].partition(":")
if kind == "02":
    print(f"bob is quiet; in {int(ticks, 16) / 100:.0f} s the server's system will ask whether he is there")
else:
    print("bob is quiet; the server's system will never ask whether he is there")
sys.exit(kind != "02")
