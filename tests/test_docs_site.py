"""The documentation: built without a warning, opened offline, and every public name in it."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from fns_lab.paths import ROOT
from fns_lab.rewrite.rules import RULES
from fns_lab.runtimes.chromium import shared_chromium

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


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
    """Each public function and class of the package with its module, as Python names them."""
    for path in sorted((ROOT / "fns_lab").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith(("fns_lab.cli", "fns_lab.rewrite.rules", "fns_lab.__main__")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                yield f"{module}.{node.name}", node


def test_every_public_name_is_there_with_its_docstring(site):
    pages, folder = site
    known = set().union(*(page.ids for path, page in pages.items() if path.parent == folder / "api"))
    names = dict(public_names())
    assert len(names) > 500
    assert not [name for name, node in names.items() if not ast.get_docstring(node)]
    assert not [name for name in names if name not in known]


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
        said = []
        tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
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
        return narrow, wide, results, said

    narrow, wide, results, said = shared_chromium().run(found())
    assert narrow <= 390
    assert wide <= 1200
    assert any("glossary" in link or "rules" in link for link in results)
    assert not said


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_files_that_a_document_links_to_exist(path):
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        generated = (path.parent / link).resolve() in {DOCS / name for name in ("rules.md", "commands.md", "api.md")}
        assert "://" in link or generated or (path.parent / link).exists(), link
