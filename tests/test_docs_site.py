"""The documentation: built without a warning, opened offline, and every public name in it."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from itertools import zip_longest
from urllib.parse import unquote

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from fns_lab.paths import ROOT
from fns_lab.rewrite.rules import RULES
from fns_lab.runtimes.chromium import shared_chromium
from tests.web.pages import Visit

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
"""Starts of addresses that no server answers."""


class Page(HTMLParser):
    """What a page links to and loads, and the names that one can link to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        for name, needed in (("src", True), ("href", tag == "link" and given.get("rel") != "canonical")):
            if needed and given.get(name):
                self.loads.append(given[name])


pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages by their path in the site, and the site's folder."""
    folder = tmp_path_factory.mktemp("docs")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html") if path.name != "404.html"}
    return pages, folder


def test_the_site_loads_nothing_from_elsewhere(site):
    pages, _ = site
    assert len(pages) > 20
    for path, page in pages.items():
        assert page.loads
        assert not [url for url in page.loads if re.match(r"\w+://|//", url)], path
        assert "default-src &#39;none&#39;" in path.read_text() or "default-src 'none'" in path.read_text()


def test_links_lead_somewhere(site):
    pages, folder = site
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"(https|mailto):", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (path.relative_to(folder), link)
            if anchor and target in pages:
                assert unquote(anchor) in pages[target].ids, (path.relative_to(folder), link)


def public_names():
    """Each public function, class, method and constant of the package by its full name, with its docstring or ""."""
    hidden = hooks()[1].HIDDEN
    for path in sorted((ROOT / "fns_lab").rglob("*.py")):
        if not path.relative_to(ROOT / "fns_lab").as_posix().startswith(hidden):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for name, text in documented(ast.parse(path.read_text(encoding="utf-8")).body):
                yield f"{module}.{name}", text


def documented(body, prefix=""):
    for node, after in zip_longest(body, body[1:]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield f"{prefix}{node.name}", ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
                yield from documented(methods, f"{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield from ((name, text) for target in targets for name in assigned(target))


def assigned(target):
    each = target.elts if isinstance(target, ast.Tuple) else [target]
    return [name.id for name in each if isinstance(name, ast.Name) and name.id[0] != "_"]


def test_every_public_name_is_there_with_its_docstring(site):
    pages, folder = site
    known = set().union(*(page.ids for path, page in pages.items() if path.parent == folder / "api"))
    names = dict(public_names())
    assert len(names) > 1000
    assert not [name for name, text in names.items() if not text]
    assert not [name for name in names if name not in known]


def hooks(**changed):
    """The configuration, and the module with its hooks."""
    config = load_config(str(ROOT / "mkdocs.yml"), **changed)
    return config, next(iter(config.hooks.values()))


@pytest.mark.parametrize(
    ("address", "places"),
    [
        ("", []),
        ("https://github.com/me/lab.git", ["mybinder.org/v2/gh/me/lab/", "colab.research.google.com/github/me/lab/"]),
        ("https://git.example.org/a/b/", ["mybinder.org/v2/git/https%3A%2F%2Fgit.example.org%2Fa%2Fb/"]),
    ],
)
def test_the_buttons_lead_to_the_public_address_if_there_is_one(address, places):
    config, pages = hooks(repo_url=address)
    text = pages.on_page_markdown((DOCS / "no-install.md").read_text(encoding="utf-8"), None, config, None)
    links = re.findall(r"\]\((https://\S+?)\)\{ .md-button \}", text)
    assert len(links) == len(places)
    assert all(link.startswith(f"https://{place}") for link, place in zip(links, places, strict=True))
    assert all("00_start.ipynb" in link for link in links)


def test_an_address_that_is_none_is_refused():
    with pytest.raises(SystemExit, match="give the repository's public address"):
        hooks()[1].buttons("my repository")


def test_the_readme_has_the_buttons_of_the_address():
    config, pages = hooks()
    (block,) = pages.BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert block == pages.buttons(config.repo_url or ""), "run `python docs/buttons.py`"


def test_every_rule_and_command_is_there(site):
    pages, folder = site
    assert {rule.NAME for rule in RULES} <= pages[folder / "rules.html"].ids
    assert {"export", "check", "lower", "compare", "report"} <= pages[folder / "commands.html"].ids


@pytest.mark.browser
def test_the_site_opens_from_a_disk_and_its_search_works(site):
    async def found():
        browser = await shared_chromium().browser()
        context = await browser.new_context(viewport={"width": 390, "height": 900}, offline=True)
        tab = await context.new_page()
        visit = Visit(tab, "file:")
        await tab.goto((site[1] / "index.html").as_uri())
        narrow = await tab.evaluate("document.documentElement.scrollWidth")
        await tab.set_viewport_size({"width": 1200, "height": 900})
        await tab.reload()
        wide = await tab.evaluate("document.documentElement.scrollWidth")
        await tab.locator("input[name=query]").focus()
        await tab.locator(".md-search-result__meta", has_text="Type to start searching").wait_for(state="attached")
        await tab.locator("input[name=query]").press_sequentially("reflection")  # the search listens to keys
        await tab.locator(".md-search-result__item a").first.wait_for(state="attached")
        results = await tab.eval_on_selector_all(".md-search-result__item a", "links => links.map((link) => link.href)")
        await context.close()
        return narrow, wide, results, visit.complaints

    narrow, wide, results, said = shared_chromium().run(found())
    assert narrow <= 390
    assert wide <= 1200
    assert any("glossary" in link or "rules" in link for link in results)
    assert not said


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, pytest.param(1200, marks=pytest.mark.slow)])
def test_no_page_is_wider_than_the_window_or_asks_a_server(site, width):
    async def measured():
        browser = await shared_chromium().browser()
        context = await browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        tab = await context.new_page()
        visit, wide = Visit(tab, "file:"), []
        for path in site[0]:
            await tab.goto(path.as_uri())
            if await tab.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(path.name)
        await context.close()
        return wide, visit.complaints, visit.foreign

    assert shared_chromium().run(measured()) == ([], [], [])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_files_that_a_document_links_to_exist(path):
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        generated = (path.parent / link).resolve() in {DOCS / name for name in ("rules.md", "commands.md", "api.md")}
        assert "://" in link or generated or (path.parent / link).exists(), link
