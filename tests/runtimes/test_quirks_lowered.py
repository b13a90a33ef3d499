"""Faults of engines from pip that other nodes get round: refused as they are, right once lowered, where a rule can."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner, run_in
from tests.runtimes.graphs import graph, worst_error
from tests.runtimes.one_node import OPENCV, OPENVINO, ORT, TRACT, one, x

ERROR = 1e-5
"""Largest error of a right result, relative to the largest value or to 1."""


def reference(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)[0]


def normalized(size):
    """An LRN, and its result as ONNX's text says it: onnx's reference takes the batch for the channels."""
    image = 9 * x(2, 8, 3, 5)
    squares = image.astype(np.float64) ** 2
    before, after = (size - 1) // 2, size // 2
    around = [squares[:, max(0, c - before) : c + after + 1].sum(1) for c in range(8)]
    expected = image / (1 + 1e-4 / size * np.stack(around, 1)) ** 0.75
    return *one("LRN", {"x": image}, size=size), expected


def batch_first(op, layout=1):
    gates = {"LSTM": 4, "GRU": 3}[op]
    weights = {"w": x(1, gates * 4, 3), "r": x(1, gates * 4, 4)}
    return one(op, {"x": x(2, 5, 3)}, weights, opset=14, hidden_size=4, layout=layout)


def of_lengths(op, *lengths):
    """A recurrent node with sequence_lens, which onnx's reference overlooks; so the result is ONNX Runtime's."""
    gates = {"LSTM": 4, "GRU": 3}[op]
    constants = {"w": x(1, gates * 4, 3), "r": x(1, gates * 4, 4), "n": np.array(lengths, np.int32)}
    model, feeds = one(op, {"x": x(4, 2, 3)}, constants, inputs="x,w,r,,n", opset=14, hidden_size=4)
    return model, feeds, run_in(ORT)(model, feeds)["y0"]


def quantized(zero, scale=0.125, **attributes):
    """A QuantizeLinear and the DequantizeLinear of its result; the steps are powers of two, so that none rounds."""
    image, constants = x(1, 8, 3, 5), {"s": np.asarray(scale, np.float32)} | ({} if zero is None else {"z": zero})
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *constants], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", *constants], ["y"], **attributes),
    ]
    model = graph(
        nodes, {"x": image}, constants, outputs={"y": None}, opset=21, ir_version=10, initializers_are_inputs=False
    )
    return models.infer_shapes(model), {"x": image}


def trained(outputs):
    constants = {name: x(3) for name in "gbm"} | {"v": np.abs(x(3))}
    return one("BatchNormalization", {"x": x(2, 3, 4, 5)}, constants, outputs=outputs, opset=15, training_mode=1)


def convolved(**attributes):
    return one("Conv", {"x": x(1, 2, 9, 8)}, {"w": x(3, 2, 3, 3)}, **attributes)


BLOCKS = 2.0 ** np.random.default_rng(5).integers(-5, -2, (1, 2, 3, 5))
CASES = {
    **{(name, "even LRN"): (normalized(4), normalized(3)) for name in (OPENCV, OPENVINO, ORT)},
    **{
        (name, f"{op} with the batch first"): (batch_first(op), of_lengths(op, 4, 4) if name == OPENVINO else None)
        for op in ("GRU", "LSTM")
        for name in (OPENCV, OPENVINO)
    },
    **{(TRACT, f"lengths of {op}"): (of_lengths(op, 4, 2), batch_first(op)) for op in ("GRU", "LSTM")},
    **{
        (name, f"QuantizeLinear to {dtype.__name__}"): (quantized(dtype(3)), quantized(np.uint8(3)))
        for dtype in (np.int16, np.uint16)
        for name in (OPENCV, OPENVINO, TRACT)
    },
    **{
        (name, "blocks"): (quantized(None, BLOCKS, axis=1, block_size=4), quantized(None))
        for name in (OPENCV, OPENVINO, TRACT)
    },
    (ORT, "training"): (trained(1), trained(3)),
    (OPENCV, "dilated SAME"): (
        convolved(auto_pad="SAME_UPPER", dilations=[2, 1]), convolved(pads=[2, 1, 2, 1], dilations=[2, 1])
    ),
}  # fmt: skip
"""By target and fault: a model that it gets wrong or fails on, and one beside it that is right, if there is one."""
REFUSED = {
    (OPENCV, "Cast to fewer bits"): (
        one("Cast", {"x": np.array([1, 127, 128, 300], np.int32)}, to=3), one("Cast", {"x": x(3)}, to=6)
    ),
    (OPENCV, "IsNaN of a scalar"): (one("IsNaN", {"x": np.float32(-0.7)}), one("IsNaN", {"x": x(3)})),
}  # fmt: skip
"""The same for faults that no rule gets round."""


def is_right(model, feeds, expected, name) -> bool:
    try:
        with open_runner(model, name) as runner:
            actual = next(iter(runner.infer(feeds).values()))
    except RuntimeFault:
        return False
    return actual.shape == expected.shape and worst_error(actual, expected.astype(actual.dtype)) < ERROR


def assert_told_apart(name, faulty, right):
    target = targets.load(name)
    model, feeds, *expected = faulty
    expected = expected[0] if expected else reference(model, feeds)
    assert not is_right(model, feeds, expected, name)
    assert not targets.check(model, target)
    if right:
        beside, its_feeds, *its_own = right
        assert is_right(beside, its_feeds, its_own[0] if its_own else reference(beside, its_feeds), name)
        assert targets.check(beside, target), targets.check(beside, target).table.reason.to_list()
    return model, feeds, expected, target


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_is_refused_and_lowering_gets_round_it(name, fault):
    model, feeds, expected, target = assert_told_apart(name, *CASES[name, fault])
    lowered = lower(model, target)
    assert lowered, lowered.refused.to_string()
    assert is_right(lowered.model, feeds, expected, name)


@pytest.mark.parametrize(("name", "fault"), REFUSED)
def test_a_fault_that_no_rule_gets_round_is_refused(name, fault):
    assert_told_apart(name, *REFUSED[name, fault])
