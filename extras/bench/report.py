"""The report: medians, a table for each workload, the goals, and all of it as JSON.

rounds   what was measured, by workload, server and number of the round, so that two servers
         can be compared within a round: on a busy machine only those are comparable that were
         measured shortly after each other
"""

import statistics
from typing import Any, NamedTuple

from extras.bench.servers import KINDS
from extras.bench.workloads import WORKLOADS

COLUMNS = {  # the title of a column, and how its number is written
    "per_second": ("{unit}/s", "{:,.0f}"),
    "cpu_us": ("CPU us each", "{:.2f}"),
    "redis_us": ("Redis us each", "{:.2f}"),
    "p50_ms": ("p50 ms", "{:.2f}"),
    "p99_ms": ("p99 ms", "{:.2f}"),
    "server_percent": ("server %", "{:.0f}"),
    "redis_percent": ("Redis %", "{:.0f}"),
    "generator_percent": ("load %", "{:.0f}"),
    "threads": ("threads", "{:.0f}"),
    "kb_per_connection": ("kB/conn", "{:.1f}"),
    "cores": ("cores", "{:.0f}"),
}


class Goal(NamedTuple):
    """A goal for one number of ours: in itself, or as a multiple of another one.

    With `theirs` it is a multiple of that server's; with `base` of our own in that workload.  With
    both, what is left of ours in `base` is compared with what is left of theirs.
    """

    workload: str
    number: str
    ours: str
    theirs: str | None
    bound: float
    at_least: bool = True
    base: str | None = None


def goals_of(ours: str) -> list[Goal]:
    """Return the goals that our IRC server and the rooms server have alike."""
    goals = [
        Goal("fan-out/64", "per_second", ours, "ngircd", 4),
        Goal("fan-out/64", "cpu_us", ours, "ngircd", 0.4, at_least=False),
        Goal("fan-out/1", "per_second", ours, "ngircd", 1.4),
        Goal("fan-out/1", "cpu_us", ours, "ngircd", 0.75, at_least=False),
        Goal("pairs", "per_second", ours, "ngircd", 0.9),
        Goal("pairs", "cpu_us", ours, "ngircd", 1.3, at_least=False),
        Goal("logins", "per_second", ours, "ngircd", 0.7),
        Goal("logins", "cpu_us", ours, "ngircd", 1.8, at_least=False),
        Goal("joins", "per_second", ours, "ngircd", 1),
        Goal("fan-out/64", "per_second", ours, "inspircd", 1),
        Goal("fan-out/1", "per_second", ours, "inspircd", 1),
        Goal("fan-out/64", "per_second", ours, "ergo", 1),
        Goal("fan-out/1", "per_second", ours, "ergo", 1),
        Goal("pairs", "per_second", ours, "ergo", 0.9),
    ]
    for alone in ("fan-out/1", "pairs", "logins"):
        for beside in (alone + "+1", alone + "+2"):
            goals.append(Goal(beside, "cpu_us", ours, None, 1.3, at_least=False, base=alone))
            goals.append(Goal(beside, "per_second", ours, "ngircd", 0.5, base=alone))
    return goals


GOALS = [
    *goals_of("irc"),
    *goals_of("rooms"),
    Goal("mixed/64", "cpu_us", "irc", None, 1.3, at_least=False, base="fan-out/64"),
    Goal("mixed/64", "cpu_us", "irc", None, 1.3, at_least=False, base="tagged/64"),
    Goal("mixed/1", "cpu_us", "irc", None, 1.3, at_least=False, base="fan-out/1"),
    Goal("mixed/1", "cpu_us", "irc", None, 1.3, at_least=False, base="tagged/1"),
    Goal("idle/4000", "p50_ms", "irc", "ngircd", 0.33, at_least=False),
    Goal("idle/10000", "kb_per_connection", "irc", None, 25, at_least=False),
    Goal("idle/10000", "cpu_us", "step5", None, 1.5, at_least=False, base="idle/10"),
    Goal("idle/10000", "cpu_us", "irc", None, 1.5, at_least=False, base="idle/10"),
    Goal("fan-out/64", "per_second", "irc", "relay", 0.6),
    Goal("fan-out/64", "per_second", "irc", "irc.server", 50),
    Goal("fan-out/64", "per_second", "irc", "miniircd", 3),
    Goal("fan-out/64", "per_second", "irc:tls", "ngircd:tls", 1),
    Goal("fan-out/64", "cpu_us", "irc:tls", "ngircd:tls", 1, at_least=False),
    Goal("fan-out/1", "per_second", "irc:tls", "ngircd:tls", 1),
    Goal("fan-out/1", "cpu_us", "irc:tls", "ngircd:tls", 1, at_least=False),
]


