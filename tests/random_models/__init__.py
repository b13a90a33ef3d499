"""Random small models for every rule: what `lower` makes of them must equal them in ONNX Runtime.

`cases()` is a hypothesis strategy. A case names the rule that it is made for, a target that calls for the rule, and a
model whose op, opset, shape and attributes are drawn. `judge` lowers it and returns the error; the test suite draws a
few hundred cases, `make bench` a few thousand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnx
from hypothesis import strategies as st

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.random_models import faults, layers, networks, plain_ops
from tests.random_models.draw import input_shape, values

ROUNDING = 5e-6
"""Of the largest value: float32 sums of up to a few hundred terms, taken in another order."""
NETWORK = "(network)"
"""Stands among the rules for several layers one after the other, whatever rules they call for."""
CASES = {
    "subpixel-upsample-conv": layers.subpixel,
    "subpixel-concat": layers.faster_upsampling,
    "upsample-conv-transpose": layers.faster_upsampling,
    "group-norm-instance-norm": layers.group_norm,
    "instance-norm-batch-norm": layers.instance_norm,
    "instance-norm-reduce": layers.instance_norm_of_many,
    "resize-pad-gather": layers.faster_upsampling,
    "resize-gather": layers.resize_nearest,
    "resize-matmul": layers.resize_linear,
    "layer-norm-reduce": layers.layer_norm,
    "lrn-conv": layers.lrn,
    "conv-transpose-subpixel": layers.conv_transpose,
    "log-softmax-reduce": plain_ops.log_softmax,
    "softmax-transpose": plain_ops.softmax,
    "function-body": plain_ops.function,
    "reduce-elementwise": plain_ops.reduction,
    "elementwise": plain_ops.elementwise,
    "erf-tanh": plain_ops.erf,
    "min-max-relu": plain_ops.min_max,
    "clip-relu": plain_ops.clip,
    "power": plain_ops.power,
    "sum-add": plain_ops.sum_of_values,
    "where-gather": plain_ops.where,
    "split-slice": plain_ops.split,
    "slice-gather": plain_ops.slice_with_steps,
    "gather-nd-gather": plain_ops.gather_nd,
    "expand-tile": plain_ops.expand,
    "depth-to-space-transpose": plain_ops.depth_to_space,
    "flatten-reshape": plain_ops.flatten,
    "pad-gather": plain_ops.pad,
    "pad-concat": layers.plain_pad,
    "pad-constant": plain_ops.pad_constant,
    "conv-split-kernel": layers.conv_of_few,
    "conv-winograd": layers.conv_of_rows,
    "conv-bands": layers.large_conv,
    "add-sum": layers.add_of_equals,
    "explicit-pads": faults.auto_pad,
    "conv-dense": faults.conv_dense,
    "conv-by-image": faults.conv_of_many,
    "softmax-shift": faults.softmax_low,
    "gather-plain": faults.gather,
    "copy-before-shared-reshape": faults.shared_reshape,
    "copy-between": faults.read_after,
    "copy-between-alike": faults.alike_after,
    "copy-second-operand": faults.same_twice,
    NETWORK: networks.network,
}
"""By rule, in the order of `RULES`: draws a target's name and a model."""
PREFERRED = (
    "subpixel-concat", "upsample-conv-transpose", "resize-pad-gather", "pad-concat", "conv-split-kernel",
    "conv-winograd", "conv-bands", "add-sum",
)  # fmt: skip
"""Rules that a target uses because it prefers them, not because it must."""


class Case(NamedTuple):
    """A model and the rule that must lower it for the target."""

    rule: str
    target: str
    model: onnx.ModelProto
    seed: int


class Verdict(NamedTuple):
    """Largest error relative to the largest value, and the limit that the rules' fidelity sets."""

    error: float
    limit: float


def judge(case: Case) -> Verdict:
    """Lower the case and run both models. Raises AssertionError where the rule was not used or no model came of it."""
    target = targets.load(case.target)
    if case.rule in PREFERRED:
        target = replace(target, prefer=(case.rule,))
    lowered = lower(case.model, target)
    assert lowered, f"{case.rule}: {lowered}\n{lowered.refused.to_string()}"
    assert case.rule in {*lowered.applied.rule, NETWORK}, f"{case.rule} was not used:\n{lowered.applied.to_string()}"
    assert "approximate" not in set(lowered.applied.fidelity)
    onnx.checker.check_model(lowered.model, full_check=True)
    x = values(np.random.default_rng(case.seed), input_shape(case.model))
    expected, found = _run(case.model, x), _run(lowered.model, x)
    exact = set(lowered.applied.fidelity) == {"exact"}
    return Verdict(max(map(_error, expected, found)), 0.0 if exact else ROUNDING)


def _error(expected: np.ndarray, found: np.ndarray) -> float:
    assert expected.shape == found.shape and expected.dtype == found.dtype
    assert np.isfinite(expected).all() and np.isfinite(found).all()
    if not expected.size:
        return 0.0
    return float(np.abs(expected - found).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))


def _run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


@st.composite
def cases(draw, rule: str | None = None) -> Case:
    """A case for `rule`, or for any."""
    name = rule or draw(st.sampled_from(list(CASES)))
    target, model = CASES[name](draw)
    return Case(name, target, model, draw(st.integers(0, 999)))
