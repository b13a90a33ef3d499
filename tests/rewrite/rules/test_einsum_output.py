import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

OPENCV = targets.load("opencv/cpu")


@pytest.mark.parametrize(
    ("equation", "shape", "other", "stated"),
    [
        ("...ij, jk", (2, 3, 5), (5, 4), "...ij,jk->...ik"),
        ("k...j,jb", (2, 3, 5), (5, 4), "k...j,jb->...bk"),
        ("...i,i", (2, 3, 5), (5,), "...i,i->..."),
        ("ij,...jk", (3, 5), (2, 5, 4), "ij,...jk->...ik"),
    ],
)
def test_the_output_that_onnx_means_is_stated(equation, shape, other, stated):
    before, x = model([node("Einsum", "x", "w", "y", equation=equation)], shape, {"w": values(*other)}), values(*shape)
    lowered = lower(before, OPENCV)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == ["Einsum"]
    assert lowered.model.graph.node[0].attribute[0].s.decode() == stated
    assert_same(before, lowered.model, x, EXACT)
    with open_runner(lowered.model, OPENCV) as engine, open_runner(before, targets.load("ort/cpu")) as truth:
        actual, expected = engine.infer({"x": x})["y"], truth.infer({"x": x})["y"]
    assert actual.shape == expected.shape
    assert abs(actual - expected).max() < 1e-5


@pytest.mark.parametrize("equation", ["ij,jk", "...j,jk->...k"])
def test_another_equation_stays(equation):
    before = model([node("Einsum", "x", "w", "y", equation=equation)], (3, 5), {"w": values(5, 4)})
    assert lower(before, OPENCV).model.graph.node[0].attribute[0].s.decode() == equation