Numbers = dict[str, float | None]  # of one run: those of Result.numbers()


class Report:
    """Everything that was measured."""

    def __init__(self, about: dict[str, str]):
        self.about = about  # machine, Python, date, ...
        self.rounds: dict[str, dict[str, list[Numbers]]] = {}  # workload -> server -> a dict a round
        self.failures: list[str] = []

    def add(self, workload: str, server: str, numbers: Numbers) -> None:
        """Take the numbers of one round."""
        self.rounds.setdefault(workload, {}).setdefault(server, []).append(numbers)

    def median(self, workload: str, server: str, number: str) -> float | None:
        """Return the median over the rounds, or None if nothing was measured."""
        rounds = self.rounds.get(workload, {}).get(server, [])
        values = [value for r in rounds if (value := r[number]) is not None]
        return statistics.median(values) if values else None

    def ratio(self, workload: str, number: str, ours: str, theirs: str) -> float | None:
        """Return the median of the rounds' ratios: within a round, noise affects both servers alike."""
        servers = self.rounds.get(workload, {})
        rounds = zip(servers.get(ours, []), servers.get(theirs, []))
        couples = [(a[number], b[number]) for a, b in rounds]
        values = [a / b for a, b in couples if a and b]
        return statistics.median(values) if values else None

    def tables(self) -> str:
        """Return the whole report as text."""
        parts = ["  ".join(f"{key}: {value}" for key, value in self.about.items())]
        parts += [self.table(name) for name in self.rounds]
        if goals := self.goals():
            parts.append("\n".join(["goals", *goals]))
        parts += ["FAILED " + failure for failure in self.failures]
        return "\n\n".join(parts)

    def table(self, workload: str) -> str:
        """Return one workload's table; numbers are medians."""
        kind = WORKLOADS[family(workload)]
        columns = {name: how for name, how in COLUMNS.items() if self.is_shown(workload, name)}
        rows = [["server", *(title.format(unit=kind.unit) for title, _ in columns.values())]]
        for server in self.rounds[workload]:
            numbers = [self.median(workload, server, column) for column in columns]
            forms = [form for _, form in columns.values()]
            rows.append([title_of(server), *(written(n, f) for n, f in zip(numbers, forms))])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) for row in rows
        ]
        return "\n".join([f"{workload}: {kind.title}", *lines])

    def is_shown(self, workload: str, column: str) -> bool:
        """Return whether a table has this column: those of Redis only if there was one."""
        servers = self.rounds[workload]
        return not column.startswith("redis_") or any(self.median(workload, s, column) is not None for s in servers)

    def goals(self) -> list[str]:
        """Return a line for each goal that was measured."""
        lines = []
        for goal in GOALS:
            value = self.value(goal)
            if value is not None:
                met = value >= goal.bound if goal.at_least else value <= goal.bound
                lines.append(
                    f"{'met   ' if met else 'MISSED'} {title_of(goal.ours)} {goal.workload}"
                    f" {goal.number}: {value:.2f} {against(goal)}"
                    f" (goal: {'>=' if goal.at_least else '<='} {goal.bound:g})"
                )
        return lines

    def value(self, goal: Goal) -> float | None:
        """Return the number that a goal is about, or None if it was not measured."""

        def number_in(workload: str) -> float | None:
            if goal.theirs:
                return self.ratio(workload, goal.number, goal.ours, goal.theirs)
            return self.median(workload, goal.ours, goal.number)

        here = number_in(goal.workload)
        if goal.base and here is not None:
            base = number_in(goal.base)
            return here / base if base else None
        return here

    def as_json(self) -> dict[str, Any]:
        """Return all that was measured, each round of it."""
        return {"about": self.about, "rounds": self.rounds, "goals": self.goals(), "failures": self.failures}


def against(goal: Goal) -> str:
    """Return what a goal is a multiple of, for people."""
    if goal.theirs and goal.base:
        return f"x what {title_of(goal.theirs)} keeps of {goal.base}"
    if goal.theirs or goal.base:
        return f"x {title_of(goal.theirs) if goal.theirs else goal.base}"
    return ""


def family(workload: str) -> str:
    """Return which entry of WORKLOADS a name such as "idle/4000" belongs to."""
    return workload if workload in WORKLOADS else workload.rpartition("/")[0]


def title_of(server: str) -> str:
    """Return the name that people read."""
    return KINDS[server].title if server in KINDS else server


def written(number: float | None, form: str) -> str:
    """Return the number in its form, or a dash."""
    return "-" if number is None else form.format(number)
