import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.random_models.draw import SIDE, with_small_textures
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = with_small_textures(targets.load("onnxjs-0.1.8/webgl"))
K, N = SIDE, SIDE + 2
WEIGHTS = values(K, N)


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("MatMul", {"w": WEIGHTS}, {}),
        ("Gemm", {"w": WEIGHTS, "c": values(N)}, {"alpha": 0.5}),
        ("Gemm", {"w": np.ascontiguousarray(WEIGHTS.T), "c": values(1)}, {"transB": 1, "beta": 2.0}),
    ],
)
def test_each_half_of_the_columns_is_a_product_of_its_own(op, constants, attributes):
    before = model([node(op, "x", *constants, "y", **attributes)], (1, K), constants)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == [op, op, "Concat"]
    assert_same(before, lowered.model, values(1, K), ROUNDING)


def test_a_small_matrix_is_not_what_does_not_fit():
    before = model([node("MatMul", "x", "w", "y")], (8209, 3), {"w": values(3, 4)})
    assert_refused(before, TARGET, "mat-mul-columns", "x itself does not fit into a texture")
