"""The commands in the documentation: each runs, and the JSON that they print is what docs/json.md says."""

from __future__ import annotations

import json
import re
import shlex

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fns_lab.cli import GOOD, NO, main
from fns_lab.measure.bench import COLUMNS
from fns_lab.measure.matrix.table import JSON_KEYS
from fns_lab.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SLOW = re.compile(r"# slow: \w+")
"""Marks a command that no test here runs, and says why."""
TARGET = "onnxjs-0.1.3/webgl"

pytestmark = pytest.mark.timeout(900)


def commands(text):
    """The commands of a document's shell blocks, without those that are marked as slow."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("fns-lab ") and not SLOW.search(line)]


@pytest.fixture
def folder(request, documented, fns_model):
    """A folder with the files that the documents name. A how-to makes its models itself, as for a new user."""
    from fns_lab import images, models, photos, targets
    from fns_lab.rewrite.lower import lower

    how_to = "how-to" in str(getattr(request.node, "callspec", None) and request.node.callspec.params.get("path"))
    images.save(photos.load("cat", (64, 96)) * 0 + 120, documented / "flat.png")
    if how_to:
        (documented / "notebooks").mkdir()
    else:
        models.save(fns_model, documented / "mosaic.onnx")
        models.save(lower(fns_model, targets.load(TARGET)).model, documented / "mosaic.js.onnx")
    parameters = new_code_cell("runs = 2", metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Mine"), parameters, new_code_cell("print(runs)")]
    nbformat.write(new_notebook(cells=cells), documented / ("notebooks/mine.ipynb" if how_to else "mine.ipynb"))
    return documented


LONGEST = ("compare", "missing-op", "slow")
"""Documents whose commands other documents have too, with most of the options."""
WITH_COMMANDS = [
    pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONGEST else (), id=path.stem)
    for path in PAGES
    if commands(path.read_text(encoding="utf-8"))
]


@pytest.mark.browser
@pytest.mark.parametrize("path", WITH_COMMANDS)
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
