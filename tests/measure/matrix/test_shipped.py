"""The shipped tables are complete, and every engine agrees with its target's table, known exceptions aside."""

import re

import pandas as pd
import pytest

from fns_lab.measure.matrix.pairs import PAIR_TARGETS
from fns_lab.measure.matrix.shipped import NODES, PAIRS, TARGETS, notes, read, read_faults, write, write_faults
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.measure.matrix.variants import VARIANTS

FULL = r"(ort|ort-web)/(cpu|wasm|webgpu)"
GPU = "ort-web/webgpu"
EXCEPTIONS = (
    (FULL, r"affine_grid_.*_expanded|rms_normalization_.*_expanded", "their shapes contradict its shape inference"),
    (FULL, r"attention_.*(window|padded_kv|mask_causal).*", "newer than its Attention, or -3.4e38 for minus infinity"),
    (FULL, r"resize_downsample_scales_.*_align_corners", "onnx and ONNX Runtime round the size in two ways"),
    (GPU, r"reduce_.*_empty_set.*", "sizes at the edge of what is defined"),
)
"""Target, case (without `test_`), and why the engine fails there though the table supports it. The TOML of these
targets lists all of ONNX in one line, since `lower` need not work around their faults."""


@pytest.fixture(scope="module")
def nodes():
    return read(NODES)


@pytest.fixture(scope="module")
def pairs():
    return read(PAIRS)


def unexplained(rows: pd.DataFrame) -> pd.DataFrame:
    known = [
        any(re.fullmatch(t, target) and re.fullmatch(c, case.removeprefix("test_")) for t, c, _ in EXCEPTIONS)
        for target, case in zip(rows.target, rows["case"], strict=True)
    ]
    return rows[~pd.Series(known, rows.index, dtype=bool)]


def test_every_case_was_measured_in_every_target_and_variant(nodes, cases):
    assert set(nodes.table.target) == set(TARGETS)
    assert set(nodes.table.variant) == set(VARIANTS)
    assert set(cases) == set(nodes.table["case"])
    assert len(nodes.table) == nodes.table["case"].nunique() * len(TARGETS) * len(VARIANTS)


def test_every_engine_agrees_with_its_table(nodes, pairs):
    for matrix in (nodes, pairs):
        left = unexplained(matrix.falsely_supported)
        assert left.empty, left[["target", "case", "variant", "result"]].to_string()


def test_no_lowered_case_is_silently_wrong(nodes, pairs):
    for matrix in (nodes, pairs):
        rows = matrix.falsely_supported
        lowered = rows[(rows.variant == "lowered") & (rows.result == "wrong")]
        assert unexplained(lowered).empty


def test_the_known_faults_of_pairs_are_there(pairs):
    wrong = pairs.table[(pairs.table.variant == "native") & (pairs.table.result == "wrong")]
    cases = set(zip(wrong.target, wrong["case"], strict=True))
    assert ("ort-web/webgl", "chain Reshape > Relu") in cases
    assert ("onnxjs-0.1.8/webgl", "fork Reshape > Transpose") in cases
    assert set(pairs.table.target) == set(PAIR_TARGETS)


@pytest.mark.parametrize("path", [NODES, PAIRS], ids=lambda path: path.stem)
def test_a_file_names_the_command_and_the_engines(path):
    head = "\n".join(notes(path))
    assert "python -m fns_lab.measure.matrix" in head
    assert "onnxjs 0.1.3" in head and "Chromium" in head


def test_every_wrong_or_failing_run_has_error_and_message(nodes, pairs):
    rows = pd.concat([nodes.table, pairs.table])
    wrong = rows[rows.result.isin(["wrong", "error"])]
    faults = read_faults()
    keys = ["target", "case", "variant"]
    assert set(map(tuple, faults[keys].to_numpy())) == set(map(tuple, wrong[keys].to_numpy()))
    assert (faults.message != "").all()


def test_what_is_written_is_read_again(tmp_path):
    rows = [
        ("t/a", "Op", "one", "native", "wrong", 1.0, False, "another opset"),
        ("t/a", "Op", "one", "converted", "pass", 0.1, True, ""),
        ("t/a", "Op", "one", "lowered", "error", float("nan"), True, "it said # no"),
        ("t/b", "Op", "one", "native", "wrong", 2.0, False, "known"),
        ("t/b", "Op", "one", "converted", "unsupported", float("nan"), False, "not supported"),
        ("t/b", "Op", "one", "lowered", "unsupported", float("nan"), False, "not supported"),
        ("t/a", "Op", "two", "native", "pass", 0.0, True, ""),
        ("t/a", "Op", "two", "converted", "pass", 0.0, True, ""),
        ("t/a", "Op", "two", "lowered", "pass", 0.0, True, ""),
    ]
    matrix = Matrix(pd.DataFrame(rows, columns=list(COLUMNS)))
    write(matrix, tmp_path / "all.csv", ["a note"])
    assert (tmp_path / "all.csv").read_text() == "# a note\nop,case,t/a,t/b\nOp,one,Wpe,Wuu\nOp,two,ppp,\n"
    again = read(tmp_path / "all.csv").table
    keys = ["target", "case", "variant", "result", "supported"]
    assert sorted(map(tuple, again[keys].to_numpy())) == sorted(map(tuple, matrix.table[keys].to_numpy()))
    write(matrix, tmp_path / "few.csv", [], leave_out_right=True)
    assert "two" not in (tmp_path / "few.csv").read_text()
    write_faults(matrix, tmp_path / "faults.csv", ["a note"])
    assert read_faults(tmp_path / "faults.csv").message.tolist() == ["another opset", "it said # no", "known"]
