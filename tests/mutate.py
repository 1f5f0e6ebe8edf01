"""Change the small programs that a learner types, a little at a time, and see whether the checks notice.

    python tests/mutate.py                           every mutant; it prints those that no check catches, and the share
    python tests/mutate.py --file chat_server_3.py   those of one program
    python tests/mutate.py --sample 20 --seed 7      some

mutant     a last rung with one change: a comparison turned round, a statement left out, another number, ...
caught     a check of its step fails, or of a later step that uses the file
survivor   all checks pass: they need one more, or nobody can see the change
listed     tests/mutate_listed.txt names it, with the reason why nobody can see it on the wire
"""

import argparse
import ast
import contextlib
import copy
import json
import queue
import random
import re
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so tests is found

from tests.chapter import ROOT
from tests.progress import JUDGED, RACES
from tests.side_by_side import WORKERS, new_worker
from tests.typed import LAST_RUNGS, her_name, put_rungs

LISTED = ROOT / "tests" / "mutate_listed.txt"
TIMEOUT_S = 150  # for one mutant: ten times what the longest of the files of checks takes
USED_BY = {  # her program -> the others whose checks judge it, too: the first check that fails is enough
    "protocol.py": ["line_server.py", "chat_server.py"],
    "framing.py": ["line_server.py"],
    "line_server.py": ["chat_server.py"],
    "screen.py": ["chat_client.py"],
}
CHANGED = {name: LAST_RUNGS[name].relative_to(ROOT).as_posix() for name in (*JUDGED, "screen.py")}
COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
CALCULATED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
TIDY = "lower", "upper", "strip", "rstrip", "removesuffix"  # methods whose result is a text like the one before
SAYS = "send", "sendall", "put", "send_from_another", "show", "print", "write"  # what is said must be said once
LEFT_OUT = ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Delete
FOR_PEOPLE = re.compile(r"(?s)(?!(OK|ERR)\b|[A-Z]+ $|/).*[a-z]{2}\W* .*")  # some words: no check may look at them


class Mutant(NamedTuple):
    """One change, and the program with it."""

    file: str  # from the root
    number: int  # of the line
    function: str  # in which it stands
    line: str  # as it stands there
    operator: str
    change: str  # before -> after
    source: str

    @property
    def key(self) -> str:
        """Return what names it in the list, wherever its line moves."""
        return f"{Path(self.file).name} {self.function} | {self.line} | {self.operator} | {self.change}"


def changed(node: ast.AST, **fields) -> ast.AST:
    """Return a copy of a node with some fields changed."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def is_turned_round(test: ast.expr) -> bool:
    """Return whether to change the comparison is to negate the condition."""
    return isinstance(test, ast.Compare) and isinstance(
        test.ops[0], (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
    )


def is_flag(node: ast.AST) -> bool:
    """Return whether a name is set to True or False."""
    return (
        isinstance(node, (ast.Assign, ast.keyword))
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, bool)
    )


def name_of(func: ast.expr) -> str:
    """Return the last part of what is called: "send" of self.sock.send."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def negated(test: ast.expr) -> ast.expr:
    return test.operand if isinstance(test, ast.UnaryOp) else ast.UnaryOp(ast.Not(), test)


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield (operator, what stands there instead) for each way to change one node."""
    if isinstance(node, LEFT_OUT) and not is_flag(node):  # to turn a flag round is the same
        yield "statement left out", ast.Pass()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and name_of(node.value.func) in SAYS:
        yield "statement doubled", ast.If(ast.Constant(True), [node, node], [])
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not is_turned_round(node.test):
        yield "condition negated", changed(node, test=negated(node.test))
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield "comparison", changed(node, ops=[COMPARED[type(op)]()])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in CALCULATED:
            yield "calculation", changed(node, op=CALCULATED[type(op)]())
        case ast.BoolOp(op=op, values=values):
            yield "and, or", changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for at in range(len(values)):
                yield "part of a condition left out", changed(node, values=values[:at] + values[at + 1 :])
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "not, minus left out", operand
        case ast.Constant(value=bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield "one more", ast.Constant(value + 1)
            yield "one less", ast.Constant(value - 1)
        case ast.Constant(value=str(value) | bytes(value)):
            yield from ((("text", ast.Constant(other))) for other in other_texts(value))
        case ast.With(body=body):
            yield "with left out", ast.If(ast.Constant(True), body, [])
        case ast.Break():
            yield "break, continue", ast.Continue()
        case ast.Continue():
            yield "break, continue", ast.Break()
        case ast.Try(body=body):
            yield "except left out", ast.If(ast.Constant(True), body, [])
        case ast.ExceptHandler():
            yield "except's body left out", changed(node, body=[ast.Pass()])
        case ast.Call(func=func, args=args, keywords=keywords):
            if len(args) > 1:
                yield "arguments swapped", changed(node, args=[args[1], args[0], *args[2:]])
            for at in [at for at, keyword in enumerate(keywords) if not is_flag(keyword) and keyword.arg != "daemon"]:
                yield "keyword left out", changed(node, keywords=keywords[:at] + keywords[at + 1 :])
            if isinstance(func, ast.Attribute) and func.attr in TIDY:
                yield "method not called", func.value


def other_texts(value: str | bytes) -> Iterator[str | bytes]:
    """Yield a text changed: a verb, a code, a pattern, a separator; nothing for a text that only people read."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if FOR_PEOPLE.fullmatch(text):
        return
    others = ["x" + text if text[:1].isalnum() else text + "x"]
    if text:
        others.append("")
    if re.search("[a-z]-[a-z]", text):
        others.append(text.replace("-", "", 1))
    for other in others:
        yield other.encode("latin-1") if isinstance(value, bytes) else other


