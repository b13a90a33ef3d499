"""Whatever shape, opset and attributes are drawn: the lowered model gives the outputs of the original."""

import dataclasses

import onnx
import pytest
from onnx import numpy_helper

from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rules import RULES
from tests import random_models
from tests.random_models import GENERATORS, NETWORK, Case, check_case, for_each_case
from tests.rewrite.graphs import model, node, values

CASES_PER_RULE = 4
NETWORKS = 20


def test_every_rule_has_a_generator_of_random_models():
    assert list(GENERATORS) == [*(rule.NAME for rule in RULES), NETWORK]


@pytest.mark.parametrize("rule", GENERATORS)
def test_random_models_that_the_rule_rewrites_keep_their_outputs(rule):
    results = []

    def outputs_agree(case: Case) -> None:
        result = check_case(case)  # raises where the rule was not applied
        assert result.error <= result.limit, f"{case.rule} for {case.target}: {result}"
        results.append(result)

    count = NETWORKS if rule == NETWORK else CASES_PER_RULE
    for_each_case(rule, count, outputs_agree)
    assert len(results) >= count


def test_a_case_that_its_rule_does_not_rewrite_fails():
    relu = model([node("Relu", "x", "y")], (2, 3))
    with pytest.raises(AssertionError, match="clip-relu was not applied"):
        check_case(Case("clip-relu", "onnxjs-0.1.3/cpu", relu, seed=0))


def test_a_lowered_model_with_a_changed_weight_is_over_the_limit(monkeypatch):
    def lower_and_change(proto, target):
        lowered = lower(proto, target)
        changed = onnx.ModelProto.FromString(lowered.model.SerializeToString())
        weight = next(t for t in changed.graph.initializer if t.name == "w")
        weight.CopyFrom(numpy_helper.from_array(1.0001 * numpy_helper.to_array(weight), "w"))
        return dataclasses.replace(lowered, model=changed)

    conv = model([node("Conv", "x", "w", "y")], (2, 3, 5, 7), {"w": values(4, 3, 3, 2)})
    case = Case("conv-by-image", "onnxjs-0.1.8/cpu", conv, seed=0)
    assert check_case(case).error == 0
    monkeypatch.setattr(random_models, "lower", lower_and_change)
    result = check_case(case)
    assert result.error > result.limit
