import numpy as np
import pytest

from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rules import conv_winograd
from tests.rewrite.graphs import assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("ort/cpu", "conv-winograd")
SHAPE = (1, 5, 16, 11)
FOUR_TIMES_ROUNDING = 8e-6
CORE = ["Gather", "Reshape", "MatMul", "Reshape", "Conv", "Reshape", "MatMul", "Reshape", "Transpose", "Reshape"]


def conv(*, shape=SHAPE, c_out=4, kernel=(3, 3), bias=True, **attributes):
    constants = {"w": values(c_out, shape[1] // attributes.get("group", 1), *kernel)}
    if bias:
        constants["b"] = values(c_out)
    return model([node("Conv", "x", *constants, "y", **attributes)], shape, constants)


@pytest.mark.parametrize(
    ("before", "written"),
    [
        (conv(kernel=(5, 2)), ["Reshape", *CORE]),
        (conv(kernel=(9, 9), bias=False), ["Reshape", *CORE]),
        (conv(), ["Reshape", *CORE, "Slice"]),
        (conv(kernel=(2, 3), c_out=1), ["Reshape", *CORE, "Slice"]),
        (conv(pads=[1, 1, 1, 1]), ["Reshape", "Concat", *CORE]),
        (conv(kernel=(7, 1), pads=[0, 2, 3, 1]), ["Reshape", "Concat", *CORE, "Slice"]),
    ],
)
def test_equal_to_the_convolution(before, written):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == written
    assert_same(before, lowered.model, values(*SHAPE), FOUR_TIMES_ROUNDING)


def test_half_the_products():
    before = conv(kernel=(9, 5))
    lowered = lower(before, TARGET).model
    weights = {t.name: t.dims for t in lowered.graph.initializer}
    grouped = next(n for n in lowered.graph.node if n.op_type == "Conv")
    products, rows = np.prod(weights[grouped.input[1]]), 4
    assert products / rows == 4 * 5 * 9 * 5 / 2


def test_the_identity_holds_in_real_numbers():
    a, g, b = conv_winograd._transforms()
    d, w = values(6).astype(np.float64), values(3).astype(np.float64)
    np.testing.assert_allclose(a @ ((g @ w) * (b @ d)), np.correlate(d, w), rtol=1e-12)


def test_the_points_err_less_than_the_usual_ones():
    """0, 1, -1, 2, -2 are in every textbook; Barabasz et al. found those here."""
    assert _error(conv_winograd.POINTS) < 0.8 * _error((0.0, 1.0, -1.0, 2.0, -2.0))


def _error(points) -> float:
    """Mean of the largest errors of float32 over sums of 64 channels."""
    rng, errors = np.random.default_rng(0), []
    a, g, b = (m.astype(np.float32) for m in conv_winograd._transforms(points))
    for _ in range(20):
        d, w = rng.normal(size=(64, 6, 50)), rng.normal(size=(64, 3))
        exact = np.stack([np.einsum("cr,crn->n", w, d[:, i : i + 3]) for i in range(4)])
        at_points = np.einsum("cpn,cp->pn", b @ d.astype(np.float32), (w @ g.T).astype(np.float32))
        errors.append(np.abs(a @ at_points - exact).max())
    return float(np.mean(errors))


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (conv(shape=(2, 5, 16, 11)), "not (1, C, H, W)"),
        (conv(kernel=(1, 3)), "one row high"),
        (conv(kernel=(14, 1)), "at least 4"),
        (conv(strides=[2, 1]), "strides"),
        (conv(shape=(1, 4, 16, 11), group=2), "2 groups"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "conv-winograd", reason)