def not_judged(node: ast.AST, flag: str) -> bool:
    """Return whether nobody can judge this, whatever it does: a text for people, what a server prints, how its process
    starts and ends, how many bytes are read at once, what only Windows does, what a module does as a program."""
    match node:
        case ast.Assign(targets=[ast.Name(id="allow_reuse_address" | "daemon_threads" | "request_queue_size")]):
            return True
        case ast.keyword(arg="daemon") | ast.Try(handlers=[ast.ExceptHandler(type=ast.Name(id="ImportError"))]):
            return True
        case (
            ast.Call(func=ast.Attribute(attr="recv"))
            | ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="read"))
        ):
            return True
        case ast.Expr(value=ast.Constant()):  # a docstring
            return True
        case ast.JoinedStr(values=values):
            return bool(FOR_PEOPLE.fullmatch("".join(part.value for part in values if isinstance(part, ast.Constant))))
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return flag.startswith("--server")
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return flag.startswith("--python")
    return False


def judged_nodes(node: ast.AST, flag: str) -> Iterator[ast.AST]:
    """Yield a node and all that is in it, but for what nobody judges."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not not_judged(child, flag):
            yield from judged_nodes(child, flag)


def mutants_of(file: str, source: str, flag: str = "") -> list[Mutant]:
    """Return every mutant of a program, in the order of its lines; the flag says how it is judged."""
    tree, lines = ast.parse(source), source.splitlines()
    found = {ast.unparse(tree): None}  # mutated source -> its mutant, so that none comes twice
    places = Counter()  # a key -> how many mutants would have it: the same change in the same line
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for parent in judged_nodes(tree, flag):
        for name, value in ast.iter_fields(parent):
            for at, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(node, ast.AST) or not_judged(node, flag):
                    continue
                for operator, new in variants(node):
                    whole = value[:at] + [new] + value[at + 1 :] if at is not None else new
                    setattr(parent, name, whole)
                    mutated = ast.unparse(tree)
                    setattr(parent, name, value)
                    number = getattr(node, "lineno", 0)
                    change = f"{first_line(node)} -> {first_line(new)}"
                    function = next((each.name for each in functions if each.lineno <= number <= each.end_lineno), "")
                    mutant = Mutant(file, number, function, lines[number - 1].strip(), operator, change, mutated)
                    if found.setdefault(mutated, mutant) is mutant:
                        places[mutant.key] += 1
                        if places[mutant.key] > 1:
                            found[mutated] = mutant._replace(change=f"{change} (place {places[mutant.key]})")
    return sorted((mutant for mutant in found.values() if mutant), key=lambda mutant: mutant.number)


def all_mutants() -> list[Mutant]:
    """Return every mutant of every last rung."""
    return [
        mutant
        for name, file in CHANGED.items()
        for mutant in mutants_of(file, (ROOT / file).read_text(encoding="utf-8"), judges_of(name)[0][1])
    ]


def judges_of(name: str) -> list[tuple[Path, str, str]]:
    """Return what judges one of her programs: (file of checks, flag, the program that the flag names)."""
    found = [(*JUDGED[program], program) for program in (name, *USED_BY.get(name, ())) if program in JUDGED]
    if name in RACES:
        found.append((ROOT / RACES[name], "--python=step5={path}", name))
    return found


def first_line(node: ast.AST) -> str:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Constant):  # some statements in place of one
        return "; ".join(map(first_line, node.body))
    return ast.unparse(node).partition("\n")[0]


def listed() -> dict[str, str]:
    """Return the mutants that nobody can see: key -> reason."""
    parts = [line.rpartition(" | ") for line in LISTED.read_text(encoding="utf-8").splitlines() if " | " in line]
    return {key: reason for key, _, reason in parts}


# Judging


class Judges:
    """Workers that run checks, some side by side; one that hangs is stopped.  A context manager."""

    def __init__(self):
        self.idle = queue.SimpleQueue()
        self.workers = []
        for _ in range(WORKERS):
            self.idle.put(self.new())

    def new(self):
        self.workers.append(new_worker())
        return self.workers[-1]

    def caught(self, mutant: Mutant, patience_s: float) -> str:
        """Return which check has caught a mutant, or "" if none has."""
        with tempfile.TemporaryDirectory() as folder:
            name = her_name(Path(mutant.file))
            put_rungs(Path(folder), {name: mutant.source})
            verdicts = (
                self.run(
                    [str(test_file), "-x", f"--patience={patience_s}", flag.replace("{path}", f"{folder}/{program}")]
                )
                for test_file, flag, program in judges_of(name)
            )
            return next(filter(None, verdicts), "")

    def run(self, arguments: list[str]) -> str:
        """Run pytest; return the first check that fails, "" if all pass."""
        worker, hung = self.idle.get(), threading.Event()

        def stop():
            hung.set()
            worker.send_signal(signal.SIGINT)  # pytest ends the server, and its run

        timers = threading.Timer(TIMEOUT_S, stop), threading.Timer(TIMEOUT_S + 20, worker.kill)
        for timer in timers:
            timer.start()
        with contextlib.suppress(OSError):
            print(json.dumps(arguments), file=worker.stdin, flush=True)
        answer = worker.stdout.readline()
        for timer in timers:
            timer.cancel()
        self.idle.put(worker if answer else self.new())
        reports = json.loads(answer)[0] if answer else []
        failed = [test for test, outcome, _ in reports if outcome in ("failed", "error")]
        if failed or reports and not hung.is_set():
            return failed[0].rpartition("/")[2] if failed else ""
        return "it hung" if hung.is_set() else "it did not start"

    def __enter__(self) -> "Judges":
        return self

    def __exit__(self, *exc) -> None:
        for worker in self.workers:
            worker.stdin.close()
            worker.wait()
            worker.stdout.close()


def judge(mutants: list[Mutant], tell=print) -> tuple[list[Mutant], list[str]]:
    """Judge the mutants; return those that are caught, and what is wrong: survivors, and listed ones that were caught."""
    reasons, wrong, caught = listed(), [], []
    with Judges() as judges, ThreadPoolExecutor(WORKERS) as pool:
        # A listed one must not be caught by a machine that is only busy.
        runs = {pool.submit(judges.caught, mutant, 15 if mutant.key in reasons else 2): mutant for mutant in mutants}
        for done, run in enumerate(as_completed(runs), 1):
            mutant, check = runs[run], run.result()
            caught += [mutant] * bool(check)
            if bool(check) == (mutant.key in reasons):
                wrong.append(
                    f"{'listed, but caught by ' + check if check else 'survives'}: {mutant.file}:{mutant.number}\n"
                    f"    {mutant.key}"
                )
                tell(wrong[-1])
            tell(f"{done} of {len(mutants)}: {mutant.file}:{mutant.number} {mutant.operator}: {check or 'not caught'}")
    return caught, wrong


def share(caught: list, of_all: list) -> str:
    return f"{len(caught)} of {len(of_all)} caught, {len(caught) / max(len(of_all), 1):.1%}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", metavar="NAME", help="only the mutants of this rung, such as chat_server_3.py")
    parser.add_argument("--line", metavar="N", type=int, help="only those of this line")
    parser.add_argument("--sample", metavar="N", type=int, help="only so many, chosen at random")
    parser.add_argument("--seed", metavar="S", default="0", help="for --sample: another seed, another choice")
    args = parser.parse_args()
    mutants = [
        mutant
        for mutant in all_mutants()
        if args.file in (None, Path(mutant.file).name) and args.line in (None, mutant.number)
    ]
    if args.sample:
        mutants = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))
    caught, wrong = judge(mutants, lambda text: print(text, flush=True))
    print(*sorted(wrong), sep="\n")
    for file in CHANGED.values():
        of_file, caught_of_file = ([mutant for mutant in some if mutant.file == file] for some in (mutants, caught))
        if of_file:
            print(share(caught_of_file, of_file), file)
    survivors = [each for each in wrong if each.startswith("survives")]
    print(f"{share(caught, mutants)} in all; {len(survivors)} of the others are not listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
