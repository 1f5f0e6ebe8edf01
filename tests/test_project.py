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


def pinned():
    """Return what pyproject.toml says of itself: its version, and the tools of `lint` with theirs."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # Python 3.10 cannot read TOML
    version = re.search(r'^version = "(.*)"', text, re.MULTILINE)[1]
    return version, re.search(r"^lint = \[(.*?)\]", text, re.MULTILINE)[1].replace('"', "").split(", ")


def test_the_newest_version_of_the_changelog_is_ours():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)[0] == pinned()[0]


def test_a_contributor_is_told_the_versions_of_the_tools():
    assert " ".join(pinned()[1]) in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
