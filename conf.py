"""The site: Sphinx makes it of the Markdown that GitHub shows, so nothing is written twice.

    pip install -r requirements-site.txt && python -m sphinx -W . .site

Sphinx, since it takes its pages from the project's own folders (MkDocs wants them in a folder beside
its settings), MyST, since it reads GitHub's Markdown.  With -W the build fails where a link leads nowhere.
"""

import html
import os
import posixpath
import re
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from pygments.lexer import RegexLexer, bygroups
from pygments.lexers import find_lexer_class_for_filename
from pygments.token import Comment, Generic, Name, Punctuation, String, Text
from sphinx import addnodes
from sphinx.directives.code import CodeBlock
from sphinx.project import Project
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parent

project = html_title = "A chat in Python"
extensions = ["myst_parser", "sphinx_copybutton", "sphinxcontrib.mermaid"]
include_patterns = ["*.md", "step*/*.md", "extras/**.md", "tests/*.md"]
root_doc = "index"
html_theme = "furo"
pygments_dark_style = "github-dark"
html_favicon = "extras/web/page/icon.svg"
smartquotes = html_show_copyright = html_copy_source = html_use_index = False
html_baseurl = os.environ.get("SITE_URL", "")  # with / at its end; the workflow knows it

myst_heading_anchors = 6  # each heading has the #anchor that GitHub gives it
myst_fence_as_directive = ["mermaid", "python", "diff", "js", "lua"]

mermaid_height = "auto"
mermaid_fullscreen = False
# As large as they are drawn, or nobody could read the wide ones; STYLE lets a page scroll those.
mermaid_init_config = {"startOnLoad": False} | {kind: {"useMaxWidth": False} for kind in ["flowchart", "sequence"]}
# What draws the diagrams comes from the site itself.  Of mmdc we want this file only: Mermaid, version 11.12.
html_static_path = [f"{os.path.dirname(find_spec('mmdc').origin)}/assets/mermaid.js"]
mermaid_use_local = "mermaid.mjs"
MODULE = """// mermaid.js is a script; what asks for it imports a module.
const script = document.createElement("script");
script.src = new URL("mermaid.js", import.meta.url);
await new Promise((loaded, failed) => {
    Object.assign(script, { onload: loaded, onerror: failed });
    document.head.append(script);
});
export default globalThis.mermaid;
"""

# What a learner wants to paste: commands without prompts and without what they print, in a transcript each
# command by itself (every terminal is another one), and of a diff what will stand in her file.
copybutton_selector = "div:not(.highlight-transcript) > .highlight pre, .highlight-transcript .nf-Command"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, span:has(> .gd), span:has(> .gu), .p-Sign"

STYLE = """
.highlight-transcript .nf-Command { font-weight: bold }
.highlight-transcript pre { position: relative }
.highlight-transcript pre button.copybtn { top: auto; right: auto; display: inline-flex; height: 1.4em; margin-left: .5em }
@media (hover: none) { button.copybtn { opacity: .7 !important } }  /* a finger does not hover */
@media (max-width: 46em) { td { min-width: 9rem } }  /* a phone scrolls a wide table */
details { margin: .5rem 0 }
details code { font-size: var(--font-size--small--2) }  /* as elsewhere; Furo knows only what Sphinx has made */
/* In the dark style removed lines are red and added ones green; in the light one they were blue and black. */
.highlight-diff .highlight .gd { color: inherit; background: #ffd7d5 }
.highlight-diff .highlight .gi { color: inherit; background: #ccffd8 }
pre.mermaid { overflow-x: auto }
article pre.mermaid > svg { width: auto !important; max-width: none !important }
"""


# Folders are pages: step1_echo/README.md becomes step1_echo/index.html.


def path2doc(project, filename, original=Project.path2doc):
    docname = original(project, filename)
    return docname and re.sub(r"\bREADME$", "index", docname)


def add_contents(app, docname, source):
    """Put the pages in order: the chapters as in the README's map, below each what else is in its folder."""
    docnames = sorted(app.env.found_docs - {docname})
    parts = {}
    if docname == root_doc:
        source[0] = re.sub(r'^<a href="\.\./\.\./.*\n', "", source[0], flags=re.MULTILINE)  # a badge of GitHub's
        chapters = [
            f"{folder}/index" for folder in re.findall(r"^\| \[\w+\]\((.*?)/README\.md\)", source[0], re.MULTILINE)
        ]
        parts["The steps"] = [name for name in chapters if name.startswith("step")]
        parts["The extras"] = ["extras/index"] + [name for name in chapters if name.startswith("extras/")]
        parts["The project"] = ["tests/index"] + [name for name in docnames if "/" not in name]
        if repository := os.environ.get("GITHUB_REPOSITORY"):
            parts["The project"].append(f"GitHub <https://github.com/{repository}>")
    elif docname.endswith("/index"):
        folder = posixpath.dirname(docname)
        parts["More"] = [posixpath.basename(name) for name in docnames if posixpath.dirname(name) == folder]
    for caption, pages in parts.items():
        if pages:
            lines = ["```{toctree}", ":hidden:", f":caption: {caption}", *pages, "```"]
            source[0] += "\n\n" + "\n".join(lines)


