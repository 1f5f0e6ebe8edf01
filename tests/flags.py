"""Whose program is judged: ours, or the one that --server, --connect, --client or --python names.

Without flags every test runs, against our own code.  tests/README.md tells how to use them.

check     a test with a @rule; it judges whatever its fixtures give it
"""

import os
import shlex
import shutil
import signal
import sys

import pytest

from tests.foreign import parse_addresses
from tests.verdict import PATIENCE_S, SO_FAR, SoFar
from tests.yours import choose, chosen

# flag -> the fixture that gives a check the program under test; --python goes by the test's file
FLAGS = {"--server": "serve", "--connect": "serve", "--client": "template", "--python": None}


def pytest_addoption(parser):
    group = parser.getgroup("tutorial", "the tutorial's own")
    group.addoption(
        "--server",
        metavar="COMMAND",
        help="judge the server that this command starts, such as 'node my/echo.js {port}'",
    )
    group.addoption(
        "--connect",
        metavar="HOST:PORT",
        help="judge the server that already runs there; "
        "HOST:PORT,HOST:PORT: the servers that are one chat, each new connection goes to the next",
    )
    group.addoption(
        "--client",
        metavar="COMMAND",
        help="judge the client that this command starts, such as './my_client {host} {port}'",
    )
    group.addoption(
        "--python",
        metavar="stepN=MODULE[:NAME]",
        action="append",
        default=[],
        help="judge this Python code instead of ours (steps 3, 4 and 5)",
    )
    group.addoption(
        "--patience",
        metavar="SECONDS",
        type=float,
        help=f"how long to wait for an answer before it counts as missing (default {PATIENCE_S:g})",
    )
    group.addoption(
        "--exercise",
        choices=["start", "mine", "solution"],
        help="which file the exercises' tests load (default: mine.py, or else start.py)",
    )


def pytest_configure(config):
    # A shell script lets its background programs ignore Ctrl-C, and they pass that on to all they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    given = [flag for flag in FLAGS if config.getoption(flag)]
    if len(given) > 1:
        raise pytest.UsageError(f"{' and '.join(given)}: one at a time, please")
    config.flag = given[0] if given else None
    config.stash[SO_FAR] = SoFar()
    for flag, example in (("--server", "python my_server.py {port}"), ("--client", "./my_client {host} {port}")):
        if config.flag == flag and "{port}" not in config.getoption(flag):
            raise pytest.UsageError(
                f"{flag}: the command has no {{port}}, so it cannot be told which port to use. "
                f"Write {{port}} where the number goes: {flag} {example!r}"
            )
    if config.flag == "--client":
        program = shlex.split(config.getoption("--client"))[0].replace("{python}", sys.executable)
        if not shutil.which(program):
            raise pytest.UsageError(f"--client: there is no program {program!r}, or it may not be executed")
    config.chosen_before = dict(chosen)
    chosen.clear()
    for spec in config.getoption("--python"):
        try:
            choose(spec, config.invocation_params.dir)
        except ValueError as error:
            raise pytest.UsageError(f"--python: {error}") from None
    if config.flag == "--connect":
        try:
            parse_addresses(config.getoption("--connect"))
        except ValueError:
            raise pytest.UsageError("--connect HOST:PORT, such as --connect 127.0.0.1:9000") from None


def pytest_unconfigure(config):
    chosen.clear()
    chosen.update(getattr(config, "chosen_before", {}))


def pytest_collection_modifyitems(config, items):
    """With a flag, keep only the checks for the program that it names; without any argument, leave out what is long."""
    if not config.flag:
        if config.args_source == pytest.Config.ArgsSource.TESTPATHS and os.environ.get("CI") != "true":
            config.long = [item for item in items if item.get_closest_marker("long")]
            config.hook.pytest_deselected(items=config.long)
            items[:] = [item for item in items if item not in config.long]
        return
    checks = [item for item in items if item.get_closest_marker("rule") and judges(item, config)]
    config.deselected = len(items) - len(checks)
    config.hook.pytest_deselected(items=[item for item in items if item not in checks])
    items[:] = checks
    config.stash[SO_FAR].outcomes = {item.get_closest_marker("rule").kwargs["title"]: "not tried" for item in items}


def judges(item, config):
    """Return whether a check is for the program that the flag names."""
    if config.flag == "--python":
        return item.path.name[len("test_") :].split("_")[0] in chosen and not {"serve", "template"} & set(
            item.fixturenames
        )
    return FLAGS[config.flag] in item.fixturenames


def pytest_report_collectionfinish(config, items):
    if config.flag:
        return (
            f"{config.flag}: {len(items)} checks judge what you gave; "
            f"{config.deselected} tests of our own Python code are deselected"
        )
    if getattr(config, "long", None):
        return f"{len(config.long)} long tests are left out; .ci/run runs them, and so does naming their file"
