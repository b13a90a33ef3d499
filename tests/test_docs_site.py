"""The documentation: built without a warning, opened offline, every public name in it, and every command in it runs."""

from __future__ import annotations

import ast
import json
import re
import shlex
from html.parser import HTMLParser
from urllib.parse import unquote

import nbformat
import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fns_lab.cli import GOOD, NO, main
from fns_lab.measure.bench import COLUMNS
from fns_lab.measure.matrix.table import JSON_KEYS
from fns_lab.paths import ROOT
from fns_lab.rewrite.rules import RULES
from fns_lab.runtimes.chromium import shared_chromium

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SLOW = re.compile(r"# slow: \w+")
"""Marks a command that no test here runs, and says why."""
TARGET = "onnxjs-0.1.3/webgl"


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


def commands(text):
    """The commands of a document's shell blocks, without those that are marked as slow."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("fns-lab ") and not SLOW.search(line)]


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
        for _ in range(12):  # what is typed before the index is read is forgotten
            await tab.fill("input[name=query]", "")
            await tab.fill("input[name=query]", "reflection")
            await tab.wait_for_timeout(10_000)
            if await tab.query_selector(".md-search-result__item a"):
                break
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


# Commands


@pytest.fixture
def folder(tmp_path, checkpoint, photo_file, fns_model, monkeypatch):
    """A folder with the files that the documents name, made from a small model."""
    from fns_lab import images, models, photos, targets
    from fns_lab.rewrite.lower import lower

    (tmp_path / "saved_models").mkdir()
    (tmp_path / "saved_models" / "mosaic_nc16.pth").write_bytes(checkpoint.read_bytes())
    (tmp_path / "photo.jpg").write_bytes(photo_file.read_bytes())
    images.save(photos.load("cat", (64, 96)) * 0 + 120, tmp_path / "flat.png")
    models.save(fns_model, tmp_path / "mosaic.onnx")
    models.save(lower(fns_model, targets.load(TARGET)).model, tmp_path / "mosaic.js.onnx")
    parameters = new_code_cell("runs = 2", metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Mine"), parameters, new_code_cell("print(runs)")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "mine.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", [path for path in PAGES if commands(path.read_text(encoding="utf-8"))], ids=lambda path: path.stem
)
def test_every_command_of_a_document_runs(path, folder, capsys):
    for line in commands(path.read_text(encoding="utf-8")):
        code = main(shlex.split(line, comments=True)[1:])
        assert code == (NO if "# says no" in line else GOOD), f"{line}\n{capsys.readouterr()}"


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=lambda path: path.stem)
def test_a_command_stands_in_a_shell_block(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"^ {4}(?:fns-lab|accelerate|make) .*$", text, re.MULTILINE)


# The JSON contract


def contract(heading):
    """The rows of the table of docs/json.md that starts with this heading: the keys by the first cell."""
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    return {first.replace("`", ""): re.findall(r"`(\w+)`", keys) for first, keys in rows}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("check", f"check mosaic.onnx --target {TARGET} --json"),
        ("lower", f"lower mosaic.onnx --target {TARGET} -o x.onnx --json"),
        ("run", "run mosaic.onnx --target ort/cpu --input photo.jpg -o x.png --json"),
        ("compare", "compare mosaic.onnx mosaic.js.onnx --input photo.jpg --json"),
        ("bench", "bench mosaic.onnx --target ort/cpu --runs 1 --json"),
        ("targets", "targets --json"),
    ],
)
def test_the_json_contract_holds(name, line, folder, capsys):
    main(line.split())
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == contract("command")[name]
    for list_name, keys in contract("list").items():
        command, key = list_name.split(": ")
        if command == name and answer[key]:
            assert list(answer[key][0]) == keys


def test_the_columns_of_tables_are_those_of_the_contract():
    assert contract("list")["matrix: rows"] == list(JSON_KEYS)
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    assert re.findall(r"`(\w+)`", text[text.index("`Timings.table`:") :].split("\n\n")[0]) == list(COLUMNS)
