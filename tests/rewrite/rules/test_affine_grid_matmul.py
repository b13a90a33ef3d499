import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def affine_grid(size, shape, align_corners):
    nodes = [node("AffineGrid", "x", "size", "y", align_corners=align_corners)]
    return model(nodes, shape, {"size": np.array(size)}, opset=20)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize(("size", "shape"), [((2, 1, 5, 7), (2, 2, 3)), ((1, 3, 2, 5, 4), (1, 3, 4))])
def test_one_product(size, shape, align_corners):
    before = affine_grid(size, shape, align_corners)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Transpose", "MatMul", "Reshape"]
    assert_same(before, lowered.model, values(*shape), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (affine_grid((1, 1, 1, 4), (1, 2, 3), 1), "an axis has one pixel"),
        (affine_grid((1, 1, 3, 4), ("n", 2, 3), 0), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "affine-grid-matmul", reason)
