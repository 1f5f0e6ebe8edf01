"""The files around the course: the hosted CI runs what .ci/run runs, and all say the same versions."""

import re

import pytest

from tests.chapter import ROOT

RUN = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PARTS = set(re.findall(r"^#   (\w+)  ", RUN, re.MULTILINE))  # as the script tells them, and as it looks for them
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def called(path):
    """Return the parts of .ci/run that a workflow runs."""
    runs = re.findall(r"run: .*?\.ci/run (.*)", path.read_text(encoding="utf-8"))
    return {part for parts in runs for part in parts.split()}


def test_each_part_that_the_script_tells_is_in_it():
    assert PARTS and PARTS == {part for part in PARTS if f"\n{part}() {{" in RUN}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_parts_that_exist(path):
    assert called(path) <= PARTS


def test_a_landing_must_pass_each_part_and_so_must_the_hosted_ci():
    everything = re.search(r"^all\(\) \{.*?^\}", RUN, re.MULTILINE | re.DOTALL)[0]
    assert PARTS == PARTS.intersection(everything.split()) == set.union(*map(called, WORKFLOWS))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned_by_a_commit_and_says_its_version(path):
    """A tag can be moved to another commit, a commit cannot be another."""
    for use in re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8")):
        assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40} +# v[\d.]+", use), use


PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # as text: Python 3.10 cannot read TOML
VERSION = re.search(r'^version = "(.*)"', PYPROJECT, re.MULTILINE)[1]


def optional(name):
    """Return what pyproject.toml wants for one of its optional dependencies: "pytest>=8.0", ..."""
    return re.findall(r'"(.*?)"', re.search(rf"^{name} = \[(.*?)\]", PYPROJECT, re.MULTILINE)[1])


def required(path):
    """Return what a file for `pip install -r` wants, and the files that it names."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    named = [want for line in lines if line.startswith("-r ") for want in required(ROOT / line[3:])]
    return [line for line in lines if line and not line.startswith("-r ")] + named


@pytest.mark.parametrize(
    "name, path",
    [
        ("tests", "requirements.txt"),
        ("web", "extras/web/requirements.txt"),
        ("cluster", "extras/cluster/requirements.txt"),
    ],
)
def test_an_optional_dependency_is_what_its_file_for_pip_wants(name, path):
    assert optional(name) == required(ROOT / path)


def test_the_newest_version_of_the_changelog_is_ours():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)[0] == VERSION


def test_a_contributor_is_told_the_versions_of_the_tools():
    assert " ".join(optional("lint")) in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
