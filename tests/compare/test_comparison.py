from __future__ import annotations

import json

import numpy as np
import pytest

from fns_lab.compare import EXACT, IMAGE_SAME_ENGINE, VALUES_FLOAT32, collect, compare
from fns_lab.compare.comparison import OPS_KEYS
from fns_lab.compare.metrics import DECADES
from tests import small_network as small


def compared(a, b, tolerance=VALUES_FLOAT32):
    feeds = small.feeds()
    return compare(a, b, collect(a, feeds, small.run), collect(b, feeds, small.run), tolerance)


@pytest.fixture(scope="module")
def values():
    return collect(small.regular(), small.feeds(), small.run)


def changed(values, name, array):
    return values | {name: array}


def test_a_faithful_rewrite_is_equal():
    comparison = compared(small.regular(), small.rewritten())
    assert comparison, str(comparison)
    assert comparison.first_divergence is None
    assert comparison.compared == 4
    assert str(comparison).startswith("equal: 4 values compared, 8 values skipped: no partner in A; nearest")
    table = comparison.table.set_index("value")
    assert list(table.index) == ["conv1", "norm", "relu", "output"]
    assert list(table["op"]) == ["Conv", "InstanceNormalization", "Relu", "Conv"]
    assert table["rule"].to_dict() == {"conv1": "", "norm": small.RULE, "relu": "", "output": ""}
    assert table.loc["conv1", "max_abs"] == 0


def test_inner_values_of_the_rewrite_are_counted_as_skipped():
    skipped = compared(small.regular(), small.rewritten()).skipped
    assert {s.value for s in skipped} == {"mu", "centred", "square", "var", "var_eps", "sd", "unit", "scaled"}
    assert {s.reason for s in skipped} == {"no partner in A (part of 'norm')"}
    back = compared(small.rewritten(), small.regular())
    assert {s.reason for s in back.skipped} == {"no partner in B (part of 'norm')"}


@pytest.mark.parametrize("fault", [{"eps": 100.0}, {"axes": (1, 2)}])
def test_a_planted_fault_is_the_first_divergence(fault):
    comparison = compared(small.regular(), small.rewritten(**fault))
    assert not comparison
    assert comparison.first_divergence == "norm"
    assert f"first at 'norm' (InstanceNormalization, rule {small.RULE}): max_abs" in str(comparison)


def test_outputs_of_other_names_pair_by_position():
    comparison = compared(small.regular("image"), small.rewritten("result"))
    assert comparison
    assert comparison.table["value"].iloc[-1] == "image"


def test_an_output_does_not_pair_with_an_inner_value_of_its_name():
    comparison = compared(small.regular("unit"), small.rewritten("result"))
    assert comparison, str(comparison)
    assert "unit" in {s.value for s in comparison.skipped if s.reason.startswith("no partner in A")}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["a", "b"])
def test_nan_and_inf_fail(values, bad, side):
    relu = values["relu"].copy()
    relu[1, 2, 3, 4] = bad
    pair = {"a": values, "b": values, side: changed(values, "relu", relu)}
    comparison = compare(small.regular(), small.regular(), pair["a"], pair["b"], VALUES_FLOAT32)
    assert not comparison
    assert comparison.first_divergence == "relu"
    assert f"{side.upper()} has 1 {'NaN' if np.isnan(bad) else 'Inf'}, first at (1, 2, 3, 4)" in str(comparison)


def test_the_same_nan_on_both_sides_fails(values):
    broken = changed(values, "norm", np.full_like(values["norm"], np.nan))
    assert not compare(small.regular(), small.regular(), broken, broken, VALUES_FLOAT32)


def test_another_shape_fails(values):
    turned = changed(values, "norm", values["norm"].transpose(0, 1, 3, 2))
    comparison = compare(small.regular(), small.regular(), values, turned, VALUES_FLOAT32)
    assert comparison.first_divergence == "norm"
    assert "shape (2, 4, 7, 10) against (2, 4, 10, 7)" in str(comparison)


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_missing_output_fails(values, side):
    less = {name: array for name, array in values.items() if name != "output"}
    pair = {"a": values, "b": values, side: less}
    comparison = compare(small.regular(), small.regular(), pair["a"], pair["b"], VALUES_FLOAT32)
    assert not comparison
    assert comparison.compared == 3
    assert comparison.first_divergence == "output"
    assert f"not among the values of {side.upper()}" in str(comparison)


