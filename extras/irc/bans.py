"""A channel's lists of masks: bans, exceptions, invitations; and whom they match.

verdict   whether a list matches a user: remembered, because it is needed for each message
extended  a mask that an extension understands, such as `a:alice` for whoever has logged in as alice

Source: RFC 2811 section 4.3; modern.ircdocs.horse "EXTBAN Parameter".
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from extras.irc.names import Name

if TYPE_CHECKING:
    from extras.irc.state import User

# Tells whether a mask matches a user, from its list's letter and the mask; None if it is no extended one.
Matches = Callable[[str, str, "User"], bool | None]

LISTS = "beI"  # bans, exceptions from them, and who needs no invitation
MAX_LIST = 100  # masks in all lists of one channel together: each is compared at each join
MAX_VERDICTS = 1000  # answers that one channel remembers


class Entry(NamedTuple):
    """One mask in a list."""

    mask: str
    set_by: str
    set_at: float


class Lists:
    """The lists of one channel."""

    def __init__(self, matches: Matches | None = None):
        """Take what looks at extended bans."""
        # By letter; then by mask() of the mask: two that differ in case only are one.
        self.entries: dict[str, dict[str, Entry]] = {letter: {} for letter in LISTS}
        self._matches = matches
        self._verdicts: dict[tuple[str, str, str, str], bool] = {}

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    def add(self, letter: str, key: str, entry: Entry) -> None:
        """Put a mask on a list."""
        self.entries[letter][key] = entry
        self._verdicts.clear()

    def remove(self, letter: str, key: str) -> Entry | None:
        """Take a mask off a list; give it, if it was there."""
        self._verdicts.clear()
        return self.entries[letter].pop(key, None)

    def match(self, letter: str, user: "User", prefix: str = "") -> bool:
        """Return whether a mask of this list matches the user; with a prefix, what stands behind it."""
        if not self.entries[letter]:
            return False
        known = letter, prefix, user.source, user.account
        verdict = self._verdicts.get(known)
        if verdict is None:
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()  # somebody changes her name again and again
            verdict = self._verdicts[known] = self._look(letter, user, prefix)
        return verdict

    def _look(self, letter: str, user: "User", prefix: str) -> bool:
        hosts = (user.host, *user.other_hosts)
        names = [Name(f"{user.nick}!{user.name}@{host}") for host in hosts]
        for key, entry in self.entries[letter].items():
            if not entry.mask.startswith(prefix):
                continue
            key, text = key[len(prefix) :], entry.mask[len(prefix) :]
            extended = self._matches and self._matches(letter, text, user)
            if any(name.fits(key) for name in names) if extended is None else extended:
                return True
        return False
