"""The JavaScript modules: what needs no browser is tested in node; all of them can be joined to one script."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fns_lab import web
from fns_lab.runtimes.engines import HOST

HERE = Path(__file__).parent
ENTRIES = (HOST, "fault/fault.js")
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.js")), ids=lambda path: path.name)
def test_in_node(path):
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed; `fns-lab doctor` names its fix")
    result = subprocess.run([node, "--test", path], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("entry", ENTRIES)
def test_modules_come_after_those_that_they_import(entry):
    order = web.modules(entry)
    assert order[-1] == entry
    assert len(order) == len(set(order)) > 3
    for name in order:
        for imported in web.IMPORT.findall(web.text(name)):
            path = ((web.HERE / name).parent / imported).resolve().relative_to(web.HERE).as_posix()
            assert order.index(path) < order.index(name)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_joined_script_has_no_import_and_no_name_twice(entry):
    script = web.joined(entry)
    assert not re.search(r"^\s*(import|export) ", script, re.MULTILINE)
    names = [name for module in web.modules(entry) for name in DECLARED.findall(web.text(module))]
    assert len(names) == len(set(names)) > 10


def test_modules_that_import_each_other_are_refused(tmp_path, monkeypatch):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.js").write_text(f'import {{ x }} from "./{other}.js";\nexport const {name} = x;\n')
    monkeypatch.setattr(web, "HERE", tmp_path.resolve())
    with pytest.raises(ValueError, match="imports itself"):
        web.modules("a.js")
