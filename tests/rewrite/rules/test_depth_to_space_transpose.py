import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


@pytest.mark.parametrize(
    ("before", "shape"),
    [
        (model([node("DepthToSpace", "x", "y", blocksize=2)], (2, 8, 3, 5), opset=7), (2, 8, 3, 5)),
        (model([node("DepthToSpace", "x", "y", blocksize=2, mode="CRD")], (2, 8, 3, 5)), (2, 8, 3, 5)),
        (model([node("DepthToSpace", "x", "y", blocksize=3, mode="DCR")], (1, 9, 2, 4)), (1, 9, 2, 4)),
        (model([node("SpaceToDepth", "x", "y", blocksize=2)], (2, 3, 4, 6)), (2, 3, 4, 6)),
    ],
)
def test_reshape_transpose_reshape(before, shape):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Transpose", "Reshape"]
    assert_same(before, lowered.model, values(*shape), EXACT)


def test_refusals():
    row = lower(model([node("DepthToSpace", "x", "y", blocksize=2)], (1, 8, "h", 5)), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "depth-to-space-transpose")
    assert "--shape" in row.reason
