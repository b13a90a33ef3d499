"""Limits on what files may hold, and memory that is known to be short before the work."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from fns_lab import arrays, cli, limits, models
from fns_lab.errors import InputError
from fns_lab.paths import ROOT, SAVED_MODELS
from fns_lab.rewrite.lower import lower
from fns_lab.targets import load


def test_the_page_on_security_lists_every_limit():
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \| ([\d,]+ ?\w*|what is free) \|", text, re.MULTILINE)
    units = {"": 1, "GiB": limits.GIB, "MiB": limits.MIB}
    found = {}
    for name, size in listed:
        number, _, unit = size.partition(" ")
        found[name] = 0 if size == "what is free" else int(number.replace(",", "")) * units[unit]
    assert found == {limit.name: limit.default for limit in limits.ALL}


def test_the_command_line_changes_a_limit_for_one_command(photo_file, tmp_path, capsys):
    command = [
        "eval",
        "--model",
        str(SAVED_MODELS / "mosaic_nc8.pth"),
        "--content-image",
        str(photo_file),
        "--output-image",
    ]
    before = dict(os.environ)
    assert cli.main(["--limit", "image-pixels=1e5", *command, str(tmp_path / "small.png")]) == 2
    assert "--limit image-pixels=N" in capsys.readouterr().err
    assert dict(os.environ) == before
    assert cli.main(["--limit", "image-pixels=1e6", "--limit", "width=64", *command, str(tmp_path / "y.png")]) == 0
    assert (tmp_path / "y.png").is_file()


@pytest.mark.parametrize("setting", ["pixels=3", "image-pixels", "image-pixels=0", "image-pixels=many", "=1", ""])
def test_a_limit_without_a_known_name_or_a_number_is_refused(setting, capsys):
    assert cli.main(["--limit", setting, "targets"]) == 2
    assert capsys.readouterr().err.startswith("fns-lab: ")


def test_memory_that_is_short_is_said_before_the_work(monkeypatch):
    assert limits.available_bytes() > limits.MIB
    limits.require_memory(limits.MIB, "this", "take less")
    with pytest.raises(InputError, match=r"^this takes about 1048576.0 GiB of memory, and .* are free; take less"):
        limits.require_memory(2**50, "this", "take less")
    monkeypatch.setenv(limits.MEMORY_BYTES.variable, str(2**51))
    limits.require_memory(2**50, "this", "take less")


def test_a_limit_of_the_process_counts_as_memory():
    code = "import resource as r; r.setrlimit(r.RLIMIT_AS, (2**31, 2**31)); from fns_lab import limits as l"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; print(l.available_bytes())"], capture_output=True, text=True, check=True
    )
    assert 2**30 < int(result.stdout) < 2**31


def test_functions_that_stand_for_billions_of_nodes_are_refused():
    from onnx import TensorProto, helper

    imports = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "f0", ["a"], ["b"], [helper.make_node("Abs", ["a"], ["b"])], imports)]
    for i in range(1, 40):
        nodes = [helper.make_node(f"f{i - 1}", [x], [y], domain="own") for x, y in (("a", "m"), ("m", "b"))]
        functions.append(helper.make_function("own", f"f{i}", ["a"], ["b"], nodes, imports))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("f39", ["x"], ["y"], domain="own")], "bomb", [x], [y])
    model = helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)
    with pytest.raises(InputError, match=r"nodes are more than the limit of 1,000,000; .*--limit nodes=N"):
        lower(model, load("ort/cpu"))


def test_arrays_come_back_and_claims_of_a_header_are_not_believed(tmp_path):
    x, y = np.arange(6, dtype=np.float16).reshape(2, 3), np.array(["a", "bc"])
    arrays.save_array(tmp_path / "x.npy", x)
    arrays.save_arrays(tmp_path / "xy.npz", {"x": x, "in/put:0": y})
    np.testing.assert_array_equal(arrays.load_array(tmp_path / "x.npy"), x)
    with np.load(tmp_path / "xy.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["in/put:0", "x"]
    loaded = arrays.load_arrays(tmp_path / "xy.npz")
    np.testing.assert_array_equal(loaded["in/put:0"], y)
    assert loaded["x"].dtype == np.float16
    data = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "large.npy").write_bytes(data.replace(b"(2, 3)", b"(2000000000, 3000)"[:6] + b""))
    (tmp_path / "huge.npy").write_bytes(data.replace(b"(2, 3), }     ", b"(99999, 999),}"))
    for name in ("large.npy", "huge.npy"):
        with pytest.raises(InputError, match=f"{name}: not a NumPy array file of numbers"):
            arrays.load_array(tmp_path / name)


def test_a_model_of_a_limit_is_refused(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(bytes(100))
    monkeypatch.setenv(limits.MODEL_BYTES.variable, "99")
    with pytest.raises(InputError, match="100 bytes are more than the limit of 99"):
        models.load(tmp_path / "model.onnx")
