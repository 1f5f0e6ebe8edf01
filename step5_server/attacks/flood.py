"""Mallory floods bob, who does not read for a while.  Does he learn what has happened?"""

import sys

from guest import Guest

bob, mallory = Guest("bob", reads_little=True), Guest("mallory")
while mallory.ask("MSG bob " + "x" * 1000).startswith("OK"):
    pass
print("mallory has written to bob until the server said that he is not here; now he reads")
lines = iter(bob.hear, "")
last = ""
for line in lines:
    before, last = last, line
print("the last line but one:", before[:30], len(before), "characters")
print("the last line:", last[:30], len(last), "characters")
sys.exit(not last.startswith("ERR too-slow"))
