"""Rules on values of other element types than float32: they write constants of that type, or refuse."""

import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.random_models import GENERATORS, NETWORK, for_each_case, target_of
from tests.random_models.element_types import TYPES, check_in_type, in_type
from tests.rewrite.graphs import assert_refused, model, node, ops

OLDEST = targets.load("onnxjs-0.1.3/cpu")
CASES_PER_RULE = 3


@pytest.mark.sampled(5)
@pytest.mark.parametrize("rule", [rule for rule in GENERATORS if rule != NETWORK])
def test_what_a_rule_writes_in_another_element_type_is_right_or_it_refuses(rule):
    def check(case):
        for name in TYPES:
            if (typed := in_type(case.model, name)) is not None:
                check_in_type(typed, target_of(case), name)

    for_each_case(rule, CASES_PER_RULE, check)


def test_padding_is_written_in_the_element_type_of_the_value():
    before = in_type(model([node("Pad", "x", "p", "y")], (1, 2, 3), {"p": np.array([0, 0, 1, 0, 0, 1])}), "float16")
    lowered = lower(before, targets.load("onnxjs-0.1.3/cpu"))
    assert ops(lowered.model) == ["Concat"]
    onnx.checker.check_model(lowered.model, full_check=True)
    assert {tensor.data_type for tensor in lowered.model.graph.initializer} == {onnx.TensorProto.FLOAT16}


def test_a_rule_for_float32_refuses_other_types_and_unknown_ones_by_name():
    elu = model([node("Elu", "x", "y")], (2, 3))
    assert_refused(in_type(elu, "float16"), OLDEST, "elementwise", "x is float16; this rule takes float32")
    unknown = model([node("Custom", "x", "v", domain="other"), node("Elu", "v", "y")], (2, 3))
    assert_refused(unknown, OLDEST, "elementwise", "the element type of v is unknown")
