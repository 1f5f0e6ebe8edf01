"""Passwords on the command line, as they are or, better, as a hash: others may read a process list.

    $ python extras/irc/server.py hash-password
    Password:
    scrypt:gJ3...

Source: RFC 7914 (scrypt), whose section 2 explains the three numbers.
"""

import base64
import getpass
import hashlib
import hmac
import os
import sys

PREFIX = "scrypt:"
COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB and some 50 ms a try: dear for who tries millions
SALT_BYTES = 16


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Give what may stand on the command line in place of the password."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    digest = hashlib.scrypt(password.encode(errors="surrogateescape"), salt=salt, **COST)
    return PREFIX + base64.b64encode(salt + digest).decode()


def is_password(password: str, secret: str) -> bool:
    """Compare with a password, or with its hash, in a time that tells nothing.

    Blocks: some 50 ms for a hash; so never under a lock.
    """
    if secret.startswith(PREFIX):
        try:
            salt = base64.b64decode(secret.removeprefix(PREFIX))[:SALT_BYTES]
        except ValueError:
            return False
        password = hash_password(password, salt)
    given, wanted = (text.encode(errors="surrogateescape") for text in (password, secret))
    return hmac.compare_digest(given, wanted)


def main() -> int:
    """Ask for a password, or read it from a pipe, and print its hash."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    print(hash_password(password))
    return 0
