"""Alice writes to bob, who reads late, and the server is stopped.  Is what was acknowledged delivered?"""

import sys

from guest import Guest

alice, bob = Guest("alice"), Guest("bob", reads_little=True)
sent = sum(alice.ask(f"MSG bob {number} {'x' * 900}") == "OK" for number in range(500))
print(f"alice has sent bob {sent} messages, and has an OK for each: now stop the server", flush=True)
print("alice hears:", alice.hear(60) or "the end")
*lines, last = iter(bob.hear, "")
received = sum(line.startswith("MSG alice") for line in [*lines, last])
print(f"bob gets {received} of {sent}; the last thing he hears: {last[:60]}")
sys.exit(received < sent)
