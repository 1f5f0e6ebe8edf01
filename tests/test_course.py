"""The course itself: chapters have the same form, excerpts and sizes are true, files run and import what they may."""

import ast
import doctest
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.chapter import ROOT, STEPS, all_fences, excerpt_fault, fences, text_files
from tests.typed import MINE, is_piece, typed

EXTRAS = ("broadcast", "presence", "rooms", "irc", "ircv3", "tls", "web", "cluster", "wiretap", "glass", "bench")
FOLDERS = STEPS + tuple(f"extras/{name}" for name in EXTRAS)
TOP_LEVEL = set(STEPS) | {"extras", "tests"}

# What an extra may import besides the steps, as the page tells it: the extras, and the library of others, that it stands on.
STANDS_ON = {
    extra: set(re.findall(r"`(\w+)`", cell))
    for extra, cell in re.findall(
        r"^\| \[extras/(\w+)\].*\|(.*)\|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE
    )
}
# The libraries of others, and where each may be used: all the rest runs on a bare Python.
LIBRARIES = {extra: name for extra, names in STANDS_ON.items() for name in names.difference(EXTRAS)}

STEP_HEADINGS = (
    "You will build",
    "Run it",
    "The code, change by change",
    "Check yourself",
    "Ours beside yours",
    "What to notice",
    "Exercises",
    "The flaw this step leaves",
)
HEADINGS = (
    "You will build",
    "Run it",
    "The code, change by change",
    "What to notice",
    "How it fails without the fix",
    "Check yourself",
    "Exercises",
    "The flaw this step leaves",
)
TOOLS = ("extras/wiretap", "extras/glass", "extras/bench")  # chapters of their own build, with these two first
LANGUAGES = {
    "transcript",
    "console",
    "python",
    "pycon",
    "diff",
    "mermaid",
    "text",
    "sh",
    "powershell",
    "json",
    "js",
    "lua",
}

MAX_EXCERPT_LINES = 15  # what one can read without scrolling back


def tracked_files():
    """Return every file that is in the repository."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("needs git and a clone")
    told = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
    ).stdout
    return [ROOT / os.fsdecode(name) for name in told.split(b"\0") if name and (ROOT / os.fsdecode(name)).is_file()]


def modules(*folders):
    """Return our programs; not the rungs, which show what the learner has typed, nor the attacks on them."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.parent.name not in ("rungs", "attacks")
    ]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def is_runnable(path):
    return bool(re.search(r'^if __name__ == "__main__":', path.read_text(encoding="utf-8"), re.MULTILINE))


def chapter(folder):
    path = ROOT / folder / "README.md"
    assert path.is_file(), f"{folder} has no chapter"
    return path


def headings(path):
    """Return the second-level headings, those inside blocks left out."""
    text = re.sub(r"^( *)(`{3,}).*?^\1\2`* *$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^## (.*?) *$", text, flags=re.MULTILINE)


def imports(path, for_types=True):
    """Return (module name, is it at the top level) for each import of a file, or only for those that are run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not for_types:
        tree.body = [node for node in tree.body if not ast.unparse(node).startswith("if TYPE_CHECKING:")]
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            found += [(f"{node.module}.{alias.name}", node not in inside) for alias in node.names]
    return found


def file_of(module):
    """Return the file of an imported name of ours, or None."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py")
        if (path / "__init__.py").is_file():
            return path / "__init__.py"
    return None


CODE = modules(*STEPS, "extras")
RUNNABLE = [path for path in CODE if is_runnable(path)] + [
    path for path in sorted((ROOT / "tests").glob("*.py")) if is_runnable(path)
]


# The chapters


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_chapter_has_the_house_headings_in_order(folder):
    found = headings(chapter(folder))
    if folder in TOOLS:
        assert found[:2] == list(HEADINGS[:2])
    elif folder in STEPS:
        assert found == list(STEP_HEADINGS)
    else:
        assert found[:-1] == list(HEADINGS[:-1]) and found[-1].startswith("The flaw")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_chapter_shows_sessions_and_code(folder):
    languages = [fence.language for fence in fences(chapter(folder))]
    assert {"transcript", "console"} & set(languages), "no session to replay"
    assert "python" in languages or "diff" in languages, "no code"


