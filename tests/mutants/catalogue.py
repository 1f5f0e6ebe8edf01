"""The catalogue: every mutant says which check must catch it.

mutant    a server, client or buffer that is wrong in one way, which its docstring names
check     the test that must fail for it
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step1_echo is found


class Catalogue(dict):
    """Mutants by name."""

    def caught_by(self, check: str):
        """Add the decorated class; `check` is the name of the test that must fail for it."""

        def add(mutant):
            mutant.check = check
            self[mutant.__name__] = mutant
            return mutant

        return add
