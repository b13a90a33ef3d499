import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


def power(p, *, first="Identity"):
    nodes = [node(first, "x", "a"), node("Pow", "a", "p", "y")]
    return model(nodes, SHAPE, {"p": np.array(p, np.float32)})


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (2, ["Mul"]), (3, ["Mul", "Mul"]), (4, ["Mul", "Mul"]), (-1, ["Div"]), (-2, ["Mul", "Div"]),
    ],
)  # fmt: skip
def test_whole_powers_are_products(p, expected):
    before = power(p)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("p", "expected"), [(0.5, ["Exp", "Sqrt"]), (-0.5, ["Exp", "Sqrt", "Div"]), (1.7, ["Exp", "Log", "Mul", "Exp"])]
)
def test_other_powers_of_what_is_never_negative(p, expected):
    before = power(p, first="Exp")
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_a_power_of_0_after_relu():
    before = power(2.3, first="Relu")
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (power(1.7), "may be negative"),
        (power(-1.7, first="Relu"), "negative or 0"),
        (power([2, 3] * 3 + [1]), "one number"),
    ],
)
def test_refusals(before, reason):
    row = lower(before, TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "power")
    assert reason in row.reason
