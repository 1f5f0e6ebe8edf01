"""The mutator: which changes it makes, that every small one of the real programs counts, and that the list is right."""

import random

import pytest

from tests.chapter import ROOT
from tests.mutate import CHANGED, all_mutants, judge, listed, mutants_of

TINY = '''\
import re

def answer(line, count=0):
    """Not changed."""
    if count > 1023 or not line:
        return b"ERR line-too-long sorry"
    with lock:
        users[line.lower()] = f"OK welcome, {line}"
    raise Error("too-slow", "this is for people")
    sock.send(line, 1)
'''
TINY_CHANGES = [
    "3 one more: 0 -> 1",
    "3 one less: 0 -> -1",
    "5 condition negated: if count > 1023 or not line: -> if not (count > 1023 or not line):",
    "5 and, or: count > 1023 or not line -> count > 1023 and (not line)",
    "5 part of a condition left out: count > 1023 or not line -> not line",
    "5 part of a condition left out: count > 1023 or not line -> count > 1023",
    "5 comparison: count > 1023 -> count >= 1023",
    "5 not, minus left out: not line -> line",
    "5 one more: 1023 -> 1024",
    "5 one less: 1023 -> 1022",
    "6 statement left out: return b'ERR line-too-long sorry' -> pass",
    "6 text: b'ERR line-too-long sorry' -> b'xERR line-too-long sorry'",
    "6 text: b'ERR line-too-long sorry' -> b''",
    "6 text: b'ERR line-too-long sorry' -> b'ERR linetoo-long sorry'",
    "7 with left out: with lock: -> users[line.lower()] = f'OK welcome, {line}'",
    "8 statement left out: users[line.lower()] = f'OK welcome, {line}' -> pass",
    "8 method not called: line.lower() -> line",
    "8 text: 'OK welcome, ' -> 'xOK welcome, '",
    "8 text: 'OK welcome, ' -> ''",
    "9 statement left out: raise Error('too-slow', 'this is for people') -> pass",
    "9 arguments swapped: Error('too-slow', 'this is for people') -> Error('this is for people', 'too-slow')",
    "9 text: 'too-slow' -> 'xtoo-slow'",
    "9 text: 'too-slow' -> ''",
    "9 text: 'too-slow' -> 'tooslow'",
    "10 statement left out: sock.send(line, 1) -> pass",
    "10 statement doubled: sock.send(line, 1) -> sock.send(line, 1); sock.send(line, 1)",
    "10 arguments swapped: sock.send(line, 1) -> sock.send(1, line)",
    "10 one more: 1 -> 2",
    "10 one less: 1 -> 0",
]


def test_a_tiny_program_has_these_mutants():
    changes = [f"{mutant.number} {mutant.operator}: {mutant.change}" for mutant in mutants_of("tiny.py", TINY)]
    assert changes == TINY_CHANGES


def test_what_nobody_judges_is_not_changed():
    source = 'print("listening", 1 + 1)\nx = 1\n'
    assert {mutant.number for mutant in mutants_of("tiny.py", source, "--server=x")} == {2}
    assert {mutant.number for mutant in mutants_of("tiny.py", source, "--client=x")} == {1, 2}


def test_a_key_does_not_change_when_its_line_moves():
    before, after = ({mutant.key for mutant in mutants_of("tiny.py", source)} for source in (TINY, "\n\n" + TINY))
    assert before == after


@pytest.mark.long
@pytest.mark.parametrize("file", CHANGED.values())
def test_every_mutant_is_a_program(file):
    mutants = mutants_of(file, (ROOT / file).read_text(encoding="utf-8"))
    assert len(mutants) > 10
    for mutant in mutants:
        compile(mutant.source, mutant.key, "exec")


@pytest.mark.long
def test_every_listed_mutant_exists_and_has_a_reason():
    keys = {mutant.key for mutant in all_mutants()}
    assert len(keys) == len(all_mutants())
    assert set(listed()) <= keys
    assert all(reason.strip() for reason in listed().values())


@pytest.mark.long
def test_the_checks_catch_a_sample_of_the_mutants():
    told = []
    sample = random.Random(1).sample([mutant for mutant in all_mutants() if mutant.key not in listed()], 10)
    caught, wrong = judge(sample, told.append)
    assert len(caught) == 10 and not wrong, told
