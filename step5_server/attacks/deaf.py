"""Mallory does not read what she has asked for.  Does alice, who writes to her, have to wait?"""

import sys
import time

from guest import Guest

alice, mallory = Guest("alice"), Guest("mallory", reads_little=True)
mallory.sock.settimeout(0.2)
try:
    while True:
        mallory.say(*["HELP"] * 1000)
except TimeoutError:
    print("mallory has asked for HELP until the server took no more, and has read nothing")
for _ in range(5):
    time.sleep(0.1)
    asked_at = time.monotonic()
    reply = alice.ask("MSG mallory are you there?")
    waited_s = time.monotonic() - asked_at
    print(f"alice writes to mallory, and waits {waited_s:.2f} s for her {reply}")
    if waited_s > 0.5:
        sys.exit(1)