def test_an_output_without_partner_fails(values):
    fewer = small.regular()
    del fewer.graph.output[:]
    comparison = compare(small.regular("other"), fewer, values, values, VALUES_FLOAT32)
    assert not comparison
    assert comparison.first_divergence == "other"


def test_nothing_compared_fails(values):
    comparison = compare(small.regular(), small.regular(), {}, {}, VALUES_FLOAT32)
    assert not comparison
    assert comparison.compared == 0
    no_outputs = small.regular()
    del no_outputs.graph.output[:]
    nothing = compare(no_outputs, no_outputs, {}, {}, VALUES_FLOAT32)
    assert not nothing
    skipped = "4 values skipped: not among the values of A"
    assert str(nothing) == f"differs: nothing was compared; 0 values compared, {skipped}"


def test_only_outputs_can_be_compared(values):
    output = {"output": values["output"]}
    comparison = compare(small.regular(), small.rewritten(), output, output, IMAGE_SAME_ENGINE)
    assert comparison
    assert (comparison.compared, len(comparison.skipped)) == (1, 11)


def test_the_tolerance_decides(values):
    nudged = changed(values, "output", values["output"] + np.float32(0.04))
    models = small.regular(), small.regular()
    assert compare(*models, values, nudged, IMAGE_SAME_ENGINE)
    assert not compare(*models, values, nudged, EXACT)


def test_json_is_strict_and_has_the_agreed_keys(values):
    broken = changed(values, "norm", np.full_like(values["norm"], np.nan))
    comparison = compare(small.regular(), small.regular(), values, broken, VALUES_FLOAT32)
    text = json.dumps(comparison.to_json(), allow_nan=False)
    answer = json.loads(text)
    assert tuple(answer)[:5] == ("equal", "compared", "skipped", "first_divergence", "ops")
    assert answer["equal"] is False
    assert (answer["compared"], answer["skipped"], answer["first_divergence"]) == (4, 0, "norm")
    assert all(tuple(row) == OPS_KEYS for row in answer["ops"])
    by_value = {row["value"]: row for row in answer["ops"]}
    assert by_value["conv1"] == {
        "value": "conv1", "op": "Conv", "max_abs": 0.0, "mean_abs": 0.0, "p99_abs": 0.0, "psnr_db": None, "rule": "",
        "max_rel": 0.0, "max_ulps": 0.0, "decades": [560, *[0] * len(DECADES)], "fault": "", "origin": "",
    }  # fmt: skip
    assert by_value["norm"]["max_abs"] is None
    assert by_value["norm"]["fault"] == "B has 560 NaN, first at (0, 0, 0, 0)"


def test_the_truth_says_which_value_is_nearer(values):
    nudged = changed(values, "norm", values["norm"] + np.float32(1e-5))
    comparison = compare(small.regular(), small.regular(), nudged, values, VALUES_FLOAT32, truth=values)
    rows = comparison.table.set_index("value")
    assert rows.loc["norm", "truth_error_a"] > 0 == rows.loc["norm", "truth_error_b"]
    assert str(comparison).endswith("B is nearer the truth than A in 1 and farther in 0 of 4 values")
    assert comparison.to_json()["ops"][1]["truth_error_b"] == 0


def test_half_precision_has_a_bound_of_its_own(values):
    half = {name: array.astype(np.float16) for name, array in values.items()}
    assert compare(small.regular(), small.regular(), values, half, VALUES_FLOAT32)
    far = changed(half, "norm", half["norm"] * np.float16(1.1))
    assert "VALUES_FLOAT16" in str(compare(small.regular(), small.regular(), values, far, VALUES_FLOAT32))


def test_the_map_shows_where_in_the_image(values):
    spoilt = values["relu"].copy()
    spoilt[1, 2, 5, 3] += 7
    comparison = compare(small.regular(), small.regular(), values, changed(values, "relu", spoilt), VALUES_FLOAT32)
    assert list(comparison.maps) == ["relu", "output"]
    assert comparison.maps["relu"].shape == (small.H, small.W)
    assert np.unravel_index(comparison.maps["relu"].argmax(), (small.H, small.W)) == (5, 3)
    assert not comparison.maps["output"].any()
