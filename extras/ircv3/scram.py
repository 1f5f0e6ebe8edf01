"""SCRAM-SHA-256: a client shows that it knows the password, and sends nothing from which one could learn it.

    client  n,,n=alice,r=abc                            her name, and a nonce: a word used once
    server  r=abcXYZ,s=c2FsdA==,i=20000                 with ours behind it; the salt, how many rounds
    client  c=biws,r=abcXYZ,p=...                       the proof
    server  v=...                                       that we know her, too

keys     what we keep instead of the password; who steals them cannot log in with them
message  what one side has sent, without Base64

This module sees no socket and no database.  Source: RFC 5802 sections 3, 5 and 7, RFC 7677, and
RFC 4013 (SASLprep).
"""

import base64
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata
from typing import NamedTuple

# RFC 7677 section 4 wants 15,000 at least; each costs the client time, which may be a telephone.
ROUNDS = 20_000
SALT_BYTES = NONCE_BYTES = 18  # a multiple of 3, so that Base64 needs no padding
# A mandatory extension (m=) is none that we know, so it does not fit and is refused.
FIRST = re.compile(
    r"(?P<header>[ny],(?:a=(?P<authzid>[^,]*))?,)"
    r"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[!-+\--~]+)(?:,.*)?)"
)
FINAL = re.compile(r"(?P<bare>c=(?P<binding>[^,]+),r=(?P<nonce>[^,]+)(?:,.*)?),p=(?P<proof>[^,]+)")


class ScramError(Exception):
    """The client's message is not one of SCRAM, or its proof is wrong."""


class Keys(NamedTuple):
    """What the server keeps of a password."""

    salt: bytes
    rounds: int
    stored: bytes
    server: bytes


def make_keys(password: str, salt: bytes | None = None, rounds: int = ROUNDS) -> Keys:
    """Give the keys of a password that prepare() has made.  Takes some 10 ms."""
    salt = salt or os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(salt, rounds, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


class Exchange:
    """The server's side of one login: start it with the first message, then challenge(), then verify()."""

    def __init__(self, message: bytes):
        """Read the first message: who it is.  Raises: ScramError."""
        found = FIRST.fullmatch(to_text(message))
        if not found:
            raise ScramError("no first message of SCRAM without channel binding")
        self._header, self._bare, self._nonce = found["header"], found["bare"], found["nonce"]
        self.name = unescape(found["name"])
        self.authzid = unescape(found["authzid"] or "")  # as whom she wants to act

    def challenge(self, keys: Keys, nonce: str = "") -> bytes:
        """Give the answer to it; for a name that nobody has, with keys that fit no password."""
        self._keys = keys
        self._nonce += nonce or to_base64(os.urandom(NONCE_BYTES))
        self._challenge = f"r={self._nonce},s={to_base64(keys.salt)},i={keys.rounds}"
        return self._challenge.encode()

    def verify(self, message: bytes) -> bytes:
        """Give the answer to the right proof.  Raises: ScramError."""
        found = FINAL.fullmatch(to_text(message))
        if not found or found["binding"] != to_base64(self._header.encode()) or found["nonce"] != self._nonce:
            raise ScramError("no final message that belongs to the first")
        try:
            proof = base64.b64decode(found["proof"], validate=True)
        except ValueError:
            raise ScramError("the proof is not Base64") from None
        said = f"{self._bare},{self._challenge},{found['bare']}".encode()
        signature = hmac.digest(self._keys.stored, said, "sha256")
        client = bytes(left ^ right for left, right in zip(proof, signature))
        if len(proof) != len(signature) or not hmac.compare_digest(hashlib.sha256(client).digest(), self._keys.stored):
            raise ScramError("the proof is wrong")
        return f"v={to_base64(hmac.digest(self._keys.server, said, 'sha256'))}".encode()


def prepare(password: str) -> str:
    """Give the form of a password that is the same however a keyboard makes it.  RFC 4013.

    Raises: ValueError, if it is empty or has a character that may not be in a password.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter for letter in password if not stringprep.in_table_b1(letter)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared or any(forbids(letter) for letter in prepared for forbids in FORBIDDEN):
        raise ValueError("empty, or with a character that may not be in a password")
    return prepared


# Control characters, private use, no character, surrogates, ...: RFC 4013 section 2.3.
FORBIDDEN = (
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def unescape(name: str) -> str:
    """Undo what stands for a comma and an equals sign in a name.  Raises: ScramError."""
    if re.search("=(?!2C|3D)", name):
        raise ScramError("an equals sign in the name")
    return name.replace("=2C", ",").replace("=3D", "=")


def to_text(message: bytes) -> str:
    """Decode a message.  Raises: ScramError."""
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise ScramError("not UTF-8") from None


def to_base64(data: bytes) -> str:
    """Give bytes in Base64, as text."""
    return base64.b64encode(data).decode()
