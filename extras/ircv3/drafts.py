"""Accounts that are not kept yet: each waits for its owner to send the code that she got by mail.

They are in memory: a restart forgets them, and their owners register once more.
"""

import secrets
import time
from typing import NamedTuple

from extras.ircv3.accounts import Account, key_of

MAX_DRAFTS = 1000  # a few hundred bytes each; beyond it, nobody can register for a while
DRAFT_S = 3600.0  # mail may be slow
MAX_TRIES = 5  # of a hundred million codes; then one has to register again


class Draft(NamedTuple):
    """An account, its code, and how often somebody has sent a wrong one."""

    account: Account
    code: str
    ends_at: float
    failed: list[str]


class Drafts:
    """All drafts, by name.  Thread: holds the world's lock."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}  # the oldest first

    def add(self, account: Account, now: float | None = None) -> str:
        """Take an account in, and give its code; "" if there are too many, or somebody has taken the name."""
        now = time.monotonic() if now is None else now
        for key, draft in list(self._drafts.items()):
            if draft.ends_at > now:
                break
            del self._drafts[key]
        if len(self._drafts) >= MAX_DRAFTS or account.key in self._drafts:
            return ""
        code = f"{secrets.randbelow(10**8):08}"
        self._drafts[account.key] = Draft(account, code, now + DRAFT_S, [])
        return code

    def confirmed(self, name: str, code: str, now: float | None = None) -> Account | None:
        """Give the account that has this code."""
        draft = self._drafts.get(key_of(name))
        if draft is None or draft.ends_at <= (time.monotonic() if now is None else now):
            return None
        if secrets.compare_digest(draft.code.encode(), code.encode(errors="replace")):
            return draft.account
        draft.failed.append(code)
        if len(draft.failed) >= MAX_TRIES:
            self.drop(draft.account)
        return None

    def drop(self, account: Account) -> None:
        """Forget a draft: it is an account now, or will never be one."""
        self._drafts.pop(account.key, None)
