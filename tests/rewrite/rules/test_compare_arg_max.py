import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
FLOAT = 1
COMPARISONS = {"Equal": 11, "Greater": 9, "GreaterOrEqual": 12, "Less": 9, "LessOrEqual": 12}
FAR = np.array([0.0, -0.0, 1e-45, -1e-45, 1e-38, 1.0, -1.0, 3e38, -3e38, np.inf, -np.inf], np.float32)


def compared(op, *, opset=18, shape=SHAPE, constant=None, other="Neg", special=False):
    """Return a model that gives 1 where the comparison holds and 0 elsewhere."""
    nodes, constants = [], {}
    if constant is not None:
        constants["c"] = constant
    else:
        nodes.append(node(other, "x", "c"))
    inputs = ["x"] if special else ["x", "c"]
    return model([*nodes, node(op, *inputs, "b"), node("Cast", "b", "y", to=FLOAT)], shape, constants, opset=opset)


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("constant", [None, np.array(0.5, np.float32), np.float32([[0.5], [1.25], [-2], [0], [1]])])
def test_each_comparison(op, constant, newest):
    before = compared(op, opset=22 if newest else COMPARISONS[op], constant=constant)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert {"ArgMax", "Gather"} <= set(ops(lowered.model))
    assert_same(before, lowered.model, np.round(values(*SHAPE) * 4) / 4, EXACT)


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("constant", [FAR, FAR[-1:], FAR[-2:-1]])
def test_far_tiny_and_infinite_numbers(op, constant):
    x = FAR.reshape(-1, 1)
    before = compared(op, shape=x.shape, constant=constant)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("other", ["Relu", "Neg"])
def test_computed_far_numbers(op, other):
    before = compared(op, shape=FAR.shape, other=other)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, FAR), run(before, FAR))


@pytest.mark.parametrize("op", ["IsInf", "IsNaN"])
def test_special_numbers(op):
    x = np.append(FAR, np.float32(np.nan))
    before = compared(op, shape=x.shape, special=True)
    lowered = lower(before, TARGET)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))


def test_nan_is_neither_larger_nor_smaller():
    x = np.array([np.nan, 1], np.float32)
    for op in COMPARISONS:
        before = compared(op, shape=x.shape, constant=np.zeros(1, np.float32))
        np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


def test_whole_numbers():
    nodes = [
        node("ArgMax", "x", "i", axis=0, keepdims=0),
        node("LessOrEqual", "i", "two", "b"),
        node("Cast", "b", "y", to=FLOAT),
    ]
    before = model(nodes, (5, 6), {"two": np.array(2)})
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(5, 6), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (compared("Greater", constant=np.array(np.nan, np.float32)), "a constant is NaN"),
        (compared("Greater", constant=np.array(0, np.float32), shape=("N", 3)), "not fixed"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "compare-arg-max", reason, alone=True)


def test_booleans_given_out_are_refused():
    before = compared("Less", constant=np.array(0, np.float32))
    del before.graph.output[:]
    before.graph.output.extend(value for value in before.graph.value_info if value.name == "b")
    assert_refused(before, TARGET, "compare-arg-max", "an output of booleans")
