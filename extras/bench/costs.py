"""The file of costs: what a message has cost, so that a later change that makes it dearer is seen.

    {"calls": {"measured on": {...}, "numbers": {"irc, private, Python": 45.0, ...}}, "times": ...}

calls   of functions for each message: they depend on Python's version only
times   processor time, µs, and memory, kB: they are compared only on the same machine with the same Python
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("costs.json")
WORSE = 1.1  # what noise does to times, when the machine is quiet, and no small change to calls
NUMBERS = {"cpu_us": "CPU us", "kb_per_connection": "kB a connection"}
KEPT = ("step5", "rooms", "irc")  # of a report's servers


class NoCosts(Exception):
    """A file is missing, or is not what it should be."""


def read(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds.  Raises: NoCosts."""
    try:
        costs: dict[str, Any] = json.loads(path.read_text())
        return costs
    except (OSError, ValueError) as error:
        raise NoCosts(f"{path}: {error}") from None


def times_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the times in a report of `bench.py --json`: the least of its rounds.  Raises: NoCosts."""
    numbers = {}
    try:
        for workload, servers in report["rounds"].items():
            for server in set(KEPT) & servers.keys():
                rounds = servers[server]
                # Where memory is measured, one pair talks: too short for processor time, which comes in ticks.
                field = "cpu_us" if rounds[0]["kb_per_connection"] is None else "kb_per_connection"
                if values := [one[field] for one in rounds if one[field] is not None]:
                    numbers[f"{server}, {workload}, {NUMBERS[field]}"] = round(min(values), 2)  # noise only adds
        where = {fact: report["about"][fact] for fact in ("machine", "python")}
    except (LookupError, TypeError, AttributeError) as error:
        raise NoCosts(f"this is no report of bench.py --json: {error!r}") from None
    return {"measured on": where, "numbers": dict(sorted(numbers.items()))}


def save(old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
    """Write what is new, and what is old and was not measured again: a number a line, for a readable diff."""
    costs = old | new
    for part in old.keys() & new.keys():
        if old[part]["measured on"] == new[part]["measured on"]:
            costs[part] = new[part] | {"numbers": old[part]["numbers"] | new[part]["numbers"]}
    path.write_text(json.dumps(costs, indent=1) + "\n")


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, bool]:
    """Return a table of old, new and their ratio, and whether anything is worse.  Raises: NoCosts."""
    lines, worse = [f"{'':44}{'old':>10}{'new':>10}{'ratio':>8}"], False
    try:
        for part, now in new.items():
            before = old.get(part)
            if before is None or before["measured on"] != now["measured on"]:
                was, here = (", ".join(one["measured on"].values()) if one else "nothing" for one in (before, now))
                lines.append(f"{part} are not compared: there is {was}, and this is {here}")
                continue
            for name, after in now["numbers"].items():
                if name in before["numbers"]:
                    past = before["numbers"][name]
                    is_worse = after > past * WORSE
                    worse = worse or is_worse
                    ratio = f"{after / past:.2f}" if past else "-"
                    lines.append(f"{name:<44}{past:>10}{after:>10}{ratio:>8}{'  WORSE' if is_worse else ''}")
                else:
                    lines.append(f"{name:<44}{'-':>10}{after:>10}{'new':>8}")
    except (KeyError, TypeError, AttributeError) as error:
        raise NoCosts(f"this is no file of costs: {error!r}") from None
    return "\n".join(lines), worse
