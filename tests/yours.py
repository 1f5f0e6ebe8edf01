"""A learner's own functions and classes in place of ours: --python step4=my.framing:LineBuffer.

The tests of steps 3 and 4 take what they test from here, and those of step 5's races the whole module:

    framing = under_test("step4", step4_framing.framing)
    buffer = framing.LineBuffer()
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from tests.crash import crash_of
from tests.lesson import NotYet

STAND_FOR = {"step4": "LineBuffer"}  # what a NAME after the colon replaces, if that has another name


class Yours:
    """A module of ours, or somebody else's instead; a name that theirs lacks is not taken from ours."""

    def __init__(self, step: str, ours: ModuleType):
        self._step = step
        self._ours = ours

    def __getattr__(self, name):
        theirs = chosen.get(self._step)  # looked up late: a test run may start another one in the same process
        if theirs is None:
            return getattr(self._ours, name)
        if name not in theirs:
            raise NotYet(f"there is no {name} yet")
        return theirs[name]


chosen: dict[str, dict] = {}  # step -> the names that --python gives


def choose(spec: str, directory: Path) -> None:
    """Read one stepN=MODULE[:NAME].  Raises: ValueError, with what is wrong."""
    step, _, place = spec.partition("=")
    where, _, name = place.partition(":")
    if step not in ("step3", "step4", "step5") or not where:
        raise ValueError(f"{spec!r} is not step3=MODULE, step4=MODULE:LineBuffer or step5=MODULE")
    module = load(where, directory)
    if step == "step5":
        chosen[step] = {"module": module}
        return
    names = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    if name and name not in names:
        raise ValueError(f"{where} has no {name}")
    if name:
        names[STAND_FOR.get(step, name)] = names[name]
    chosen[step] = names


def load(where: str, directory: Path) -> ModuleType:
    """Import a module by its dotted name or its path.  Raises: ValueError."""
    sys.path.insert(0, str(directory))
    try:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        sys.path.insert(0, str((directory / where).parent))  # as when it is run: it may import its neighbours
        spec = importlib.util.spec_from_file_location(Path(where).stem + "_under_test", directory / where)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:  # noqa: BLE001 (it is in their code, and they must read it)
        crash = crash_of(error, lambda path: not path.startswith("<"))
        raise ValueError(f"{crash}\n\nso {where} cannot be imported") from None


def under_test(step: str, ours: ModuleType) -> Yours:
    """Return our module, or the learner's if --python gave one."""
    return Yours(step, ours)
