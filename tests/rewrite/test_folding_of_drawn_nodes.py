"""Nodes of constants, drawn as for a sweep, fold to what ONNX Runtime computes of them."""

import numpy as np
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from fns_lab import models
from fns_lab.measure.sweep.families import FAMILIES
from fns_lab.measure.sweep.samples import draw_samples
from fns_lab.rewrite.folding import DOUBTFUL, RANDOM, evaluate

WITH_BODIES = {"If", "Loop", "Scan"}
TOLERANCES = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-6}
"""By type, of the largest value; ONNX Runtime computes some of float64 in float32."""
DRAWN = 8


def is_plain(sample):
    """Whether it has numbers of a usual size alone: beyond these, sums in another order differ."""
    return sample.row.get("values", "plain") == "plain" and sample.row.get("level", "near zero") == "near zero"


@pytest.mark.sampled(8)
@pytest.mark.parametrize("op", sorted(set(FAMILIES) - DOUBTFUL - RANDOM - WITH_BODIES))
def test_a_node_of_constants_folds_to_what_onnx_runtime_computes(op):
    for sample in filter(is_plain, draw_samples(op, DRAWN, seed=0)):
        model = sample.case.model
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer} | sample.case.feeds
        (node,) = ir.from_proto(model).graph
        inputs = [None if value is None else arrays[value.name] for value in node.inputs]
        results = evaluate(node, inputs, models.opset(model))
        for actual, expected in zip(results or (), sample.case.expected.values(), strict=bool(results)):
            if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
                break  # such a node is not folded
            if expected.dtype.kind == "f":
                largest = np.abs(expected[np.isfinite(expected)]).max(initial=0.01)
                tolerance = TOLERANCES[expected.dtype.name] * largest
                np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, err_msg=str(sample.row))
            else:
                np.testing.assert_array_equal(actual, expected, err_msg=str(sample.row))
