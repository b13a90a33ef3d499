"""The TOML files list the same ops as the runtimes' own sources."""

import dataclasses
import re
import tomllib
from collections import defaultdict

import pytest

from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.paths import ROOT
from fns_lab.targets import target
from fns_lab.targets.target import FOLDER, matches

NODE_MODULES = ROOT / "node_modules"
FOLDED_AT_LOAD = {"Constant", "Dropout", "Identity"}
ALL = (
    *(f"onnxjs-{version}/{backend}" for version in ("0.1.3", "0.1.4", "0.1.8") for backend in ("cpu", "wasm", "webgl")),
    *(f"ort-web/{backend}" for backend in ("wasm", "webgpu", "webgl")),
    "ort/cpu",
    "opencv/cpu",
    "openvino/cpu",
    "tract/cpu",
)


def test_every_target_is_there():
    assert set(targets.names()) == set(ALL)
    assert [targets.load(name).name for name in ALL] == list(ALL)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("onxjs-0.1.3/wasm", "onnxjs-0.1.3/wasm"), ("ort-web/gpu", "ort-web/webgpu"), ("ort", "ort/cpu")],
)
def test_an_unknown_target_names_the_nearest(wrong, near):
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        targets.load(wrong)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ort-web@1.22.0/webgpu", "ort-web/webgpu"),
        ("onnxjs@0.1.5/wasm", "onnxjs-0.1.4/wasm"),
        ("onnxjs@0.2.0/wasm", "onnxjs-0.1.8/wasm"),
        ("ort@1.23.2/cpu", "ort/cpu"),
    ],
)
def test_a_version_without_a_file_has_the_table_of_the_nearest_and_says_so(name, nearest):
    target, known = targets.load(name), targets.load(nearest)
    assert (target.name, target.version, target.table_of) == (name, name.split("@")[1].split("/")[0], nearest)
    assert (target.ops, target.quirks) == (known.ops, known.quirks)
    assert target.label == f"{name} (not measured: the table of {nearest})"
    assert target.own_process == (target.runtime == "ort")


def test_a_version_with_a_file_is_that_target():
    assert targets.load("onnxjs@0.1.4/webgl") is targets.load("onnxjs-0.1.4/webgl")
    assert targets.load("onnxjs-0.1.4/webgl").label == "onnxjs-0.1.4/webgl"


@pytest.mark.parametrize("name", ["ort-web@1.22.0/cuda", "nort@1.2.3/cpu", "ort-web@/wasm", "ort-web@new/wasm"])
def test_a_version_of_an_unknown_runtime_is_refused(name):
    with pytest.raises(InputError, match="did you mean"):
        targets.load(name)


@pytest.mark.parametrize(
    ("selector", "yes", "no"),
    [("*", (1, 99), ()), ("7+", (7, 8, 30), (1, 6)), ("2-10", (2, 10), (1, 11)), ("9", (9,), (8, 10))],
)
def test_selectors(selector, yes, no):
    assert all(matches(selector, v) for v in yes)
    assert not any(matches(selector, v) for v in no)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_op_tables_are_alphabetical_and_name_each_op_once(path):
    data = tomllib.loads(path.read_text(encoding="utf-8"))  # which refuses a key that stands twice
    tables = [backend["ops"] for backend in data["backend"].values()]
    for table in [*tables, data.get("ops", {})]:
        assert list(table) == sorted(table)
        assert all(isinstance(selectors, list) and selectors for selectors in table.values())


def legacy_table(version: str, backend: str) -> dict[str, set[str]]:
    """ONNX.js up to 0.1.4: a switch over op types, whatever their opset."""
    file = "ops-resolve.js" if backend == "cpu" else "session-handler.js"
    source = (NODE_MODULES / f"onnxjs-{version}" / "lib" / "backends" / backend / file).read_text()
    return {op: {"*"} for op in re.findall(r"case '(\w+)':", source)}


def rule_table(source: str) -> dict[str, set[str]]:
    """ONNX.js from 0.1.5 and its successor: rows of op type, domain and selector."""
    selectors = defaultdict(set)
    for op, selector in re.findall(r"""\[['"](\w+)['"], ?['"]['"], ?['"]([\d+-]+)['"]""", source):
        selectors[op].add(selector)
    return selectors


