"""The report: medians, a table for each workload, the goals, and all of it as JSON.

rounds   what was measured, by workload, server and number of the round, so that two servers
         can be compared within a round: on a busy machine only those are comparable that were
         measured shortly after each other
"""

import statistics
from typing import NamedTuple

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
    """A goal for one number of ours, as a multiple of another server's."""

    workload: str
    number: str
    ours: str
    theirs: str | None  # None: `bound` is an absolute number
    bound: float
    at_least: bool = True


GOALS = [
    Goal("fan-out/64", "per_second", "irc", "ngircd", 2.5),
    Goal("fan-out/64", "cpu_us", "irc", "ngircd", 0.4, at_least=False),
    Goal("fan-out/1", "per_second", "irc", "ngircd", 1.3),
    Goal("fan-out/1", "cpu_us", "irc", "ngircd", 0.8, at_least=False),
    Goal("pairs", "per_second", "irc", "ngircd", 0.9),
    Goal("logins", "per_second", "irc", "ngircd", 0.85),
    Goal("idle/4000", "p50_ms", "irc", "ngircd", 0.33, at_least=False),
    Goal("idle/10000", "kb_per_connection", "irc", None, 25, at_least=False),
    Goal("fan-out/64", "per_second", "irc", "relay", 0.6),
    Goal("fan-out/64", "per_second", "irc", "irc.server", 50),
    Goal("fan-out/64", "per_second", "irc", "miniircd", 3),
    Goal("fan-out/64", "per_second", "irc:tls", "ngircd:tls", 1),
    Goal("fan-out/64", "cpu_us", "irc:tls", "ngircd:tls", 1, at_least=False),
    Goal("fan-out/1", "per_second", "irc:tls", "ngircd:tls", 1),
    Goal("fan-out/1", "cpu_us", "irc:tls", "ngircd:tls", 1, at_least=False),
    Goal("fan-out/64", "per_second", "rooms", "ngircd", 2.5),
    Goal("fan-out/64", "cpu_us", "rooms", "ngircd", 0.4, at_least=False),
    Goal("fan-out/1", "per_second", "rooms", "ngircd", 1.3),
    Goal("fan-out/1", "cpu_us", "rooms", "ngircd", 0.8, at_least=False),
    Goal("pairs", "per_second", "rooms", "ngircd", 0.6),
]
FLAT = ("idle/10", "idle/10000", 1.5)  # cost per message: the second at most this many times the first


class Report:
    """Everything that was measured."""

    def __init__(self, about: dict):
        self.about = about  # machine, Python, date, ...
        self.rounds: dict[str, dict[str, list[dict]]] = {}  # workload -> server -> a dict a round
        self.failures: list[str] = []

    def add(self, workload: str, server: str, numbers: dict) -> None:
        """Take the numbers of one round."""
        self.rounds.setdefault(workload, {}).setdefault(server, []).append(numbers)

    def median(self, workload: str, server: str, number: str) -> float | None:
        """Return the median over the rounds, or None if nothing was measured."""
        rounds = self.rounds.get(workload, {}).get(server, [])
        values = [r[number] for r in rounds if r[number] is not None]
        return statistics.median(values) if values else None

    def ratio(self, workload: str, number: str, ours: str, theirs: str) -> float | None:
        """Return the median of the rounds' ratios: within a round, noise affects both servers alike."""
        servers = self.rounds.get(workload, {})
        couples = zip(servers.get(ours, []), servers.get(theirs, []))
        values = [a[number] / b[number] for a, b in couples if a[number] and b[number]]
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
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
            for row in rows
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
            if goal.theirs:
                value = self.ratio(goal.workload, goal.number, goal.ours, goal.theirs)
                against = f"x {title_of(goal.theirs)}"
            else:
                value = self.median(goal.workload, goal.ours, goal.number)
                against = ""
            if value is not None:
                met = value >= goal.bound if goal.at_least else value <= goal.bound
                lines.append(
                    f"{'met   ' if met else 'MISSED'} {title_of(goal.ours)} {goal.workload}"
                    f" {goal.number}: {value:.2f} {against}"
                    f" (goal: {'>=' if goal.at_least else '<='} {goal.bound:g})"
                )
        few, many, bound = FLAT
        for server in ("step5", "irc", "ngircd"):
            value = self.ratio_of_costs(server, few, many)
            if value is not None:
                word = "met   " if value <= bound else "MISSED" if server != "ngircd" else "      "
                lines.append(f"{word} {title_of(server)} CPU a round trip, {many} : {few} = {value:.2f} (goal: <= {bound})")
        return lines

    def ratio_of_costs(self, server: str, few: str, many: str) -> float | None:
        """Return how many times as much a message costs with many users."""
        a, b = self.median(few, server, "cpu_us"), self.median(many, server, "cpu_us")
        return b / a if a and b else None

    def as_json(self) -> dict:
        """Return all that was measured, each round of it."""
        return {
            "about": self.about,
            "rounds": self.rounds,
            "goals": self.goals(),
            "failures": self.failures,
        }


def family(workload: str) -> str:
    """Return which entry of WORKLOADS a name such as "idle/4000" belongs to."""
    return workload if workload in WORKLOADS else workload.rpartition("/")[0]


def title_of(server: str) -> str:
    """Return the name that people read."""
    return KINDS[server].title if server in KINDS else server


def written(number: float | None, form: str) -> str:
    """Return the number in its form, or a dash."""
    return "-" if number is None else form.format(number)
