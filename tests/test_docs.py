"""The documents: a glossary that the notebooks link to and the code confirms, a map that shows every folder."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fns_lab import models, targets
from fns_lab.export import onnx_from_torch
from fns_lab.nets import checkpoints
from fns_lab.paths import NOTEBOOKS, ROOT, SAVED_MODELS
from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rules import RULES

GLOSSARY = ROOT / "docs" / "glossary.md"
LINK = re.compile(r"\]\(\.\./docs/glossary\.md(?:#([\w-]+))?\)")
PACKAGE = ROOT / "fns_lab"


def entries():
    """The text of each entry of the glossary, by its word."""
    _, *parts = re.split(r"^## ", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(part.split("\n", 1) for part in parts)


def anchor(heading):
    """The anchor that GitHub and JupyterLab give a heading."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def anchors():
    return {anchor(word) for word in entries()}


# The glossary


def test_glossary_is_alphabetical():
    words = [word.lower() for word in entries()]
    assert len(words) > 20
    assert words == sorted(set(words))


@pytest.mark.parametrize("word", entries())
def test_each_word_is_explained_briefly_and_has_an_example(word):
    explanation, *examples = re.split(r"^Example: ", entries()[word], flags=re.MULTILINE)
    assert explanation.strip()
    assert len(explanation.split()) <= 60
    assert len(examples) == 1
    assert re.search(r"`|\d", examples[0]), "an example names an op, a target, a file or a number"


def test_links_inside_the_glossary_lead_somewhere():
    linked = set(re.findall(r"\]\(#([\w-]+)\)", GLOSSARY.read_text(encoding="utf-8")))
    assert linked
    assert linked <= anchors()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_links_to_words_that_the_glossary_has(path):
    linked = LINK.findall(path.read_text(encoding="utf-8"))
    assert any(linked), "no word is linked"
    assert {name for name in linked if name} <= anchors()


def test_targets_rules_and_files_of_the_glossary_exist():
    quoted = set(re.findall(r"`([^`\n]+)`", GLOSSARY.read_text(encoding="utf-8")))
    known = {rule.NAME for rule in RULES}
    named_targets = {name for name in quoted if re.fullmatch(r"(ort|ort-web|onnxjs-[\d.]+)/\w+", name)}
    named_rules = {name for name in quoted if re.fullmatch(r"[a-z]+(-[a-z]+)+", name)}
    named_files = {name for name in quoted if re.match(r"(fns_lab|notebooks|saved_models)/", name)}
    assert len(named_targets) > 3
    assert len(named_rules) > 3
    assert len(named_files) > 3
    assert named_targets <= set(targets.names())
    assert named_rules <= known
    assert not [name for name in named_files if not (ROOT / name).exists()]


def test_numbers_of_the_glossary_are_those_of_the_code():
    text = re.sub(r"\s+", " ", GLOSSARY.read_text(encoding="utf-8"))
    model = onnx_from_torch(checkpoints.load(SAVED_MODELS / "mosaic_nc16.pth"), (128, 128))
    lowered = lower(model, targets.load("onnxjs-0.1.3/webgl")).model
    assert f"the {len(model.graph.node)} nodes of the network become {len(lowered.graph.node)}" in text
    assert f"has IR version {model.ir_version}; ONNX.js 0.1.3 loads only IR version {lowered.ir_version}" in text
    assert f"writes opset {models.opset(model)} or later; ONNX.js 0.1.8 stops at opset {models.opset(lowered)}" in text
    assert f"has {len(model.graph.node)} nodes, {models.count_ops(model)['Conv']} of which apply `Conv`" in text
    assert f"lists all {len(targets.names())}." in text
    ulp_near_1, ulp_near_200 = (np.spacing(np.float32(x)) for x in (1, 200))
    assert f"near 1 an ulp is {ulp_near_1:.1e}".replace("e-0", "e-") in text
    assert f"near 200, a bright pixel, {ulp_near_200:.1e}".replace("e-0", "e-") in text
    assert ("None of the rules that ship is `approximate`" in text) == all(r.FIDELITY != "approximate" for r in RULES)


# The map in CONTRIBUTING.md


def contributing():
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def map_rows(header):
    """The first cells of the table that starts with this header."""
    table = re.search(rf"^\| {header} \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", contributing(), re.MULTILINE)
    return [row.split("|")[1].strip() for row in table[1].splitlines()]


def test_the_map_has_one_line_for_each_folder():
    rows = map_rows("folder")
    folders = {f"{path.parent.relative_to(PACKAGE).as_posix()}/" for path in PACKAGE.rglob("*.py")} - {"./"}
    named = [row.strip("`") for row in rows]
    assert len(set(named)) == len(named)
    assert folders <= set(named)
    assert not [name for name in named if not (PACKAGE / name).is_dir()]


def test_the_map_names_every_module_beside_the_folders_once():
    named = [name for row in map_rows("module") for name in re.findall(r"`(\w+\.py)`", row)]
    assert sorted(named) == sorted(path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py")


def test_the_functions_that_contributing_names_are_in_their_files():
    text = re.sub(r"\s+", " ", contributing())
    named = re.findall(r"`([\w.]+)` in `((?:fns_lab|tests)/[\w/]+\.py)`", text)
    assert len(named) > 20
    missing = [
        (name, file)
        for name, file in named
        if not re.search(rf"\b{name.split('.')[-1]}\b", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert not missing


# Teaching


def test_the_table_of_exercises_has_each_once():
    from fns_lab.teaching.exercises import EXERCISES

    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    listed = [name for row in re.findall(r"^\| (\d\d\.\d[\d., ]*) \|", text, re.MULTILINE) for name in row.split(", ")]
    numbers = {path.name[:2] for path in NOTEBOOKS.glob("*.ipynb")}
    assert listed == [name for name in EXERCISES if name[:2] in numbers]


def test_the_class_server_is_built_as_binder_is():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?:--\S+ )?(\S+)", text, re.MULTILINE)
    assert {"binder/apt.txt", "environment.yml"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert "RUN binder/postBuild" in text
    assert text.index("COPY --chown=${NB_UID}:${NB_GID} environment.yml") < text.index(
        "COPY --chown=${NB_UID}:${NB_GID} . ./"
    )
