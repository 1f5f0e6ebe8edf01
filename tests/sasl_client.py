"""A client's side of SASL: it logs in over a wire, or without one."""

import base64
import hashlib
import hmac

CHUNK = 400


class ScramClient:
    """SCRAM-SHA-256 as a client does it. Source: RFC 5802 section 3."""

    def __init__(self, name, password, authzid="", nonce="abc"):
        escaped = name.replace("=", "=3D").replace(",", "=2C")
        self._header = f"n,{authzid and 'a='}{authzid},"
        self._bare, self._password = f"n={escaped},r={nonce}", password

    def first(self):
        return (self._header + self._bare).encode()

    def final(self, challenge):
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c={base64.b64encode(self._header.encode()).decode()},r={fields['r']}"
        said = f"{self._bare},{challenge.decode()},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), said, "sha256")
        proof = bytes(left ^ right for left, right in zip(client, signature))
        self._verifier = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer):
        """Know the server by what only who keeps our keys can say."""
        assert answer == b"v=" + base64.b64encode(self._verifier)


def plain(name, password, authzid=""):
    """Return the one message of PLAIN."""
    return f"{authzid}\0{name}\0{password}".encode()


def chunks(message):
    """Return the parameters of AUTHENTICATE for one message."""
    text = base64.b64encode(message).decode()
    return [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)] + ["+"] * (len(text) % CHUNK == 0)