# Links to our files lead to pages that show them.

shown = set()  # these files and folders


def link_to(target, env):
    """Return the URL, relative to the page that is being read, of another page or of one of our files."""
    path = Path(env.relfn2path(target)[1]).resolve()
    page = env.path2doc(path)
    if page is None:
        page = path.relative_to(ROOT).as_posix()
        shown.update([path, *path.glob("*.py")])
        env.note_dependency(path)
    return posixpath.relpath(page, posixpath.dirname(env.docname) or ".") + ".html"


class SourceLinks(SphinxTransform):
    default_priority = 10  # early: later, Sphinx would offer the files for download

    def apply(self):
        links = list(self.document.findall(addnodes.download_reference))
        # MyST has taken a folder for a name that it does not know.
        links += [
            link
            for link in self.document.findall(addnodes.pending_xref)
            if Path(self.env.relfn2path(link["reftarget"])[1]).is_dir()
        ]
        for link in links:
            uri = link_to(link["reftarget"], self.env)
            link.replace_self(nodes.reference("", "", *link.children, internal=True, refuri=uri))
        for raw in self.document.findall(nodes.raw):  # an <a> inside <details>
            text = re.sub(r'(?<=href=")(?!https?:|#)[^"#]+', lambda found: link_to(found[0], self.env), raw.astext())
            raw.children = [nodes.Text(text)]


class Excerpt(CodeBlock):
    """```python PATH: the block's caption is that path, and leads to the file."""

    final_argument_whitespace = True
    option_spec = {}  # so that no line of the code is taken for an option

    def run(self):
        path, _, more = "".join(self.arguments).partition(" ")
        if path:
            link = f"[{path}](/{path})" if (ROOT / path).is_file() else path
            self.options["caption"] = f"{link} {more}"
        self.arguments = [self.name]
        made = super().run()
        for block in made[0].findall(nodes.literal_block):  # each line an element, its end included
            block["highlight_args"]["linespans"] = f"block-{self.env.new_serialno('block')}"
        return made


def own_pages(app):
    """Make the pages that come from no Markdown: our files, and what a wrong address shows."""
    for path in sorted(shown):
        name = path.relative_to(ROOT).as_posix()
        if path.is_dir():
            files = [file.name for file in sorted(shown) if file.parent == path]
            body = "".join(f'<p><a href="{path.name}/{file}.html">{file}</a></p>' for file in files)
        else:
            lexer = find_lexer_class_for_filename(name)
            language = lexer.aliases[0] if lexer else "text"
            body = app.builder.highlighter.highlight_block(path.read_text(encoding="utf-8"), language)
        yield name, {"title": name, "body": f"<h1>{name}</h1>{body}"}, "page.html"
    # This one is shown at any depth, so its links must know where the site begins.
    base = f'<base href="{html.escape(html_baseurl)}">' if html_baseurl else ""
    body = '<h1>No such page</h1><p>The course begins <a href="index.html">here</a>.</p>'
    yield "404", {"title": "No such page", "metatags": base, "body": body}, "page.html"


def add_module(app, exception):
    if app.builder.format == "html" and not exception:
        (Path(app.outdir) / "_static" / mermaid_use_local).write_text(MODULE, encoding="utf-8")


def add_to_head(app, pagename, templatename, context, doctree):
    """Add our style, and for search engines a description: the page's first sentences."""
    context["metatags"] = context.get("metatags", "") + f"<style>{STYLE}</style>"
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = " ".join(paragraph.astext().split())
        if len(text) > 80:  # so no badge
            context["metatags"] += f'<meta name="description" content="{html.escape(text[:300])}">'
            break


# Colours


class Transcript(RegexLexer):
    """```transcript: `alice$ command`, `alice> typed`, `alice_ typed` and `alice< printed`."""

    tokens = {
        "root": [
            (r"( *\w+\$ )(.*)(\n)", bygroups(Name.Label, Name.Function.Command, Text)),
            (r"( *\w+[>_])(.*\n)", bygroups(Name.Label, String)),
            (r"( *\w+<)(.*\n)", bygroups(Name.Label, Generic.Output)),
            (r"#.*\n", Comment),
            (r".*\n", Text),
        ]
    }


class Piece(RegexLexer):
    """```diff: the signs are tokens by themselves, so that they are not copied."""

    tokens = {
        "root": [
            (r"-.*\n", Generic.Deleted),
            (r"@.*\n", Generic.Subheading),
            (r"(\+)(.*\n)", bygroups(Punctuation.Sign, Generic.Inserted)),
            (r"( ?)(.*\n)", bygroups(Punctuation.Sign, Text)),
        ]
    }


def setup(app):
    Project.path2doc = path2doc
    app.connect("source-read", add_contents)
    app.connect("html-collect-pages", own_pages)
    app.connect("html-page-context", add_to_head)
    app.connect("build-finished", add_module)
    app.add_transform(SourceLinks)
    app.add_lexer("transcript", Transcript)
    app.add_lexer("diff", Piece)
    for language in set(myst_fence_as_directive) - {"mermaid"}:
        app.add_directive(language, Excerpt)
