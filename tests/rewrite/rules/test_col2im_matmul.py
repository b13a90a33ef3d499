import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def col2im(shape, image, block, **attributes):
    return model(
        [node("Col2Im", "x", "i", "k", "y", **attributes)], shape, {"i": np.array(image), "k": np.array(block)}
    )


@pytest.mark.parametrize(
    ("shape", "image", "attributes"),
    [
        ((2, 18, 12), (5, 6), {}),
        ((2, 18, 9), (5, 6), {"strides": [2, 2], "pads": [1, 0, 1, 2]}),
        ((1, 9, 4), (6, 6), {"dilations": [2, 2]}),
    ],
)
def test_one_product(shape, image, attributes):
    before = col2im(shape, image, (3, 3), **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "MatMul", "Reshape"]
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_other_dimensions_as_onnx_defines_them():
    x = values(1, 6, 8)
    before = col2im(x.shape, (4, 3, 3), (3, 2, 1), strides=[1, 2, 2], pads=[0, 1, 0, 0, 1, 0])
    lowered = lower(before, TARGET)
    np.testing.assert_allclose(run(lowered.model, x), ReferenceEvaluator(before).run(None, {"x": x})[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (col2im((1, 9, 10), (5, 6), (3, 3)), "12 fit into the image"),
        (col2im((1, 9, 65025), (257, 257), (3, 3)), "more than 16777216"),
        (col2im((1, 9, "l"), (5, 6), (3, 3)), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "col2im-matmul", reason)
