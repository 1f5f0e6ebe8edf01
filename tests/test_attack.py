"""The attacks: each runs against a real server, is measured, and leaves no process behind.

How long anybody waits depends on the machine, so no test here looks at a time.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.name != "posix", reason="the benchmark is for Linux and macOS")]

if os.name == "posix":
    from extras.bench import attack, witness
    from extras.bench.attacks import ATTACKS

ATTACK = Path(__file__).resolve().parents[1] / "extras/bench/attack.py"
SMALL = ["--seconds", "0.05", "--scale", "0.01", "--attackers", "2"]
SIDE_BY_SIDE = 4


def found(**known):
    """Return numbers that meet their goals, except for those that are given."""
    return {"attackers": 1, "p99_ms": 1.0, "after_mb": 0.0, "kept": "yes"} | known


def test_each_attack_runs_and_is_measured(tmp_path):
    """A few commands side by side: nearly all of their time, a server is starting."""
    names = list(ATTACKS)
    parts = [names[n::SIDE_BY_SIDE] for n in range(SIDE_BY_SIDE)]
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, ATTACK, *SMALL, "--json", tmp_path / f"{n}.json", *part],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for n, part in enumerate(parts)
        ]
        said = [run.communicate() for run in runs]
    measured = {}
    for n, (out, err) in enumerate(said):
        report = json.loads((tmp_path / f"{n}.json").read_text())
        assert not report["failures"], out + err
        measured |= {one["attack"]: one for one in report["attacks"]}
    assert set(measured) == set(ATTACKS)
    for name, one in measured.items():
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= one["max_ms"], name
        assert one["kept"] == "yes" and one["attackers"] == 2, name
        if sys.platform == "linux":
            assert one["cpu_s"] >= 0 and one["threads"] > 1 and one["descriptors"] > 1, name
        assert any(line.startswith(name + " ") for out, _ in said for line in out.splitlines())


def test_attackers_who_have_ended_at_once_are_measured_all_the_same():
    seen = []
    attackers = SimpleNamespace(is_alive=lambda: False)
    watch = SimpleNamespace(step=lambda: seen.append("step"), end=lambda: seen.append("end"))
    attack.watch_the_attack(attackers, watch, SimpleNamespace(look=lambda: seen.append("look")), 0.05)
    assert seen == ["step", "look", "end"]


def test_a_missed_goal_is_named():
    assert attack.verdict(found()) == "met"
    assert attack.verdict(found(p99_ms=101.0)) == "MISSED p99"
    assert attack.verdict(found(p99_ms=101.0, attackers=16)) == "met"
    assert attack.verdict(found(kept="NO", after_mb=21.0)) == "MISSED kept, memory"


def test_what_the_system_does_not_tell_is_no_missed_goal():
    assert attack.verdict(found(after_mb=None)) == "met"
    assert " - " in attack.row(
        ["help", "step5"], dict.fromkeys(attack.COLUMNS) | {"kept": "yes", "logins": "1/1", "verdict": "met"}
    )


def test_a_long_wait_stands_for_all_that_it_kept_her_from_asking():
    one = witness.Witness.__new__(witness.Witness)
    one.asked_at = 10.0
    waits = one.end_of_wait(10.0 + 3.5 * witness.INTERVAL_S)
    assert waits == pytest.approx([n * witness.INTERVAL_S for n in (3.5, 2.5, 1.5, 0.5)])
    assert one.end_of_wait(99.0) == []


def test_ctrl_c_leaves_no_process_behind():
    with subprocess.Popen(
        [sys.executable, ATTACK, "help", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stderr.readline() == "help  step5  by 1\n"  # it begins
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
        out, err = run.communicate()
    assert run.returncode == 1 and "interrupted" in out and "Traceback" not in err, out + err
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


@pytest.mark.parametrize("wrong", [["nuclear"], ["--servers", "nobody"], ["--attackers", "0"]])
def test_a_wrong_argument_is_explained(wrong, capsys):
    with pytest.raises(SystemExit):
        attack.parse_args(wrong)
    assert wrong[-1] in capsys.readouterr().err
