"""What a learner has typed in tests/mine/, how it is started, and what is known of each step: for watch.py.

step      a chapter, and the files that its reader types
begun     a step is, as soon as one of its files is there
print     a hash of all that the verdict on a step depends on: while it is the same, so is the verdict
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
import warnings
from pathlib import Path
from typing import NamedTuple

from tests.chapter import ROOT

NOT_HERS = ("node_modules", "target")  # folders that tools fill
SERVER, CLIENT = "--server={python} {path} {port}", "--client={python} {path} {host} {port}"
RACES = {"chat_server.py": "tests/test_step5_races.py"}  # the checks that run her program's threads in all orders
ONLY_PYTHON = "In another language than Python, only the server's checks of step 4 judge steps 3 and 4."


class Step(NamedTuple):
    number: int
    folder: str  # with its chapter
    parts: dict[str, str]  # the name of a file to type -> the flag with which pytest judges it

    def __str__(self):
        return f"step {self.number}"

    @property
    def test_file(self) -> Path:
        return ROOT / "tests" / f"test_{self.folder}.py"


STEPS = [
    Step(1, "step1_echo", {"echo.py": SERVER}),
    Step(2, "step2_client", {"client.py": CLIENT}),
    Step(3, "step3_protocol", {"protocol.py": "--python=step3={path}"}),
    Step(4, "step4_framing", {"framing.py": "--python=step4={path}:LineBuffer", "line_server.py": SERVER}),
    Step(5, "step5_server", {"chat_server.py": SERVER}),
    Step(6, "step6_client", {"chat_client.py": CLIENT}),
]


JUDGED = {
    name: (step.test_file, flag) for step in STEPS for name, flag in step.parts.items()
}  # her program -> by what, how


def more_fail(count: int) -> str:
    """Say that the first lesson is not all."""
    return f"{count} more rule{'s' * (count > 1)} fail{'s' * (count == 1)}; begin with this one."


class Trouble(Exception):
    """Something of hers cannot be judged: the text says what, and where."""


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the name of each of her files -> when it was saved, and its size."""
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] not in "._" and name not in NOT_HERS]
        for path in (Path(parent, name) for name in names if name[0] != "." and name[-1] != "~"):
            with contextlib.suppress(OSError):  # NOTE: gone since, as an editor's files do
                found[path.relative_to(folder).as_posix()] = path.stat().st_mtime_ns, path.stat().st_size
    return found


def read_commands(path: Path) -> dict[int, str]:
    """Return a step's number -> the command that starts its program.  Raises: Trouble."""
    commands = {}
    text = path.read_text(encoding="utf-8-sig", errors="replace") if path.exists() else ""
    for at, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"step\s*(\d+)\s*:\s*(.+)", line)
        number, command = (int(found[1]), found[2]) if found else (0, "")
        wrong = (
            "it is not like this one:  step 1: node tests/mine/echo.js {port}"
            if not found
            else "the steps are 1 to 6"
            if not 1 <= number <= 6
            else f"a command cannot start functions. {ONLY_PYTHON}"
            if number == 3
            else f"step {number} has a command already"
            if number in commands
            else "it has no {port}, where the number of the port goes"
            if "{port}" not in command
            else ""
        )
        if wrong:
            raise Trouble(f"{path.name}, line {at}: {wrong}\n    {line}")
        commands[number] = command
    return commands


