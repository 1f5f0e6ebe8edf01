"""Bob says LOGOUT, and goes on talking before he reads.  Does the server's last word reach him?"""

import sys
import time

from guest import Guest

bob = Guest("bob", reads_little=True)
bob.say(*["HELP"] * 1000, "LOGOUT", *["and another thing"] * 1000)
try:
    for _ in range(20):
        time.sleep(0.02)
        bob.say("and another thing")
except ConnectionError as error:
    print("bob talks on, and his system says:", error.strerror)
*helped, last = iter(bob.hear, "")
print(f"bob has asked 1000 times for HELP, and said LOGOUT; he hears {len(helped)} replies,")
print("and then:", last)
sys.exit(last != "OK bye")
