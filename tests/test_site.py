"""The site that conf.py makes: every link leads somewhere, and what a reader does with a page works in a real browser.

Run by name, since it is long: pytest tests/test_site.py, after pip install -r requirements-site.txt.
"""

import os
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says how to get it

from tests.chapter import ROOT, text_files

pytestmark = pytest.mark.long

URL = "https://site.test/chat/"  # answered from the files; https, since only then a page may use the clipboard
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder with the pages."""
    for module in ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "sphinxcontrib.mermaid", "mmdc"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -r requirements-site.txt")
    folder = tmp_path_factory.mktemp("site")
    told = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", folder / "doctrees", ROOT, folder / "html"],
        env={**os.environ, "SITE_URL": URL},
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a page has: the URLs that it names, and the places in it that others may name."""

    def __init__(self, path):
        super().__init__()
        self.urls, self.places, self.next = [], {""}, None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.places.add(attrs.get("id"))
        self.urls += [attrs[name] for name in ("href", "src") if name in attrs and tag != "base"]
        if attrs.get("class") == "next-page":
            self.next = attrs["href"]


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def test_every_link_and_picture_of_the_site_leads_to_a_file_and_a_place_in_it(site, pages):
    dead = []
    for name, page in pages.items():
        for url in page.urls:
            if urlsplit(url).scheme in ("http", "https", "data") and not url.startswith(URL):
                continue  # python -m sphinx -b linkcheck looks at these
            target, place = urldefrag(urljoin(URL + name, url))
            file = unquote(urlsplit(target.removeprefix(URL)).path) or "index.html"
            if not (site / file).is_file() or file in pages and unquote(place) not in pages[file].places:
                dead.append(f"{name}: {url}")
    assert not dead


def test_who_always_clicks_next_reads_every_text_and_the_steps_first(pages):
    read, name = [], "index.html"
    while name and name not in read:
        read.append(name)
        name = pages[name].next and urljoin(name, pages[name].next)
    assert set(read) == {
        path.relative_to(ROOT).as_posix().replace("README.md", "index.html").replace(".md", ".html")
        for path in text_files()
    }
    assert [name.split("/")[0][:5] for name in read[:4]] == ["index.html"[:5], "step1", "step2", "step3"]
    assert read.index("step6_client/index.html") < read.index("extras/index.html") < read.index("CONTRIBUTING.html")


@pytest.fixture
def reader(site, chromium):
    """A browser whose only network is the site."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.asked = []

    def answer(route):
        context.asked.append(route.request.url)
        path = site / (unquote(urlsplit(route.request.url).path.removeprefix("/chat/")) or "index.html")
        if route.request.url.startswith(URL) and path.is_file():
            route.fulfill(path=path)
        elif route.request.url.startswith(URL):
            route.fulfill(status=404, path=site / "404.html")
        else:
            route.abort()

    context.route("**", answer)
    page = context.new_page()
    page.set_default_timeout(30_000)  # on a busy machine
    yield page
    context.close()


def copied(page, button):
    page.evaluate("navigator.clipboard.writeText('')")
    button.click()
    page.wait_for_function("async () => await navigator.clipboard.readText()")
    return page.evaluate("navigator.clipboard.readText()")


def test_what_is_copied_can_be_pasted(reader):
    reader.goto(URL + "step1_echo/index.html")
    transcript = reader.locator(".highlight-transcript").first
    buttons = transcript.get_by_role("button")
    assert [copied(reader, button) for button in buttons.all()] == [
        "python step1_echo/server.py",
        "nc 127.0.0.1 9000",
    ]
    change = reader.locator(".highlight-diff").first
    code = copied(reader, change.get_by_role("button"))
    assert code.startswith("while True:\n    sock, address = ") and code.endswith("\n    sock.close()")
    reader.goto(URL + "tests/index.html")
    session = reader.locator(".highlight-console").first
    assert copied(reader, session.get_by_role("button")) == r"printf 'one\ntwo\n' | head -n 1"


# What reaches beyond the window; code, tables and diagrams may, in boxes that scroll.
CUT_OFF = """() => [...document.querySelectorAll("article :not(pre *, .table-wrapper *, .screen-reader-only)")].filter(
    (one) => one.checkVisibility() && (one.getBoundingClientRect().left < -1
                                       || one.getBoundingClientRect().right > innerWidth + 1)).map(
    (one) => one.outerHTML.slice(0, 100))"""


def test_on_a_phone_no_text_is_cut_off_or_scrolls_sideways(reader, pages):
    reader.set_viewport_size(PHONE)
    for name in [name for name in pages if name.count(".") == 1]:  # not those that show a file
        reader.goto(URL + name, wait_until="domcontentloaded")
        assert not reader.evaluate("document.scrollingElement.scrollWidth > innerWidth"), name
        assert not reader.evaluate(CUT_OFF), name


def test_the_search_finds_a_word_and_leads_to_its_chapter(reader):
    reader.goto(URL)
    reader.get_by_placeholder("Search").first.fill("backpressure")
    reader.keyboard.press("Enter")
    reader.locator("#search-results a", has_text="Step 1: an echo server").first.click()
    expect(reader.locator("h1")).to_contain_text("Step 1: an echo server")


def test_the_button_makes_a_page_dark_and_a_transcript_has_a_colour_for_each_kind(reader):
    reader.emulate_media(color_scheme="light")
    reader.goto(URL)
    background = "getComputedStyle(document.body).backgroundColor"
    colours = """() => ["nl", "nf-Command", "s", "go"].map((kind) =>
        getComputedStyle(document.querySelector(`.highlight-transcript .${kind}`)).color)"""
    light = reader.evaluate(background), *reader.evaluate(colours)
    reader.locator(".theme-toggle:visible").click()
    expect(reader.locator("body")).to_have_attribute("data-theme", "dark")
    dark = reader.evaluate(background), *reader.evaluate(colours)
    assert len(set(light)) == len(set(dark)) == 5 and not set(light) & set(dark)


def test_a_wrong_address_at_any_depth_shows_the_way_back(reader):
    reader.goto(URL + "step9/nowhere/index.html")
    reader.get_by_role("link", name="here", exact=True).click()
    expect(reader.locator("h1")).to_contain_text("A chat in Python")


def test_diagrams_are_drawn_in_light_and_dark_without_any_other_server(reader):
    reader.emulate_media(color_scheme="light")
    reader.goto(URL + "step1_echo/index.html")
    diagram = reader.locator("pre.mermaid svg")
    expect(diagram).to_contain_text("the kernel")
    box = diagram.locator("rect.actor").first
    light = box.evaluate("(box) => getComputedStyle(box).fill")
    reader.locator(".theme-toggle:visible").click()
    expect(box).not_to_have_css("fill", light)
    assert all(url.startswith(URL) for url in reader.context.asked)
