"""Exercise: a lease, and a fence against who comes back after it."""

from redis import Redis

LEASE, TOKEN, DATA = "lease", "token", "data"  # the keys in Redis


class Lease:
    """A right to write that somebody has for some time, if nobody else has it.

    Her process may be stopped for longer than that time, and not know it when it goes on.  So each
    who gets the right gets a number with it, the token, which is higher than all before; and what is
    written with a token is refused if a higher one has been given out.
    """

    def __init__(self, redis: Redis):
        self.redis = redis

    def acquire(self, owner: str, lease_ms: int) -> int | None:
        """Return a token, higher than all before, or None if somebody has the right now."""
        # TODO: what Redis does in two commands is not one step
        if self.redis.set(LEASE, owner, nx=True, px=lease_ms):
            return 1

    def write(self, token: int, text: str) -> bool:
        """Set DATA to the text, if no higher token has been given out; tell whether that is so."""
        self.redis.set(DATA, text)  # TODO
        return True
