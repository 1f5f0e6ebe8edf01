"""A crowd: mallory opens more connections than the server can have.  Does bob still get in?"""

import sys

from guest import Guest

alice = Guest("alice")
crowd = [Guest() for _ in range(100)]
print("mallory has opened 100 connections")
bob = Guest(from_host="127.0.0.2")  # the same machine, by another of its addresses
print("bob logs in from elsewhere:", reply := bob.ask("LOGIN bob", patience_s=3))
print("alice, who was in before, asks for HELP:", alice.ask("HELP"))
sys.exit(not reply.startswith("OK"))
