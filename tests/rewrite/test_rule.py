"""What all rules share: names, refusals, and the opsets at which they write nodes."""

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rule import OpRule, Refusal
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, values

OLDEST = targets.load("onnxjs-0.1.3/cpu")


def test_written_values_take_no_name_that_the_model_has():
    """A rule would call its constant y.one; here another node reads a constant of this name."""
    constants = {"y.one": np.full((1,), 7, np.float32)}
    before = model([node("Softsign", "x", "y"), node("Add", "y", "y.one", "z"), node("Relu", "z", "y.divisor")],
                   (2, 3), constants)  # fmt: skip
    before.graph.output[0].name = "y.divisor"
    lowered = lower(before, OLDEST)
    assert lowered
    assert [output.name for output in lowered.model.graph.output] == ["y.divisor"]
    assert_same(before, lowered.model, values(2, 3), ROUNDING)


def test_what_a_rewrite_raises_is_a_refusal():
    class Failing(OpRule):
        NAME, FIDELITY, EMITS, OPS = "failing", "exact", (), ("Elu",)

        def rewrite(self, op, x, y):
            raise Refusal("not foreseen")

    lowered = lower(model([node("Elu", "x", "y")], (2, 3)), OLDEST, rules=[Failing])
    assert not lowered
    assert ("failing", "not foreseen") in set(zip(lowered.refused.rule, lowered.refused.reason, strict=True))


def test_rules_write_no_nodes_of_opsets_whose_ops_do_not_broadcast():
    before = model([node("Softsign", "x", "y")], (2, 3), opset=6)
    assert_refused(before, OLDEST, "elementwise", "the model has opset 6")


@pytest.mark.parametrize(
    ("before", "rule", "reason"),
    [
        (model([node("Flatten", "x", "y", axis=2)], (3, 0, 2)), "flatten-reshape", "no elements"),
        (model([node("Pad", "x", "p", "y", mode="edge")], (0, 2), {"p": np.array([1, 0, 1, 0])}), "pad-gather",
         "no elements to copy"),
        (model([node("DepthToSpace", "x", "y", blocksize=2)], (1, 4, 0, 2)), "depth-to-space-transpose", "no elements"),
    ],
)  # fmt: skip
def test_values_without_elements_are_refused_where_a_size_of_0_means_something_else(before, rule, reason):
    assert_refused(before, OLDEST, rule, reason)