def check_syntax(path: Path) -> None:
    """Raises: Trouble, with the place, where a file is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        shown = (error.text or "").strip()
        raise Trouble(f"{path.name}, line {error.lineno}: {error.msg}" + f":  {shown}" * bool(shown)) from None
    except (OSError, ValueError) as error:  # it has gone; or there is a NUL in it, which older Pythons tell so
        raise Trouble(f"{path.name}: {error}") from None


def used_by(path: Path, names) -> set[str]:
    """Return which of the named files a program may use: those whose names stand where it imports something."""
    brings = re.compile(
        r"\s*(import|from)\b" if path.suffix == ".py" else r".*\b(import|from|include|require|use|mod)\b"
    )
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = {word for line in lines if brings.match(line) for word in re.findall(r"\w+", line)}
    return {name for name in names if Path(name).stem in words}


class Progress:
    """How far she is, as the folder is now."""

    def __init__(self, folder: Path):
        """Raises: Trouble."""
        self.folder = folder
        self.stamps = stamps(folder)
        self.commands = read_commands(folder / "commands.txt")
        self.prints = {step.number: self._print(step) for step in STEPS}
        self._memory = folder / ".progress.json"
        self._results = {}
        with contextlib.suppress(OSError, ValueError):  # NOTE: none yet, or spoiled: then we judge anew
            self._results = json.loads(self._memory.read_text())

    # A step's files

    def typed(self, step: Step) -> dict[str, str]:
        """Return the files of the table that a step is made of -> their flags; a command takes a program's place."""
        replaced = step.number in self.commands
        return {
            name: flag
            for name, flag in step.parts.items()
            if not replaced or "{port}" not in flag and name in self.stamps
        }

    def own(self, step: Step) -> set[str]:
        """Return the files that are there of the step's own: of the table, or those that her command names."""
        words = set(re.split(r"[\s/\\\"']+", self.commands.get(step.number, "")))
        return {name for name in self.stamps if name in self.typed(step) or words & set(name.split("/"))}

    def files(self, step: Step) -> set[str]:
        """Return all files that the step's programs are made of."""
        found, waiting = set(), self.own(step)
        while waiting:
            found.add(name := waiting.pop())
            with contextlib.suppress(OSError):  # NOTE: gone since; the next look sees that
                waiting |= used_by(self.folder / name, self.stamps) - found
        return found

    def _print(self, step: Step) -> str:
        seen = hashlib.sha256(self.commands.get(step.number, "").encode())
        races = [ROOT / RACES[name] for name in step.parts if name in RACES]
        for path in [step.test_file, *races, *(self.folder / name for name in sorted(self.files(step)))]:
            with contextlib.suppress(OSError):  # NOTE: as above
                seen.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return seen.hexdigest()

    def shown(self, name: str) -> str:
        """Return a file's path as one types it in the project's folder."""
        path = self.folder / name
        return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()

    def runs(self, step: Step) -> list[list[str]]:
        """Return the arguments of each pytest that the step needs; of a program not there, checks are only counted."""
        runs = []
        for name, flag in self.typed(step).items():
            path = self.shown(name) if flag.startswith("--python") else shlex.quote(self.shown(name))
            if name in RACES and self.may_be_imported(name):  # first, since the chapter comes to it first
                runs.append([str(ROOT / RACES[name]), f"--python=step{step.number}={self.shown(name)}"])
            if name in self.stamps:
                runs.append([str(step.test_file), flag.replace("{path}", path)])
            elif "{port}" in flag:
                runs.append([str(step.test_file), flag, "--collect-only"])
        if command := self.commands.get(step.number):
            flag = "--client" if CLIENT in step.parts.values() else "--server"
            runs.append([str(step.test_file), f"{flag}={command}"])
        return runs

    def may_be_imported(self, name: str) -> bool:
        """Say whether a program does not start when it is imported."""
        with contextlib.suppress(OSError):  # NOTE: not there, or gone since
            return "__main__" in (self.folder / name).read_text(encoding="utf-8", errors="replace")
        return False

    # What is known

    def begun(self, step: Step) -> bool:
        """Say whether a file is there, or a command that starts a program elsewhere."""
        command = self.commands.get(step.number)
        return bool(self.own(step) or command and self.shown("") not in command)

    def result(self, step: Step) -> dict | None:
        """Return what came out when the step was judged as it is now: "passed", "rules", and whether it "passes"."""
        result = self._results.get(str(step.number), {})
        return result if result.get("print") == self.prints[step.number] else None

    def passes(self, step: Step) -> bool:
        return self.begun(step) and bool((self.result(step) or {}).get("passes"))

    def remember(self, step: Step, **result) -> None:
        self._results[str(step.number)] = {**result, "print": self.prints[step.number]}
        with contextlib.suppress(OSError):  # NOTE: where we may not write, we judge anew each time
            self._memory.write_text(json.dumps(self._results))

    def unfinished(self) -> list[Step]:
        return [step for step in STEPS if self.begun(step) and not self.passes(step)]

    def begun_steps(self) -> list[Step]:
        return [step for step in STEPS if self.begun(step)]

    def next(self, only: Step | None) -> tuple[Step, str] | None:
        """Return the file to begin, and its step: what a step lacks, or else the first after all that are begun."""
        last = max((step.number for step in self.begun_steps()), default=0)
        lacking = [(step, name) for step in STEPS for name in self.typed(step) if name not in self.stamps]
        if only and not self.passes(only):
            lacking = [one for one in lacking if one[0] == only]
        return min(lacking, key=lambda one: (not self.begun(one[0]), one[0].number < last, one[0].number), default=None)
