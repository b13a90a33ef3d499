"""The JavaScript modules: what needs no browser is tested in node; all of them can be joined to one script."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from fns_lab import web
from fns_lab.runtimes.engines import HOST
from tests.web.programs import node

HERE = Path(__file__).parent
ENTRIES = (HOST, "fault/fault.js", "site/main.js", "engines/worker.js")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_in_node(path):
    result = subprocess.run([node(), "--test", path], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("entry", ENTRIES)
def test_modules_come_after_those_that_they_import(entry):
    order = web.modules(entry)
    assert order[-1] == entry
    assert len(order) == len(set(order)) > 3
    for name in order:
        for _, imported in web.IMPORT.findall(web.text(name)):
            path = ((web.HERE / name).parent / imported).resolve().relative_to(web.HERE).as_posix()
            assert order.index(path) < order.index(name)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_joined_script_has_no_import_and_node_reads_it(entry, tmp_path):
    script = tmp_path / "joined.cjs"
    script.write_text(web.joined(entry), encoding="utf-8")
    assert not re.search(r"^\s*(import|export) ", script.read_text(encoding="utf-8"), re.MULTILINE)
    result = subprocess.run([node(), "--check", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_joined_modules_keep_their_own_names(tmp_path, monkeypatch):
    (tmp_path / "a.js").write_text("const own = 2;\nexport const twice = (x) => own * x;\n")
    (tmp_path / "b.js").write_text('import { twice as two } from "./a.js";\nconst own = 10;\nconsole.log(two(own));\n')
    monkeypatch.setattr(web, "HERE", tmp_path.resolve())
    result = subprocess.run([node(), "-e", web.joined("b.js")], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "20\n"


def test_a_joined_module_imports_nothing_and_exports_what_its_entry_does(tmp_path):
    (tmp_path / "joined.mjs").write_text(web.module("preview/widget.js"), encoding="utf-8")
    script = 'import("./joined.mjs").then(({ widget }) => console.log(Object.keys(widget).join()))'
    result = subprocess.run(
        [node(), "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "initialize,render\n"


def test_modules_that_import_each_other_are_refused(tmp_path, monkeypatch):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.js").write_text(f'import {{ x }} from "./{other}.js";\nexport const {name} = x;\n')
    monkeypatch.setattr(web, "HERE", tmp_path.resolve())
    with pytest.raises(ValueError, match="imports itself"):
        web.modules("a.js")