@pytest.mark.skipif(not NODE_MODULES.is_dir(), reason="the npm engines are not installed: run `make setup`")
@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("onnxjs") or name == "ort-web/webgl"])
def test_op_tables_are_those_of_the_source(name):
    target = targets.load(name)
    if target.version in ("0.1.3", "0.1.4"):
        tables = {b: legacy_table(target.version, b) for b in ("cpu", "wasm", "webgl")}
    elif target.runtime == "onnxjs":
        folder = NODE_MODULES / f"onnxjs-{target.version}" / "lib" / "backends"
        tables = {b: rule_table((folder / b / "op-resolve-rules.js").read_text()) for b in ("cpu", "wasm", "webgl")}
    else:
        tables = {"webgl": rule_table((NODE_MODULES / "onnxruntime-web" / "dist" / "ort.webgl.mjs").read_text())}
    expected = tables[target.backend]
    if target.backend == "wasm":
        expected = tables["cpu"] | expected
    assert len(expected) > 40
    ours = {op: set(selectors) for op, selectors in target.ops.items() if op not in FOLDED_AT_LOAD}
    assert ours == {op: selectors for op, selectors in expected.items() if op not in FOLDED_AT_LOAD}


def test_every_fault_names_its_source():
    every = [targets.load(name) for name in ALL]
    faults = [fault for target in every for fault in (*target.quirks, *target.worked_around)]
    assert faults
    assert all(fault.source and fault.summary for fault in faults)


def test_a_backend_overrides_its_file():
    wasm, webgl = targets.load("ort-web/wasm"), targets.load("ort-web/webgl")
    assert (wasm.opset, webgl.opset) == (23, 7)
    assert (wasm.int64_as_int32, webgl.int64_as_int32) == (False, True)
    assert wasm.warmup_runs == webgl.warmup_runs == 8


def test_an_op_behind_a_value_left_open_is_told_from_a_value_of_two_words():
    cpu = dataclasses.replace(targets.load("ort/cpu"), undefined_values=("nan Sign", "far", "beyond int32"))
    assert cpu.undefined_for({"Sign", "Add"}) == {"Sign": ["nan"], "*": ["far", "beyond int32"]}
    assert cpu.undefined_for({"Add"}) == {"*": ["far", "beyond int32"]}


def test_every_preferred_rewrite_exists():
    from fns_lab.rewrite.rules import RULES

    known = {rule.NAME for rule in RULES}
    preferred = {name for target in ALL for name in targets.load(target).prefer}
    assert preferred
    assert preferred <= known


GOOD = """
name = "other"
runtime = "ort"
opset = 17
ir_version = 8
ir_versions = "3+"
[backend.cpu]
[backend.cpu.ops]
Relu = ["*"]
[[quirk]]
name = "wrong-relu"
kind = "broken-op"
summary = "Relu is wrong"
source = "seen"
backends = ["cpu"]
ops = ["Relu"]
"""


def read(tmp_path, text):
    path = tmp_path / "other.toml"
    path.write_text(text, encoding="utf-8")
    return target._read(path)


def test_a_file_is_read(tmp_path):
    (read_target,) = read(tmp_path, GOOD)
    assert read_target.name == "other/cpu" and [quirk.name for quirk in read_target.quirks] == ["wrong-relu"]


@pytest.mark.parametrize(
    ("line", "wrong", "message"),
    [
        (
            'kind = "broken-op"',
            'kind = "broken-ops"',
            "'wrong-relu': unknown kind 'broken-ops'; did you mean 'broken-op'",
        ),
        ("opset = 17", "opsets = 17", "'other/cpu': unknown key 'opsets'; did you mean 'opset'"),
        ("opset = 17", "", "'other/cpu': the key 'opset' is missing"),
        ('ops = ["Relu"]', "", "'wrong-relu': the key 'ops' is missing"),
        ("opset = 17", "opset =", "other.toml: Invalid value"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, line, wrong, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path, GOOD.replace(line, wrong))


def test_types_and_quirks_may_stand_in_files_of_their_own(tmp_path):
    head, _, quirk = GOOD.partition("[[quirk]]")
    for folder, text in (("quirks", f"[[quirk]]{quirk}"), ("types", '[backend.cpu.op_types]\nRelu = ["FLOAT"]')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "other.toml").write_text(text, encoding="utf-8")
    (read_target,) = read(tmp_path, head)
    assert read_target.quirks[0].name == "wrong-relu" and read_target.op_types == {"Relu": ("FLOAT",)}
    assert read_target.ops == {"Relu": ("*",)}


def test_every_part_of_a_description_belongs_to_a_target():
    names = {path.name for path in FOLDER.glob("*.toml")}
    assert {path.name for path in FOLDER.rglob("*.toml")} == names
