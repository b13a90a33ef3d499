import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.3/cpu"])
def test_a_number_is_added_in_the_engine(target):
    constants = {"b": values(4, 5), "c": np.float32(-2.5)}
    before, x = model([node("Gemm", "x", "b", "c", "y", beta=2.0)], (3, 4), constants), values(3, 4)
    lowered = lower(before, targets.load(target))
    assert lowered
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], run(before, x), rtol=1e-5)


def test_a_computed_number_gets_an_axis():
    nodes = [node("ReduceMean", "x", "c", keepdims=0), node("Gemm", "x", "b", "c", "y", transB=1)]
    before = model(nodes, (3, 4), {"b": values(5, 4)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["ReduceMean", "Reshape", "Gemm"]
    assert_same(before, lowered.model, values(3, 4), EXACT)
