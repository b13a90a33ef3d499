import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, ops, values

OPENCV = targets.load("opencv/cpu")


def engine_result(before, x):
    lowered = lower(before, OPENCV)
    assert lowered, lowered.refused.to_string()
    assert [applied.rule for applied in lowered.applied.itertuples()] == ["default-stated"]
    with open_runner(lowered.model, OPENCV) as runner:
        return runner.infer({"x": x})["y"]


@pytest.mark.parametrize("opset", [7, 11, 13, 18])
def test_opencv_splits_along_the_first_axis(opset):
    x = values(4, 3, 5, 7)
    split = node("Split", "x", "first", **({"num_outputs": 2} if opset >= 18 else {}))
    split.output.append("second")
    before = model([split, node("Sub", "first", "second", "y")], x.shape, opset=opset)
    assert "along axis 1" in targets.check(before, OPENCV).table.reason[0]
    np.testing.assert_array_equal(engine_result(before, x), x[:2] - x[2:])


def test_a_mode_is_stated():
    x = values(1, 3, 5, 7)
    constants = {"scales": np.array([1, 1, 2, 2], np.float32)}
    exact = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    before = model([node("Resize", "x", "", "scales", "y", **exact)], x.shape, constants)
    np.testing.assert_array_equal(engine_result(before, x), x.repeat(2, 2).repeat(2, 3))


def test_tract_gives_a_constant_of_the_type_that_onnx_says():
    tract, x = targets.load("tract/cpu"), values(2, 3)
    nodes = [node("ConstantOfShape", "size", "zeros"), node("Add", "x", "zeros", "y")]
    before = model(nodes, (2, 3), {"size": np.array([2, 3])}, opset=13)
    assert "gives float64" in " ".join(targets.check(before, tract).table.reason)
    lowered = lower(before, tract)
    assert lowered
    with open_runner(lowered.model, tract) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], x)


def test_what_a_node_states_stays():
    split = node("Split", "x", "first", axis=1)
    split.output.append("second")
    before = model([split, node("Sub", "first", "second", "y")], (1, 4, 5, 7), opset=13)
    assert ops(lower(before, OPENCV).model) == ops(before)
