"""Drawn nodes as cases."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fns_lab.measure.sweep.axes import CONSTANTS, FIRST_OPSET, LAST_OPSET, NONE_OR_ALL, opsets
from fns_lab.measure.sweep.families import FAMILIES, NOT_DRAWN
from fns_lab.measure.sweep.pairwise import Row
from fns_lab.measure.sweep.samples import axes_of, draw_samples, drawn, make_node, make_sample, weight
from fns_lab.measure.sweep.sweep import CASES
from fns_lab.models import opset
from fns_lab.runtimes import open_runner


@pytest.mark.sampled(5)
@pytest.mark.parametrize("op", FAMILIES)
def test_every_op_is_drawn_as_valid_models(op: str) -> None:
    samples = list(draw_samples(op, 3, seed=0))
    assert len(samples) == 3
    for sample in samples:
        onnx.checker.check_model(sample.case.model, full_check=True)
        assert [node.op_type for node in sample.case.model.graph.node] == [op]
        assert opset(sample.case.model) == sample.row["opset"]


def test_every_op_of_onnx_is_drawn_or_a_reason_says_why_not() -> None:
    current = {op.name for op in onnx.defs.get_all_schemas() if op.domain == ""}
    claimed = {op for op in current if opsets(op)}
    assert claimed == {op for op in FAMILIES if op in claimed} | set(NOT_DRAWN)
    assert not set(FAMILIES) & set(NOT_DRAWN) and all(opsets(op) for op in FAMILIES)
    assert (FIRST_OPSET, LAST_OPSET) == (7, 25)


def test_an_op_of_several_element_types_is_drawn_with_each() -> None:
    assert {"float32", "float16", "float64", "int8", "uint64"} <= set(axes_of("Add")["type"])
    assert axes_of("Not")["type"] == ("bool",) and "uint8" in axes_of("Where")["type"]
    assert "type" not in axes_of("QuantizeLinear")  # its axis `kind` is the type that it writes
    types = [sample.case.feeds["x0"].dtype for sample in draw_samples("Abs", 24, 0) if "x0" in sample.case.feeds]
    assert len(set(types)) > 3 and types.count(np.dtype("float32")) >= len(types) / 2


def test_the_expected_outputs_are_those_of_onnx_runtime() -> None:
    (sample,) = draw_samples("Conv", 1, seed=3)
    with open_runner(sample.case.model, "ort/cpu") as runner:
        outputs = runner.infer(dict(sample.case.feeds))
    np.testing.assert_allclose(outputs["y0"], sample.case.expected["y0"], rtol=1e-4, atol=1e-4)


def test_the_expected_outputs_are_those_of_the_reference_where_onnx_runtime_is_known_to_be_wrong() -> None:
    simplest = {axis: values[0] for axis, values in axes_of("Attention").items()}
    row = simplest | {"opset": 23, "queries": 1, "past": 2, "outputs": 3, "attribute is_causal": 1}
    sample = make_sample("Attention", row, 0)
    assert sample and not sample.by_reference  # ONNX Runtime says the same of the lowered model
    with open_runner(sample.case.model, "ort/cpu") as runner:
        outputs = runner.infer(dict(sample.case.feeds))
    assert np.abs(outputs["y0"] - sample.case.expected["y0"]).max() > 0.1
    np.testing.assert_allclose(outputs["y1"], sample.case.expected["y1"])


def test_past_keys_are_drawn_without_present_ones_too() -> None:
    rows = [sample.row for sample in draw_samples("Attention", 8, 0)]
    assert {(bool(row["past"]), row["outputs"] == 1) for row in rows} == {(True, True), (True, False), (False, True)}


def test_a_seed_draws_the_same_samples() -> None:
    first, second, other = (
        [sample.case.model.SerializeToString() for sample in draw_samples("Pad", 3, seed)] for seed in (0, 0, 1)
    )
    assert first == second != other


def test_no_logarithm_of_a_sum_that_cancels_is_drawn() -> None:
    row = {axis: values[0] for axis, values in axes_of("ReduceLogSum").items()} | {"values": "far"}
    sample = make_sample("ReduceLogSum", row, 0)
    assert sample and sample.case.feeds["x0"].min() > 0 and np.isfinite(sample.case.expected["y0"]).all()


def test_a_row_that_describes_no_valid_node_gives_no_sample() -> None:
    simplest = {axis: values[0] for axis, values in axes_of("Conv").items()}
    assert make_sample("Conv", simplest, 0)
    assert make_sample("Conv", simplest | {"channels": 5, "group": 2}, 0) is None  # 5 channels in 2 groups
    assert make_sample("Conv", simplest | {"kernel": (9, 9)}, 0) is None  # larger than the image


def test_axes_follow_the_schemas_of_every_opset() -> None:
    axes = axes_of("ReduceSum")
    assert axes["opset"] == (13, 11, 7) and "attribute noop_with_empty_axes" in axes
    assert {"values", "broadcast"} <= set(axes_of("Add")) and axes_of("Add")["constants"] == CONSTANTS
    assert axes_of("Relu")["constants"] == NONE_OR_ALL


def read_in_threes(op: str, row: Row, seed: int) -> bool | None:
    """Return whether a Conv reads channels in threes and writes filters in fours; None for a row without a node."""
    if make_node(op, row, seed) is None:
        return None
    channels, filters = int(str(row["channels"])), int(str(row["filters"]))
    threes = channels > 3 and channels % 3 == 0 and channels % 4 != 0
    dense = row["group"] in (None, 1) and row["kernel"] != (1, 1) and row["rank"] in (3, 4)
    return threes and dense and filters % 4 == 0 and bool(row["batch"])


@pytest.mark.sampled(5)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 7, 8, 101, 202])
def test_any_seed_draws_convolutions_that_read_in_threes_and_write_in_fours(seed: int) -> None:
    share = round(CASES * weight("Conv") / sum(map(weight, FAMILIES)))
    assert sum(drawn("Conv", share, seed, read_in_threes)) >= 3


@pytest.mark.parametrize("seed", range(20))
def test_no_integer_zero_is_raised_to_a_negative_power(seed: int) -> None:
    row = {axis: values[0] for axis, values in axes_of("Pow").items()} | {"type": "int64", "values": "negative"}
    made = make_node("Pow", row, seed)
    assert made is not None
    model, feeds = made
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    base, exponent = ((feeds | constants)[name] for name in model.graph.node[0].input)
    assert (exponent < 0).any() and (base != 0).all()
