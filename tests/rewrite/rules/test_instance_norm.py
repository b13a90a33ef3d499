"""InstanceNormalization as BatchNormalization for one image, and as basic ops for any number of images."""

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rules.instance_norm_reduce import DEFAULT_EPSILON
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
BATCH_NORM = ["ReduceMean", "BatchNormalization", "ReduceSumSquare", "BatchNormalization"]
REDUCE = ["ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul", "Add"]


def instance_norm(shape, *, opset=18, **attributes):
    constants = {"gamma": values(3), "beta": values(3)}
    return model(
        [node("InstanceNormalization", "x", "gamma", "beta", "y", **attributes)], shape, constants, opset=opset
    )


@pytest.mark.parametrize("opset", [7, 13, 18, 22])
@pytest.mark.parametrize(("n", "expected"), [(1, BATCH_NORM), (2, REDUCE)])
def test_equal_to_the_op(n, expected, opset):
    before = instance_norm((n, 3, 5, 7), opset=opset, epsilon=1e-3)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(n, 3, 5, 7), ROUNDING)


@pytest.mark.parametrize("n", [1, 2])
def test_the_default_epsilon_counts(n):
    before = instance_norm((n, 3, 5, 7))
    x = values(n, 3, 5, 7) * np.float32(np.sqrt(DEFAULT_EPSILON))
    assert_same(before, lower(before, TARGET).model, x, 10 * ROUNDING)


@pytest.mark.parametrize("n", [1, 2])
def test_two_passes_keep_a_small_deviation_on_a_large_mean(n):
    """With mean 3000 and deviation 1, E[x^2] - E[x]^2 in float32 would be off by about 1; float64 is the truth."""
    before = instance_norm((n, 3, 16, 24))
    x = 3000 + values(n, 3, 16, 24)
    x64 = x.astype(np.float64)
    mu, var = x64.mean((2, 3), keepdims=True), x64.var((2, 3), keepdims=True)
    constants = {t.name: np.frombuffer(t.raw_data, np.float32).reshape(1, 3, 1, 1) for t in before.graph.initializer}
    truth = constants["gamma"] * (x64 - mu) / np.sqrt(var + DEFAULT_EPSILON) + constants["beta"]
    assert np.abs(run(lower(before, TARGET).model, x) - truth).max() < 5e-3


def test_a_flat_image_gives_beta():
    before = instance_norm((1, 3, 4, 6))
    x = np.full((1, 3, 4, 6), 7.0, np.float32)
    beta = np.frombuffer(before.graph.initializer[1].raw_data, np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(run(lower(before, TARGET).model, x), np.broadcast_to(beta, x.shape), atol=1e-6)


@pytest.mark.parametrize(("n", "reason"), [(2, "(1, C, H, W)"), ("n", "--shape")])
def test_batch_normalization_refuses_more_than_one_image(n, reason):
    refused = lower(instance_norm((n, 3, 5, 7)), TARGET).refused
    assert n == 2 or reason in refused[refused.rule == "instance-norm-batch-norm"].iloc[0].reason


def test_computed_weights_are_refused():
    nodes = [node("ReduceMean", "x", "axes", "gamma", keepdims=0),
             node("InstanceNormalization", "x", "gamma", "beta", "y")]  # fmt: skip
    before = model(nodes, (1, 3, 5, 7), {"axes": np.array([0, 2, 3]), "beta": values(3)})
    lowered = lower(before, TARGET)
    assert not lowered
    assert set(lowered.refused.rule) == {"instance-norm-batch-norm", "instance-norm-reduce"}
    assert "gamma is computed" in lowered.refused.iloc[0].reason


def test_a_target_that_has_it_keeps_it():
    assert ops(lower(instance_norm((1, 3, 5, 7)), targets.load("onnxjs-0.1.8/webgl")).model) == [
        "InstanceNormalization"
    ]


def test_the_faulty_wasm_kernel_of_0_1_4_is_avoided():
    before = instance_norm((1, 3, 5, 7))
    assert ops(lower(before, targets.load("onnxjs-0.1.4/cpu")).model) == ["InstanceNormalization"]
    assert ops(lower(before, targets.load("onnxjs-0.1.4/wasm")).model) == BATCH_NORM