@pytest.mark.parametrize(
    "fence", [fence for fence in all_fences("python", "js", "lua") if not is_piece(fence)], ids=str
)
def test_an_excerpt_is_a_verbatim_part_of_its_file(fence):
    assert not excerpt_fault(fence), excerpt_fault(fence)
    assert len(fence.body) <= MAX_EXCERPT_LINES


def test_a_diff_is_a_piece_that_the_learner_types():
    assert all(map(is_piece, all_fences("diff")))


@pytest.mark.parametrize("fence", all_fences("pycon"), ids=str)
def test_a_session_at_the_prompt_is_true(fence, tmp_path):
    if MINE in f"{fence.info}/":  # a prompt in the learner's folder: a process of its own, that imports her files
        for name, text in {**typed(fence.path, fence.line_number), "session.txt": "\n".join(fence.body)}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        told = subprocess.run(
            [sys.executable, "-m", "doctest", "-o", "ELLIPSIS", "session.txt"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return
    test = doctest.DocTestParser().get_doctest(
        "\n".join(fence.body) + "\n", {}, str(fence), str(fence), fence.line_number
    )
    told = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
    assert result.attempted and not result.failed, "".join(told)


@pytest.mark.parametrize("path", text_files(), ids=name_of)
def test_every_block_says_a_known_language(path):
    for fence in fences(path):
        assert fence.language in LANGUAGES, f"{fence}: {fence.language or 'no language'}"


@pytest.mark.parametrize("path", text_files(), ids=name_of)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            titles = re.findall(r"^#+ (.*?) *$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert anchor in slugs, target


@pytest.mark.parametrize("path", text_files(), ids=name_of)
def test_files_and_tests_that_the_text_names_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:step\d_\w+|extras|tests)/[\w./]*\w\.\w+\b", text):
        assert (ROOT / name).exists() or name.startswith(MINE), name
    for name, test in re.findall(r"\b(tests/\w+\.py)::(\w+)", text):
        assert f"def {test}(" in (ROOT / name).read_text(encoding="utf-8"), f"{name}::{test}"


def test_the_map_tells_every_folder_and_its_size():
    """The README's map has a row a folder: a link to its chapter, what she types there, and the lines of our code, rounded."""
    found = re.findall(
        r"^\|.*?\]\(([\w/]+)/README\.md\).*?\| (\d*) *\| (\d+) \|",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    rows = {folder: size for folder, _, size in found}
    assert set(rows) >= set(FOLDERS)
    for folder, typed_lines, _ in found:
        pieces = [fence for fence in fences(chapter(folder)) if is_piece(fence)]
        assert int(typed_lines or 0) == sum(
            fence.language == "python" or line.startswith("+")
            for fence in pieces
            for line in fence.body
            if line.strip(" +-")
        ), folder
    for folder in FOLDERS:
        lines = sum(path.read_text(encoding="utf-8").count("\n") for path in modules(folder))
        assert abs(int(rows[folder]) - lines) <= max(20, lines // 8), f"{folder} has {lines} lines now"


def test_every_text_is_among_those_checked():
    texts = {path for path in tracked_files() if path.suffix == ".md" and path.parts[-2] != ".github"}
    assert texts == {path for path in text_files() if path in texts} and len(texts) >= len(FOLDERS)


# The code


def test_there_is_code_in_every_folder():
    for folder in FOLDERS:
        assert len(modules(folder)) > 1, f"{folder} has no code"


@pytest.mark.long
@pytest.mark.parametrize("path", RUNNABLE, ids=name_of)
def test_it_answers_help_from_another_directory_with_a_bare_environment(path, tmp_path):
    bare = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows cannot without
    told = subprocess.run(
        [sys.executable, path, "--help"],
        cwd=tmp_path,
        env=bare,
        timeout=60,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert told.returncode == 0 and "usage:" in told.stdout, told.stdout + told.stderr
    assert not told.stderr
    if path.name == "server.py":
        for_all = {"--host"} if path.parent.name != "glass" else set()  # whoever reaches its page can do everything
        assert {"--port"} | for_all <= set(re.findall(r"--\w+", told.stdout))
        assert ("6667" if path.parent.name == "irc" else "9000") in told.stdout, "the default port is not told"


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_it_imports_only_the_standard_library_and_what_lies_below(path):
    own = path.relative_to(ROOT).parts
    for module, at_top in imports(path):
        root, _, rest = module.partition(".")
        for_one_system = own[0] == "extras" and root in sys.stdlib_module_names
        # Who can do without the library must not load it.
        on_demand = (
            own[0] == "extras" and root == "extras" and own[1] not in LIBRARIES and rest.split(".")[0] in LIBRARIES
        )
        assert at_top or for_one_system or on_demand, f"{module} is imported inside a function"
        if root == "extras":
            extra = rest.split(".")[0]
            put_together = own == ("extras", "irc", "server.py") and extra == "ircv3"
            assert own[0] == "extras" and (extra == own[1] or extra in STANDS_ON[own[1]] or put_together), module
        elif root in STEPS:
            below = STEPS[: STEPS.index(own[0]) + 1] if own[0] in STEPS else STEPS[:5]
            for_people = own[0] == "extras" and (path.stem.endswith("client") or own[1] == "bench")
            assert root in below or for_people, module
        elif root != LIBRARIES.get(own[1]):
            assert root in sys.stdlib_module_names, f"{module} is not in the standard library"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_page_of_the_architecture_tells_what_an_extra_stands_on(extra):
    roots = [module.split(".") for path in modules(f"extras/{extra}") for module, _ in imports(path)]
    used = {root[1] if root[0] == "extras" else root[0] for root in roots}
    put_together = {"ircv3"} if extra == "irc" else set()  # by one file, which the page tells below the table
    assert STANDS_ON[extra] == used & {*EXTRAS, *LIBRARIES.values()} - {extra} - put_together


@pytest.mark.parametrize("path", sorted((ROOT / "extras" / "irc").glob("*.py")), ids=name_of)
def test_the_core_of_irc_knows_none_of_its_extensions(path):
    """The server alone, which puts all together, knows the list of them, and what makes a hash on the command line."""
    beyond = {module for module, _ in imports(path) if f"{module}.".startswith(("extras.irc.more.", "extras.ircv3."))}
    known = {"extras.ircv3.every.EXTENSIONS", "extras.irc.more.passwords"} if path.name == "server.py" else set()
    assert beyond <= known


@pytest.mark.parametrize("path", [path for path in CODE if path.stem != "__init__"], ids=name_of)
def test_its_name_hides_no_module_of_the_standard_library(path):
    assert path.stem not in sys.stdlib_module_names


@pytest.mark.long
@pytest.mark.parametrize("path", [path for path in RUNNABLE if path in CODE], ids=name_of)
def test_nothing_that_a_program_imports_imports_the_program(path):
    """It would be loaded twice, as __main__ and under its own name, with two copies of each class."""
    seen, waiting = set(), [path]
    while waiting:
        for module, _ in imports(waiting.pop(), for_types=False):
            file = file_of(module)
            assert file != path, f"through {module}"
            if file and file not in seen:
                seen.add(file)
                waiting.append(file)


# The repository


def test_the_top_level_has_the_eight_folders_only():
    folders = {path.relative_to(ROOT).parts[0] for path in tracked_files() if path.parent != ROOT}
    assert {name for name in folders if not name.startswith(".")} == TOP_LEVEL


def test_no_file_tells_of_the_machine_that_it_was_written_on():
    private = re.compile(r"(?<![\w.~])/(?:work|root|home|Users|tmp)/\w")
    for path in tracked_files():
        found = private.search(path.read_bytes().decode("utf-8", "replace"))
        assert not found, f"{name_of(path)}: {found[0]}"


@pytest.mark.parametrize("server", ["step5_server", "extras/rooms", "extras/irc"])
def test_the_table_of_limits_tells_the_defaults(server):
    told = subprocess.run(
        [sys.executable, ROOT / server / "server.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    defaults = dict(re.findall(r"(--[\w-]+) [A-Z]+\s[^-]*?\(default\s+(\d+)\)", told))
    table = (ROOT / "extras" / "README.md").read_text(encoding="utf-8")
    rows = {
        flag: default for default, flag in re.findall(r"^\|[^|]*\| ([^|]*) \| `(--[\w-]+)` \|", table, re.MULTILINE)
    }
    checked = defaults.keys() & rows.keys()
    assert checked >= {"--max-clients", "--login-timeout", "--max-pending"}
    for flag in checked:
        assert defaults[flag] in re.findall(r"\d+", rows[flag]), f"{flag} is {defaults[flag]}, not {rows[flag]}"
