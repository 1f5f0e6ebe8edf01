"""Solution: a lease, and a fence against who comes back after it."""

from redis import Redis

LEASE, TOKEN, DATA = "lease", "token", "data"  # the keys in Redis

# Redis runs nothing else while a script runs.
ACQUIRE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return redis.call('INCR', KEYS[2])
end
"""
WRITE = """
if tonumber(ARGV[1]) < tonumber(redis.call('GET', KEYS[1]) or 0) then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""


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
        return self.redis.eval(ACQUIRE, 2, LEASE, TOKEN, owner, lease_ms)

    def write(self, token: int, text: str) -> bool:
        """Set DATA to the text, if no higher token has been given out; tell whether that is so."""
        return self.redis.eval(WRITE, 2, TOKEN, DATA, token, text) == 1
