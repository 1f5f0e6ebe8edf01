"""Mallory says LOGOUT, and does not read the server's goodbye.  Is the server ever rid of her?"""

import sys
import time

from guest import Guest

patience_s = float(sys.argv[2]) if len(sys.argv) > 2 else 7.0
mallory, friend = Guest("mallory", reads_little=True), Guest("friend")
for _ in range(500):
    friend.ask("MSG mallory " + "x" * 900)
mallory.say("LOGOUT")
print("mallory has 500 messages to read; she reads none, and says LOGOUT")
left_at = time.monotonic()
while (passed_s := time.monotonic() - left_at) < patience_s:
    time.sleep(0.1)
    try:
        mallory.say("still here")
    except ConnectionError:
        print(f"after {passed_s:.1f} s the server has closed her connection")
        sys.exit(0)
print(f"after {passed_s:.1f} s the server still keeps her connection, and all that belongs to it")
sys.exit(1)
